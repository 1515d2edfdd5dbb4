"""A window is a span of time that people name: one that a cron expression starts again and again, or one that is fixed.

Starts are included and ends are not. A duration is elapsed time, so a change of the clocks neither stretches nor
shortens a window that is open.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim


@dataclass(frozen=True)
class CronWindow:
    """Opens at every time of a cron expression, for so long."""

    cron: str  # five fields; weekdays 0 and 7 are Sunday, or names
    duration: timedelta
    timezone: str = "UTC"  # a name of the IANA database


@dataclass(frozen=True)
class DateWindow:
    """Open once: from `start`, included, to `end`, excluded; both aware."""

    start: datetime
    end: datetime


Window = CronWindow | DateWindow

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def open_until(window: Window, now: datetime) -> datetime | None:
    """The end of the span that is open now; None where none is. A cron window counts from its last start only."""
    if isinstance(window, DateWindow):
        return window.end if window.start <= now < window.end else None
    start = _last_start(window.cron, window.timezone, now.astimezone(UTC).replace(second=0, microsecond=0))
    end = None if start is None else start + window.duration
    return end if end is not None and now < end else None


@lru_cache(maxsize=4096)
def _last_start(cron: str, timezone: str, minute: datetime) -> datetime | None:
    """The last start at or before this minute, in UTC; None where there never was one. A start is a whole minute."""
    zone = ZoneInfo(timezone)
    past = _wall_time_passed(minute.astimezone(zone), zone)
    start = next(
        CronSim(cron, past + _SECOND, reverse=True), None
    )  # backwards from a start itself gives the one before
    return None if start is None else _first_instant(start, zone)


def _wall_time_passed(local: datetime, zone: ZoneInfo) -> datetime:
    """Up to which wall time every start has been; in the second pass of a doubled hour all of that hour's have."""
    wall = local.replace(tzinfo=None)
    if local.fold:
        while _offset(wall + _MINUTE, zone, fold=0) != _offset(wall + _MINUTE, zone, fold=1):
            wall += _MINUTE
    return wall


def _first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """When the clocks first show this wall time, or where they leave it out the first minute after it."""
    while True:
        instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == wall:
            return instant
        wall += _MINUTE


def _offset(wall: datetime, zone: ZoneInfo, *, fold: int) -> timedelta | None:
    return wall.replace(tzinfo=zone, fold=fold).utcoffset()

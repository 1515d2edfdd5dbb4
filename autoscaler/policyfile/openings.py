"""When windows are open over the time to come, and when two of them first are at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim

from autoscaler.core.window import CronWindow, Window

AHEAD = timedelta(days=366)
"""How far `check` looks ahead: every date but the 29th of February comes once."""


@dataclass(frozen=True)
class Opening:
    """One span in which a window is open: from `start`, included, to `end`, excluded."""

    start: datetime
    end: datetime


def openings(window: Window, now: datetime) -> Iterator[Opening]:
    """Those that are not over, by their starts, up to AHEAD; where cron starts again while open they overlap."""
    if not isinstance(window, CronWindow):
        if now < window.end and window.start < now + AHEAD:
            yield Opening(window.start, window.end)
        return
    for start in _starts(window, now - window.duration):
        if start >= now + AHEAD:
            return
        if now < start + window.duration:
            yield Opening(start, start + window.duration)


def _starts(window: CronWindow, after: datetime) -> Iterator[datetime]:
    """In UTC, one of an hour that the clocks leave out at the first minute after it, of a doubled hour the first."""
    zone = ZoneInfo(window.timezone)
    before = after.astimezone(zone).replace(tzinfo=None) - timedelta(hours=3)  # no change of clocks is so large
    for wall in CronSim(window.cron, before):
        start = _instant(wall, zone)
        if start > after:
            yield start


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    while moment.astimezone(zone).replace(tzinfo=None) != wall:
        wall += timedelta(minutes=1)
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
    return moment


@lru_cache(maxsize=1024)
def first_open(window: Window, now: datetime) -> datetime | None:
    """When it is next open, from `now` on; None where that is never, or further ahead than AHEAD."""
    return next((max(now, opening.start) for opening in openings(window, now)), None)


@lru_cache(maxsize=1024)
def first_closed(window: Window, now: datetime) -> datetime | None:
    """When it is next closed, from `now` on; None where that is further ahead than AHEAD."""
    closed = now
    for opening in openings(window, now):
        if opening.start > closed:
            break
        closed = opening.end
    return closed if closed < now + AHEAD else None


@lru_cache(maxsize=1024)
def first_both(one: Window, other: Window, now: datetime) -> datetime | None:
    """When both are first open at once, from `now` on; None where that is not within AHEAD."""
    these, those = openings(one, now), openings(other, now)
    this, that = next(these, None), next(those, None)
    while this is not None and that is not None:
        if this.end <= that.start:
            this = next(these, None)
        elif that.end <= this.start:
            that = next(those, None)
        else:
            return max(now, this.start, that.start)
    return None

"""A window is a span of time that people name: one that a cron expression starts again and again, or one that is fixed.

Starts are included and ends are not. A duration is elapsed time, so a change of the clocks neither stretches nor
shortens a window that is open.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


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

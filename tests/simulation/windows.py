"""Windows by the clocks of Berlin, over both nights in which these are set: a floor, and a time without any change.

When they are open is written here by hand, in UTC, so that nothing of the daemon's reckoning of times is in it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

FLOOR = 5

SCHEDULE = f"""\
      - name: night
        type: schedule
        cron: "30 2 * * *"
        duration: 2h
        timezone: Europe/Berlin
        nodes: {{min: {FLOOR}}}
"""
BLACKOUT = """\
    guards:
      blackout: [{cron: "30 1 * * *", duration: 1h, timezone: Europe/Berlin}]
"""


def _each(duration: timedelta, *starts: str) -> list[tuple[datetime, datetime]]:
    begins = [datetime.strptime(f"2026-{start}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC) for start in starts]
    return [(begin, begin + duration) for begin in begins]


# On 29 March 01:59:59 is followed by 03:00 (01:00 UTC), so that there is no 02:30; on 25 October there are two.
FLOOR_HOLDS = _each(
    timedelta(hours=2), "03-29 01:00", "03-30 00:30", "03-31 00:30", "10-25 00:30", "10-26 01:30", "10-27 01:30"
)
NO_CHANGE = _each(
    timedelta(hours=1), "03-29 00:30", "03-29 23:30", "03-30 23:30", "10-24 23:30", "10-26 00:30", "10-27 00:30"
)


def wrong(record: Mapping[str, Any]) -> Iterator[str]:
    """Why a decision to act has no right to be, by its own time."""
    at, reason = datetime.fromisoformat(record["at"]), record["reason"]
    floor_holds = any(begin <= at < end for begin, end in FLOOR_HOLDS)
    if reason not in ("below_min", "override") and any(begin <= at < end for begin, end in NO_CHANGE):
        yield "in a blackout"
    if reason == "schedule" and not (floor_holds and record["desired"] <= FLOOR):
        yield f"by a schedule, to {record['desired']} nodes"
    if floor_holds and reason in ("below_threshold", "below_target") and record["desired"] < FLOOR:
        yield f"to {record['desired']} nodes, below the floor of {FLOOR}"

"""When a window is open: last starts, elapsed durations, edges, and the days on which the clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from autoscaler.core import window
from autoscaler.core.window import CronWindow, DateWindow

BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cron(text: str, hours: float, timezone: str = "UTC") -> CronWindow:
    return CronWindow(text, timedelta(hours=hours), timezone)


OFFICE = cron("0 8 * * mon-fri", 10, BERLIN)

CASES = {
    "a start is included": (OFFICE, "2026-11-23T07:00", "2026-11-23T17:00"),
    "a second before it is not": (OFFICE, "2026-11-23T06:59:59", None),
    "a microsecond after it is": (OFFICE, "2026-11-23T07:00:00.000001", "2026-11-23T17:00"),
    "a second before the end is": (OFFICE, "2026-11-23T16:59:59", "2026-11-23T17:00"),
    "the end is excluded": (OFFICE, "2026-11-23T17:00", None),
    "no start on Saturday": (OFFICE, "2026-11-21T12:00", None),
    "summer time is an hour earlier in UTC": (OFFICE, "2026-07-01T06:00", "2026-07-01T16:00"),
    "without a time zone it is UTC": (cron("0 8 * * *", 1), "2026-07-01T08:00", "2026-07-01T09:00"),
    "0 is Sunday": (cron("0 2 * * 0", 3), "2026-11-22T03:00", "2026-11-22T05:00"),
    "7 is Sunday": (cron("0 2 * * 7", 3), "2026-11-22T03:00", "2026-11-22T05:00"),
    "1-5 is Monday to Friday": (cron("0 2 * * 1-5", 3), "2026-11-22T03:00", None),
    "over midnight": (cron("0 22 * * *", 6), "2026-11-23T01:00", "2026-11-23T04:00"),
    "the last start counts": (cron("0 * * * *", 3), "2026-11-23T01:30", "2026-11-23T04:00"),
    "longer than a week": (cron("0 0 1 * *", 24 * 10), "2026-11-10T23:59", "2026-11-11T00:00"),
    "half an hour beside UTC": (cron("30 9 * * *", 8, KOLKATA), "2026-11-23T04:00", "2026-11-23T12:00"),
    "half an hour beside UTC, before": (cron("30 9 * * *", 8, KOLKATA), "2026-11-23T03:59", None),
    "a leap day": (cron("0 0 29 2 *", 24), "2028-02-29T12:00", "2028-03-01T00:00"),
    "no leap day this year": (cron("0 0 29 2 *", 24), "2027-03-01T00:00", None),
    "a day that never comes": (cron("0 0 */31 2 2#5", 24), "2027-03-01T00:00", None),
    # Berlin: 2026-03-29 02:00 becomes 03:00 (01:00 UTC); 2026-10-25 03:00 becomes 02:00 (01:00 UTC)
    "Berlin drops 02:30: not before": (cron("30 2 * * *", 1, BERLIN), "2026-03-29T00:59:59", None),
    "Berlin drops 02:30: it moves to 03:00": (cron("30 2 * * *", 1, BERLIN), "2026-03-29T01:00", "2026-03-29T02:00"),
    "Berlin drops 02:45: still open at 03:15": (
        cron("45 2 * * *", 1, BERLIN),
        "2026-03-29T01:15",
        "2026-03-29T02:00",
    ),
    "Berlin drops each quarter of an hour": (cron("*/15 2 * * *", 1, BERLIN), "2026-03-29T01:10", "2026-03-29T02:00"),
    "Berlin, spring: ten hours are ten hours": (cron("0 0 * * *", 10, BERLIN), "2026-03-29T08:59", "2026-03-29T09:00"),
    "Berlin doubles 02:30: the first is a start": (
        cron("30 2 * * *", 0.5, BERLIN),
        "2026-10-25T00:30",
        "2026-10-25T01:00",
    ),
    "Berlin doubles 02:30: the second is none": (cron("30 2 * * *", 0.5, BERLIN), "2026-10-25T01:30", None),
    "Berlin doubles 02:30: open before the second": (
        cron("30 2 * * *", 1, BERLIN),
        "2026-10-25T01:10",
        "2026-10-25T01:30",
    ),
    "Berlin, autumn: 03:00 has not been in the second pass": (
        cron("0 3 * * *", 1, BERLIN),
        "2026-10-25T01:59",
        None,
    ),
    "Berlin, autumn: 03:00 is once": (cron("0 3 * * *", 1, BERLIN), "2026-10-25T02:00", "2026-10-25T03:00"),
    "Berlin, autumn: ten hours are ten hours": (cron("0 0 * * *", 10, BERLIN), "2026-10-25T07:59", "2026-10-25T08:00"),
    # New York: 2026-11-01 02:00 becomes 01:00 (06:00 UTC); 2027-03-14 02:00 becomes 03:00 (07:00 UTC)
    "New York doubles 01:30: the first": (cron("30 1 * * *", 0.5, NEW_YORK), "2026-11-01T05:30", "2026-11-01T06:00"),
    "New York doubles 01:30: not the second": (cron("30 1 * * *", 0.5, NEW_YORK), "2026-11-01T06:30", None),
    "New York drops 02:05": (cron("5 2 * * *", 1, NEW_YORK), "2027-03-14T07:00", "2027-03-14T08:00"),
    "New York, the day after": (cron("5 2 * * *", 1, NEW_YORK), "2027-03-15T06:05", "2027-03-15T07:05"),
}


@pytest.mark.parametrize(("span", "now", "until"), CASES.values(), ids=CASES)
def test_a_window_is_open_from_its_last_start_for_its_duration(span, now, until):
    assert window.open_until(span, at(now)) == (None if until is None else at(until))


def test_a_window_of_dates_includes_its_start_and_excludes_its_end():
    span = DateWindow(at("2026-11-27T00:00"), at("2026-11-28T00:00"))
    moments = ("2026-11-26T23:59:59", "2026-11-27T00:00", "2026-11-27T23:59:59", "2026-11-28T00:00")
    assert [window.open_until(span, at(moment)) for moment in moments] == [None, span.end, span.end, None]


@pytest.mark.exhaustive
@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, KOLKATA, "Australia/Lord_Howe", "UTC"])
@pytest.mark.parametrize("expression", ["30 2 * * *", "30 1 * * *", "*/20 1,2 * * *"])
def test_every_day_of_a_year_has_its_starts_once(zone, expression):
    """Seen from every tenth minute, ends never go back, and there is at least one start in any 25 hours."""
    moments = [at("2026-01-01T00:00") + timedelta(minutes=10 * place) for place in range(6 * 24 * 400)]
    ends = [window.open_until(cron(expression, 26, zone), moment) for moment in moments[6 * 24 * 2 :]]
    assert None not in ends
    assert all(before <= after for before, after in pairwise(end for end in ends if end is not None))

"""The nights in which clocks are set forward and back in Berlin, by which the policy has a floor and a blackout."""

from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.emulator import records
from tests.simulation import history, plans, windows
from tests.simulation.plans import Plan

MINUTE = timedelta(minutes=1)
NIGHTS = {
    "forward: the floor opens at 03:00, in a blackout that ends at 03:30": (
        plans.START,
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 3, 0, tzinfo=UTC),
    ),
    "back: it opens at the first 02:30": (
        plans.IN_AUTUMN,
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 2, 30, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize("night", NIGHTS)
def test_the_floor_of_the_night_holds_as_long_as_ever(night, disk):
    start, out_from, in_from = NIGHTS[night]
    played = history.History(Plan(seed=1, start=start, windows=True, steady=1.0, nodes=2), disk)
    report = played.play()

    assert report.problems == []
    outs = [job for job in played.world.jobs if job.name is records.JobName.ENLARGE]
    ins = [job for job in played.world.jobs if job.name is records.JobName.REDUCE]
    assert sum(len(job.nodes) for job in outs) == windows.FLOOR - 2
    assert out_from <= outs[0].created_at < out_from + 2 * MINUTE
    assert all(job.created_at < in_from for job in outs)
    assert in_from <= ins[0].created_at < in_from + 2 * MINUTE
    assert report.nodes == 2


def test_in_the_middle_of_a_day_the_hours_are_those_of_berlin():
    """The table of windows.py against a second reckoning, by the rule that summer time is two hours ahead."""
    summer = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    for begin, end in windows.FLOOR_HOLDS:
        ahead = timedelta(hours=2 if summer[0] <= begin < summer[1] else 1)
        expected = (3, 0) if begin == summer[0] else (2, 30)
        assert ((begin + ahead).hour, (begin + ahead).minute) == expected
        assert end - begin == timedelta(hours=2)

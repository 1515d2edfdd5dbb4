"""What a target's rules lately read."""

import itertools
from datetime import UTC, datetime, timedelta

from autoscaler.control.recent_load import KEPT, RecentLoad
from tests.control.house import House

AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_within_a_minute_the_greatest_stands():
    recent = RecentLoad()

    for second, value in ((0, 50.0), (10, 80.0), (20, None), (30, 60.0)):
        recent.add(AT + second * SECOND, {"cpu": value})

    assert list(recent.minutes) == [(AT.timestamp(), {"cpu": 80.0})]


def test_a_missing_value_stays_missing_until_there_is_one():
    recent = RecentLoad()
    recent.add(AT, {"cpu": None})
    recent.add(AT + 60 * SECOND, {"cpu": None})
    recent.add(AT + 61 * SECOND, {"cpu": 0.0, "new": 1.0})

    assert [values for _, values in recent.minutes] == [{"cpu": None}, {"cpu": 0.0, "new": 1.0}]


def test_only_so_many_minutes_are_kept():
    recent = RecentLoad()
    for minute in range(KEPT + 5):
        recent.add(AT + minute * 60 * SECOND, {"cpu": float(minute)})

    assert [values["cpu"] for _, values in recent.minutes] == [float(minute) for minute in range(5, KEPT + 5)]


async def test_the_console_tells_what_cycles_have_read():
    house = House()
    house.metrics.stand_at(50)
    await house.evaluate()
    house.minutes()
    house.metrics.stand_at(60)
    await house.evaluate()

    recent = house.console().recent()["orders"]

    assert [values["cpu"] for _, values in recent] == [50.0, 60.0]
    assert [later[0] - earlier[0] for earlier, later in itertools.pairwise(recent)] == [60.0]


def test_before_the_first_cycle_there_is_nothing():
    assert House().console().recent() == {}

"""Charts: every value where it was known, gaps where there is nothing, and peaks that survive thinning."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.control import chart
from autoscaler.core.decision import rfc3339

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EPOCH = int(START.timestamp())
Json = dict[str, Any]


def rule(name: str = "cpu", **more: Any) -> Json:
    thresholds = {"above": [75.0], "below": [30.0]}
    return {"name": name, "type": "threshold", "metric": "m", "unit": "%", "mode": "enforce"} | {
        "thresholds": thresholds,
        **more,
    }


def record(minute: float, *, current: int = 3, desired: int = 3, decision: str = "hold", **values: Any) -> Json:
    return {
        "at": rfc3339(START + minute * MINUTE),
        "decision": decision,
        "change": desired - current,
        "reason": "within_bounds",
        "desired": desired,
        "nodes": {"current": current, "ready": current, "min": 2, "max": 16},
        "rules": [{"rule": name, "value": value} for name, value in values.items()],
    }


def drawn(records: list[Json], *rules: Json, points: int = 500, minutes: int = 60) -> Json:
    span = chart.Span(since=START, until=START + minutes * MINUTE, points=points, now=START + minutes * MINUTE)
    return chart.of_records("orders", rules or (rule(),), records, interval=MINUTE, span=span)


def minutes(points: list[list[float | None]]) -> list[tuple[float, float | None]]:
    return [((at - EPOCH) / 60, value) for at, value in points]  # type: ignore[operator]  # a time is never missing


def test_every_value_stands_at_its_decision_and_a_missing_one_is_no_zero():
    shown = drawn([record(0, cpu=50.5), record(1, cpu=None), record(2, cpu=52)])

    (series,) = shown["series"]
    assert minutes(series.pop("points")) == [(0, 50.5), (1, None), (2, 52)]
    assert series == {
        "rule": "cpu",
        "metric": "m",
        "unit": "%",
        "mode": "enforce",
        "above": [75.0],
        "below": [30.0],
        "target": None,
    }
    assert (shown["since"], shown["until"]) == ("2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z")
    assert (shown["target"], shown["now"], shown["thinned"]) == ("orders", "2026-11-23T10:00:00Z", False)


def test_nodes_are_lists_of_one_length():
    shown = drawn([record(0), record(1, current=4, desired=5)])

    assert shown["nodes"] == {
        "at": [EPOCH, EPOCH + 60],
        "current": [3, 4],
        "ready": [3, 4],
        "desired": [3, 5],
        "min": [2, 2],
        "max": [16, 16],
    }


def test_without_records_there_is_a_series_without_points():
    shown = drawn([])
    assert (shown["series"][0]["points"], shown["nodes"]["at"], shown["thinned"]) == ([], [], False)


def test_a_rule_that_the_policy_has_no_more_is_shown_by_its_values_alone():
    shown = drawn([record(0, old=7, silent=None), record(1, cpu=50)])

    assert [series["rule"] for series in shown["series"]] == ["cpu", "old"]
    assert shown["series"][1] | {"points": []} == {
        "rule": "old",
        "metric": None,
        "unit": "",
        "mode": None,
        "above": [],
        "below": [],
        "target": None,
        "points": [],
    }
    assert minutes(shown["series"][1]["points"]) == [(0, 7), (1, None)]


def test_a_schedule_has_no_series_and_tracking_has_its_target():
    schedule = rule("hours", type="schedule", metric=None, thresholds={})
    tracking = rule("load", type="target_tracking", thresholds={"target": 60.0})

    (series,) = drawn([record(0, load=50, hours=None)], schedule, tracking)["series"]

    assert (series["rule"], series["target"], series["above"], series["below"]) == ("load", 60.0, [], [])


GAPS = {
    "three intervals are none": ([0, 1, 4], [0, 1, 4]),
    "more are": ([0, 1, 4.5], [0, 1, 2, 4.5]),
    "an interval that was longer before": ([0, 5, 10, 15, 20, 21], [0, 5, 10, 15, 20, 21]),
    "and then a gap": ([0, 5, 10, 15, 50], [0, 5, 10, 15, 20, 50]),
}


@pytest.mark.parametrize(("records", "shown"), GAPS.values(), ids=GAPS)
def test_where_there_was_no_record_for_long_there_is_a_gap(records, shown):
    found = drawn([record(minute, cpu=50) for minute in records])

    points = minutes(found["series"][0]["points"])
    assert [at for at, _ in points] == shown
    assert [at for at, value in points if value is None] == [at for at in shown if at not in records]
    assert [at for at, count in zip(found["nodes"]["at"], found["nodes"]["current"], strict=True) if count is None] == [
        EPOCH + 60 * at for at in shown if at not in records
    ]


def test_a_week_is_thinned_and_keeps_its_peak_its_low_and_its_gap():
    values: dict[int, Any] = dict.fromkeys(range(7 * 1440), 50.0)
    values |= {5000: 99.0, 5003: 1.0, 5005: None}
    records = [record(minute, cpu=value, current=4 if minute > 6000 else 3) for minute, value in values.items()]

    shown = drawn(records, minutes=7 * 1440)

    points = minutes(shown["series"][0]["points"])
    assert shown["thinned"]
    assert len(points) <= 1001
    assert {(5000, 99.0), (5003, 1.0), (5005, None)} <= set(points)
    assert [(at - EPOCH) / 60 for at in shown["nodes"]["at"]] == [0, 6000, 6001, 10079]
    assert shown["nodes"]["current"] == [3, 3, 4, 4]


def test_a_span_that_begins_long_before_the_first_record_is_no_coarser():
    records = [record(minute, cpu=minute % 7) for minute in range(1000, 1100)]

    long = drawn(records, points=20, minutes=100_000)["series"][0]["points"]

    assert 40 <= len(long) <= 60
    assert len(long) == len(drawn(records, points=20, minutes=1100)["series"][0]["points"])


def test_nodes_that_change_too_often_are_thinned_to_their_extremes():
    records = [record(minute, current=3 + minute % 2, desired=40 if minute == 777 else 5) for minute in range(1440)]

    shown = drawn(records, points=10, minutes=1440)

    assert len(shown["nodes"]["at"]) <= 10 * 10
    assert (max(shown["nodes"]["desired"]), min(shown["nodes"]["current"])) == (40, 3)


@given(st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=200), st.integers(1, 50))
def test_whatever_is_thinned_is_in_order_and_keeps_the_extremes(values, points):
    shown = drawn([record(minute, cpu=value) for minute, value in enumerate(values)], points=points, minutes=200)

    kept = minutes(shown["series"][0]["points"])
    there = [value for value in values if value is not None]
    assert [at for at, _ in kept] == sorted({at for at, _ in kept})
    assert all(values[int(at)] == value for at, value in kept)
    assert len(kept) <= max(3 * points, len(values) if len(values) <= points else 0)
    seen = [value for _, value in kept if value is not None]
    assert (min(seen, default=None), max(seen, default=None)) == (min(there, default=None), max(there, default=None))
    assert any(value is None for _, value in kept) == (None in values)


def test_no_decision_to_scale_is_thinned_away():
    records = [record(minute / 10, cpu=50) for minute in range(100)]
    records[41] = record(4.1, desired=4, decision="out", cpu=90)

    assert drawn(records, points=2)["moves"] == [
        {"at": "2026-11-23T09:04:06Z", "decision": "out", "change": 1, "reason": "within_bounds"}
    ]

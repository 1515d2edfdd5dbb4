"""A rule's value beside its thresholds, and the small picture of what it lately was."""

import pytest

from autoscaler.web import gauge, sparkline
from tests.web.conftest import record, target

STATES = {
    "above": (80.0, {"above": [75.0], "below": [30.0]}, "high"),
    "exactly at it": (75.0, {"above": [75.0], "below": [30.0]}, "calm"),
    "below": (20.0, {"above": [75.0], "below": [30.0]}, "low"),
    "without an in": (0.0, {"above": [75.0], "below": []}, "calm"),
    "tracking": (500.0, {"target": 100.0}, "calm"),
    "missing": (None, {"target": 60.0}, "missing"),
}


def gauge_of(value, thresholds, unit="%") -> gauge.Gauge:
    decision = record()
    decision["rules"][0]["value"] = value
    (found,) = gauge.gauges(target(rules=[{"name": "cpu", "unit": unit, "thresholds": thresholds}], decision=decision))
    return found


@pytest.mark.parametrize(("value", "thresholds", "state"), STATES.values(), ids=STATES)
def test_a_value_is_beyond_a_threshold_or_not(value, thresholds, state):
    assert gauge_of(value, thresholds).state == state


def test_it_is_said_with_its_unit_and_a_missing_one_without():
    assert gauge_of(81.25, {"above": [75.0]}).words == "81.25 %"
    assert gauge_of(None, {"above": [75.0]}).words == "—"


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({"above": [75.0, 92.0], "below": [30.0]}, ("out above 75, 92", "in below 30")),
        ({"target": 60.0}, ("target 60",)),
    ],
    ids=["threshold", "tracking"],
)
def test_thresholds_are_said(thresholds, words):
    assert gauge_of(50.0, thresholds).limits == words


def test_the_foremost_is_nearest_to_scaling_out():
    near, far, missing = (gauge_of(value, {"above": [75.0]}) for value in (70.0, 20.0, None))

    assert gauge.foremost([far, missing, near]) is near
    assert gauge.foremost([]) is None


def test_without_a_decision_nothing_is_read():
    (found,) = gauge.gauges(target(decision=None))

    assert (found.value, found.state) == (None, "missing")


@pytest.mark.parametrize(
    ("unit", "value", "scale"),
    [("%", 50.0, 100.0), ("%", 130.0, 130.0), ("", 400.0, 500.0), ("", None, 1.0)],
    ids=["per cent", "more than all", "a count", "nothing"],
)
def test_the_scale_has_room(unit, value, scale):
    assert gauge_of(value, {"above": []}, unit).scale() == scale


def minutes(*values: float | None, step: float = 60.0) -> list[tuple[float, dict[str, float | None]]]:
    return [(place * step, {"cpu": value}) for place, value in enumerate(values)]


def test_a_line_goes_from_left_to_right_and_thresholds_are_level():
    drawn = sparkline.of(gauge_of(50.0, {"above": [100.0], "below": [0.0]}), minutes(0.0, 100.0, 50.0))

    assert drawn.path == "M0 29L60 1L120 15"
    assert (drawn.out, drawn.in_, drawn.minutes) == ((1.0,), (29.0,), 2)


def test_a_missing_value_breaks_the_line_and_is_not_zero():
    drawn = sparkline.of(gauge_of(50.0, {"above": [75.0]}), minutes(0.0, None, 0.0, 0.0))

    assert drawn.path == "M0 29M80 29L120 29"


def test_a_time_without_records_breaks_it_too():
    before, after = minutes(0.0, 0.0, 0.0), [(3600.0, {"cpu": 0.0})]

    assert sparkline.of(gauge_of(0.0, {"above": [75.0]}), [*before, *after]).path.count("M") == 2


@pytest.mark.parametrize(("known", "path"), [([], ""), (minutes(0.0), "M120 29")], ids=["none", "one"])
def test_few_records_are_drawn_too(known, path):
    assert sparkline.of(gauge_of(0.0, {"above": [75.0]}), known).path == path

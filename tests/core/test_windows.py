"""When a step holds: `for`, `datapoints` or the newest sample; which samples are due, and what a change ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.core.decision import Reason
from autoscaler.core.operation import State
from tests.core.given import (
    CPU,
    HOUR,
    IN,
    MINUTE,
    NO_COOLDOWN,
    ago,
    decided,
    observation,
    operation,
    outcome,
    policy,
    samples,
    step,
    threshold,
)

HOLD = ("hold", 3, "within_bounds")
GOES_OUT = ("out", 4, "above_threshold")
GOES_IN = ("in", 2, "below_threshold")


def minutes(count: float) -> timedelta:
    return count * MINUTE


@pytest.mark.parametrize(
    ("span", "cpu", "expected"),
    [
        pytest.param(5, "60 80x5", GOES_OUT, id="five-of-five"),
        pytest.param(5, "80 80 80 80 60", HOLD, id="the-newest-does-not"),
        pytest.param(5, "60 80 80 80 80", HOLD, id="the-oldest-due-does-not"),
        pytest.param(5, "60 80 80 80 80 80", GOES_OUT, id="exactly-five-minutes-old-is-outside"),
        pytest.param(5, "80 _ 80 80 80", GOES_OUT, id="four-of-five-are-eighty-per-cent"),
        pytest.param(5, "80 _ _ 80 80", HOLD, id="three-of-five-are-too-few"),
        pytest.param(5, "80x4", GOES_OUT, id="four-ever-are-eighty-per-cent"),
        pytest.param(5, "80x3", HOLD, id="three-ever-are-too-few"),
        pytest.param(4, "80 80 80", HOLD, id="three-of-four-are-too-few-since-3.2-rounds-up"),
        pytest.param(4, "80x4", GOES_OUT, id="four-of-four"),
        pytest.param(10, "80 80 _ 80 80 80 _ 80 80 80", GOES_OUT, id="eight-of-ten"),
        pytest.param(10, "80 80 _ 80 80 80 _ 80 _ 80", HOLD, id="seven-of-ten"),
        pytest.param(1.5, "60 80 80", GOES_OUT, id="a-minute-and-a-half-is-two-samples"),
        pytest.param(1.5, "80 60 80", HOLD, id="a-minute-and-a-half-sees-the-second"),
        pytest.param(1.5, "80 _ 80", HOLD, id="one-of-two-is-too-few"),
        pytest.param(0.5, "60 80", GOES_OUT, id="less-than-a-period-is-one-sample"),
    ],
)
def test_a_step_with_for_holds_when_every_sample_due_does(span, cpu, expected):
    rule = threshold(out=[step("75", for_=minutes(span))], in_=[step("5")])
    assert outcome(decided(rule, cpu)) == expected


def test_a_window_ends_at_the_newest_sample_not_now():
    rule = threshold(out=[step("75", for_=minutes(5))])
    late = {CPU: samples("80x5", last=ago(10))}
    assert outcome(decided(rule, observation(late))) == GOES_OUT


def test_a_longer_period_makes_fewer_samples_due():
    metric = replace(CPU, period=minutes(5))
    rule = threshold(out=[step("75", for_=minutes(12))], metric=metric)
    two = {metric: samples("80 80", period=minutes(5))}
    three = {metric: samples("80 80 80", period=minutes(5))}
    assert outcome(decided(rule, observation(two))) == HOLD
    assert outcome(decided(rule, observation(three))) == GOES_OUT


def test_a_window_not_filled_is_not_missing_data():
    assert decided(threshold(out=[step("75", for_=minutes(5))]), "80").reason is Reason.WITHIN_BOUNDS


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("80 60 80 60 80", GOES_OUT, id="three-of-five"),
        pytest.param("80 60 80 60 60", HOLD, id="two-of-five"),
        pytest.param("80 80 60 60 60 80", HOLD, id="only-the-last-five-count"),
        pytest.param("80 _ 80 _ 80", GOES_OUT, id="gaps-do-not-hold-and-do-not-hinder"),
        pytest.param("80 80 80 _ _ 60", HOLD, id="gaps-use-up-their-place"),
        pytest.param("80x3", GOES_OUT, id="three-ever"),
        pytest.param("80x2", HOLD, id="two-ever"),
    ],
)
def test_a_step_with_datapoints_holds_when_m_of_the_last_n_due_do(cpu, expected):
    assert outcome(decided(threshold(out=[step("75", datapoints=(3, 5))]), cpu)) == expected


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("60 80", GOES_OUT, id="the-newest-holds"),
        pytest.param("80 60", HOLD, id="an-older-one-does-not-help"),
    ],
)
def test_a_step_with_neither_looks_at_the_newest_sample(cpu, expected):
    assert outcome(decided(threshold(out=[step("75")]), cpu)) == expected


STEPS: dict[str, dict[str, Any]] = {
    "for": {"for_": minutes(5)},  # the earliest due began five minutes ago
    "datapoints": {"datapoints": (3, 5)},
    "newest": {},  # began one minute ago
}


@pytest.mark.parametrize(
    ("kind", "earliest"),
    [
        pytest.param("for", 5, id="for"),
        pytest.param("datapoints", 5, id="datapoints"),
        pytest.param("newest", 1, id="newest"),
    ],
)
def test_i6_no_window_reaches_back_before_an_operations_end(kind, earliest):
    rule = threshold(out=[step("75", cooldown=timedelta(0), **STEPS[kind])])
    just_in_time = operation(ended=ago(earliest))
    a_second_late = operation(ended=ago(earliest) + timedelta(seconds=1))
    assert outcome(decided(rule, "80x30", operations=(just_in_time,))) == GOES_OUT
    assert outcome(decided(rule, "80x30", operations=(a_second_late,))) == HOLD


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, HOLD, id="a-scale-out"),
        pytest.param({"direction": IN}, HOLD, id="a-scale-in"),
        pytest.param({"foreign": True, "reason": Reason.FOREIGN}, HOLD, id="somebody-elses"),
        pytest.param({"state": State.FAILED, "arrived": 1}, HOLD, id="a-failed-one-that-brought-a-node"),
        pytest.param({"state": State.FAILED}, GOES_OUT, id="a-failed-one-that-brought-none"),
        pytest.param({"state": State.REJECTED}, GOES_OUT, id="a-rejected-one"),
        pytest.param({"state": State.NEVER_HAPPENED}, GOES_OUT, id="one-that-never-happened"),
        pytest.param({"group_id": "other"}, GOES_OUT, id="another-groups"),
        pytest.param({"shadow": True}, GOES_OUT, id="a-shadow"),
    ],
)
def test_samples_are_of_another_size_only_before_what_changed_nodes(change, expected):
    rule = threshold(out=[step("75", for_=minutes(5), cooldown=timedelta(0))])
    seen = observation("80x30", operations=(operation(**{"ended": ago(2), **change}),))
    assert outcome(decided(policy(rule, cooldown=NO_COOLDOWN), seen)) == expected


def test_the_last_of_several_changes_counts():
    rule = threshold(out=[step("75", for_=minutes(5), cooldown=timedelta(0))])
    old, new = operation(ended=ago(20)), operation(ended=ago(3))
    assert decided(rule, "80x30", operations=(new, old)).reason is Reason.WITHIN_BOUNDS


def test_a_rule_with_only_old_samples_wants_what_is_there():
    decision = decided(threshold(out=[step("75")], in_=[step("30")]), "80x30", operations=(operation(ended=ago(0)),))
    assert outcome(decision) == HOLD
    assert decision.rules[0].wants == 3
    assert decision.rules[0].value == 80


def test_a_long_window_needs_a_long_time_after_a_change():
    rule = threshold(in_=[step("30", for_=minutes(30))])
    for ended, expected in ((30, GOES_IN), (29, HOLD)):
        seen = observation("20x60", operations=(operation(ended=ago(ended)),))
        assert outcome(decided(rule, seen)) == expected, ended


def test_an_operation_of_long_ago_is_no_barrier():
    assert (
        outcome(decided(threshold(out=[step("75")]), "80", operations=(operation(ended=ago(0) - 30 * HOUR),)))
        == GOES_OUT
    )

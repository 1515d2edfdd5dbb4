"""How the wants of several rules become one: the largest wins, and in only if every rule that has a say wants less."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.core.decision import Reason
from autoscaler.core.operation import State
from autoscaler.core.policy import Metric, OnMissing
from autoscaler.core.target import Mode
from tests.core.given import (
    CONNECTIONS,
    CPU,
    HOUR,
    MINUTE,
    NO_COOLDOWN,
    NOW,
    OUT,
    ago,
    decided,
    observation,
    operation,
    outcome,
    policy,
    samples,
    snapshot,
    step,
    threshold,
    tracking,
)

FIRST = threshold(name="first", metric=CPU, out=[step("75")], in_=[step("30")])
SECOND = threshold(name="second", metric=CONNECTIONS, out=[step("75", "2")], in_=[step("30", "2")])
ONLY_OUT = threshold(name="only out", metric=CONNECTIONS, out=[step("75", "2")])
WATCHING = replace(SECOND, mode=Mode.OBSERVE)
HOLD = ("hold", 5, "within_bounds")


def both(rules, cpu: str, connections: str, **more: Any):
    """The decision of these rules on a group of five, by the newest samples of two metrics."""
    seen = observation({CPU: samples(cpu), CONNECTIONS: samples(connections)}, snapshot=snapshot(5))
    return decided(policy(*rules, **{"nodes": (1, 16), **more}), seen)


@pytest.mark.parametrize(
    ("rules", "cpu", "connections", "expected", "because"),
    [
        pytest.param((FIRST, SECOND), "80", "50", ("out", 6, "above_threshold"), "first", id="one-wants-out"),
        pytest.param((FIRST, SECOND), "80", "80", ("out", 7, "above_threshold"), "second", id="the-largest-wins"),
        pytest.param((FIRST, SECOND), "80", "20", ("out", 6, "above_threshold"), "first", id="out-wins-over-in"),
        pytest.param((FIRST, SECOND), "20", "50", HOLD, "within_bounds", id="one-that-wants-less-is-not-enough"),
        pytest.param((FIRST, SECOND), "20", "20", ("in", 4, "below_threshold"), "first", id="all-less-the-largest"),
        pytest.param((FIRST, SECOND), "50", "50", HOLD, "within_bounds", id="nobody-wants-anything"),
        pytest.param((FIRST, ONLY_OUT), "20", "50", ("in", 4, "below_threshold"), "first", id="without-in-no-say"),
        pytest.param((FIRST, ONLY_OUT), "20", "80", ("out", 7, "above_threshold"), "only out", id="without-in-out"),
        pytest.param((ONLY_OUT,), "20", "20", HOLD, "within_bounds", id="without-in-never-in"),
        pytest.param((FIRST, WATCHING), "50", "90", HOLD, "within_bounds", id="observe-has-no-say-on-out"),
        pytest.param((FIRST, WATCHING), "20", "50", ("in", 4, "below_threshold"), "first", id="observe-no-say-on-in"),
        pytest.param((WATCHING,), "90", "90", HOLD, "within_bounds", id="observe-alone"),
        pytest.param((), "90", "90", HOLD, "within_bounds", id="no-rule-at-all"),
        pytest.param(
            (FIRST, tracking("60")), "80", "", ("out", 7, "above_target"), "track", id="tracking-wants-more-than-a-step"
        ),
    ],
)
def test_the_largest_want_wins(rules, cpu, connections, expected, because):
    decision = both(rules, cpu, connections)
    assert outcome(decision) == expected
    assert decision.stages[0].because == because


@pytest.mark.parametrize(
    ("rules", "because"),
    [
        pytest.param((FIRST, replace(FIRST, name="again")), "first", id="first-in-the-file"),
        pytest.param((replace(FIRST, name="again"), FIRST), "again", id="the-other-way-round"),
    ],
)
@pytest.mark.parametrize("cpu", ["80", "20"], ids=["out", "in"])
def test_of_equal_wants_the_first_rule_gives_name_and_reason(rules, because, cpu):
    assert both(rules, cpu, "").stages[0].because == because


def test_a_rule_in_observe_is_computed_and_recorded():
    record = both((FIRST, WATCHING), "50", "90").as_json()["rules"][1]
    assert (record["wants"], record["reason"], record["observe"]) == (7, "above_threshold", True)


# --- missing data ---------------------------------------------------------------------------------------------------


def missing(on_missing: OnMissing, *, name: str = "gone", **more):
    """A rule on a metric that the tests below give no fresh sample."""
    return threshold(
        name=name,
        metric=Metric("ddm_gone"),
        out=[step("75")],
        in_=[step("30")],
        on_missing_metric=on_missing,
        **more,
    )


HOLDS, IGNORES, BUYS = missing(OnMissing.HOLD), missing(OnMissing.IGNORE), missing(OnMissing.OUT)
HOLDS_WITHOUT_IN = replace(HOLDS, in_=())


@pytest.mark.parametrize(
    ("rules", "cpu", "expected"),
    [
        pytest.param((HOLDS,), "50", ("hold", 5, "no_data"), id="hold-alone"),
        pytest.param((FIRST, HOLDS), "80", ("out", 6, "above_threshold"), id="hold-lets-others-scale-out"),
        pytest.param((FIRST, HOLDS), "20", ("hold", 5, "no_data"), id="hold-lets-none-scale-in"),
        pytest.param((FIRST, HOLDS), "50", ("hold", 5, "no_data"), id="hold-gives-the-reason"),
        pytest.param((FIRST, HOLDS_WITHOUT_IN), "20", ("hold", 5, "no_data"), id="even-without-in"),
        pytest.param((IGNORES,), "50", ("hold", 5, "no_data"), id="ignore-alone"),
        pytest.param((FIRST, IGNORES), "20", ("in", 4, "below_threshold"), id="ignore-has-no-say-on-in"),
        pytest.param((FIRST, IGNORES), "80", ("out", 6, "above_threshold"), id="ignore-has-no-say-on-out"),
        pytest.param((FIRST, IGNORES), "50", HOLD, id="ignore-gives-no-reason-while-another-has-a-say"),
        pytest.param((IGNORES, HOLDS), "50", ("hold", 5, "no_data"), id="both-missing"),
        pytest.param((BUYS,), "50", ("out", 6, "no_data"), id="out-buys-one"),
        pytest.param((FIRST, BUYS), "20", ("out", 6, "no_data"), id="out-even-where-others-want-in"),
        pytest.param((FIRST, BUYS), "80", ("out", 6, "above_threshold"), id="of-equal-wants-the-first"),
        pytest.param((BUYS, replace(BUYS, name="too")), "50", ("out", 6, "no_data"), id="two-missing-still-one-node"),
        pytest.param((replace(HOLDS, mode=Mode.OBSERVE), FIRST), "50", HOLD, id="missing-in-observe-is-no-reason"),
        pytest.param((replace(HOLDS, mode=Mode.OBSERVE), FIRST), "20", ("in", 4, "below_threshold"), id="nor-a-say"),
        pytest.param((replace(HOLDS, mode=Mode.OBSERVE),), "50", HOLD, id="missing-in-observe-alone"),
    ],
)
def test_a_missing_metric(rules, cpu, expected):
    assert outcome(both(rules, cpu, "")) == expected


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        pytest.param(15 * MINUTE, "within_bounds", id="exactly-max-metric-age-is-fresh"),
        pytest.param(15 * MINUTE + timedelta(seconds=1), "stale_data", id="a-second-older-is-stale"),
    ],
)
def test_stale_is_strictly_older_than_max_metric_age(age, expected):
    decision = decided(FIRST, observation({CPU: samples("50x9", last=NOW - age)}))
    assert decision.reason.value == expected
    assert decision.rules[0].as_of == NOW - age


def test_stale_data_never_moves_anything_by_itself():
    for cpu in ("99x30", "1x30"):
        seen = observation({CPU: samples(cpu, last=ago(16))})
        assert outcome(decided(FIRST, seen)) == ("hold", 3, "stale_data")


def test_the_reason_is_that_of_the_first_rule_that_holds_for_missing_data():
    stale = {CPU: samples("50", last=ago(30))}
    assert decided(policy(FIRST, HOLDS), observation(stale)).reason is Reason.STALE_DATA
    assert decided(policy(HOLDS, FIRST), observation(stale)).reason is Reason.NO_DATA
    assert decided(policy(IGNORES, FIRST), observation(stale)).reason is Reason.STALE_DATA


@pytest.mark.parametrize(
    ("watched_for", "expected"),
    [
        pytest.param(15 * MINUTE, ("hold", 3, "no_data"), id="exactly-max-metric-age"),
        pytest.param(15 * MINUTE + timedelta(seconds=1), ("out", 4, "no_data"), id="a-second-longer"),
    ],
)
def test_without_any_sample_the_wait_counts_from_the_first_evaluation(watched_for, expected):
    assert outcome(decided(BUYS, observation("", first_evaluated_at=NOW - watched_for))) == expected


def test_stale_data_buys_one_node_with_reason_no_data():
    rule = replace(FIRST, on_missing_metric=OnMissing.OUT)
    assert outcome(decided(rule, observation({CPU: samples("50", last=ago(16))}))) == ("out", 4, "no_data")


def bought(minutes_ago: float, **more):
    """An operation whose reason is no_data, that ended so long ago."""
    return operation(OUT, **{"ended": ago(minutes_ago), "reason": Reason.NO_DATA, **more})


@pytest.mark.parametrize(
    ("op", "again"),
    [
        pytest.param(bought(20), False, id="sent-and-succeeded"),
        pytest.param(bought(20, state=State.FAILED), False, id="sent-and-failed"),
        pytest.param(bought(20, state=State.NEVER_HAPPENED), False, id="sent-into-the-void"),
        pytest.param(bought(20, state=State.REJECTED), True, id="never-sent"),
        pytest.param(bought(20, reason=Reason.ABOVE_THRESHOLD), True, id="sent-for-another-reason"),
        pytest.param(bought(20, foreign=True), True, id="somebody-elses"),
        pytest.param(bought(20, group_id="other"), True, id="another-groups"),
        pytest.param(bought(20, shadow=True), False, id="a-shadow-in-observe"),
        pytest.param(bought(90), True, id="in-an-earlier-spell"),
    ],
)
def test_one_node_more_once_per_spell(op, again):
    """The metric was last fresh 45 minutes ago."""
    seen = observation({CPU: samples("50", last=ago(60))}, operations=(op,), fresh_at={"cpu": ago(45)})
    rule = threshold(out=[step("75")], on_missing_metric=OnMissing.OUT)
    decision = decided(policy(rule, cooldown=NO_COOLDOWN), seen)
    assert outcome(decision) == (("out", 4, "no_data") if again else ("hold", 3, "stale_data"))


def test_a_metric_that_always_comes_too_late_buys_one_node_not_one_every_while():
    """Each sample is 20 minutes old when it comes, 15 are allowed: it was never fresh, so the spell never ended."""
    rule = threshold(out=[step("75")], on_missing_metric=OnMissing.OUT)
    seen = observation({CPU: samples("50x9", last=ago(20))}, operations=(bought(60),))
    assert outcome(decided(rule, seen)) == ("hold", 3, "stale_data")


def test_a_restart_does_not_begin_a_spell_of_stale_data_anew():
    """The newest sample tells since when; the first evaluation only where there never was one."""
    seen = observation({CPU: samples("50", last=ago(16))}, first_evaluated_at=ago(1))
    assert outcome(decided(threshold(out=[step("75")], on_missing_metric=OnMissing.OUT), seen)) == ("out", 4, "no_data")


def test_a_restart_within_a_spell_does_not_buy_again():
    rule = threshold(out=[step("75")], on_missing_metric=OnMissing.OUT)
    seen = observation("", operations=(bought(60),), first_evaluated_at=NOW - HOUR)
    assert outcome(decided(rule, seen)) == ("hold", 3, "no_data")

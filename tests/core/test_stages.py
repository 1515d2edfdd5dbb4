"""From the rules' wish to what is left of it: stabilize, limits, bounds, and the ways of below_min and above_max."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.core.decision import Decision
from autoscaler.core.operation import State
from autoscaler.core.policy import OnMissing, default_stabilization
from autoscaler.core.target import Mode
from tests.core.given import (
    HOT_OR_COLD,
    IN,
    MINUTE,
    NO_COOLDOWN,
    NOW,
    OUT,
    ago,
    checks,
    decided,
    limits,
    observation,
    operation,
    outcome,
    policy,
    schedule,
    snapshot,
    step,
    threshold,
    tracking,
    wishes,
)

FIFTEEN = timedelta(minutes=15)
NONE = timedelta(0)


def stages(decision: Decision) -> dict[str, int]:
    """What each stage left."""
    return {stage.stage: stage.desired for stage in decision.stages}


# --- stabilize ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        pytest.param([], ("in", 4, "below_target"), id="no-earlier-wish"),
        pytest.param([(5, 3)], ("in", 4, "below_target"), id="an-earlier-lower-wish-changes-nothing"),
        pytest.param([(5, 6)], ("in", 6, "below_target"), id="an-earlier-higher-wish-shortens"),
        pytest.param([(5, 6), (3, 7), (1, 5)], ("in", 7, "below_target"), id="the-largest-of-the-window"),
        pytest.param([(5, 8)], ("hold", 8, "stabilizing"), id="a-wish-of-the-current-size-holds"),
        pytest.param([(5, 12)], ("hold", 8, "stabilizing"), id="a-wish-for-more-holds-and-never-adds"),
        pytest.param([(15, 8)], ("in", 4, "below_target"), id="exactly-a-window-ago-is-past"),
        pytest.param([(14.99, 8)], ("hold", 8, "stabilizing"), id="just-within-the-window"),
        pytest.param([(0, 8)], ("hold", 8, "stabilizing"), id="now-is-within"),
        pytest.param([(-1, 8)], ("in", 4, "below_target"), id="the-future-is-not"),
    ],
)
def test_stabilize_makes_a_scale_in_smaller_never_more(earlier, expected):
    chosen = policy(tracking("60"), scale_in_stabilization=FIFTEEN)
    assert outcome(decided(chosen, "30", snapshot=snapshot(8), wishes=wishes(*earlier))) == expected


def test_zero_seconds_turn_stabilization_off():
    chosen = policy(tracking("60"), scale_in_stabilization=NONE)
    assert outcome(decided(chosen, "30", snapshot=snapshot(8), wishes=wishes((0, 8), (1, 8)))) == (
        "in",
        4,
        "below_target",
    )


def test_stabilize_never_touches_a_scale_out():
    chosen = policy(tracking("60"), scale_in_stabilization=FIFTEEN)
    for earlier in ((5, 2), (5, 16)):
        assert decided(chosen, "120", wishes=wishes(earlier)).desired == 6


WITH_FOR = step("30", for_=30 * MINUTE)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param((), NONE, id="no-rule"),
        pytest.param((threshold(out=[step("75")]),), NONE, id="no-rule-can-scale-in"),
        pytest.param((threshold(in_=[WITH_FOR]),), NONE, id="each-in-step-has-a-for"),
        pytest.param((threshold(in_=[WITH_FOR, step("10")]),), FIFTEEN, id="one-in-step-has-none"),
        pytest.param((threshold(in_=[step("30", datapoints=(3, 5))]),), FIFTEEN, id="datapoints-are-no-for"),
        pytest.param((tracking(),), FIFTEEN, id="tracking"),
        pytest.param((tracking(over=30 * MINUTE),), FIFTEEN, id="tracking-over-a-span"),
        pytest.param((threshold(in_=[WITH_FOR]), tracking()), FIFTEEN, id="one-of-two-rules"),
        pytest.param((schedule(5), tracking(mode=Mode.OBSERVE), tracking()), FIFTEEN, id="those-not-asked-come-first"),
        pytest.param(
            (threshold(in_=[WITH_FOR]), tracking(mode=Mode.OBSERVE)), NONE, id="rules-in-observe-are-not-asked"
        ),
    ],
)
def test_the_default_of_stabilization_depends_on_the_rules(rules, expected):
    assert default_stabilization(rules) == expected


# --- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "cpu", "expected"),
    [
        pytest.param({"add": "2"}, "120", ("out", 10, "above_target"), id="add-two-of-eight"),
        pytest.param({"add": "25%"}, "120", ("out", 10, "above_target"), id="add-a-quarter-of-eight"),
        pytest.param({"add": "20%"}, "120", ("out", 10, "above_target"), id="a-percentage-rounds-up-adding"),
        pytest.param({"add": "8"}, "120", ("out", 16, "above_target"), id="enough"),
        pytest.param({"remove": "1"}, "120", ("out", 16, "above_target"), id="remove-does-not-limit-adding"),
        pytest.param({"remove": "1"}, "30", ("in", 7, "below_target"), id="remove-one-of-four"),
        pytest.param({"remove": "30%"}, "30", ("in", 6, "below_target"), id="a-percentage-rounds-down-removing"),
        pytest.param({"remove": "1%"}, "30", ("in", 7, "below_target"), id="a-percentage-is-at-least-one"),
        pytest.param({"add": "1"}, "30", ("in", 4, "below_target"), id="add-does-not-limit-removing"),
        pytest.param({"added_per_day": 3}, "30", ("in", 4, "below_target"), id="added-per-day-does-not-limit-removing"),
        pytest.param({"added_per_day": 3}, "120", ("out", 11, "above_target"), id="what-is-left-of-the-day-shortens"),
        pytest.param(
            {"added_per_day": 3, "add": "2"}, "120", ("out", 10, "above_target"), id="the-smaller-of-two-limits"
        ),
    ],
)
def test_limits_shorten(limit, cpu, expected):
    chosen = policy(tracking("60"), nodes=(1, 32), limits=limits(**limit))
    assert outcome(decided(chosen, cpu, snapshot=snapshot(8))) == expected


def test_a_percentage_of_limits_is_of_the_ready_nodes():
    chosen = policy(tracking("60"), nodes=(1, 32), limits=limits(add="50%"))
    assert decided(chosen, "240", snapshot=snapshot(8, ready=4)).desired == 10


LONG_AGO = 20 * 60


@pytest.mark.parametrize(
    ("op", "left"),
    [
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO)), 1, id="a-scale-out-of-today"),
        pytest.param(operation(OUT, 2, ended=ago(24 * 60)), 3, id="exactly-24-hours-ago-is-another-day"),
        pytest.param(operation(OUT, 2, ended=ago(24 * 60) + timedelta(seconds=1)), 1, id="a-second-less-is-today"),
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO), committed=ago(2000)), 1, id="its-end-counts-not-its-begin"),
        pytest.param(operation(IN, 2, ended=ago(LONG_AGO)), 3, id="a-scale-in-adds-nothing"),
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO), foreign=True), 3, id="somebody-elses"),
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO), state=State.REJECTED), 3, id="rejected"),
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO), state=State.NEVER_HAPPENED), 3, id="never-happened"),
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO), state=State.FAILED), 3, id="failed-without-nodes"),
        pytest.param(
            operation(OUT, 2, ended=ago(LONG_AGO), state=State.FAILED, arrived=1), 2, id="failed-with-one-node"
        ),
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO), shadow=True), 1, id="a-shadow"),
        pytest.param(operation(OUT, 2, ended=ago(LONG_AGO), group_id="other"), 3, id="another-groups"),
        pytest.param(operation(OUT, 9, ended=ago(LONG_AGO)), 0, id="more-than-the-day-allows"),
    ],
)
def test_what_counts_for_a_days_added_nodes(op, left):
    chosen = policy(tracking("60"), nodes=(1, 32), limits=limits(added_per_day=3), cooldown=NO_COOLDOWN)
    decision = decided(chosen, "120", snapshot=snapshot(8), operations=(op,))
    assert outcome(decision) == (("out", 8 + left, "above_target") if left else ("hold", 8, "daily_limit"))


def test_an_open_operation_counts_for_the_day_whenever_it_began():
    chosen = policy(tracking("60"), nodes=(1, 32), limits=limits(added_per_day=3))
    begun = operation(OUT, 2, state=State.SUBMITTED, committed=ago(2000))
    decision = decided(chosen, "120", snapshot=snapshot(8), operations=(begun,))
    assert outcome(decision) == ("hold", 9, "in_progress")


@pytest.mark.parametrize(
    ("done", "cpu", "expected"),
    [
        pytest.param([OUT], "120", ("out", 16, "above_target"), id="one-of-two"),
        pytest.param([OUT, OUT], "120", ("hold", 8, "daily_limit"), id="scale-outs-use-up-that-of-out"),
        pytest.param([OUT, OUT], "30", ("hold", 8, "daily_limit"), id="scale-outs-use-up-that-of-in-too"),
        pytest.param([IN, IN], "30", ("hold", 8, "daily_limit"), id="scale-ins-use-up-that-of-in"),
        pytest.param([IN, IN], "120", ("out", 16, "above_target"), id="scale-ins-leave-that-of-out"),
        pytest.param([IN, OUT], "30", ("hold", 8, "daily_limit"), id="in-counts-both"),
        pytest.param([IN, OUT], "120", ("out", 16, "above_target"), id="out-counts-only-outs"),
    ],
)
def test_actions_per_day(done, cpu, expected):
    chosen = policy(tracking("60"), nodes=(1, 32), limits=limits(actions_per_day=2), cooldown=NO_COOLDOWN)
    ops = tuple(operation(direction, ended=ago(LONG_AGO + k), id=f"op{k}") for k, direction in enumerate(done))
    assert outcome(decided(chosen, cpu, snapshot=snapshot(8), operations=ops)) == expected


@pytest.mark.parametrize(
    ("state", "arrived", "expected"),
    [
        pytest.param(State.SUCCEEDED, 1, ("hold", 8, "daily_limit"), id="succeeded"),
        pytest.param(State.FAILED, 1, ("hold", 8, "daily_limit"), id="failed-with-nodes"),
        pytest.param(State.FAILED, 0, ("out", 16, "above_target"), id="failed-without"),
        pytest.param(State.REJECTED, 0, ("out", 16, "above_target"), id="rejected"),
        pytest.param(State.NEVER_HAPPENED, 0, ("out", 16, "above_target"), id="never-happened"),
    ],
)
def test_only_what_moved_nodes_is_an_action_of_the_day(state, arrived, expected):
    chosen = policy(tracking("60"), nodes=(1, 32), limits=limits(actions_per_day=1), cooldown=NO_COOLDOWN)
    done = operation(OUT, ended=ago(LONG_AGO), state=state, arrived=arrived)
    assert outcome(decided(chosen, "120", snapshot=snapshot(8), operations=(done,))) == expected


# --- bounds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "group", "cpu", "expected"),
    [
        pytest.param((2, 10), snapshot(8), "120", ("out", 10, "above_target"), id="max"),
        pytest.param((2, 8), snapshot(8), "120", ("hold", 8, "at_max"), id="at-max"),
        pytest.param((6, 10), snapshot(8), "30", ("in", 6, "below_target"), id="min"),
        pytest.param((8, 10), snapshot(8), "30", ("hold", 8, "at_min"), id="at-min"),
        pytest.param((2, 40), snapshot(20), "120", ("out", 32, "above_target"), id="32-per-instance"),
        pytest.param((2, 40), snapshot(8, others=22), "120", ("out", 10, "above_target"), id="32-over-all-its-groups"),
        pytest.param((2, 40), snapshot(8, others=24), "120", ("hold", 8, "at_max"), id="the-instance-is-full"),
        pytest.param((2, 40), snapshot(8, others=30), "120", ("hold", 8, "at_max"), id="more-than-full"),
        pytest.param((2, 40), snapshot(8, others=30), "30", ("in", 4, "below_target"), id="a-full-instance-may-shrink"),
        pytest.param(
            (2, 40), snapshot(20, others=-15), "120", ("out", 32, "above_target"), id="a-count-that-is-too-small"
        ),
        pytest.param((1, 8), snapshot(1), "0", ("hold", 1, "at_min"), id="never-to-nothing"),
        pytest.param((5, 10), snapshot(3, others=28), "50", ("out", 4, "below_min"), id="32-also-below-min"),
        pytest.param((5, 10), snapshot(3, others=29), "50", ("hold", 3, "at_max"), id="below-min-in-a-full-instance"),
    ],
)
def test_i4_bounds(nodes, group, cpu, expected):
    assert outcome(decided(policy(tracking("60"), nodes=nodes), cpu, snapshot=group)) == expected


def test_i4_another_group_that_grew_meanwhile_counts():
    seen = observation("120", snapshot=snapshot(8))
    grown = checks(seen, snapshot=snapshot(8, others=23))
    assert decided(policy(tracking("60"), nodes=(2, 40)), seen, checks=grown).desired == 9


def test_i4_of_two_readings_the_one_with_more_nodes_counts():
    seen = observation("120", snapshot=snapshot(8, others=23))
    fewer = checks(seen, snapshot=snapshot(8))
    assert decided(policy(tracking("60"), nodes=(2, 40)), seen, checks=fewer).desired == 9


# --- below min ------------------------------------------------------------------------------------------------------

NOTHING_LEFT = limits(add="1", added_per_day=1, actions_per_day=1)


@pytest.mark.parametrize(
    "cpu",
    [
        pytest.param("50", id="calm"),
        pytest.param("5", id="cold"),
        pytest.param("500", id="hot"),
        pytest.param("", id="no-data"),
    ],
)
def test_below_min_goes_out_to_exactly_min(cpu):
    just_done = operation(OUT, 3, ended=ago(0))
    chosen = policy(tracking("60"), nodes=(6, 16), limits=NOTHING_LEFT, scale_in_stabilization=FIFTEEN)
    decision = decided(chosen, cpu, operations=(just_done,), wishes=wishes((1, 3)))
    assert outcome(decision) == ("out", 6, "below_min")
    assert decision.stages[0].because == "min"


def test_below_min_needs_no_rule():
    assert outcome(decided(policy(nodes=(4, 8)), "")) == ("out", 4, "below_min")


@pytest.mark.parametrize(
    ("more", "veto"),
    [
        pytest.param({"operations": (operation(state=State.UNKNOWN),)}, "unknown_outcome", id="unknown"),
        pytest.param({"operations": (operation(state=State.SUBMITTED),)}, "in_progress", id="open"),
        pytest.param({"snapshot": snapshot(3, status="GROWING")}, "not_ready", id="not-running"),
        pytest.param({"snapshot": snapshot(3, prepaid=True)}, "payment_required", id="prepaid"),
        pytest.param({"led_by": ""}, "not_leader", id="stands-by"),
        pytest.param({"mode": Mode.OBSERVE}, "observe_only", id="observe"),
    ],
)
def test_below_min_passes_no_guard_of_state(more, veto):
    decision = decided(policy(nodes=(4, 8)), "", **more)
    assert outcome(decision) == ("hold", 4, veto)


def test_nodes_that_do_not_serve_are_there_all_the_same():
    """Below min is about nodes of any state: a broken one is repaired or removed, not doubled."""
    assert outcome(decided(policy(HOT_OR_COLD, nodes=(3, 8)), "50", snapshot=snapshot(3, ready=1)))[0] == "hold"


# --- above max ------------------------------------------------------------------------------------------------------

OUT_ONLY_RULE = threshold(out=[step("75")])
GONE = replace(HOT_OR_COLD, name="gone", metric=replace(HOT_OR_COLD.metric, name="ddm_gone"))


@pytest.mark.parametrize(
    ("rules", "cpu", "expected"),
    [
        pytest.param((HOT_OR_COLD,), "50", ("in", 9, "above_max"), id="one-at-a-time"),
        pytest.param((), "", ("in", 9, "above_max"), id="without-rules"),
        pytest.param((OUT_ONLY_RULE,), "50", ("in", 9, "above_max"), id="a-rule-without-in-does-not-hold-it"),
        pytest.param((HOT_OR_COLD,), "80", ("hold", 10, "at_max"), id="not-while-a-rule-wants-out"),
        pytest.param((HOT_OR_COLD,), "", ("hold", 10, "no_data"), id="not-without-data"),
        pytest.param(
            (replace(HOT_OR_COLD, on_missing_metric=OnMissing.IGNORE),), "", ("in", 9, "above_max"), id="but-ignored"
        ),
        pytest.param((HOT_OR_COLD, GONE), "50", ("hold", 10, "no_data"), id="one-of-two-without-data"),
        pytest.param(
            (HOT_OR_COLD, replace(GONE, mode=Mode.OBSERVE)), "50", ("in", 9, "above_max"), id="observe-is-not-asked"
        ),
        pytest.param((HOT_OR_COLD,), "20", ("in", 9, "below_threshold"), id="the-rules-own-is-as-large"),
        pytest.param((tracking("60"),), "30", ("in", 5, "below_target"), id="the-rules-own-is-larger-and-passes-max"),
        pytest.param((tracking("60"),), "", ("hold", 10, "no_data"), id="tracking-without-data"),
    ],
)
def test_above_max_goes_in_one_by_one(rules, cpu, expected):
    assert outcome(decided(policy(*rules, nodes=(2, 8)), cpu, snapshot=snapshot(10))) == expected


@pytest.mark.parametrize(
    ("remove", "expected"),
    [
        pytest.param("1", 13, id="one"),
        pytest.param("3", 11, id="three"),
        pytest.param("50%", 8, id="half-of-fourteen-but-never-below-max"),
        pytest.param("9", 8, id="nine-but-never-below-max"),
    ],
)
def test_above_max_removes_as_many_as_the_limit_says(remove, expected):
    chosen = policy(HOT_OR_COLD, nodes=(2, 8), limits=limits(remove=remove))
    assert outcome(decided(chosen, "50", snapshot=snapshot(14))) == ("in", expected, "above_max")


def test_above_max_is_larger_than_the_rules_own():
    chosen = policy(HOT_OR_COLD, nodes=(2, 8), limits=limits(remove="3"))
    assert outcome(decided(chosen, "20", snapshot=snapshot(14))) == ("in", 11, "above_max")


def test_the_rules_own_scale_in_is_limited_above_max_too():
    chosen = policy(tracking("60"), nodes=(2, 8), limits=limits(remove="3"))
    assert outcome(decided(chosen, "30", snapshot=snapshot(14))) == ("in", 11, "below_target")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"wishes": wishes((1, 14))}, ("in", 13, "above_max"), id="past-stabilisation"),
        pytest.param({"operations": (operation(ended=ago(29)),)}, ("hold", 13, "cooldown"), id="not-past-cooldown"),
        pytest.param({"operations": (operation(ended=ago(30)),)}, ("in", 13, "above_max"), id="after-cooldown"),
        pytest.param({"mode": Mode.OUT_ONLY}, ("hold", 13, "direction_locked"), id="out-only"),
        pytest.param({"snapshot": snapshot(14, prepaid=True)}, ("hold", 13, "no_scale_in"), id="prepaid"),
        pytest.param({"snapshot": snapshot(14, ready=13)}, ("hold", 13, "not_ready"), id="a-broken-node"),
    ],
)
def test_above_max_and_the_other_stages(more, expected):
    chosen = policy(HOT_OR_COLD, nodes=(2, 8), scale_in_stabilization=FIFTEEN)
    assert outcome(decided(chosen, "50", **{"snapshot": snapshot(14), **more})) == expected


def test_above_max_keeps_within_the_days_actions():
    chosen = policy(HOT_OR_COLD, nodes=(2, 8), limits=limits(actions_per_day=1))
    op = operation(IN, ended=ago(LONG_AGO))
    assert outcome(decided(chosen, "50", snapshot=snapshot(14), operations=(op,))) == ("hold", 14, "daily_limit")


def test_above_max_without_data_is_held_by_stabilisation_of_nothing():
    """The wish that stands in the record is what is there: a later scale-in is measured against it."""
    decision = decided(policy(HOT_OR_COLD, nodes=(2, 8)), "", snapshot=snapshot(10))
    assert stages(decision) == {"combine": 10, "stabilize": 10, "limits": 10, "bounds": 10, "guards": 10}


# --- the whole way --------------------------------------------------------------------------------------------------


def test_every_stage_tells_what_it_left():
    """Wanted 4 of 8 by load; 5 was wanted a minute ago; 2 at a time; min 7; and the last change is too recent."""
    chosen = policy(tracking("60"), nodes=(7, 16), scale_in_stabilization=FIFTEEN, limits=limits(remove="2"))
    seen = observation("30", snapshot=snapshot(8), wishes=wishes((1, 5)), operations=(operation(ended=ago(20)),))
    decision = decided(chosen, seen)
    assert stages(decision) == {"combine": 4, "stabilize": 5, "limits": 6, "bounds": 7, "guards": 8}
    assert outcome(decision) == ("hold", 7, "cooldown")
    assert decision.change == 0


@pytest.mark.parametrize(
    ("kept_by", "expected"),
    [
        pytest.param({"wishes": wishes((1, 8))}, "stabilizing", id="stabilize-before-limits"),
        pytest.param({}, "daily_limit", id="limits-before-bounds"),
    ],
)
def test_the_first_stage_that_leaves_no_change_gives_the_reason(kept_by, expected):
    chosen = policy(
        tracking("60"),
        nodes=(8, 16),
        scale_in_stabilization=FIFTEEN,
        limits=limits(actions_per_day=1),
        mode=Mode.OBSERVE,
    )
    seen = observation("30", snapshot=snapshot(8), operations=(operation(ended=NOW - 2 * FIFTEEN),), mode=Mode.OBSERVE)
    decision = decided(chosen, seen, **kept_by)
    assert decision.reason.value == expected
    assert decision.vetoes == ()
    assert decision.wanted_reason is not None

"""Schedules: floors on desired and caps on scale-outs while they are open, and how they meet everything else."""

import pytest

from autoscaler.core.decision import Reason
from autoscaler.core.policy import Cooldown, TargetTrackingRule, ThresholdRule, default_stabilization
from autoscaler.core.target import Mode
from tests.core.given import (
    CLOSED,
    HOT_OR_COLD,
    HOUR,
    MINUTE,
    NO_COOLDOWN,
    ago,
    decided,
    limits,
    operation,
    outcome,
    policy,
    schedule,
    snapshot,
    step,
    threshold,
    wishes,
)

HOT, WARM, COLD = "80", "50", "20"
IN_BY_TWO = threshold(out=[step("75")], in_=[step("30", "2")])

FLOORS = {
    "out to the floor": ([schedule(5)], WARM, 3, ("out", 5, "schedule")),
    "out to it without any data": ([schedule(5)], "", 3, ("out", 5, "schedule")),
    "closed it has no say": ([schedule(5, window=CLOSED)], WARM, 3, ("hold", 3, "within_bounds")),
    "in observe it has no say": ([schedule(5, mode=Mode.OBSERVE)], WARM, 3, ("hold", 3, "within_bounds")),
    "satisfied it has no say": ([schedule(3)], WARM, 3, ("hold", 3, "within_bounds")),
    "satisfied, without data": ([schedule(3)], "", 3, ("hold", 3, "no_data")),
    "a metric rule that wants more wins": ([schedule(3)], HOT, 3, ("out", 4, "above_threshold")),
    "of equal wants a metric rule comes first": ([schedule(4)], HOT, 3, ("out", 4, "above_threshold")),
    "a floor that wants more wins": ([schedule(5)], HOT, 3, ("out", 5, "schedule")),
    "a floor over a rule that wants fewer": ([schedule(5)], COLD, 4, ("out", 5, "schedule")),
    "a scale-in to nothing is within bounds": ([schedule(4)], COLD, 4, ("hold", 4, "within_bounds")),
    "a scale-in is shortened to it": ([schedule(4)], COLD, 5, ("in", 4, "below_threshold")),
    "a scale-in that ends on it": ([schedule(3)], COLD, 5, ("in", 3, "below_threshold")),
    "a scale-in above it": ([schedule(2)], COLD, 5, ("in", 3, "below_threshold")),
    "the largest floor": (
        [schedule(4), schedule(6, name="big"), schedule(5, name="mid")],
        WARM,
        3,
        ("out", 6, "schedule"),
    ),
    "above max bounds hold it": ([schedule(20)], WARM, 15, ("out", 16, "schedule")),
    "at max": ([schedule(20)], WARM, 16, ("hold", 16, "at_max")),
    "below min first to exactly min": ([schedule(5)], WARM, 1, ("out", 2, "below_min")),
}


@pytest.mark.parametrize(("schedules", "cpu", "current", "expected"), FLOORS.values(), ids=FLOORS)
def test_a_floor_holds_for_desired(schedules, cpu, current, expected):
    chosen = policy(IN_BY_TWO, *schedules, cooldown=NO_COOLDOWN)
    assert outcome(decided(chosen, cpu, snapshot=snapshot(current))) == expected


def test_a_floor_counts_nodes_in_any_state():
    decision = decided(policy(IN_BY_TWO, schedule(4)), WARM, snapshot=snapshot(4, ready=3))
    assert outcome(decision) == ("hold", 4, "within_bounds")


def test_the_rule_that_gives_the_floor_is_named_the_first_of_equal_ones():
    decision = decided(policy(schedule(5, name="first"), schedule(5, name="second")))
    assert decision.stages[0].because == "first"


def test_a_floor_that_keeps_nodes_is_named():
    decision = decided(policy(HOT_OR_COLD, schedule(3)), COLD)
    assert (decision.stages[0].desired, decision.stages[0].because) == (3, "office")


RECORDS = {
    "open": (schedule(5), 5, Reason.SCHEDULE),
    "satisfied": (schedule(3), 3, Reason.WITHIN_BOUNDS),
    "closed": (schedule(5, window=CLOSED), 3, Reason.WITHIN_BOUNDS),
    "only a cap": (schedule(None, 2), 3, Reason.WITHIN_BOUNDS),
    "in observe": (schedule(5, mode=Mode.OBSERVE), 5, Reason.SCHEDULE),
}


@pytest.mark.parametrize(("rule", "wants", "reason"), RECORDS.values(), ids=RECORDS)
def test_a_schedule_is_in_the_record(rule, wants, reason):
    record = decided(rule).rules[0]
    assert (record.wants, record.reason, record.observe) == (wants, reason, rule.mode is Mode.OBSERVE)


CAPS = {
    "a scale-out ends at it": ([schedule(None, 5)], 4, "3", ("out", 5, "above_threshold")),
    "at it nothing goes out": ([schedule(None, 4)], 4, "3", ("hold", 4, "at_max")),
    "below current it never scales in": ([schedule(None, 2)], 4, "3", ("hold", 4, "at_max")),
    "above the wish it does nothing": ([schedule(None, 7)], 4, "3", ("out", 7, "above_threshold")),
    "above max it does nothing": ([schedule(None, 20)], 15, "3", ("out", 16, "above_threshold")),
    "closed": ([schedule(None, 4, window=CLOSED)], 4, "3", ("out", 7, "above_threshold")),
    "in observe": ([schedule(None, 4, mode=Mode.OBSERVE)], 4, "3", ("out", 7, "above_threshold")),
    "the smallest": ([schedule(None, 6), schedule(None, 5, name="b")], 4, "3", ("out", 5, "above_threshold")),
    "a floor wins over it": ([schedule(6), schedule(None, 5, name="b")], 4, "3", ("out", 6, "above_threshold")),
    "a floor wins alone": ([schedule(6), schedule(None, 5, name="b")], 4, "1", ("out", 6, "schedule")),
    "a floor under it does not": ([schedule(5), schedule(None, 6, name="b")], 4, "3", ("out", 6, "above_threshold")),
}


@pytest.mark.parametrize(("schedules", "current", "add", "expected"), CAPS.values(), ids=CAPS)
def test_a_cap_lowers_max_for_scale_outs(schedules, current, add, expected):
    chosen = policy(threshold(out=[step("75", add)]), *schedules)
    assert outcome(decided(chosen, HOT, snapshot=snapshot(current))) == expected


def test_a_cap_says_so():
    decision = decided(policy(HOT_OR_COLD, schedule(None, 3)), HOT)
    assert decision.details == {"at_max": "no more than 3 may be had while office is open"}
    assert decision.stages[3].because == "office"


def test_below_min_passes_a_cap():
    chosen = policy(schedule(None, 1))
    assert outcome(decided(chosen, snapshot=snapshot(1))) == ("out", 2, "below_min")


COOLDOWNS = {
    "the target's": ((), 9, "cooldown"),
    "the target's, over": ((), 10, "schedule"),
    "a step that wants out has a shorter one": ((step("75", cooldown=3 * MINUTE),), 5, "schedule"),
    "a step that wants out has a longer one": ((step("75", cooldown=HOUR),), 10, "schedule"),
    "a step that wants more has a longer one": ((step("75", "9", cooldown=HOUR),), 10, "above_threshold"),
}


@pytest.mark.parametrize(("steps", "minutes", "reason"), COOLDOWNS.values(), ids=COOLDOWNS)
def test_of_all_that_want_out_the_shortest_cooldown_applies(steps, minutes, reason):
    chosen = policy(threshold(out=steps), schedule(5), cooldown=Cooldown())
    assert decided(chosen, HOT, operations=(operation(ended=ago(minutes)),)).reason.value == reason


def test_a_floor_that_is_passed_leaves_the_fast_lane_its_cooldown():
    fast = threshold(out=[step("75", "3", cooldown=3 * MINUTE)])
    seen = {"operations": (operation(ended=ago(4)),)}
    assert outcome(decided(policy(fast, schedule(4)), "80", **seen)) == ("out", 6, "above_threshold")
    assert outcome(decided(policy(fast, schedule(7)), "80", **seen)) == ("out", 7, "schedule")


def test_limits_hold_a_floor_too():
    chosen = policy(schedule(9), limits=limits(add="2"))
    assert outcome(decided(chosen)) == ("out", 5, "schedule")


def test_stabilisation_does_not_hold_a_floor():
    chosen = policy(schedule(9), scale_in_stabilization=HOUR)
    assert outcome(decided(chosen, wishes=wishes((5, 3)))) == ("out", 9, "schedule")


def test_above_max_waits_for_a_floor_that_wants_out():
    chosen = policy(IN_BY_TWO, schedule(9), nodes=(2, 4))
    assert outcome(decided(chosen, COLD, snapshot=snapshot(6))) == ("hold", 6, "at_max")


def test_above_max_goes_in_past_a_schedule_without_a_floor():
    chosen = policy(schedule(None, 3), nodes=(2, 4))
    assert outcome(decided(chosen, snapshot=snapshot(6))) == ("in", 5, "above_max")


def test_a_policy_tells_its_rules_apart():
    chosen = policy(schedule(5), HOT_OR_COLD)
    assert (chosen.metric_rules, chosen.schedules) == ((HOT_OR_COLD,), (chosen.rules[0],))
    assert chosen.metrics == (HOT_OR_COLD.metric,)
    assert {type(rule) for rule in chosen.metric_rules} <= {ThresholdRule, TargetTrackingRule}
    assert default_stabilization((schedule(5),)) == 0 * MINUTE

"""The operator's hand, blackouts and the breaker: what passes what, until when, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from autoscaler.core import history
from autoscaler.core.checks import DataNode
from autoscaler.core.decision import Reason
from autoscaler.core.observation import Observation, Override, Pause
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Blackout, Breaker, Cooldown
from autoscaler.core.target import Mode
from tests.core.given import (
    CLOSED,
    HOT_OR_COLD,
    HOUR,
    IN,
    MINUTE,
    NO_COOLDOWN,
    NOW,
    OUT,
    ago,
    around,
    checks,
    data_node,
    decided,
    limits,
    observation,
    operation,
    outcome,
    policy,
    schedule,
    snapshot,
    wishes,
)

HOT, WARM, COLD = "80", "50", "20"


def override(nodes: int, start: float = 60, end: float = -60) -> Override:
    """From so many minutes ago to so many minutes ago."""
    return Override(ago(start), ago(end), nodes, "a sale")


OVERRIDES = {
    "out": ([override(6)], HOT, 3, ("out", 6, "override")),
    "in": ([override(2)], HOT, 5, ("in", 2, "override")),
    "satisfied": ([override(3)], HOT, 3, ("hold", 3, "within_bounds")),
    "without data": ([override(6)], "", 3, ("out", 6, "override")),
    "before below_min": ([override(6)], WARM, 1, ("out", 6, "override")),
    "before above_max": ([override(9)], WARM, 20, ("in", 9, "override")),
    "its start is included": ([override(6, start=0)], WARM, 3, ("out", 6, "override")),
    "not before it": ([override(6, start=-1 / 60)], WARM, 3, ("hold", 3, "within_bounds")),
    "its end is excluded": ([override(6, end=0)], WARM, 3, ("hold", 3, "within_bounds")),
    "the one that began last": ([override(6, 5), override(7, 60)], WARM, 3, ("out", 6, "override")),
    "of two that began together the later entry": ([override(6), override(7)], WARM, 3, ("out", 7, "override")),
    "one that has ended uncovers another": ([override(6), override(7, 5, 1)], WARM, 3, ("out", 6, "override")),
    "no more than max": ([override(99)], WARM, 3, ("out", 16, "override")),
    "no fewer than min": ([override(1)], WARM, 3, ("in", 2, "override")),
    "never below min": ([override(1)], WARM, 1, ("out", 2, "override")),
    "no more than 32 in the instance": ([override(9)], WARM, 3, ("hold", 3, "at_max")),
}


@pytest.mark.parametrize(("overrides", "cpu", "current", "expected"), OVERRIDES.values(), ids=OVERRIDES)
def test_an_override_sets_the_number_of_nodes(overrides, cpu, current, expected):
    others = 29 if expected[2] == "at_max" else 0
    seen = observation(cpu, overrides=tuple(overrides), snapshot=snapshot(current, others=others))
    assert outcome(decided(policy(HOT_OR_COLD), seen)) == expected


PASSED = {
    "a floor": ({"rules": (HOT_OR_COLD, schedule(5))}, {}, 2),
    "a cap": ({"rules": (HOT_OR_COLD, schedule(None, 4))}, {}, 9),
    "stabilisation": ({"scale_in_stabilization": HOUR}, {"wishes": wishes((5, 9))}, 2),
    "limits": ({"limits": limits(add="1", remove="1", added_per_day=1, actions_per_day=1)}, {}, 9),
    "cooldown": ({}, {"operations": (operation(ended=ago(1)),)}, 2),
    "the cooldown of a failure": ({}, {"operations": (operation(ended=ago(1), state=State.FAILED),)}, 9),
    "a blackout": ({"blackouts": (Blackout(around()),)}, {}, 2),
}


@pytest.mark.parametrize(("keys", "seen", "nodes"), PASSED.values(), ids=PASSED)
def test_an_override_passes(keys, seen, nodes):
    chosen = replace(policy(HOT_OR_COLD), **keys)
    given = observation(WARM, overrides=(override(nodes),), snapshot=snapshot(4), **seen)
    assert outcome(decided(chosen, given))[1:] == (nodes, "override")


NOT_PASSED = {
    "paused": ({"pauses": (Pause(ago(5)),)}, 6),
    "unknown_outcome": ({"operations": (operation(state=State.UNKNOWN),)}, 6),
    "in_progress": ({"operations": (operation(state=State.SUBMITTED),)}, 6),
    "breaker_open": ({"operations": tuple(operation(ended=ago(m), state=State.FAILED) for m in (1, 2, 3))}, 6),
    "not_ready": ({"snapshot": snapshot(3, status="GROWING")}, 6),
    "direction_locked": ({"mode": Mode.OUT_ONLY}, 2),
    "no_scale_in": ({"snapshot": snapshot(3, prepaid=True)}, 2),
    "payment_required": ({"snapshot": snapshot(3, prepaid=True)}, 6),
    "data_node_bottleneck": ({"checks": checks(observation(), data_nodes=(data_node(cpu="99"),))}, 6),
    "data_node_busy": (
        {"checks": checks(observation(), data_nodes=(DataNode("d", "d", "busy", "ACTIVE"),))},
        6,
    ),
    "not_leader": ({"led_by": ""}, 6),
    "observe_only": ({"mode": Mode.OBSERVE}, 6),
}


@pytest.mark.parametrize(("reason", "case"), NOT_PASSED.items(), ids=NOT_PASSED)
def test_an_override_does_not_pass(reason, case):
    seen, nodes = case
    chosen = policy(HOT_OR_COLD, data_node_max_cpu=Decimal(85))
    decision = decided(chosen, observation(WARM, overrides=(override(nodes),), **seen))
    assert (decision.change, decision.reason.value, decision.wanted_reason) == (0, reason, Reason.OVERRIDE)


SHOWN_OVERRIDES = {
    "wanted": (Override(ago(5), NOW + HOUR, 6, "a sale", "ann"), 3, "6 nodes set by hand by ann until {}: a sale"),
    "satisfied": (Override(ago(5), NOW + HOUR, 3), 3, "3 nodes set by hand until {}"),
    "beyond max": (Override(ago(5), NOW + HOUR, 99), 3, "99 nodes set by hand until {} (min is 2 and max is 16)"),
}


@pytest.mark.parametrize(("given", "current", "words"), SHOWN_OVERRIDES.values(), ids=SHOWN_OVERRIDES)
def test_an_override_is_told_in_every_record_that_it_touches(given, current, words):
    told = {"override": words.format("2026-11-23T13:00:00Z")}
    for pauses in ((), (Pause(ago(5)),)):
        seen = observation(WARM, overrides=(given,), pauses=pauses, snapshot=snapshot(current))
        details = decided(policy(HOT_OR_COLD), seen).details
        assert details.items() >= told.items()
        assert ("paused" in details) == (pauses != () and given.nodes != current)


def test_under_an_override_what_the_rules_wanted_counts_for_stabilisation():
    decision = decided(policy(HOT_OR_COLD), HOT, overrides=(override(9),))
    assert (decision.stages[0].desired, decision.stages[0].because, decision.wish) == (9, "override", 4)
    assert decided(policy(HOT_OR_COLD), HOT).wish == 4


PAUSES = {
    "for a while": (Pause(ago(5), NOW + HOUR), "paused until 2026-11-23T13:00:00Z"),
    "with a reason": (Pause(ago(5), NOW + HOUR, "a move"), "paused until 2026-11-23T13:00:00Z: a move"),
    "until it is resumed": (Pause(ago(5)), "paused until it is resumed"),
    "all": (Pause(ago(5), all=True), "all targets are paused until it is resumed"),
    "by somebody": (Pause(ago(5), reason="a move", who="ann"), "paused by ann until it is resumed: a move"),
    "its start is included": (Pause(NOW), "paused until it is resumed"),
    "its end is excluded": (Pause(ago(5), NOW), None),
    "not yet": (Pause(ago(-1)), None),
}


@pytest.mark.parametrize(("pause", "sentence"), PAUSES.values(), ids=PAUSES)
def test_a_pause_holds_everything(pause, sentence):
    for current, cpu in ((3, HOT), (3, COLD), (1, WARM)):  # out, in, and below min
        seen = observation(cpu, pauses=(pause,), snapshot=snapshot(current))
        decision = decided(policy(HOT_OR_COLD), seen)
        assert decision.details.get("paused") == sentence
        assert (decision.change == 0) == (sentence is not None)


BLACKOUTS = {
    "both": (Blackout(around()), {OUT, IN}),
    "in alone": (Blackout(around(), frozenset({IN})), {IN}),
    "out alone": (Blackout(around(), frozenset({OUT})), {OUT}),
    "over": (Blackout(CLOSED), set()),
    "from this moment": (Blackout(around(0, 1)), {OUT, IN}),
}


@pytest.mark.parametrize(("blackout", "held"), BLACKOUTS.values(), ids=BLACKOUTS)
def test_a_blackout_holds_its_directions(blackout, held):
    chosen = policy(HOT_OR_COLD, blackouts=(blackout,))
    assert {d for d, cpu in ((OUT, HOT), (IN, COLD)) if decided(chosen, cpu).reason is Reason.BLACKOUT} == held


def test_of_blackouts_the_last_end_is_told():
    chosen = policy(HOT_OR_COLD, blackouts=(Blackout(around()), Blackout(around(-1, 90)), Blackout(around(-9, 9))))
    assert decided(chosen, HOT).details == {"blackout": "blackout until 2026-11-23T13:30:00Z"}


def test_below_min_passes_a_blackout_and_above_max_does_not():
    chosen = policy(HOT_OR_COLD, nodes=(2, 4), blackouts=(Blackout(around()),))
    assert outcome(decided(chosen, WARM, snapshot=snapshot(1))) == ("out", 2, "below_min")
    assert outcome(decided(chosen, WARM, snapshot=snapshot(6)))[::2] == ("hold", "blackout")


def failed(*minutes: float, direction=OUT, state=State.FAILED, **more):
    """Failures that ended so many minutes ago."""
    return tuple(operation(direction, ended=ago(each), state=state, **more) for each in minutes)


NEVER = State.NEVER_HAPPENED
BREAKER = {
    "two are too few": (failed(1, 2), set()),
    "three": (failed(1, 2, 3), {OUT, IN}),
    "three in any order": (failed(3, 1, 2), {OUT, IN}),
    "that never happened": (failed(1, 2) + failed(3, state=NEVER), {OUT, IN}),
    "of scale-ins": (failed(1, 2, 3, direction=IN), {IN}),
    "of both kinds, too few of each": (failed(1, 2) + failed(3, direction=IN), set()),
    "a success since": ((*failed(2, 3, 4), operation(ended=ago(1))), set()),
    "a success at the same time": ((*failed(2, 3, 4), operation(ended=ago(2))), set()),
    "a success before": ((*failed(1, 2, 3), operation(ended=ago(4))), {OUT, IN}),
    "a success between": ((*failed(1, 2, 4, 5), operation(ended=ago(3))), set()),
    "a success of the other direction": ((*failed(2, 3, 4), operation(IN, ended=ago(1))), {OUT, IN}),
    "somebody else's success": ((*failed(2, 3, 4), operation(ended=ago(1), foreign=True)), {OUT, IN}),
    "a shadow's success": ((*failed(2, 3, 4), operation(ended=ago(1), shadow=True)), {OUT, IN}),
    "somebody else's failures": (failed(1, 2, 3, foreign=True), set()),
    "shadows": (failed(1, 2, 3, shadow=True), set()),
    "rejected": (failed(1, 2, 3, state=State.REJECTED), set()),
    "rejected between": (failed(1, 3, 5) + failed(2, 4, state=State.REJECTED), {OUT, IN}),
    "of another group": (failed(1, 2, 3, group_id="other"), set()),
    "that brought a node": (failed(1, 2, 3, arrived=1), {OUT, IN}),
    "open for 15 minutes": (failed(14.9, 30, 40), {OUT, IN}),
    "closed after exactly 15": (failed(15, 30, 40), set()),
    "the fourth: 30 minutes": (failed(29.9, 60, 70, 80), {OUT, IN}),
    "the fourth, closed": (failed(30, 60, 70, 80), set()),
    "the seventh: 4 hours": (failed(239.9, *range(240, 246)), {OUT, IN}),
    "the eighth: 4 hours still": (failed(240, *range(241, 248)), set()),
    "far apart": (failed(1, 3000, 9000), {OUT, IN}),
}


@pytest.mark.parametrize(("operations", "held"), BREAKER.values(), ids=BREAKER)
def test_the_breaker_opens_after_failures_in_a_row(operations, held):
    chosen = policy(HOT_OR_COLD, cooldown=NO_COOLDOWN)
    vetoed = {
        direction
        for direction, current in ((OUT, 3), (IN, 5))
        if Reason.BREAKER_OPEN in decided(chosen, forced_to(4, current, operations)).vetoes
    }
    assert vetoed == held


def forced_to(nodes: int, current: int, operations: tuple[Operation, ...]) -> Observation:
    return observation(WARM, overrides=(override(nodes),), snapshot=snapshot(current), operations=operations)


RESET = {
    "after the last failure": (ago(0.5), False),
    "at the end of the last failure": (ago(1), False),
    "before the last: two of three are left": (ago(2.5), False),
    "at the end of the first: two are left": (ago(3), False),
    "before the first": (ago(3.1), True),
}


@pytest.mark.parametrize(("reset", "held"), RESET.values(), ids=RESET)
def test_failures_up_to_the_moment_in_which_the_breaker_was_closed_no_longer_count(reset, held):
    seen = replace(forced_to(4, 3, failed(1, 2, 3)), breaker_reset=reset)
    vetoed = Reason.BREAKER_OPEN in decided(policy(HOT_OR_COLD, cooldown=NO_COOLDOWN), seen).vetoes
    assert vetoed == held


def test_a_breaker_that_was_closed_opens_again_after_as_many_failures_more():
    chosen = policy(HOT_OR_COLD, cooldown=NO_COOLDOWN)
    for count, held in ((2, False), (3, True)):
        seen = replace(forced_to(4, 3, failed(*range(1, count + 1), 11, 12, 13)), breaker_reset=ago(10))
        assert (Reason.BREAKER_OPEN in decided(chosen, seen).vetoes) == held


def test_a_closed_breaker_counts_failures_beside_an_operation_that_is_still_open():
    under_way = operation(state=State.SUBMITTED, committed=ago(20))
    seen = replace(forced_to(4, 3, (*failed(1, 2, 3), under_way)), breaker_reset=ago(10))
    assert decided(HOT_OR_COLD, seen).vetoes == (Reason.IN_PROGRESS, Reason.BREAKER_OPEN)


def test_closing_the_breaker_leaves_the_cooldown_of_the_failure():
    decision = decided(policy(HOT_OR_COLD), HOT, operations=failed(1, 2, 3), breaker_reset=NOW)
    assert decision.vetoes == (Reason.COOLDOWN,)


def test_how_the_breakers_stand_is_told_per_direction_without_shadows():
    shadow = replace(failed(2)[0], shadow=True)
    standing = history.breakers((*failed(1, 5, 9), shadow), 3)

    assert standing[OUT] == history.Standing(3, ago(1) + 15 * MINUTE)
    assert standing[IN] == history.Standing(0, ago(1) + 15 * MINUTE)
    assert history.breakers(failed(1, 5, 9), 3, reset=ago(3))[OUT] == history.Standing(1, None)


def test_the_breaker_says_until_when():
    chosen = policy(HOT_OR_COLD, cooldown=Cooldown(failed=0 * MINUTE), breaker=Breaker(1))
    decision = decided(chosen, HOT, operations=failed(5))
    assert decision.details == {
        "breaker_open": "at least 1 operations in a row have failed; the next is tried at 2026-11-23T12:10:00Z"
    }


def test_below_min_does_not_pass_the_breaker():
    seen = observation(WARM, operations=failed(1, 2, 3), snapshot=snapshot(1))
    assert outcome(decided(policy(HOT_OR_COLD), seen)) == ("hold", 2, "breaker_open")


LOOKS_BACK = {
    "nothing failed": ((operation(ended=ago(5)),), None),
    "the last failure is four hours ago": (failed(240), None),
    "the one without a success needs all there are": (
        (*failed(5), *failed(5, direction=IN), operation(IN, ended=ago(80))),
        datetime.min.replace(tzinfo=UTC),
    ),
    "since the last success": ((*failed(5), operation(ended=ago(9000))), ago(9000)),
    "a success since": ((*failed(5), operation(ended=ago(1))), None),
    "a shadow": (failed(5, shadow=True), None),
    "the earlier of both directions": (
        (*failed(5), operation(ended=ago(70)), *failed(5, direction=IN), operation(IN, ended=ago(80))),
        ago(80),
    ),
}


@pytest.mark.parametrize(("operations", "since"), LOOKS_BACK.values(), ids=LOOKS_BACK)
def test_a_breaker_needs_all_operations_since_the_last_success(operations, since):
    assert history.breaker_looks_back_to(operations, NOW) == since


def test_without_any_success_a_breaker_needs_all_there_are():
    found = history.breaker_looks_back_to(failed(5), NOW)
    assert found is not None
    assert found.year == 1

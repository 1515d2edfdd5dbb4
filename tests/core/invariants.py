"""The invariants of the core as properties of a world; each raises AssertionError where it does not hold.

`test_invariants.py` shows that they hold; `test_broken_copies.py` that each would notice.
"""

import json
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations

from autoscaler.core import engine, operation, window
from autoscaler.core.decision import VETO_ORDER, Decision, Reason, Verdict
from autoscaler.core.observation import Override, Pause
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Blackout, Direction, Metric, OnMissing, Policy, ThresholdRule
from autoscaler.core.target import MAX_NODES_PER_INSTANCE, Mode
from autoscaler.core.window import DateWindow
from tests.core.given import NOW
from tests.core.worlds import METRICS, NO_NUMBERS, NUMBERS, OPERATIONS, WITH_GAPS, Points, World, worlds

BY_NUMBERS_OF_NODES = {Reason.BELOW_MIN, Reason.ABOVE_MAX, Reason.SCHEDULE, Reason.OVERRIDE}
"""Reasons that need no metric."""


def decide(world: World) -> Decision:
    """Looked up anew at each call, so that a broken copy is met."""
    return engine.decide(world.policy, world.seen)


def of_values(world: World, change: Callable[[Decimal], Decimal | None]) -> dict[Metric, Points]:
    """The world's points with each value changed, or left out for None."""
    return {
        metric: {
            node: {time: new for time, value in values.items() if (new := change(value)) is not None}
            for node, values in nodes.items()
        }
        for metric, nodes in world.points.items()
    }


def always_decides(world: World) -> None:
    """I8: whatever the numbers, one decision; the same input, read anew, gives the same record, and it is JSON."""
    decision, again = decide(world), decide(world.with_policy().with_seen().with_points(world.points))
    assert decision == again
    assert json.dumps(decision.as_json(), allow_nan=False) == json.dumps(again.as_json())


def adds_up(world: World) -> None:
    """A record does not contradict itself."""
    decision = decide(world)
    left = [stage.desired for stage in decision.stages]
    assert {Verdict.OUT: 1, Verdict.IN: -1, Verdict.HOLD: 0}[decision.decision] == (decision.change > 0) - (
        decision.change < 0
    )
    assert decision.change == left[4] - decision.nodes.current
    assert decision.desired == left[3]
    assert decision.change in {0, decision.desired - decision.nodes.current}
    assert decision.vetoes == tuple(veto for veto in VETO_ORDER if veto in decision.vetoes)
    assert not (decision.vetoes and decision.change)
    assert not (decision.vetoes and decision.desired == decision.nodes.current)


def one_operation_at_a_time(world: World) -> None:
    """I1: nothing moves while an operation of the instance is open."""
    if any(op.open and not op.shadow for op in world.seen.operations):
        assert decide(world).change == 0


def unknown_holds(world: World) -> None:
    """I3: nothing is sent while an outcome is unknown."""
    if any(op.state is State.UNKNOWN for op in world.seen.operations):
        assert decide(world).change == 0


def unknown_is_never_sent_again() -> None:
    """I3: no step leads from UNKNOWN to where a call may follow."""
    steps = operation.LEGAL_STEPS
    assert State.REJECTED not in steps[State.UNKNOWN]
    assert not any(State.PLANNED in after for after in steps.values())


def never_past_max(world: World) -> None:
    """I4: no scale-out past the policy's max."""
    decision = decide(world)
    if decision.change > 0:
        assert decision.nodes.current + decision.change <= world.policy.bounds.max


def never_past_32(world: World) -> None:
    """I4: no scale-out past the instance's 32 nodes, whichever reading knows of more."""
    change, seen = decide(world).change, world.seen
    if change > 0:
        assert max(seen.snapshot.instance_nodes, seen.snapshot.current) + change <= MAX_NODES_PER_INSTANCE
        assert seen.checks is None or seen.checks.snapshot.instance_nodes + change <= MAX_NODES_PER_INSTANCE


def never_past_the_fleet(world: World) -> None:
    """I4: no scale-out past what is left of the fleet's nodes and of the hour, nor (but to min) past the budget."""
    decision, fleet, use = decide(world), world.policy.fleet, world.seen.fleet
    if decision.change <= 0 or fleet is None:
        return
    limits, budget = fleet.limits, fleet.budget
    limited = limits.nodes is not None or limits.added_per_hour is not None
    known = use is not None and not use.unknown
    assert known or not limited
    if limits.nodes is not None and use is not None:
        assert use.nodes + decision.change <= limits.nodes
    if limits.added_per_hour is not None and use is not None:
        assert use.added + decision.change <= limits.added_per_hour
    if budget is not None and decision.reason is not Reason.BELOW_MIN:
        assert known
        assert use is not None
        assert use.node_time + decision.change * timedelta(hours=1) <= budget.node_hours_per_day * timedelta(hours=1)


def the_fleet_only_takes_away(world: World) -> None:
    """With a fleet no decision goes further out than without one, and a scale-in is the same."""
    alone, together = decide(world.with_policy(fleet=None)), decide(world)
    assert together.change <= max(alone.change, 0)
    assert together.change >= 0 or together.change == alone.change
    assert alone.change >= 0 or alone.change == together.change
    assert together.desired <= alone.desired


def never_below_min(world: World) -> None:
    """I4: no scale-in below the policy's min, nor below max only because there are too many."""
    decision = decide(world)
    if decision.change < 0:
        kept = world.policy.bounds.max if decision.reason is Reason.ABOVE_MAX else world.policy.bounds.min
        assert decision.nodes.current + decision.change >= kept


def no_number_is_missing(world: World) -> None:
    """I5: NaN, infinite and impossible values decide exactly as if they had not come."""
    without = world.with_points(of_values(world, lambda value: None if value.is_nan() or value in _BAD else value))
    with_them = world.with_points(world.points)  # folded here, so that a broken fold is met
    assert decide(without).as_json() == decide(with_them).as_json()


_BAD = {Decimal(word) for word in NO_NUMBERS if not Decimal(word).is_nan()}


def without_data_nothing_is_wanted(world: World) -> None:
    """I5: where every value is NaN nothing goes in, and out only by on_missing_metric or below min."""
    _only_as_missing_data_may(decide(world.with_points(of_values(world, lambda _: Decimal("NaN")))), world.policy)


def stale_data_wants_nothing(world: World) -> None:
    """I5: the same, once every sample is older than it may be."""
    later = world.seen.now + timedelta(hours=2)
    _only_as_missing_data_may(decide(world.with_seen(now=later, wishes=(), operations=())), world.policy)


def _only_as_missing_data_may(decision: Decision, policy: Policy) -> None:
    heard = [rule for rule in policy.metric_rules if rule.mode is Mode.ENFORCE]
    if decision.change < 0 and decision.reason is not Reason.OVERRIDE:
        assert decision.reason is Reason.ABOVE_MAX
        assert all(rule.on_missing_metric is OnMissing.IGNORE for rule in heard)
    if decision.change > 0 and decision.reason not in BY_NUMBERS_OF_NODES:
        assert decision.reason is Reason.NO_DATA
        assert decision.change == 1
        assert any(rule.on_missing_metric is OnMissing.OUT for rule in heard)


def one_missing_metric_holds_all_in(world: World) -> None:
    """I5: a rule that holds for missing data lets none scale in, not even above max."""
    for rule in world.policy.metric_rules:
        if rule.mode is Mode.ENFORCE and rule.on_missing_metric is not OnMissing.IGNORE:
            decision = decide(world.with_points(_without(world.points, rule.metric)))
            assert decision.change >= 0 or decision.reason is Reason.OVERRIDE


def missing_data_never_flips(world: World) -> None:
    """I5: with one metric less, out never becomes in, and in becomes out only by on_missing_metric."""
    before = decide(world)
    for rule in world.policy.metric_rules:
        if rule.on_missing_metric is not OnMissing.IGNORE:
            after = decide(world.with_points(_without(world.points, rule.metric)))
            assert not before.change > 0 > after.change
            assert not (before.change < 0 < after.change and after.reason is not Reason.NO_DATA)


def _without(points: Mapping[Metric, Points], metric: Metric) -> dict[Metric, Points]:
    return {**points, metric: {}}


def half_samples_never_scale_in(world: World) -> None:
    """I5: where some nodes gave nothing, nothing goes in for its load."""
    halves = {metric: tuple(replace(one, half=True) for one in found) for metric, found in world.seen.samples.items()}
    decision = decide(world.with_seen(samples=halves))
    assert decision.change >= 0 or decision.reason in BY_NUMBERS_OF_NODES


def no_move_within_a_cooldown(world: World) -> None:
    """I6: no move before the shortest cooldown that could apply is over, or that of a failure."""
    decision = decide(world)
    if decision.change == 0 or decision.reason in {Reason.BELOW_MIN, Reason.OVERRIDE}:
        return
    direction = Direction(decision.decision.value)
    shortest = _shortest_cooldown(world.policy, direction)
    for op in world.seen.of_group:
        if op.changed_nodes and op.ended_at is not None and direction in {Direction.IN, op.direction}:
            assert world.seen.now >= op.ended_at + shortest
    failed = _last_end(world, direction, {State.FAILED, State.NEVER_HAPPENED})
    succeeded = _last_end(world, direction, {State.SUCCEEDED})
    assert failed <= succeeded or world.seen.now >= failed + world.policy.cooldown.failed


def _shortest_cooldown(policy: Policy, direction: Direction) -> timedelta:
    own = policy.cooldown.out if direction is Direction.OUT else policy.cooldown.in_
    thresholds = [rule for rule in policy.metric_rules if isinstance(rule, ThresholdRule)]
    steps = [step for rule in thresholds for step in (rule.out if direction is Direction.OUT else rule.in_)]
    return min([own, *(step.cooldown for step in steps if step.cooldown is not None)])


def _last_end(world: World, direction: Direction, states: set[State]) -> datetime:
    ends = [
        op.ended_at
        for op in world.seen.of_group
        if op.direction is direction and op.state in states and not op.foreign and op.ended_at is not None
    ]
    return max(ends, default=NOW - timedelta(days=9999))


def the_order_of_operations_does_not_matter(world: World) -> None:
    """I6: history is a set: neither the order in which it is read nor a restart changes a decision."""
    found = [decide(world.with_seen(operations=order)).as_json() for order in permutations(world.seen.operations)]
    for one in found:
        one.get("details", {}).pop("in_progress", None)  # tells of the first it meets
        one.get("details", {}).pop("unknown_outcome", None)
        assert one == found[0]


def what_was_rejected_changes_nothing(world: World) -> None:
    """I6: what was surely not carried out is as if it had never been asked for."""
    others = tuple(op for op in world.seen.operations if op.state is not State.REJECTED)
    assert decide(world) == decide(world.with_seen(operations=others))


def the_past_of_another_group_changes_nothing(world: World) -> None:
    """I6: of another group of the instance only what is still open matters."""
    ours = tuple(op for op in world.seen.operations if op.group_id == world.seen.snapshot.group_id or op.open)
    assert decide(world) == decide(world.with_seen(operations=ours))


def failed_scale_ins_never_delay_scaling_out(world: World) -> None:
    """I6: a scale-out that was decided without them is decided with them."""
    others = tuple(op for op in world.seen.operations if not _failed_scale_in(op))
    without = decide(world.with_seen(operations=others))
    if without.desired > without.nodes.current:
        assert decide(world) == without


def _failed_scale_in(op: Operation) -> bool:
    fruitless = op.state is State.NEVER_HAPPENED or (op.state is State.FAILED and op.arrived == 0)
    return fruitless and op.direction is Direction.IN and op.reason is not Reason.NO_DATA


def no_window_reaches_back_before_a_change(world: World) -> None:
    """I6: after a change all that was measured before it moves nothing."""
    changed = [op for op in world.seen.of_group if op.changed_nodes]
    just_now = [replace(op, ended_at=NOW) for op in changed]
    decision = decide(world.with_seen(operations=tuple(just_now)))
    if just_now:
        assert decision.change == 0 or decision.reason in BY_NUMBERS_OF_NODES | {Reason.NO_DATA}


def schedules_are_kept(world: World) -> None:
    """In no further than an open floor, out no further than an open cap but to a floor; neither flips a direction."""
    decision = decide(world)
    if decision.reason in BY_NUMBERS_OF_NODES - {Reason.SCHEDULE}:
        return
    heard = [one for one in world.policy.schedules if one.mode is not Mode.OBSERVE]
    opened = [one for one in heard if window.open_until(one.window, world.seen.now) is not None]
    floor = max((one.min for one in opened if one.min is not None), default=0)
    cap = min((one.max for one in opened if one.max is not None), default=999)
    end = decision.nodes.current + decision.change
    assert decision.change >= 0 or end >= floor
    assert decision.change <= 0 or end <= max(cap, floor)
    assert decision.change == 0 or decision.desired != decision.nodes.current


def a_pause_holds(world: World) -> None:
    """While anything is paused nothing moves, whoever wants it."""
    assert decide(world.with_seen(pauses=(Pause(NOW - timedelta(minutes=1)),))).change == 0


def a_blackout_holds(world: World) -> None:
    """In a blackout only an override and below min move nodes."""
    decision = decide(world.with_policy(blackouts=(Blackout(DateWindow(NOW, NOW + timedelta(minutes=1))),)))
    assert decision.change == 0 or decision.reason in {Reason.BELOW_MIN, Reason.OVERRIDE}


def an_override_is_obeyed(world: World) -> None:
    """Under an override nodes move to it alone, inside min and max, and toward it."""
    for nodes in (0, 3, 99):
        override = Override(NOW, NOW + timedelta(minutes=1), nodes)
        decision = decide(world.with_seen(overrides=(override,)))
        bounds = world.policy.bounds
        wanted = min(max(nodes, bounds.min), bounds.max)
        end = decision.nodes.current + decision.change
        assert decision.change == 0 or decision.reason is Reason.OVERRIDE
        assert min(decision.nodes.current, wanted) <= end <= max(decision.nodes.current, wanted)


def a_breaker_holds(world: World) -> None:
    """After as many failed scale-outs as it takes, the last of them now, nothing moves."""
    last = replace(OPERATIONS[0], group_id="group", direction=Direction.OUT, foreign=False, shadow=False, arrived=0)
    failures = [replace(last, state=State.FAILED, ended_at=NOW)] * world.policy.breaker.failures
    assert decide(world.with_seen(operations=(*world.seen.operations, *failures))).change == 0 or any(
        op.state is State.SUCCEEDED and op.direction is Direction.OUT and op.ended_at is not None and op.ended_at >= NOW
        for op in world.seen.of_group
    )


def a_breaker_that_was_closed_just_now_vetoes_nothing(world: World) -> None:
    """What an operator closes is closed, whatever has failed before; a clock may have been set back since."""
    last = max((op.ended_at for op in world.seen.operations if op.ended_at is not None), default=NOW)
    assert Reason.BREAKER_OPEN not in decide(world.with_seen(breaker_reset=last)).vetoes


def closing_a_breaker_only_takes_its_veto_away(world: World) -> None:
    """Whenever it was closed, the other vetoes and the wish stay as they are."""
    before = decide(world.with_seen(breaker_reset=None))
    for hours in (0, 1, 1000):
        after = decide(world.with_seen(breaker_reset=NOW - timedelta(hours=hours)))
        assert after.desired == before.desired
        assert [one for one in before.vetoes if one is not Reason.BREAKER_OPEN] == [
            one for one in after.vetoes if one is not Reason.BREAKER_OPEN
        ]
        assert set(after.vetoes) <= set(before.vetoes)


def observe_never_moves(world: World) -> None:
    """I10: in observe (or off) no decision moves a node."""
    for mode in (Mode.OBSERVE, Mode.OFF):
        assert decide(world.with_seen(mode=mode)).change == 0


def out_only_never_scales_in(world: World) -> None:
    """A group that may only grow never shrinks."""
    assert decide(world.with_seen(mode=Mode.OUT_ONLY)).change >= 0


def more_load_is_never_fewer_nodes(world: World) -> None:
    """With a higher load (of all or one of metrics and nodes, now or for long) the group is at least as large.

    Not above max, where a calmer rule's longer cooldown may hold back its own scale-in but not that of above_max.
    """
    bounds = world.policy.bounds
    if bounds.min <= world.seen.snapshot.current <= bounds.max:
        before = decide(world).change
        for points in _hotter(world):
            assert decide(world.with_points(points)).change >= before


def _hotter(world: World) -> Iterator[dict[Metric, Points]]:
    for more in (Decimal("0.5"), Decimal(15), Decimal(60)):
        yield _with_more(world.points, more)
        yield _with_more(world.points, more, nodes={"n0"})
        yield _with_more(world.points, more, since=NOW - timedelta(minutes=5))
        for metric in world.policy.metrics:
            yield _with_more(world.points, more, metrics={metric})


def _with_more(
    points: Mapping[Metric, Points],
    more: Decimal,
    *,
    metrics: Container[Metric] = METRICS,
    nodes: Container[str] = ("", "n0", "n1"),
    since: datetime = NOW - timedelta(days=1),
) -> dict[Metric, Points]:
    def raised(metric: Metric, node: str, values: Mapping[datetime, Decimal]) -> Mapping[datetime, Decimal]:
        if metric not in metrics or node not in nodes:
            return values
        return {time: value + more if time >= since else value for time, value in values.items()}

    return {
        metric: {node: raised(metric, node, values) for node, values in of.items()} for metric, of in points.items()
    }


ANY = worlds()
OPEN = worlds(texts=NUMBERS, healthy=True)
GOOD = worlds(texts=NUMBERS, healthy=True, done="ended")
CALM = worlds(texts=NUMBERS, healthy=True, done="nothing")
HOLDING = worlds(texts=WITH_GAPS, healthy=True, on_missing=[OnMissing.HOLD, OnMissing.OUT])

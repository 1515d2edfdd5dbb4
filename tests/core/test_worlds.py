"""The worlds that hypothesis draws reach every feature, each in a decision that would be another without it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.core.decision import Reason
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import (
    Breaker,
    Direction,
    Fleet,
    MetricRule,
    OnMissing,
    Rule,
    ScheduleRule,
    Step,
    TargetTrackingRule,
    ThresholdRule,
)
from autoscaler.core.target import Mode
from tests.core import invariants
from tests.core.given import MINUTE, NOW
from tests.core.invariants import ANY, CALM, GOOD, HOLDING, OPEN
from tests.core.worlds import World

pytestmark = pytest.mark.exhaustive

many = settings(
    max_examples=8000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

Without = Callable[[World], World]


def of_policy(**fields: Any) -> Without:
    return lambda world: world.with_policy(**fields)


def of_seen(**fields: Any) -> Without:
    return lambda world: world.with_seen(**fields)


def of_limits(name: str) -> Without:
    return lambda world: world.with_policy(limits=replace(world.policy.limits, **{name: None}))


def of_cooldown(name: str) -> Without:
    return lambda world: world.with_policy(cooldown=replace(world.policy.cooldown, **{name: timedelta(0)}))


def of_fleet(change: Callable[[Fleet], Fleet]) -> Without:
    def without(world: World) -> World:
        return world if world.policy.fleet is None else world.with_policy(fleet=change(world.policy.fleet))

    return without


def of_snapshot(**fields: Any) -> Without:
    return lambda world: world.with_seen(snapshot=replace(world.seen.snapshot, **fields))


def of_checks(**fields: Any) -> Without:
    def without(world: World) -> World:
        return world if world.seen.checks is None else world.with_seen(checks=replace(world.seen.checks, **fields))

    return without


def of_rules(change: Callable[[Any], Rule | None], kind: type | tuple[type, ...] = (ThresholdRule,)) -> Without:
    """With every rule of this kind changed, or left out for None."""

    def without(world: World) -> World:
        changed = [change(rule) if isinstance(rule, kind) else rule for rule in world.policy.rules]
        return world.with_policy(rules=tuple(rule for rule in changed if rule is not None))

    return without


def of_steps(change: Callable[[Step], Step]) -> Without:
    return of_rules(lambda rule: replace(rule, out=tuple(map(change, rule.out)), in_=tuple(map(change, rule.in_))))


METRIC_RULES = (ThresholdRule, TargetTrackingRule)


def with_on_missing(before: OnMissing, after: OnMissing) -> Without:
    def change(rule: MetricRule) -> MetricRule:
        return replace(rule, on_missing_metric=after) if rule.on_missing_metric is before else rule

    return of_rules(change, METRIC_RULES)


def without_metrics(which: Callable[[MetricRule], bool]) -> Without:
    return of_rules(lambda rule: None if which(rule) else rule, METRIC_RULES)


def without_operations(which: Callable[[Operation], bool]) -> Without:
    return lambda world: world.with_seen(operations=tuple(op for op in world.seen.operations if not which(op)))


def all_warm(world: World) -> World:
    return replace(world, counted_from=dict.fromkeys(world.counted_from, NOW - 60 * MINUTE)).with_points(world.points)


FEATURES: dict[str, Without] = {
    "an out step": of_rules(lambda rule: replace(rule, out=())),
    "an in step": of_rules(lambda rule: replace(rule, in_=())),
    "a step of a percentage": of_steps(lambda step: replace(step, size=replace(step.size, percent=False))),
    "a step for a span": of_steps(lambda step: replace(step, for_=None)),
    "a step on some of the last samples": of_steps(lambda step: replace(step, datapoints=None)),
    "a step with a cooldown of its own": of_steps(lambda step: replace(step, cooldown=None)),
    "target tracking": of_rules(lambda _: None, TargetTrackingRule),
    "target tracking over a span": of_rules(lambda rule: replace(rule, over=None), TargetTrackingRule),
    "a tolerance": of_rules(lambda rule: replace(rule, tolerance=rule.tolerance * 0), TargetTrackingRule),
    "a floor": of_rules(lambda rule: replace(rule, min=None), ScheduleRule),
    "a cap": of_rules(lambda rule: replace(rule, max=None), ScheduleRule),
    "a schedule in observe": of_rules(lambda rule: replace(rule, mode=Mode.ENFORCE), ScheduleRule),
    "a rule in observe": of_rules(lambda rule: replace(rule, mode=Mode.ENFORCE), METRIC_RULES),
    "a query of each node": without_metrics(lambda rule: rule.metric.is_query and not rule.metric.of_group),
    "a query of the group": without_metrics(lambda rule: rule.metric.of_group),
    "a metric of another period": without_metrics(lambda rule: rule.metric.period != MINUTE),
    "a node that is not warm": all_warm,
    "hold on missing data": with_on_missing(OnMissing.HOLD, OnMissing.IGNORE),
    "ignore missing data": with_on_missing(OnMissing.IGNORE, OnMissing.HOLD),
    "out on missing data": with_on_missing(OnMissing.OUT, OnMissing.HOLD),
    "a spell of missing data that ended": of_seen(fresh_at={}),
    "a spell of missing data that has just begun": of_seen(first_evaluated_at=NOW - 9999 * MINUTE),
    "stabilisation": of_policy(scale_in_stabilization=timedelta(0)),
    "a wish": of_seen(wishes=()),
    "a limit of nodes added at once": of_limits("add"),
    "a limit of nodes removed at once": of_limits("remove"),
    "a limit of nodes added in a day": of_limits("added_per_day"),
    "a limit of actions in a day": of_limits("actions_per_day"),
    "a cooldown of scale-outs": of_cooldown("out"),
    "a cooldown of scale-ins": of_cooldown("in_"),
    "a cooldown after a failure": of_cooldown("failed"),
    "a breaker": of_policy(breaker=Breaker(999)),
    "a breaker that was closed": of_seen(breaker_reset=None),
    "a blackout": of_policy(blackouts=()),
    "a pause": of_seen(pauses=()),
    "an override": of_seen(overrides=()),
    "a limit of the fleet's nodes": of_fleet(lambda fleet: replace(fleet, limits=replace(fleet.limits, nodes=None))),
    "a limit of nodes added to the fleet": of_fleet(
        lambda fleet: replace(fleet, limits=replace(fleet.limits, added_per_hour=None))
    ),
    "a budget": of_fleet(lambda fleet: replace(fleet, budget=None)),
    "data nodes that are busy": of_policy(check_data_nodes=False),
    "a data node at its limit": of_policy(data_node_max_cpu=None),
    "a job of somebody else": of_checks(jobs=()),
    "a flavor that is sold out": of_checks(offer=None),
    "clocks that are apart": of_checks(skew=timedelta(0)),
    "what was read just before acting": of_seen(checks=None),
    "an instance that is not running": of_snapshot(instance_status="RUNNING"),
    "other groups of the instance": of_snapshot(instance_nodes=0),
    "a prepaid instance": of_snapshot(prepaid=False),
    "an operation of somebody else": without_operations(lambda op: op.foreign),
    "a shadow": without_operations(lambda op: op.shadow),
    "an operation of another group": without_operations(lambda op: op.group_id != "group"),
    "a scale-in": without_operations(lambda op: op.direction is Direction.IN),
    "an operation for missing data": without_operations(lambda op: op.reason is Reason.NO_DATA),
} | {
    f"an operation that is {state.value}": without_operations(lambda op, state=state: op.state is state)  # type: ignore[misc]  # the default binds it
    for state in State
    if state is not State.REJECTED  # changes nothing: invariants.what_was_rejected_changes_nothing
}
"""What to take away (or change) so that the feature is not there; where that changes the decision, it was reached."""

OFTEN = 3
"""So often at least; a feature that one world in a thousand reaches would be lost with the next change of a pool."""


def outcome(world: World) -> tuple[int, int, Reason, tuple[Reason, ...]]:
    decision = invariants.decide(world)
    return decision.change, decision.desired, decision.reason, decision.vetoes


@cache
def reached() -> tuple[Counter[str], Counter[Reason]]:
    """How often each feature changed a decision (counted until it is often enough), and each reason was given."""
    features: Counter[str] = Counter()
    reasons: Counter[Reason] = Counter()

    @many
    @given(st.one_of(ANY, OPEN))
    def count(world):
        found = outcome(world)
        _, _, reason, vetoes = found
        reasons.update({reason, *vetoes})
        for name, without in FEATURES.items():
            if features[name] < OFTEN and outcome(without(world)) != found:
                features[name] += 1

    count()
    return features, reasons


def test_every_feature_changes_decisions():
    features, _ = reached()
    assert {name: features[name] for name in FEATURES if features[name] < OFTEN} == {}


def test_every_reason_is_given():
    _, reasons = reached()
    assert [reason for reason in Reason if reasons[reason] < OFTEN] == [Reason.FOREIGN]  # of operations only


@pytest.mark.parametrize("worlds", [ANY, OPEN, GOOD, CALM, HOLDING], ids=["any", "open", "good", "calm", "holding"])
def test_worlds_of_every_kind_move_out_and_in_and_hold(worlds):
    reached: Counter[str] = Counter()

    @settings(many, max_examples=300)
    @given(worlds)
    def count(world):
        reached[invariants.decide(world).decision.value] += 1

    count()
    assert min(reached["out"], reached["in"], reached["hold"]) >= OFTEN

"""What is allowed in a policy and yet perhaps not meant."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from autoscaler.core import ddm_metrics
from autoscaler.core.policy import CLOUD_EYE, Metric, Policy, ScheduleRule, Statistic, TargetTrackingRule
from autoscaler.core.target import MAX_NODES_PER_INSTANCE, Mode
from autoscaler.policyfile import window_warnings
from autoscaler.yamlfile import quantities

LONG_COOLDOWN = timedelta(hours=24)


def warnings(policies: Iterable[Policy], now: datetime) -> tuple[str, ...]:
    """One sentence for each thing that looks odd, with its place; schedules are looked at from `now` on."""
    everything = tuple(policies)
    of_targets = (f"{one.place}: targets.{one.name}{key}: {what}" for one in everything for key, what in _all(one, now))
    return (*of_targets, *_fleet(everything))


def _fleet(policies: Sequence[Policy]) -> Iterator[str]:
    """What the fleet cannot have: the targets that are on need more at the least."""
    fleet = policies[0].fleet if policies else None
    if fleet is None:
        return
    least = sum(policy.bounds.min for policy in policies if policy.mode is not Mode.OFF)
    nodes, budget = fleet.limits.nodes, fleet.budget
    if nodes is not None and nodes < least:
        yield f"{fleet.place}: fleet.limits.nodes {nodes} is below the {least} of all min: not all can have theirs"
    if budget is not None and budget.node_hours_per_day < 24 * least:
        yield (
            f"{fleet.place}: fleet.budget.node_hours_per_day {budget.node_hours_per_day} is below the {24 * least} "
            f"node-hours of all min ({least} nodes), so it lets nothing be added but up to min"
        )


def _all(policy: Policy, now: datetime) -> Iterator[tuple[str, str]]:
    """Below which key of the target, "" for the target itself, and what is odd there."""
    yield from (("", what) for what in _odd(policy, now))
    for key, value in _percentages(policy):
        if value <= 1:
            meant = (value * 100).normalize()
            yield key, f"{value} is less than 1 %, as percentages are 0 to 100; perhaps {meant:f} is meant"


def _percentages(policy: Policy) -> Iterator[tuple[str, Decimal]]:
    """Every number that is compared with a percentage."""
    if policy.data_node_max_cpu is not None:
        yield ".guards.data_nodes.max_cpu", policy.data_node_max_cpu
    for index, rule in enumerate(policy.rules):
        if isinstance(rule, ScheduleRule) or not _in_percent(rule.metric):
            continue
        if isinstance(rule, TargetTrackingRule):
            yield f".rules[{index}].target", rule.target
            continue
        yield from ((f".rules[{index}].out[{number}].above", step.threshold) for number, step in enumerate(rule.out))
        yield from ((f".rules[{index}].in[{number}].below", step.threshold) for number, step in enumerate(rule.in_))


def _in_percent(metric: Metric) -> bool:
    fact = ddm_metrics.FACTS.get(metric.name) if metric.source == CLOUD_EYE else None
    return fact is not None and fact.unit == "%" and metric.statistic is not Statistic.VARIANCE


def _odd(policy: Policy, now: datetime) -> Iterator[str]:
    if policy.mode is Mode.OFF:
        yield "mode off: it is neither polled nor recorded"
    if not policy.rules:
        yield "it has no rules, so only its bounds are kept"
    elif all(rule.mode is Mode.OBSERVE for rule in policy.rules):
        yield "all its rules are in observe, so only its bounds are kept"
    if policy.bounds.max > MAX_NODES_PER_INSTANCE:
        yield f"max {policy.bounds.max} is beyond the {MAX_NODES_PER_INSTANCE} nodes that an instance can have"
    yield from _cooldowns(policy)
    yield from window_warnings.odd(policy, now)


def _cooldowns(policy: Policy) -> Iterator[str]:
    spans = {"out": policy.cooldown.out, "in": policy.cooldown.in_, "failed": policy.cooldown.failed}
    for name, span in spans.items():
        if span > LONG_COOLDOWN:
            yield f"cooldown.{name} {quantities.write_duration(span)} is longer than a day"

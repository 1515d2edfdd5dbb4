"""A policy as it was understood, in the words of policy files: every key, its value, and where that came from."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from autoscaler.core.decision import rfc3339
from autoscaler.core.policy import (
    KINDS,
    Blackout,
    Fleet,
    Metric,
    MetricRule,
    Policy,
    Rule,
    ScheduleRule,
    Size,
    Step,
    TargetTrackingRule,
)
from autoscaler.core.window import DateWindow, Window
from autoscaler.yamlfile import quantities

Json = dict[str, Any]

DEFAULT = "default"
"""Where a value comes from that nobody wrote; those that were written are in `Policy.written`."""


def settings(policy: Policy) -> list[Json]:
    """Every key that a target may have; null where nothing is set."""
    return [
        {"key": key, "value": value, "from": policy.written.get(key, DEFAULT)} for key, value in _values(policy).items()
    ]


def values(policy: Policy) -> Json:
    """Every key and its value, each rule by its name: to be compared with those of another policy."""
    keys = _values(policy)
    rules = keys.pop("rules")
    return keys | {"rules": [rule["name"] for rule in rules]} | {f"rules.{rule['name']}": rule for rule in rules}


def fleet(whole: Fleet | None) -> Json:
    """Every key of the fleet; none without one."""
    if whole is None:
        return {}
    keys = {"limits.nodes": whole.limits.nodes, "limits.added_per_hour": whole.limits.added_per_hour}
    if whole.budget is None:
        return keys
    warn_at = None if whole.budget.warn_at is None else quantities.write_ratio(whole.budget.warn_at)
    return keys | {"budget.node_hours_per_day": whole.budget.node_hours_per_day, "budget.warn_at": warn_at}


def _values(policy: Policy) -> Json:
    target, limits = policy.target, policy.limits
    return {
        "instance_id": target.instance_id,
        "group_id": target.group_id,
        "flavor_id": target.flavor_id,
        "zones": list(target.zones),
        "subnet_id": target.subnet_id,
        "auto_pay": target.auto_pay,
        "mode": policy.mode.value,
        "interval": _span(policy.interval),
        "nodes.min": policy.bounds.min,
        "nodes.max": policy.bounds.max,
        "rules": [_rule(rule) for rule in policy.rules],
        "cooldown.out": _span(policy.cooldown.out),
        "cooldown.in": _span(policy.cooldown.in_),
        "cooldown.failed": _span(policy.cooldown.failed),
        "scale_in_stabilization": _span(policy.scale_in_stabilization),
        "limits.add": _size(limits.add),
        "limits.remove": _size(limits.remove),
        "limits.added_per_day": limits.added_per_day,
        "limits.actions_per_day": limits.actions_per_day,
        "on_missing_metric": policy.on_missing_metric.value,
        "max_metric_age": _span(policy.max_metric_age),
        "warm_up": _span(policy.warm_up),
        "guards.data_nodes.available": policy.check_data_nodes,
        "guards.data_nodes.max_cpu": _number(policy.data_node_max_cpu),
        "guards.blackout": [_blackout(one) for one in policy.blackouts],
        "guards.breaker.failures": policy.breaker.failures,
    }


def _rule(rule: Rule) -> Json:
    head = {"name": rule.name, "type": KINDS[type(rule)], "mode": rule.mode.value}
    if isinstance(rule, ScheduleRule):
        return head | _window(rule.window) | {"nodes": _without_none({"min": rule.min, "max": rule.max})}
    return head | {"metric": _metric(rule.metric)} | _wants(rule) | _missing(rule)


def _wants(rule: MetricRule) -> Json:
    if isinstance(rule, TargetTrackingRule):
        tolerance = quantities.write_ratio(rule.tolerance)
        return _without_none({"target": _number(rule.target), "tolerance": tolerance, "over": _span(rule.over)})
    return {
        "out": [_step(step, "above", "add") for step in rule.out],
        "in": [_step(step, "below", "remove") for step in rule.in_],
    }


def _missing(rule: MetricRule) -> Json:
    return {"on_missing_metric": rule.on_missing_metric.value, "max_metric_age": _span(rule.max_metric_age)}


def _step(step: Step, beyond: str, moves: str) -> Json:
    points = None if step.datapoints is None else f"{step.datapoints[0]}/{step.datapoints[1]}"
    return _without_none(
        {
            beyond: _number(step.threshold),
            "for": _span(step.for_),
            "datapoints": points,
            moves: _size(step.size),
            "cooldown": _span(step.cooldown),
        }
    )


def _metric(metric: Metric) -> Json:
    if metric.is_query:
        named: Json = {"source": metric.source, "query": metric.name, "node_label": metric.node_label}
    else:
        named = {"source": metric.source, "name": metric.name, "statistic": metric.statistic.value}
    folds = {} if metric.of_group else {"across_nodes": metric.across_nodes}
    return _without_none(named | folds | {"period": _span(metric.period)})


def _blackout(blackout: Blackout) -> Json:
    return _window(blackout.window) | {"directions": sorted(_words(blackout.directions), reverse=True)}


def _words(members: frozenset[Any]) -> Iterator[str]:
    return (member.value for member in members if isinstance(member, StrEnum))


def _window(window: Window) -> Json:
    if isinstance(window, DateWindow):
        return {"from": rfc3339(window.start), "to": rfc3339(window.end)}
    return {"cron": window.cron, "duration": _span(window.duration), "timezone": window.timezone}


def _size(size: Size | None) -> int | float | str | None:
    if size is None:
        return None
    return f"{size.amount.normalize():f}%" if size.percent else _number(size.amount)


def _number(number: Decimal | None) -> int | float | None:
    if number is None:
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def _span(span: timedelta | None) -> str | None:
    return None if span is None else quantities.write_duration(span)


def _without_none(values: Mapping[str, Any]) -> Json:
    return {name: value for name, value in values.items() if value is not None}

"""A draft without problems as the frozen policy of the core."""

from datetime import timedelta
from decimal import Decimal

from autoscaler.core import policy as core
from autoscaler.core import window
from autoscaler.core.target import Mode, Target
from autoscaler.policyfile import model, origins
from autoscaler.policyfile.draft import Draft


def policy(draft: Draft) -> core.Policy:
    """The policy of one target, complete."""
    keys = draft.keys
    rules = tuple(_rule(rule, keys) for rule in keys.rules)
    stabilization = keys.scale_in_stabilization
    place = draft.tree.key
    return core.Policy(
        target=_target(draft.name, keys),
        bounds=core.Bounds(min=keys.nodes.min or 1, max=keys.nodes.max or 1),  # both are there: `checks` has asked
        rules=rules,
        mode=keys.mode,
        interval=keys.interval,
        cooldown=core.Cooldown(out=keys.cooldown.out, in_=keys.cooldown.in_, failed=keys.cooldown.failed),
        limits=_limits(keys.limits),
        scale_in_stabilization=core.default_stabilization(rules) if stabilization is None else stabilization,
        max_metric_age=keys.max_metric_age,
        on_missing_metric=keys.on_missing_metric,
        warm_up=keys.warm_up,
        check_data_nodes=keys.guards.data_nodes.available,
        data_node_max_cpu=keys.guards.data_nodes.max_cpu,
        blackouts=tuple(_blackout(blackout) for blackout in keys.guards.blackout),
        breaker=core.Breaker(failures=keys.guards.breaker.failures),
        place=f"{place.file}:{place.line}",
        written=origins.written(draft.tree),
    )


def _target(name: str, keys: model.TargetKeys) -> Target:
    return Target(
        name=name,
        instance_id=keys.instance_id,
        group_id=keys.group_id,
        flavor_id=keys.flavor_id,
        zones=keys.zones,
        subnet_id=keys.subnet_id,
        auto_pay=keys.auto_pay,
    )


def _limits(keys: model.LimitKeys) -> core.Limits:
    return core.Limits(
        add=keys.add, remove=keys.remove, added_per_day=keys.added_per_day, actions_per_day=keys.actions_per_day
    )


def _blackout(keys: model.BlackoutKeys) -> core.Blackout:
    return core.Blackout(window=_window(keys), directions=frozenset(keys.directions))


def _window(keys: model.WindowKeys) -> window.Window:
    if keys.from_ is not None and keys.to is not None:
        return window.DateWindow(start=keys.from_, end=keys.to)
    return window.CronWindow(  # both are there: `check_windows` has asked
        cron=keys.cron or "", duration=keys.duration or timedelta(0), timezone=keys.timezone
    )


def _rule(
    rule: model.ThresholdKeys | model.TargetTrackingKeys | model.ScheduleKeys, keys: model.TargetKeys
) -> core.Rule:
    mode = Mode(rule.mode.value)
    if isinstance(rule, model.ScheduleKeys):
        return core.ScheduleRule(
            name=rule.name, window=_window(rule), min=rule.nodes.min, max=rule.nodes.max, mode=mode
        )
    on_missing = rule.on_missing_metric or keys.on_missing_metric
    age = keys.max_metric_age if rule.max_metric_age is None else rule.max_metric_age
    if isinstance(rule, model.TargetTrackingKeys):
        return core.TargetTrackingRule(
            name=rule.name,
            metric=_metric(rule.metric),
            target=rule.target,
            tolerance=rule.tolerance,
            over=rule.over,
            mode=mode,
            on_missing_metric=on_missing,
            max_metric_age=age,
        )
    return core.ThresholdRule(
        name=rule.name,
        metric=_metric(rule.metric),
        out=tuple(_step(step.above, step.add, step) for step in rule.out),
        in_=tuple(_step(step.below, step.remove, step) for step in rule.in_),
        mode=mode,
        on_missing_metric=on_missing,
        max_metric_age=age,
    )


def _metric(keys: model.MetricKeys) -> core.Metric:
    return core.Metric(
        name=(keys.name if keys.source == core.CLOUD_EYE else keys.query) or "",  # there: `check_metric` has asked
        source=keys.source,
        statistic=keys.statistic,
        across_nodes=keys.across_nodes,
        period=keys.period,
        node_label=keys.node_label,
    )


def _step(threshold: Decimal, size: core.Size, keys: model.OutStep | model.InStep) -> core.Step:
    return core.Step(threshold=threshold, size=size, for_=keys.for_, datapoints=keys.datapoints, cooldown=keys.cooldown)

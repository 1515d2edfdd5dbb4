"""The keys of a policy file as they are written: what pydantic validates and what the JSON Schema is made from.

Every key of a target may also stand in `defaults`, save those that say which group it is, so nothing but a rule's own
parts is required here; what must be there once the defaults are applied is asked in `checks`.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from autoscaler.core.policy import CLOUD_EYE, Breaker, Cooldown, Direction, OnMissing, Statistic
from autoscaler.core.target import Mode
from autoscaler.policyfile import kinds, times
from autoscaler.yamlfile import shape

_BREAKER = Breaker()
_COOLDOWN = Cooldown()
_NOT_YET = "not in this version of the autoscaler; take it out"


_ONE_FLEET = "holds for all targets together; write it at the top of one policy file"


class RuleMode(StrEnum):
    """Whether a rule has a say."""

    ENFORCE = "enforce"  # it has
    OBSERVE = "observe"  # it is computed and recorded only


RuleModeField = Annotated[RuleMode, Field(description="enforce, or observe: computed and recorded without a say")]


_PERCENTILES = frozenset(f"p{number}" for number in range(50, 100))
_FOLDS = frozenset({"mean", "max", "min", "sum"}) | _PERCENTILES


def _across_nodes(value: object) -> str:
    if not isinstance(value, str) or value not in _FOLDS:
        raise ValueError(f"{value!r} is not allowed; allowed: mean, max, min, sum, p50 to p99")
    return value


_EITHER_NAMED_OR_ASKED: dict[str, Any] = {
    "if": {"properties": {"source": {"not": {"const": CLOUD_EYE}}}, "required": ["source"]},
    "then": {"required": ["query"], "properties": {"name": False, "statistic": False}},
    "else": {"required": ["name"], "properties": {"query": False, "node_label": False}},
}


class MetricKeys(shape.Keys):
    """Which number a rule looks at: a metric of Cloud Eye by its name, or what a query gives."""

    model_config = ConfigDict(json_schema_extra=_EITHER_NAMED_OR_ASKED)

    name: str | None = Field(None, description="name of the metric in namespace SYS.DDMS, such as ddm_cpu_util")
    source: str = Field(CLOUD_EYE, description="cloud_eye, or the name of a source under sources in the configuration")
    query: str | None = Field(None, description="instead of name, at a prometheus source: the query, in PromQL")
    node_label: kinds.LabelName | None = Field(
        None,
        description="of a query: the label that holds a node's id, one series per node; without it the query gives "
        "one series, the value of the group",
    )
    statistic: Statistic = Field(
        Statistic.AVERAGE,
        description="how Cloud Eye folds the points of one period: average, max, min, sum or variance",
    )
    across_nodes: Annotated[
        str,
        BeforeValidator(_across_nodes),
        WithJsonSchema({"type": "string", "pattern": "^(mean|max|min|sum|p(5[0-9]|[6-9][0-9]))$"}),
    ] = Field("mean", description="how the nodes' values become one: mean, max, min, sum, or a percentile p50 to p99")
    period: kinds.Duration = Field(
        timedelta(minutes=1),
        description="distance of the samples: at Cloud Eye 1m, 5m, 20m, 1h, 4h or 24h, for a query 1s to 24h",
    )


def _full_metric(value: Any) -> Any:
    if not isinstance(value, str | dict):
        raise ValueError(f"{value!r} is not allowed; it must be the name of a metric, or a mapping")  # noqa: TRY004 - pydantic collects only ValueErrors
    return {"name": value} if isinstance(value, str) else value


MetricField = Annotated[MetricKeys, BeforeValidator(_full_metric, json_schema_input_type=str | MetricKeys)]


class _StepKeys(shape.Keys):
    """What steps in both directions have."""

    for_: kinds.Duration | None = Field(
        None,
        alias="for",
        description="every sample of this span must be beyond; without it (and datapoints) the newest",
    )
    datapoints: kinds.Datapoints | None = Field(
        None, description="M/N: at least M of the last N samples must be beyond; instead of for"
    )
    cooldown: kinds.Duration | None = Field(
        None, description="instead of the target's cooldown in this direction, while this step holds"
    )


class OutStep(_StepKeys):
    """When a threshold rule adds nodes, and how many."""

    refused: ClassVar[Mapping[str, str]] = {
        "below": "belongs to a step of `in`; a step of `out` has above",
        "remove": "belongs to a step of `in`; a step of `out` has add",
    }

    above: kinds.Number = Field(description="the step holds while the value is strictly above this number")
    add: kinds.SizeToAdd = Field(
        description="how many nodes to add: a number, or a share of the ready ones such as 50%"
    )


class InStep(_StepKeys):
    """When a threshold rule removes nodes, and how many."""

    refused: ClassVar[Mapping[str, str]] = {
        "above": "belongs to a step of `out`; a step of `in` has below",
        "add": "belongs to a step of `out`; a step of `in` has remove",
    }

    below: kinds.Number = Field(description="the step holds while the value is strictly below this number")
    remove: kinds.SizeToRemove = Field(
        description="how many nodes to remove: a number, or a share of the ready ones such as 25%"
    )


class _RuleKeys(shape.Keys):
    """What every rule has."""

    name: kinds.Name = Field(description="the rule's name in records, metrics and explanations; once per target")


class _MetricRuleKeys(_RuleKeys):
    """What every rule has that looks at a metric."""

    metric: MetricField = Field(description="the metric: a Cloud Eye name such as ddm_cpu_util, or a mapping")
    mode: RuleModeField = RuleMode.ENFORCE
    on_missing_metric: OnMissing | None = Field(
        None, description="instead of the target's: hold, ignore or out while the metric is missing"
    )
    max_metric_age: kinds.Duration | None = Field(
        None, description="instead of the target's: older than this the metric counts as missing"
    )


class ThresholdKeys(_MetricRuleKeys):
    """Scales while a metric is beyond fixed values."""

    type: Literal["threshold"] = Field(description="threshold: steps at fixed values")
    out: tuple[OutStep, ...] = Field(
        (), description="steps that add nodes; of those that hold, the largest size counts"
    )
    in_: tuple[InStep, ...] = Field((), alias="in", description="steps that remove nodes")


class TargetTrackingKeys(_MetricRuleKeys):
    """Keeps a metric near a value, by proportion."""

    type: Literal["target_tracking"] = Field(description="target_tracking: proportional to a target value")
    target: kinds.Number = Field(description="the value to keep the metric near")
    tolerance: kinds.Ratio = Field(
        Decimal("0.1"),
        description="how far the value may be from the target, as a share of it, before anything is wanted",
    )
    over: kinds.Duration | None = Field(
        None, description="look at the mean over this span instead of the newest sample"
    )


class WindowKeys(shape.Keys):
    """A span of time: one that cron starts again and again, or one between two instants."""

    cron: times.Cron | None = Field(
        None,
        description="when it opens: minute, hour, day of the month, month and weekday (0 and 7 are Sunday, or names)",
    )
    duration: kinds.Duration | None = Field(None, description="how long it stays open from each start, elapsed time")
    timezone: times.TimeZone = Field("UTC", description="the time zone of cron, by its IANA name such as Europe/Berlin")
    from_: times.Instant | None = Field(
        None,
        alias="from",
        description="instead of cron and duration, with to: the instant when it opens, with its offset from UTC",
    )
    to: times.Instant | None = Field(None, description="the instant when it closes, with its offset from UTC")


class ScheduleNodesKeys(shape.Keys):
    """What a schedule asks for while it is open."""

    min: kinds.Whole | None = Field(
        None, description="a floor while open: out to so many nodes, and in to no fewer; min, max or both"
    )
    max: kinds.Whole | None = Field(
        None, description="a cap while open: out to no more than so many nodes; it never scales in"
    )


_NO_METRIC = "a schedule looks at the time, not at a metric; take it out"
_UNDER_NODES = "belongs under nodes, as in nodes: {min: 4}"


class ScheduleKeys(WindowKeys, _RuleKeys):
    """Keeps the number of nodes above a floor, below a cap, or both, at times that are known beforehand."""

    refused: ClassVar[Mapping[str, str]] = {
        "metric": _NO_METRIC,
        "on_missing_metric": _NO_METRIC,
        "max_metric_age": _NO_METRIC,
        "min": _UNDER_NODES,
        "max": _UNDER_NODES,
    }

    type: Literal["schedule"] = Field(description="schedule: a floor or a cap at set times")
    mode: RuleModeField = RuleMode.ENFORCE
    nodes: ScheduleNodesKeys = Field(description="how few nodes (min), or how many (max), while it is open")


RuleKeys = Annotated[ThresholdKeys | TargetTrackingKeys | ScheduleKeys, Field(discriminator="type")]


class NodesKeys(shape.Keys):
    """The bounds."""

    min: kinds.Whole | None = Field(None, description="fewest nodes of the group, 1 or more")
    max: kinds.Whole | None = Field(None, description="most nodes of the group; 32 per instance is the cloud's own end")


class CooldownKeys(shape.Keys):
    """How long to wait after an operation."""

    out: kinds.Duration = Field(
        _COOLDOWN.out,
        description="wait before the next scale-out, after one that brought nodes",
    )
    in_: kinds.Duration = Field(
        _COOLDOWN.in_,
        alias="in",
        description="wait before a scale-in, after an operation of either direction",
    )
    failed: kinds.Duration = Field(
        _COOLDOWN.failed,
        description="wait in the same direction after an operation that failed",
    )


class LimitKeys(shape.Keys):
    """How much may change at once, and in 24 hours."""

    add: kinds.SizeToAdd | None = Field(None, description="most nodes added at once: a number, or a share such as 50%")
    remove: kinds.SizeToRemove | None = Field(
        None, description="most nodes removed at once: a number, or a share such as 25%"
    )
    added_per_day: kinds.Whole | None = Field(None, description="most nodes added within 24 hours")
    actions_per_day: kinds.Whole | None = Field(None, description="most operations within 24 hours")


class DataNodeKeys(shape.Keys):
    """What is asked of the RDS instances behind the group."""

    available: bool = Field(
        default=True,
        strict=True,
        description="true: hold until they are available; false: leave that to the cloud's own refusal",
    )
    max_cpu: kinds.PercentOfCpu | None = Field(
        None,
        description="percent: while the CPU of one of them is above this, nothing is added; without it none is asked",
    )


class BlackoutKeys(WindowKeys):
    """When nothing may change."""

    directions: tuple[Direction, ...] = Field(tuple(Direction), description="what it stops: out, in, or both")


class BreakerKeys(shape.Keys):
    """When to stop trying."""

    failures: kinds.Whole = Field(
        _BREAKER.failures, description="so many operations of one direction that fail in a row open the breaker"
    )


class GuardKeys(shape.Keys):
    """What may stop a change."""

    data_nodes: DataNodeKeys = Field(DataNodeKeys(), description="what is asked of the RDS instances behind the group")
    blackout: tuple[BlackoutKeys, ...] = Field(
        (), description="windows in which nothing is added or removed; a list replaces the one in defaults"
    )
    breaker: BreakerKeys = Field(BreakerKeys(), description="rests a direction whose operations keep failing")


class DefaultKeys(shape.Keys):
    """What targets of one file have in common."""

    refused: ClassVar[Mapping[str, str]] = {
        "instance_id": "belongs to one target; write it there",
        "group_id": "belongs to one target; write it there",
        "fleet": _ONE_FLEET,
    }

    mode: Mode = Field(
        Mode.OBSERVE, description="observe (decide, send nothing), enforce, out_only (never in) or off (not polled)"
    )
    interval: kinds.Duration = Field(
        timedelta(minutes=1),
        description="how often to decide; not shorter than the period of a metric",
    )
    nodes: NodesKeys = Field(
        default_factory=NodesKeys, description="how few and how many nodes the group may have (required)"
    )
    rules: tuple[RuleKeys, ...] = Field((), description="what scales the group; a list replaces the one in defaults")
    cooldown: CooldownKeys = Field(
        CooldownKeys(), description="how long to wait after an operation, counted from its end"
    )
    scale_in_stabilization: kinds.Duration | None = Field(
        None,
        description="scale in to no fewer than was wanted within this span; default 0s where every step of `in` has a "
        "for, else 15m",
    )
    limits: LimitKeys = Field(default_factory=LimitKeys, description="how much may change at once, and in 24 hours")
    on_missing_metric: OnMissing = Field(
        OnMissing.HOLD,
        description="while a metric is missing: hold (nothing scales in), ignore (the rule has no say), or out (hold, "
        "and one node more after max_metric_age)",
    )
    max_metric_age: kinds.Duration = Field(
        timedelta(minutes=15),
        description="a metric older than this counts as missing",
    )
    warm_up: kinds.Duration = Field(
        timedelta(minutes=5),
        description="how long a new node's own metrics are left out",
    )
    guards: GuardKeys = Field(GuardKeys(), description="what may stop a change")
    flavor_id: kinds.Identifier | None = Field(
        None, description="id (not the code) of the group's node flavor; needed by the v2 API"
    )
    zones: tuple[kinds.Identifier, ...] = Field(
        (), description="v3 API: zones for new nodes; without it those where the group has nodes"
    )
    subnet_id: kinds.Identifier | None = Field(
        None, description="v3 API: subnet for new nodes, where the group has more than one"
    )
    auto_pay: bool = Field(
        default=False,
        strict=True,
        description="prepaid instances at huawei: pay each order at once; without it they hold",
    )


class TargetKeys(DefaultKeys):
    """One node group of one DDM instance."""

    refused: ClassVar[Mapping[str, str]] = {"fleet": _ONE_FLEET}

    instance_id: kinds.Identifier = Field(description="id of the DDM instance (ends in in09)")
    group_id: kinds.Identifier | None = Field(
        None, description="id of the node group (ends in gr09); needed where the instance has more than one"
    )


TargetName = Annotated[
    str, AfterValidator(kinds.target_name), WithJsonSchema({"type": "string", "pattern": kinds.TARGET_NAME_PATTERN})
]


class FleetLimitKeys(shape.Keys):
    """How much all targets together may grow."""

    nodes: kinds.Whole | None = Field(None, description="most nodes that all targets together may have")
    added_per_hour: kinds.Whole | None = Field(
        None, description="most nodes that all targets together may add within an hour"
    )


class BudgetKeys(shape.Keys):
    """How much all targets together may use."""

    node_hours_per_day: kinds.Whole = Field(
        description="most node-hours that all targets together may use within 24 hours before nothing more is added"
    )
    warn_at: kinds.Share | None = Field(
        None, description="a share of node_hours_per_day, such as 80%, from which on log and records warn"
    )


class FleetKeys(shape.Keys):
    """What holds for all targets together."""

    limits: FleetLimitKeys = Field(
        default_factory=FleetLimitKeys, description="how many nodes all targets may have, and add"
    )
    budget: BudgetKeys | None = Field(None, description="how many node-hours all targets may use")


class PolicyFileKeys(shape.Keys):
    """A policy file of the DDM autoscaler."""

    refused_types: ClassVar[Mapping[str, str]] = {
        "forecast": f"forecast rules are {_NOT_YET}; allowed: threshold, target_tracking, schedule",
    }

    defaults: DefaultKeys = Field(
        default_factory=DefaultKeys,
        description="what the targets of this file have in common: mappings merge, lists are replaced",
    )
    targets: dict[TargetName, TargetKeys] = Field(description="the node groups to keep the right size, by name")
    fleet: FleetKeys = Field(
        default_factory=FleetKeys, description="what holds for all targets of all files together; in one file only"
    )

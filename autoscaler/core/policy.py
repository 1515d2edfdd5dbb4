"""A policy is what people wrote for one target, as frozen values, complete, with defaults applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from autoscaler.core.decision import Compared
from autoscaler.core.once import once
from autoscaler.core.target import Mode, Target
from autoscaler.core.window import Window


class Direction(StrEnum):
    """Which way a number of nodes goes."""

    OUT = "out"  # more nodes
    IN = "in"  # fewer nodes


class OnMissing(StrEnum):
    """What a rule does while its metric is missing or stale."""

    HOLD = "hold"  # wants what is there: others may scale out, none may scale in
    IGNORE = "ignore"  # has no say
    OUT = "out"  # as hold, and after max_metric_age one node more, once per spell


class Statistic(StrEnum):
    """How Cloud Eye folds raw points into one per period (Cloud Eye API reference, `filter`)."""

    AVERAGE = "average"  # mean of the period's points
    MAX = "max"  # largest
    MIN = "min"  # smallest
    SUM = "sum"  # total
    VARIANCE = "variance"  # spread


CLOUD_EYE = "cloud_eye"
"""The source that is always there; every other is asked by queries."""


@dataclass(frozen=True)
class Metric:
    """Which number a rule looks at: one of each node, folded over them, or one of the whole group."""

    name: str  # at Cloud Eye of namespace SYS.DDMS, e.g. ddm_cpu_util; elsewhere the query, e.g. in PromQL
    source: str = CLOUD_EYE
    statistic: Statistic = Statistic.AVERAGE  # at Cloud Eye only
    across_nodes: str = "mean"  # mean, max, min, sum, p50 … p99 (nearest rank)
    period: timedelta = timedelta(minutes=1)
    node_label: str | None = None  # of a query: the label whose value is the node's id

    def __hash__(self) -> int:
        """Of the name, which tells almost all of them apart: each decision looks several up."""
        return hash(self.name)

    @property
    def is_query(self) -> bool:
        """Whether `name` is a query, not the name of a metric of the cloud."""
        return self.source != CLOUD_EYE

    @property
    def of_group(self) -> bool:
        """Whether its one series is the value of the whole group, already folded."""
        return self.is_query and self.node_label is None


@dataclass(frozen=True, slots=True)
class Size:
    """How many nodes: a number, or a percentage of the ready ones (rounded up adding, down removing, at least one)."""

    amount: Decimal
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a threshold rule: `value` beyond `threshold`, strictly, for long enough, moves `size` nodes."""

    threshold: Decimal  # out: above it; in: below it
    size: Size
    for_: timedelta | None = None  # every sample of this span
    datapoints: tuple[int, int] | None = None  # at least M of the last N
    cooldown: timedelta | None = None  # instead of the target's in this direction


@dataclass(frozen=True)
class ThresholdRule:
    """Scales while a metric is beyond fixed values."""

    name: str
    metric: Metric
    out: tuple[Step, ...] = ()
    in_: tuple[Step, ...] = ()
    mode: Mode = Mode.ENFORCE  # enforce | observe: computed and recorded, but without a say
    on_missing_metric: OnMissing = OnMissing.HOLD
    max_metric_age: timedelta = timedelta(minutes=15)

    @once
    def band(self) -> Compared:
        """Between these two values nothing is wanted: the lowest `above` and the highest `below`."""
        return Compared(
            above=min((step.threshold for step in self.out), default=None),
            below=max((step.threshold for step in self.in_), default=None),
        )


@dataclass(frozen=True)
class TargetTrackingRule:
    """Keeps a metric near a target value, by proportion."""

    name: str
    metric: Metric
    target: Decimal
    tolerance: Decimal = Decimal("0.1")  # a ratio: 0.1 is 10 %
    over: timedelta | None = None  # mean over this span instead of the newest sample
    mode: Mode = Mode.ENFORCE
    on_missing_metric: OnMissing = OnMissing.HOLD
    max_metric_age: timedelta = timedelta(minutes=15)

    @once
    def band(self) -> Compared:
        """Within its tolerance of the target nothing is wanted."""
        return Compared(target=self.target, tolerance=self.tolerance)


@dataclass(frozen=True)
class ScheduleRule:
    """While its window is open: no fewer nodes than `min` are wanted, and no scale-out goes beyond `max`."""

    name: str
    window: Window
    min: int | None = None  # a floor: out to it, in no further than it
    max: int | None = None  # a cap on scale-outs; it never scales in
    mode: Mode = Mode.ENFORCE


MetricRule = ThresholdRule | TargetTrackingRule
Rule = MetricRule | ScheduleRule

KINDS: dict[type[Rule], str] = {
    ThresholdRule: "threshold",
    TargetTrackingRule: "target_tracking",
    ScheduleRule: "schedule",
}
"""The name of each kind of rule, as in the policy file."""


@dataclass(frozen=True)
class Bounds:
    """How few and how many nodes the group may have."""

    min: int
    max: int


@dataclass(frozen=True)
class Cooldown:
    """How long to wait after an operation ended, per direction, and after one that failed."""

    out: timedelta = timedelta(minutes=10)
    in_: timedelta = timedelta(minutes=30)
    failed: timedelta = timedelta(minutes=15)


@dataclass(frozen=True)
class Limits:
    """How much may change at once, and in 24 hours; None is no limit."""

    add: Size | None = None
    remove: Size | None = None
    added_per_day: int | None = None
    actions_per_day: int | None = None


@dataclass(frozen=True)
class Blackout:
    """While its window is open nothing moves in these directions, but by an override or below min."""

    window: Window
    directions: frozenset[Direction] = frozenset(Direction)


@dataclass(frozen=True)
class Breaker:
    """After so many failures in a row a direction rests, longer each time."""

    failures: int = 3


@dataclass(frozen=True)
class FleetLimits:
    """How many nodes all targets together may have, and add within an hour; None is no limit."""

    nodes: int | None = None
    added_per_hour: int | None = None


@dataclass(frozen=True)
class Budget:
    """How many node-hours all targets together may use within 24 hours."""

    node_hours_per_day: int
    warn_at: Decimal | None = None  # a share of them: 0.8 is 80 %; None: no warning


@dataclass(frozen=True)
class Fleet:
    """What holds for all targets together; it concerns adding nodes only."""

    limits: FleetLimits = FleetLimits()
    budget: Budget | None = None
    place: str = ""  # FILE:LINE, for messages


@dataclass(frozen=True)
class Policy:
    """Everything that decides how one target is scaled."""

    target: Target
    bounds: Bounds
    rules: tuple[Rule, ...] = ()
    mode: Mode = Mode.OBSERVE
    interval: timedelta = timedelta(minutes=1)
    cooldown: Cooldown = Cooldown()
    limits: Limits = Limits()
    scale_in_stabilization: timedelta = timedelta(0)  # resolved: the default depends on the rules
    max_metric_age: timedelta = timedelta(minutes=15)
    on_missing_metric: OnMissing = OnMissing.HOLD
    warm_up: timedelta = timedelta(minutes=5)
    check_data_nodes: bool = True  # guards.data_nodes.available
    data_node_max_cpu: Decimal | None = None  # guards.data_nodes.max_cpu, percent; None: not asked
    blackouts: tuple[Blackout, ...] = ()
    breaker: Breaker = Breaker()
    fleet: Fleet | None = None  # the one that the target is part of: the same in every policy
    place: str = ""  # FILE:LINE of the target, for messages
    # For showing only: which keys (`cooldown.out`) were written, and where: "target", or "defaults" of its file.
    written: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The target's name."""
        return self.target.name

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that a rule looks at, once each, in the order of the file."""
        return tuple(dict.fromkeys(rule.metric for rule in self.metric_rules))

    def same_as(self, other: "Policy") -> bool:
        """Whether both decide alike: all but the lines that they are written in is equal."""
        return _without_places(self) == _without_places(other)

    @once
    def metric_rules(self) -> tuple[MetricRule, ...]:
        """The rules that look at a metric, in the order of the file."""
        return tuple(rule for rule in self.rules if not isinstance(rule, ScheduleRule))

    @once
    def schedules(self) -> tuple[ScheduleRule, ...]:
        """The rules that look at the time, in the order of the file."""
        return tuple(rule for rule in self.rules if isinstance(rule, ScheduleRule))


def _without_places(policy: Policy) -> Policy:
    fleet = None if policy.fleet is None else replace(policy.fleet, place="")
    return replace(policy, place="", fleet=fleet)


DEFAULT_STABILIZATION = timedelta(minutes=15)


def default_stabilization(rules: tuple[Rule, ...]) -> timedelta:
    """0 s where each in step of every rule that can scale in has a `for` (rules in observe not asked), else 15 min."""
    for rule in rules:
        if rule.mode is Mode.OBSERVE or isinstance(rule, ScheduleRule):
            continue  # a schedule never scales in
        if isinstance(rule, TargetTrackingRule) or any(step.for_ is None for step in rule.in_):
            return DEFAULT_STABILIZATION
    return timedelta(0)

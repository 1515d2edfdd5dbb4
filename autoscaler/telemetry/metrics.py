"""Every Prometheus metric of the daemon, in one class with a registry of its own (reference: docs/metrics.md).

What is known of a target is kept as its latest values and turned into series only when a page is rendered: no value, no
series; a removed target takes all of its series with it. Labels are enums, names of calls, and target names only.
"""

import platform
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, openmetrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from autoscaler import __version__
from autoscaler.clock import Clock
from autoscaler.core.by_hand import ByHand
from autoscaler.core.decision import Decision
from autoscaler.core.fleet import HOUR, Use
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Fleet, Policy
from autoscaler.core.target import Mode, Snapshot
from autoscaler.telemetry import error_name
from autoscaler.telemetry.steps import Steps

OUTCOMES = frozenset({State.UNKNOWN, State.REJECTED, State.SUCCEEDED, State.FAILED, State.NEVER_HAPPENED})
"""States that `operations_total` counts as they are entered; all but unknown are ends, each operation's only one."""

CYCLE_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds: from one target to a fleet that fills its interval."""

OPERATION_BUCKETS = (60, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 7200)
"""Seconds: an enlarge takes 5 to 30 minutes; from 60 minutes it is overdue."""

CALL_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds: up to the longest total time-out of a call."""

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Metrics:
    """The numeric part of the port `Monitor`; told on the loop's thread, rendered in any.

    Told of a target that `targets()` did not name, it keeps nothing: a cycle may end after a target was removed.
    """

    def __init__(self, clock: Clock, *, ceiling: Mode = Mode.ENFORCE, leader: bool = True) -> None:
        # Each counter would otherwise have a second series that only says when the process began.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's
        self._clock = clock
        self._ceiling = ceiling
        self._born = clock.now()
        self._targets: dict[str, _Target] = {}
        self._fleet = _FleetCollector()
        self._steps = Steps()
        self._pages: dict[str, bytes] = {}
        self._registry = CollectorRegistry()
        self._build_instruments()
        ProcessCollector(registry=self._registry)
        self._registry.register(_TargetCollector(self._targets, clock))
        self._registry.register(self._fleet)
        self.leads(leader)

    def _build_instruments(self) -> None:
        registry = self._registry
        self._leader = Gauge(
            "autoscaler_leader", "Whether this process may act (1) or stands by (0).", registry=registry
        )
        build = Gauge(
            "autoscaler_build_info", "Always 1; the labels say what runs.", ["version", "python"], registry=registry
        )
        build.labels(__version__, platform.python_version()).set(1)
        self._cycles = Histogram(
            "autoscaler_cycle_duration_seconds",
            "Real time that a cycle took.",
            buckets=CYCLE_BUCKETS,
            registry=registry,
        )
        self._operation_durations = Histogram(
            "autoscaler_operation_duration_seconds",
            "Time from the intent to the end of own operations that succeeded or failed.",
            ["direction"],
            buckets=OPERATION_BUCKETS,
            registry=registry,
        )
        self._calls = Counter(
            "autoscaler_cloud_requests",
            "Calls to the cloud by how they ended: an HTTP status, or an error's name.",
            ["service", "operation", "code"],
            registry=registry,
        )
        self._call_durations = Histogram(
            "autoscaler_cloud_request_duration_seconds",
            "Real time that calls to the cloud took.",
            ["service", "operation"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self._lateness = _Late("autoscaler_cycle_lateness_seconds", "How late the last cycle began.", registry)
        self._last_cycle = _Late(
            "autoscaler_last_cycle_timestamp_seconds", "When the last cycle ended, in Unix time.", registry
        )
        self._skew = _Late("autoscaler_cloud_clock_skew_seconds", "The cloud's clock minus ours.", registry)
        self._reload_ok = _Late(
            "autoscaler_config_last_reload_successful", "Whether the last load of the policies was obeyed.", registry
        )
        self._reload_at = _Late(
            "autoscaler_config_last_reload_success_timestamp_seconds",
            "When policies were last loaded and obeyed, in Unix time.",
            registry,
        )

    # What the daemon tells.

    def targets(self, policies: Sequence[Policy]) -> None:
        """These are the targets from now on; a target that is off keeps only its mode and bounds."""
        for name in self._targets.keys() - {policy.name for policy in policies}:
            del self._targets[name]
        if all(policy.fleet is None for policy in policies):
            self._fleet.latest = {}
        for told in policies:
            capped = self._ceiling is Mode.OBSERVE and told.mode is not Mode.OFF
            policy = replace(told, mode=Mode.OBSERVE) if capped else told
            known = self._targets.get(policy.name)
            if known is None:
                self._targets[policy.name] = _Target(policy)
            else:
                known.adopt(policy)

    def cycle(self, *, interval: timedelta, seconds: float, lateness: float, targets: int, errors: int) -> None:  # noqa: ARG002  # the port's; the log uses them
        self._cycles.observe(seconds)
        self._lateness.set(lateness)
        self._last_cycle.set(self._clock.now().timestamp())

    def observed(self, policy: Policy, snapshot: Snapshot | None, now: datetime) -> None:  # noqa: ARG002  # the port's
        if target := self._targets.get(policy.name):
            target.snapshot = snapshot

    def by_hand(self, target: str, held: ByHand) -> None:
        """This holds by hand; its end is seen when a page is rendered."""
        if known := self._targets.get(target):
            known.by_hand = held

    def decided(self, policy: Policy, decision: Decision, cooldowns: Mapping[Direction, timedelta]) -> None:
        if target := self._targets.get(policy.name):
            target.decision = decision
            target.cooldowns = dict(cooldowns)
            target.decisions[decision.decision, decision.reason] += 1

    def fleet(self, fleet: Fleet, use: Use) -> None:
        """What all targets together have and have used, and what they may."""
        self._fleet.latest = _fleet_values(fleet, use)

    def failed(self, target: str, error: Exception) -> None:
        if known := self._targets.get(target):
            known.decision = None  # what it said holds no longer
            known.errors[error_name.of(error)] += 1

    def operation(self, operation: Operation, *, overdue: bool = False) -> None:
        """Count a step of an own operation; somebody else's and shadows are no operations of ours."""
        target = self._targets.get(operation.target)
        if target is None or operation.foreign or operation.shadow:
            return
        target.follow(operation, overdue=overdue)
        if not self._steps.is_news(operation) or self._before_our_time(operation):
            return
        target.count(operation)
        if operation.state in (State.SUCCEEDED, State.FAILED) and operation.ended_at is not None:
            took = operation.ended_at - operation.committed_at
            self._operation_durations.labels(operation.direction.value).observe(took.total_seconds())

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        self._calls.labels(service, name, code).inc()
        self._call_durations.labels(service, name).observe(seconds)

    def skew(self, seconds: float) -> None:
        self._skew.set(seconds)

    def config_loaded(self, *, successful: bool) -> None:
        """The policies were loaded, or refused."""
        self._reload_ok.set(float(successful))
        if successful:
            self._reload_at.set(self._clock.now().timestamp())

    def leads(self, leader: bool) -> None:
        """Whether this process may act."""
        self._leader.set(float(leader))

    # What a scrape is given.

    def render(self) -> None:
        """Renew every page that somebody reads; for a thread, at the end of a cycle and at every beat."""
        for content_type in tuple(self._pages) or (TEXT,):
            self._pages[content_type] = self._page(content_type)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The page last rendered, in the format that the Accept header prefers, and its content type.

        A format is rendered here once, when it is first asked for; from then on `render` keeps it fresh.
        """
        content_type = OPENMETRICS if _prefers_openmetrics(accept) else TEXT
        if content_type not in self._pages:
            self._pages[content_type] = self._page(content_type)
        return self._pages[content_type], content_type

    def _page(self, content_type: str) -> bytes:
        if content_type == OPENMETRICS:
            page: bytes = openmetrics.exposition.generate_latest(self._registry)  # type: ignore[no-untyped-call]  # same
            return page
        return prometheus_client.generate_latest(self._registry)

    def _before_our_time(self, operation: Operation) -> bool:
        """Whether an earlier process saw this step: a counter that starts at 0 would count it twice over restarts."""
        entered = operation.submitted_at if operation.state is State.SUBMITTED else operation.ended_at
        return entered is not None and entered < self._born


class _Late:
    """A gauge without labels that has no series before its first value."""

    def __init__(self, name: str, words: str, registry: CollectorRegistry) -> None:
        self._gauge = Gauge(name, words, registry=None)
        self._registry = registry
        self._registered = False

    def set(self, value: float) -> None:
        self._gauge.set(value)
        if not self._registered:
            self._registry.register(self._gauge)
            self._registered = True


@dataclass
class _Target:
    """The latest that is known of one target; each field is replaced whole, so a rendering thread sees old or new."""

    policy: Policy
    snapshot: Snapshot | None = None
    by_hand: ByHand | None = None
    decision: Decision | None = None
    cooldowns: Mapping[Direction, timedelta] = field(default_factory=dict)
    open: frozenset[str] = frozenset()  # ids of own operations under way
    overdue: frozenset[str] = frozenset()  # and of those, for too long
    decisions: Tally[tuple[str, str]] = field(default_factory=Tally)
    operations: Tally[tuple[str, str]] = field(default_factory=Tally)
    submitted: Tally[str] = field(default_factory=Tally)
    errors: Tally[str] = field(default_factory=Tally)

    def adopt(self, policy: Policy) -> None:
        """Go on under a new policy."""
        self.policy = policy
        if policy.mode is Mode.OFF:
            self.snapshot = self.decision = None
            self.cooldowns = {}

    def follow(self, operation: Operation, *, overdue: bool) -> None:
        """Remember whether the operation is open, and for too long."""
        this = frozenset({operation.id})
        self.open = self.open | this if operation.open else self.open - this
        self.overdue = self.overdue | this if operation.open and overdue else self.overdue - this

    def count(self, operation: Operation) -> None:
        """Count the state that was entered, and the call as accepted where this step shows that it was."""
        if operation.state in OUTCOMES:
            self.operations[operation.direction.value, operation.state.value] += 1
        never_acknowledged = operation.state is State.SUCCEEDED and operation.submitted_at is None
        if operation.state is State.SUBMITTED or never_acknowledged:
            self.submitted[operation.direction.value] += 1


class _TargetCollector(Collector):
    """Turns what is known of the targets into series, at the time of the rendering."""

    def __init__(self, targets: Mapping[str, _Target], clock: Clock) -> None:
        self._targets = targets
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """The families without a series, so that registering asks nothing."""
        return self._families({})

    def collect(self) -> Iterator[Metric]:
        return self._families(dict(self._targets))

    def _families(self, targets: Mapping[str, _Target]) -> Iterator[Metric]:
        now = self._clock.now()
        for kind, name, words, labels, values in _FAMILIES:
            family = kind(f"autoscaler_{name}", words, labels=["target", *labels])
            for target_name, target in targets.items():
                for label_values, value in values(target, now):
                    family.add_metric([target_name, *label_values], value)
            yield family


class _FleetCollector(Collector):
    """What is known of all targets together; a number that is not known, or a limit that is not set, has no series."""

    def __init__(self) -> None:
        self.latest: Mapping[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        latest = self.latest
        for name, words in _FLEET_FAMILIES.items():
            if name in latest:
                yield GaugeMetricFamily(f"autoscaler_{name}", words, value=latest[name])


_FLEET_FAMILIES = {
    "fleet_nodes": "Nodes of all targets' groups, and those that are still to come.",
    "fleet_nodes_limit": "Most nodes that all targets together may have.",
    "fleet_added_nodes": "Nodes that all targets together have added within the last hour.",
    "fleet_added_nodes_limit": "Most nodes that all targets together may add within an hour.",
    "fleet_node_seconds": "Seconds that nodes of all targets together were there within the last 24 hours.",
    "fleet_node_seconds_budget": "The budget of such seconds within 24 hours.",
}


def _fleet_values(fleet: Fleet, use: Use) -> Mapping[str, float]:
    limits, budget = fleet.limits, fleet.budget
    values: dict[str, float | None] = {
        "fleet_nodes_limit": limits.nodes,
        "fleet_added_nodes_limit": limits.added_per_hour,
        "fleet_node_seconds_budget": None if budget is None else (budget.node_hours_per_day * HOUR).total_seconds(),
    }
    if not use.unknown:  # without a target's share a sum says nothing
        values |= {"fleet_nodes": use.nodes, "fleet_added_nodes": use.added}
        values["fleet_node_seconds"] = use.node_time.total_seconds()
    return {name: value for name, value in values.items() if value is not None}


_Series = Iterator[tuple[tuple[str, ...], float]]
"""Label values after the target's name, and the value."""


def _nodes(target: _Target, _now: datetime) -> _Series:
    if target.snapshot is not None:
        yield ("current",), target.snapshot.current
        yield ("ready",), target.snapshot.ready
    if target.decision is not None:
        yield ("desired",), target.decision.desired
    yield ("min",), target.policy.bounds.min
    yield ("max",), target.policy.bounds.max


def _values(target: _Target, _now: datetime) -> _Series:
    for rule in target.decision.rules if target.decision else ():
        if rule.value is not None:
            yield (rule.rule,), float(rule.value)


def _ages(target: _Target, now: datetime) -> _Series:
    for rule in target.decision.rules if target.decision else ():
        if rule.as_of is not None:
            yield (rule.rule,), (now - rule.as_of).total_seconds()


def _modes(target: _Target, _now: datetime) -> _Series:
    for mode in Mode:
        yield (mode.value,), float(mode is target.policy.mode)


def _paused(target: _Target, now: datetime) -> _Series:
    if target.by_hand is not None:
        yield (), float(any(pause.active(now) for pause in target.by_hand.pauses))


def _override(target: _Target, now: datetime) -> _Series:
    for override in target.by_hand.overrides if target.by_hand else ():
        if override.active(now):
            yield (), override.nodes


def _cooldowns(target: _Target, now: datetime) -> _Series:
    decision = target.decision
    if decision is None:
        return
    for direction, left in target.cooldowns.items():
        yield (direction.value,), max(0.0, (decision.at + left - now).total_seconds())


def _in_progress(target: _Target, _now: datetime) -> _Series:
    yield (), float(bool(target.open))


def _overdue(target: _Target, _now: datetime) -> _Series:
    yield (), float(bool(target.overdue))


def _decisions(target: _Target, _now: datetime) -> _Series:
    return ((labels, count) for labels, count in list(target.decisions.items()))


def _operations(target: _Target, _now: datetime) -> _Series:
    return ((labels, count) for labels, count in list(target.operations.items()))


def _submitted(target: _Target, _now: datetime) -> _Series:
    return (((direction,), count) for direction, count in list(target.submitted.items()))


def _errors(target: _Target, _now: datetime) -> _Series:
    return (((error,), count) for error, count in list(target.errors.items()))


_Family = type[GaugeMetricFamily] | type[CounterMetricFamily]
_FAMILIES: tuple[tuple[_Family, str, str, tuple[str, ...], Callable[[_Target, datetime], _Series]], ...] = (
    (GaugeMetricFamily, "target_nodes", "Nodes of the target's group.", ("kind",), _nodes),
    (GaugeMetricFamily, "metric_value", "What a rule last looked at, in the metric's own unit.", ("rule",), _values),
    (GaugeMetricFamily, "metric_age_seconds", "Age of the sample that a rule last looked at.", ("rule",), _ages),
    (GaugeMetricFamily, "target_mode", "1 for the mode that holds for the target.", ("mode",), _modes),
    (GaugeMetricFamily, "target_paused", "Whether an operator paused the target, or all targets.", (), _paused),
    (GaugeMetricFamily, "target_override_nodes", "Nodes that an operator set by hand.", (), _override),
    (
        GaugeMetricFamily,
        "cooldown_remaining_seconds",
        "How long the target's cooldown still holds a direction back.",
        ("direction",),
        _cooldowns,
    ),
    (GaugeMetricFamily, "operation_in_progress", "Whether an own operation is open.", (), _in_progress),
    (GaugeMetricFamily, "operation_overdue", "Whether an own operation is open for too long.", (), _overdue),
    (
        CounterMetricFamily,
        "decisions",
        "Evaluations that ended in a record.",
        ("decision", "reason"),
        _decisions,
    ),
    (
        CounterMetricFamily,
        "operations",
        "Own operations by outcome; all but unknown are ends.",
        ("direction", "outcome"),
        _operations,
    ),
    (
        CounterMetricFamily,
        "operations_submitted",
        "Own operations that the cloud accepted.",
        ("direction",),
        _submitted,
    ),
    (CounterMetricFamily, "evaluation_errors", "Evaluations that ended in an error.", ("error",), _errors),
)


def _prefers_openmetrics(accept: str) -> bool:
    """Whether the header ranks OpenMetrics above plain text; of equals the first wins (RFC 9110, 12.5.1)."""
    best, openly = 0.0, False
    for entry in accept.lower().split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        quality = _quality(parameters)
        if quality > best and media in ("application/openmetrics-text", "text/plain", "text/*", "*/*"):
            best, openly = quality, media == "application/openmetrics-text"
    return openly


def _quality(parameters: Sequence[str]) -> float:
    try:
        return next((float(one[2:]) for one in parameters if one.startswith("q=")), 1.0)
    except ValueError:
        return 0.0

"""Turns the latest that is known of a target into series, at the time of the rendering: no value, no series."""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from autoscaler.core.decision import Reason
from autoscaler.core.target import Mode
from autoscaler.telemetry.latest import Latest

_Series = Iterator[tuple[tuple[str, ...], float]]
"""Label values after the target's name, and the value."""


def _nodes(target: Latest, _now: datetime) -> _Series:
    if target.snapshot is not None:
        yield ("current",), target.snapshot.current
        yield ("ready",), target.snapshot.ready
    if target.decision is not None:
        yield ("desired",), target.decision.desired
        yield ("wanted",), target.decision.wanted
    yield ("min",), target.policy.bounds.min
    yield ("max",), target.policy.bounds.max


def _values(target: Latest, _now: datetime) -> _Series:
    for rule in target.decision.rules if target.decision else ():
        if rule.value is not None:
            yield (rule.rule,), float(rule.value)


def _ages(target: Latest, now: datetime) -> _Series:
    for rule in target.decision.rules if target.decision else ():
        if rule.as_of is not None:
            yield (rule.rule,), (now - rule.as_of).total_seconds()


def _missing(target: Latest, _now: datetime) -> _Series:
    return _without_data(target, Reason.NO_DATA)


def _stale(target: Latest, _now: datetime) -> _Series:
    return _without_data(target, Reason.STALE_DATA)


def _without_data(target: Latest, reason: Reason) -> _Series:
    """Whether each rule that looks at a metric is without data, for that reason."""
    looking = {rule.name for rule in target.policy.metric_rules}
    for rule in target.decision.rules if target.decision else ():
        if rule.rule in looking:
            yield (rule.rule,), float(rule.reason is reason)


def _interval(target: Latest, _now: datetime) -> _Series:
    if target.policy.mode is not Mode.OFF:
        yield (), target.policy.interval.total_seconds()


def _last_decision(target: Latest, _now: datetime) -> _Series:
    if decision := target.decision:
        yield (decision.decision.value, decision.reason.value), decision.at.timestamp()


def _breaker_open(target: Latest, now: datetime) -> _Series:
    for direction, one in target.breakers.items():
        yield (direction.value,), float(one.open_until is not None and now < one.open_until)


def _failures(target: Latest, _now: datetime) -> _Series:
    for direction, one in target.breakers.items():
        yield (direction.value,), one.failures


def _refusals(target: Latest, _now: datetime) -> _Series:
    for direction, one in target.breakers.items():
        yield (direction.value,), len(one.refused)


def _foreign(target: Latest, _now: datetime) -> _Series:
    return (((direction,), count) for direction, count in list(target.foreign.items()))


def _modes(target: Latest, _now: datetime) -> _Series:
    for mode in Mode:
        yield (mode.value,), float(mode is target.policy.mode)


def _paused(target: Latest, now: datetime) -> _Series:
    if target.by_hand is not None:
        yield (), float(any(pause.active(now) for pause in target.by_hand.pauses))


def _override(target: Latest, now: datetime) -> _Series:
    for override in target.by_hand.overrides if target.by_hand else ():
        if override.active(now):
            yield (), override.nodes


def _cooldowns(target: Latest, now: datetime) -> _Series:
    decision = target.decision
    if decision is None:
        return
    for direction, left in target.cooldowns.items():
        yield (direction.value,), max(0.0, (decision.at + left - now).total_seconds())


def _in_progress(target: Latest, _now: datetime) -> _Series:
    yield (), float(bool(target.open))


def _unknown(target: Latest, _now: datetime) -> _Series:
    yield (), float(bool(target.unknown))


def _overdue(target: Latest, _now: datetime) -> _Series:
    yield (), float(bool(target.overdue))


def _decisions(target: Latest, _now: datetime) -> _Series:
    return ((labels, count) for labels, count in list(target.decisions.items()))


def _operations(target: Latest, _now: datetime) -> _Series:
    return ((labels, count) for labels, count in list(target.operations.items()))


def _submitted(target: Latest, _now: datetime) -> _Series:
    return (((direction,), count) for direction, count in list(target.submitted.items()))


def _errors(target: Latest, _now: datetime) -> _Series:
    return (((error,), count) for error, count in list(target.errors.items()))


OF_OPERATIONS = frozenset(
    {"operation_in_progress", "operation_unknown", "operation_overdue", "operations", "operations_submitted"}
)
"""What a removed target still has while an operation of it is open."""

Family = tuple[
    type[GaugeMetricFamily] | type[CounterMetricFamily],
    str,
    str,
    tuple[str, ...],
    Callable[[Latest, datetime], _Series],
]
"""Its kind, name, words, labels besides the target, and what gives the series of one target."""

FAMILIES: tuple[Family, ...] = (
    (GaugeMetricFamily, "target_nodes", "Nodes of the target's group.", ("kind",), _nodes),
    (GaugeMetricFamily, "metric_value", "What a rule last looked at, in the metric's own unit.", ("rule",), _values),
    (GaugeMetricFamily, "metric_age_seconds", "Age of the sample that a rule last looked at.", ("rule",), _ages),
    (GaugeMetricFamily, "metric_missing", "Whether a rule has no sample at all.", ("rule",), _missing),
    (GaugeMetricFamily, "metric_stale", "Whether a rule's newest sample is too old for it.", ("rule",), _stale),
    (GaugeMetricFamily, "target_interval_seconds", "How often the target is evaluated.", (), _interval),
    (
        GaugeMetricFamily,
        "target_last_decision_timestamp_seconds",
        "When the target was last decided on, in Unix time; the labels say what and why.",
        ("decision", "reason"),
        _last_decision,
    ),
    (GaugeMetricFamily, "breaker_open", "Whether a direction rests after failures.", ("direction",), _breaker_open),
    (
        GaugeMetricFamily,
        "operation_failures_in_a_row",
        "Own operations that failed and no success has followed.",
        ("direction",),
        _failures,
    ),
    (
        GaugeMetricFamily,
        "operation_refusals_in_a_row",
        "Own operations that were refused or could not be sent, one after the other.",
        ("direction",),
        _refusals,
    ),
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
    (GaugeMetricFamily, "operation_unknown", "Whether the outcome of an own operation is not known.", (), _unknown),
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
    (
        CounterMetricFamily,
        "foreign_changes",
        "Changes of the group's nodes by somebody else.",
        ("direction",),
        _foreign,
    ),
    (CounterMetricFamily, "evaluation_errors", "Evaluations that ended in an error.", ("error",), _errors),
)

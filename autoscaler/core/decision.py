"""A decision is the record that every evaluation leaves: what was wanted, what every stage made of it, and why."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple


class Verdict(StrEnum):
    """What an evaluation ends in."""

    OUT = "out"  # add nodes
    IN = "in"  # remove nodes
    HOLD = "hold"  # leave it as it is


class Reason(StrEnum):
    """Why: the closed list. Of a hold, the first that applies in this order is the reason."""

    ABOVE_THRESHOLD = "above_threshold"  # an out step of a threshold rule holds
    BELOW_THRESHOLD = "below_threshold"  # an in step of a threshold rule holds
    ABOVE_TARGET = "above_target"  # tracking wants more
    BELOW_TARGET = "below_target"  # tracking wants fewer
    SCHEDULE = "schedule"  # an open schedule wants at least so many
    OVERRIDE = "override"  # somebody set the number of nodes by hand
    BELOW_MIN = "below_min"  # fewer nodes than the policy's min
    ABOVE_MAX = "above_max"  # more nodes than the policy's max
    FOREIGN = "foreign"  # somebody else did it (operations only)
    WITHIN_BOUNDS = "within_bounds"  # nothing is wanted
    NO_DATA = "no_data"  # the metric has no sample at all
    STALE_DATA = "stale_data"  # the newest sample is older than max_metric_age
    STABILIZING = "stabilizing"  # a higher wish is too recent to scale in
    DAILY_LIMIT = "daily_limit"  # added_per_day or actions_per_day is used up
    AT_MAX = "at_max"  # more is wanted than max (or the instance's 32 nodes) allows
    AT_MIN = "at_min"  # fewer are wanted than min allows
    PAUSED = "paused"  # veto: somebody wants nothing to be changed
    UNKNOWN_OUTCOME = "unknown_outcome"  # veto: an operation's outcome is not known
    IN_PROGRESS = "in_progress"  # veto: an operation, or somebody else's job, is under way
    BREAKER_OPEN = "breaker_open"  # veto: too many operations in a row have failed
    NOT_READY = "not_ready"  # veto: the instance is not RUNNING, or a node is being changed
    COOLDOWN = "cooldown"  # veto: too soon after the last operation
    DIRECTION_LOCKED = "direction_locked"  # veto: out_only, and the change is in
    NO_SCALE_IN = "no_scale_in"  # veto: the cloud does not scale in prepaid instances
    PAYMENT_REQUIRED = "payment_required"  # veto: prepaid without auto_pay: an order would wait for somebody to pay
    BLACKOUT = "blackout"  # veto: the policy wants no change in this direction at this time
    FLEET_LIMIT = "fleet_limit"  # veto: all targets together have, or have lately added, as many nodes as they may
    BUDGET = "budget"  # veto: all targets together have used the node-hours of 24 h
    DATA_NODE_BOTTLENECK = "data_node_bottleneck"  # veto: an associated RDS is at its limit: more DDM nodes cannot help
    DATA_NODE_BUSY = "data_node_busy"  # veto: an associated RDS is not available
    SOLD_OUT = "sold_out"  # veto: the flavor is sold out
    NOT_LEADER = "not_leader"  # veto: another daemon on the same store leads
    OBSERVE_ONLY = "observe_only"  # veto: the mode lets nothing be sent


VETO_ORDER = (
    Reason.PAUSED,
    Reason.UNKNOWN_OUTCOME,
    Reason.IN_PROGRESS,
    Reason.BREAKER_OPEN,
    Reason.NOT_READY,
    Reason.COOLDOWN,
    Reason.DIRECTION_LOCKED,
    Reason.NO_SCALE_IN,
    Reason.PAYMENT_REQUIRED,
    Reason.BLACKOUT,
    Reason.FLEET_LIMIT,
    Reason.BUDGET,
    Reason.DATA_NODE_BOTTLENECK,
    Reason.DATA_NODE_BUSY,
    Reason.SOLD_OUT,
    Reason.NOT_LEADER,
    Reason.OBSERVE_ONLY,  # last: it hides nothing
)


class NodeCounts(NamedTuple):
    """How many nodes there are, and may be."""

    current: int  # in any state
    ready: int  # serving
    min: int
    max: int


class Progress(NamedTuple):
    """How far a step has come whose value is beyond its threshold (or tolerance), or on what one that holds did."""

    direction: StrEnum  # policy.Direction: out or in
    have: int  # samples that hold; for a mean over a span: those that are there
    needed: int  # how many must
    of: int  # out of so many that are due
    missing: int = 0  # due ones that are not there
    half: int = 0  # beyond it too, but without the values of some nodes: such never scale in
    counts_from: datetime | None = None  # the last change, where samples from before it would be due: they do not count


class Compared(NamedTuple):
    """What a rule's value was compared with."""

    above: Decimal | None = None  # an out step's threshold
    below: Decimal | None = None  # an in step's threshold
    target: Decimal | None = None
    tolerance: Decimal | None = None  # a ratio
    progress: Progress | None = None  # only where the value is beyond one of them


class RuleRecord(NamedTuple):
    """What one rule saw and wanted."""

    rule: str
    reason: Reason
    wants: int  # nodes, counted as ready ones
    value: Decimal | None = None  # the newest sample, or the mean over `over`
    as_of: datetime | None = None  # that sample's time: its period's start
    samples: int = 0  # how many the rule looked at
    warming: int = 0  # ready nodes left out because they are not warm yet
    observe: bool = False  # computed and recorded, without a say
    compared: Compared | None = None  # None: a schedule, or a metric that is missing


class StageRecord(NamedTuple):
    """What one stage left of the wish."""

    stage: str  # combine, stabilize, limits, bounds, guards
    desired: int
    because: str = ""


_NO_DETAILS: Mapping[str, str] = MappingProxyType({})


class Decision(NamedTuple):
    """The record of one evaluation of one target."""

    target: str
    at: datetime
    decision: Verdict
    change: int  # nodes to move, signed; 0 in a hold
    desired: int  # what stands after bounds, in a hold too
    reason: Reason
    nodes: NodeCounts
    rules: tuple[RuleRecord, ...] = ()
    stages: tuple[StageRecord, ...] = ()
    vetoes: tuple[Reason, ...] = ()
    details: Mapping[str, str] = _NO_DETAILS  # a veto's sentence: until when, which job
    wanted_reason: Reason | None = None  # why anything was wanted, where a veto or limit became the reason
    mode: str = ""
    rules_desired: int | None = (
        None  # what the rules wanted under an override: kept for stabilisation; None: as combine
    )

    @property
    def wish(self) -> int:
        """What counts for stabilisation: what combine wanted, or under an override what the rules wanted."""
        return self.stages[0].desired if self.rules_desired is None else self.rules_desired

    @property
    def wanted(self) -> int:
        """How many nodes are wanted, before limits, bounds and guards say how many there may be."""
        return self.stages[0].desired if self.stages else self.desired

    def as_json(self) -> dict[str, Any]:
        """The record as it is stored, served and printed; values are floats, times RFC 3339."""
        record: dict[str, Any] = {
            "target": self.target,
            "at": rfc3339(self.at),
            "decision": self.decision.value,
            "change": self.change,
            "desired": self.desired,
            "reason": self.reason.value,
            "mode": self.mode,
            "nodes": {
                "current": self.nodes.current,
                "ready": self.nodes.ready,
                "min": self.nodes.min,
                "max": self.nodes.max,
            },
            "rules": [_rule_json(rule) for rule in self.rules],
            "stages": [_stage_json(stage) for stage in self.stages],
            "vetoes": [veto.value for veto in self.vetoes],
        }
        if self.details:
            record["details"] = dict(self.details)
        if self.wanted_reason is not None and self.wanted_reason is not self.reason:
            record["wanted_reason"] = self.wanted_reason.value
        return record


def rfc3339(moment: datetime) -> str:
    """UTC with a Z; fractions of a second only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _rule_json(rule: RuleRecord) -> dict[str, Any]:
    record: dict[str, Any] = {
        "rule": rule.rule,
        "value": None if rule.value is None else float(rule.value),
        "as_of": None if rule.as_of is None else rfc3339(rule.as_of),
        "samples": rule.samples,
        "wants": rule.wants,
        "reason": rule.reason.value,
    }
    if rule.warming:
        record["warming"] = rule.warming
    if rule.observe:
        record["observe"] = True
    return record if rule.compared is None else record | _compared_json(rule.compared)


def _compared_json(compared: Compared) -> dict[str, Any]:
    numbers = {
        "above": compared.above,
        "below": compared.below,
        "target": compared.target,
        "tolerance": compared.tolerance,
    }
    record: dict[str, Any] = {name: float(number) for name, number in numbers.items() if number is not None}
    if compared.progress is not None:
        record["progress"] = _progress_json(compared.progress)
    return record


def _progress_json(progress: Progress) -> dict[str, Any]:
    record: dict[str, Any] = {
        "direction": progress.direction.value,
        "have": progress.have,
        "needed": progress.needed,
        "of": progress.of,
    }
    record |= {name: count for name, count in (("missing", progress.missing), ("half", progress.half)) if count}
    if progress.counts_from is not None:
        record["counts_from"] = rfc3339(progress.counts_from)
    return record


def _stage_json(stage: StageRecord) -> dict[str, Any]:
    record: dict[str, Any] = {"stage": stage.stage, "desired": stage.desired}
    if stage.because:
        record["because"] = stage.because
    return record

"""The keys of a file of policy tests as they are written; what each means is in docs/testing-policies.md."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PlainValidator

from autoscaler.core.decision import Reason, Verdict
from autoscaler.core.policy import Direction
from autoscaler.core.sample import GROUP
from autoscaler.core.target import Mode
from autoscaler.policyfile import kinds, series
from autoscaler.yamlfile import quantities, shape

_YEARS = range(1970, 2200)
"""Far enough from both ends of the calendar that no span of a test leaves it."""


def _offset(value: object) -> timedelta:
    """A span from the start, which may lie before it."""
    if isinstance(value, str) and value.startswith("-"):
        return -quantities.duration(value[1:])
    return quantities.duration(value)


def _not_before(value: object) -> timedelta:
    offset = _offset(value)
    if offset < timedelta(0):
        raise ValueError(f"{value} is before the start; the first decision is at 0m")
    return offset


def _not_after(value: object) -> timedelta:
    offset = _offset(value)
    if offset > timedelta(0):
        raise ValueError(f"{value} is after the start; it is what happened before, such as -20m")
    return offset


def _interval(value: object) -> timedelta:
    interval = quantities.duration(value)
    if not timedelta(seconds=1) <= interval <= timedelta(hours=24):
        raise ValueError(f"{value} is not allowed; an interval is 1s to 24h")
    return interval


def _span(value: object) -> timedelta:
    span = quantities.duration(value)
    if not span:
        raise ValueError(f"{value} is no time at all; write a span such as 2h")
    return span


def _instant(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise ValueError(f"{quantities.shown(value)} is no time; write one as 2026-11-23T10:00:00Z")
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_NODES:
        raise ValueError(f"{quantities.shown(value)} is not allowed; it must be a number of nodes, 0 to {_MOST_NODES}")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{quantities.shown(value)} is not allowed; it must be a whole number")  # noqa: TRY004 - pydantic collects only ValueErrors
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{quantities.shown(value)} is no name; write what the test shows, in a few words")
    return " ".join(value.split())


def _values(value: object) -> series.Values:
    """Values as text; a lone number needs no quotes."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f'{quantities.shown(value)} is not allowed; it must be a series such as "60x4 80x9"')  # noqa: TRY004 - pydantic collects only ValueErrors
    return series.parse(str(value))


def _by_node(value: Any) -> Any:
    if not isinstance(value, dict):
        return {GROUP: value}
    if not value or GROUP in value:
        raise ValueError("names no node; write a series for each, such as {n1: 60x9, n2: 80x9}, or one for the group")
    return value


_MOST_NODES = 1000

Offset = Annotated[timedelta, PlainValidator(_offset)]
At = Annotated[timedelta, PlainValidator(_not_before)]
Before = Annotated[timedelta, PlainValidator(_not_after)]
Interval = Annotated[timedelta, PlainValidator(_interval)]
Span = Annotated[timedelta, PlainValidator(_span)]
Instant = Annotated[datetime, PlainValidator(_instant)]
Count = Annotated[int, PlainValidator(_count)]
Integer = Annotated[int, PlainValidator(_integer)]
Values = Annotated[series.Values, PlainValidator(_values)]
Series = Annotated[dict[str, Values], BeforeValidator(_by_node)]


class Outcome(StrEnum):
    """What became of an operation."""

    SUCCEEDED = "succeeded"  # the nodes came, or went
    FAILED = "failed"  # it brought no node
    REJECTED = "rejected"  # the cloud refused it
    UNKNOWN = "unknown"  # nobody knows yet: it stays open
    NEVER_HAPPENED = "never_happened"  # long observation showed that it was not carried out


class CaseMode(StrEnum):
    """What the target's mode is taken as."""

    ENFORCE = Mode.ENFORCE.value  # scale out and in
    OUT_ONLY = Mode.OUT_ONLY.value  # scale out, never in
    OBSERVE = Mode.OBSERVE.value  # decide, send nothing


class NodesKeys(shape.Keys):
    """The nodes at the start."""

    current: Count = Field(description="nodes in any state")
    ready: Count | None = Field(None, description="those that serve; the others are abnormal")


def _nodes(value: Any) -> Any:
    return value if isinstance(value, dict) else {"current": value}


class DataNodesKeys(shape.Keys):
    """The RDS instances behind the group."""

    state: Literal["normal", "busy"] = "normal"
    cpu: kinds.Number | None = None


def _data_nodes(value: Any) -> Any:
    return value if isinstance(value, dict) else {"state": value}


class OperationKeys(shape.Keys):
    """Something that was done to the group before the start."""

    direction: Direction = Field(description="out or in")
    change: kinds.Whole = Field(description="how many nodes")
    finished: Before | None = Field(None, description="when it ended, such as -20m; without it it is open")
    outcome: Outcome | None = None
    foreign: bool = Field(default=False, strict=True)


class PauseKeys(shape.Keys):
    """Somebody wants nothing to be changed."""

    from_: Offset = Field(timedelta(0), alias="from")
    for_: Span | None = Field(None, alias="for")
    reason: str = ""


class OverrideKeys(shape.Keys):
    """Somebody wants so many nodes."""

    from_: Offset = Field(timedelta(0), alias="from")
    for_: Span = Field(alias="for", description="how long it holds, such as 2h")
    nodes: kinds.Whole = Field(description="how many nodes, between the target's min and max")
    reason: str = ""


class ExpectedNodes(shape.Keys):
    """Part of a record."""

    current: Integer | None = None
    ready: Integer | None = None
    min: Integer | None = None
    max: Integer | None = None


class ExpectedRule(shape.Keys):
    """Part of a record: what a rule saw and wanted."""

    rule: str | None = None
    value: kinds.Number | None = None
    as_of: str | None = None
    samples: Integer | None = None
    wants: Integer | None = None
    reason: Reason | None = None
    warming: Integer | None = None
    observe: Annotated[bool, Field(strict=True)] | None = None


class ExpectedStage(shape.Keys):
    """Part of a record: what a stage left."""

    stage: Literal["combine", "stabilize", "limits", "bounds", "guards"] | None = None
    desired: Integer | None = None
    because: str | None = None


class ExpectKeys(shape.Keys):
    """What the record of one decision has to say; only what is written is compared."""

    at: At = Field(description="how long after the start, such as 5m")
    decision: Verdict | None = None
    change: Integer | None = None
    desired: Integer | None = None
    reason: Reason | None = None
    wanted_reason: Reason | None = None
    target: str | None = None
    mode: str | None = None
    nodes: ExpectedNodes | None = None
    rules: tuple[ExpectedRule, ...] | None = None
    stages: tuple[ExpectedStage, ...] | None = None
    vetoes: tuple[Reason, ...] | None = None
    details: dict[str, str] | None = None


class CaseKeys(shape.Keys):
    """One test."""

    name: Annotated[str, PlainValidator(_name)] | None = None
    policies: str | dict[str, Any] | None = None
    target: str | None = None
    mode: CaseMode | None = None
    nodes: Annotated[NodesKeys, BeforeValidator(_nodes)] | None = None
    start: Instant = datetime(2026, 1, 1, tzinfo=UTC)
    interval: Interval | None = None
    metrics: dict[str, Series] = Field(default_factory=dict)
    operations: tuple[OperationKeys, ...] = ()
    pauses: tuple[PauseKeys, ...] = ()
    overrides: tuple[OverrideKeys, ...] = ()
    data_nodes: Annotated[DataNodesKeys, BeforeValidator(_data_nodes)] = DataNodesKeys()
    carry_out: bool = Field(default=True, strict=True)
    operation_time: kinds.Duration = timedelta(0)
    outcome: Outcome = Outcome.SUCCEEDED
    expect: tuple[ExpectKeys, ...] = Field(description="what is decided when, such as {at: 5m, decision: out}")


class FileKeys(shape.Keys):
    """A file of policy tests; each test is read by itself, so that one that is broken hides nothing in another."""

    refused: ClassVar[Mapping[str, str]] = {
        name: "belongs to one test; write it there" for name in CaseKeys.model_fields if name != "policies"
    }

    policies: str | dict[str, Any] | None = None
    tests: tuple[dict[str, Any], ...] = Field(description="a list of cases, each with a name and what it expects")

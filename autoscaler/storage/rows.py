"""Values of the core to rows of the tables and back, every field equal; what cannot be read is CorruptRowError."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping

from autoscaler.core import letter as letters
from autoscaler.core.by_hand import Intervention, Kind
from autoscaler.core.decision import Decision, Reason
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey
from autoscaler.ports import SeenNode
from autoscaler.storage.remembered import Remembered

Row = RowMapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NO_JOBS = "[]"


class CorruptRowError(Exception):
    """A row holds what this version cannot read: damaged text, or a word of a newer version."""


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970 UTC, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The aware UTC time of so many microseconds."""
    return _EPOCH + timedelta(microseconds=value)


def of_operation(operation: Operation) -> dict[str, Any]:
    """The columns of an operation. The jobs known at the intent serve only to resolve it: once ended they are gone."""
    return {
        "id": operation.id,
        "target": operation.target,
        "region": operation.instance.region,
        "project_id": operation.instance.project_id,
        "instance_id": operation.instance.instance_id,
        "group_id": operation.group_id,
        "direction": operation.direction.value,
        "change": operation.change,
        "reason": operation.reason.value,
        "state": operation.state.value,
        "committed_at": micros(operation.committed_at),
        "send_before": micros(operation.send_before),
        "node_ids": _list(sorted(operation.node_ids)),
        "removing": _list(operation.removing),
        "zones": _list(operation.zones),
        "known_jobs": _list(sorted(operation.known_jobs) if operation.open else ()),
        "skew_seconds": operation.skew_seconds,
        "prepaid": operation.prepaid,
        "job_id": operation.job_id,
        "order_id": operation.order_id,
        "submitted_at": _micros_or_none(operation.submitted_at),
        "ended_at": _micros_or_none(operation.ended_at),
        "arrived": operation.arrived,
        "detail": writable(operation.detail),
        "foreign": operation.foreign,
        "shadow": operation.shadow,
    }


def to_operation(row: Row) -> Operation:
    """The operation of a row. The same rows are asked for in every cycle: what was read once is not read again.

    Not of an open one, which holds all jobs known at its intent, perhaps thousands: thousands of those would be kept.

    Raises:
        CorruptRowError: any column cannot be read; the text names the row.
    """
    return remembered(row) if row["known_jobs"] == _NO_JOBS else _operation(row)


def _operation(row: Mapping[Any, Any]) -> Operation:
    try:
        return Operation(
            id=row["id"],
            target=row["target"],
            instance=InstanceKey(row["region"], row["project_id"], row["instance_id"]),
            group_id=row["group_id"],
            direction=Direction(row["direction"]),
            change=_whole(row["change"]),
            reason=Reason(row["reason"]),
            state=State(row["state"]),
            committed_at=instant(row["committed_at"]),
            send_before=instant(row["send_before"]),
            node_ids=frozenset(_strings(row["node_ids"])),
            removing=_strings(row["removing"]),
            zones=_strings(row["zones"]),
            known_jobs=frozenset(_strings(row["known_jobs"])),
            skew_seconds=float(row["skew_seconds"]),
            prepaid=row["prepaid"],
            job_id=row["job_id"],
            order_id=row["order_id"],
            submitted_at=_instant_or_none(row["submitted_at"]),
            ended_at=_instant_or_none(row["ended_at"]),
            arrived=_whole(row["arrived"]),
            detail=row["detail"],
            foreign=row["foreign"],
            shadow=row["shadow"],
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise CorruptRowError(f"row {row['id']!r} of table operations cannot be read ({error})") from error


remembered = Remembered(_operation)


def of_decision(decision: Decision, operation_id: str | None = None) -> dict[str, Any]:
    """The columns of a decision; `operation_id` is that of the intent it is stored with."""
    return {
        "target": decision.target,
        "at": micros(decision.at),
        "decision": decision.decision.value,
        "reason": decision.reason.value,
        "record": json.dumps(decision.as_json(), separators=(",", ":")),
        "operation_id": operation_id,
    }


def to_record(row: Row) -> dict[str, Any]:
    """The JSON record of a decision's row.

    Raises:
        CorruptRowError: it is not a JSON object; the text names the row.
    """
    try:
        record = json.loads(row["record"])
    except (ValueError, TypeError) as error:
        raise CorruptRowError(f"row {row['id']} of table decisions cannot be read ({error})") from error
    if not isinstance(record, dict):
        raise CorruptRowError(f"row {row['id']} of table decisions holds no record")
    return record


def of_seen_nodes(nodes: Iterable[SeenNode]) -> str:
    """The nodes of a group as one JSON text."""
    return json.dumps(
        [{"id": node.id, "first_ready_at": _micros_or_none(node.first_ready_at), "warm": node.warm} for node in nodes],
        separators=(",", ":"),
    )


def to_seen_nodes(text: str) -> tuple[SeenNode, ...]:
    """The nodes of a group.

    Raises:
        CorruptRowError: the text is not what `of_seen_nodes` writes.
    """
    try:
        return tuple(
            SeenNode(node["id"], _instant_or_none(node["first_ready_at"]), bool(node["warm"]))
            for node in json.loads(text)
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise CorruptRowError(f"cannot be read ({error!r})") from error


def of_intervention(one: Intervention) -> dict[str, Any]:
    """The columns of what was done by hand."""
    return {
        "id": one.id,
        "kind": one.kind.value,
        "target": one.target,
        "from": micros(one.from_),
        "until": _micros_or_none(one.until),
        "nodes": one.nodes,
        "reason": writable(one.reason),
        "who": writable(one.who),
        "ended_at": _micros_or_none(one.ended_at),
        "ended_by": writable(one.ended_by),
        "ended_reason": writable(one.ended_reason),
    }


def to_intervention(row: Row) -> Intervention:
    """What was done by hand.

    Raises:
        CorruptRowError: any column cannot be read; the text names the row.
    """
    try:
        return Intervention(
            id=row["id"],
            kind=Kind(row["kind"]),
            target=row["target"],
            from_=instant(row["from"]),
            until=_instant_or_none(row["until"]),
            nodes=None if row["nodes"] is None else _whole(row["nodes"]),
            reason=row["reason"],
            who=row["who"],
            ended_at=_instant_or_none(row["ended_at"]),
            ended_by=row["ended_by"],
            ended_reason=row["ended_reason"] or "",
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise CorruptRowError(f"row {row['id']!r} of table interventions cannot be read ({error})") from error


def of_letter(letter: Letter) -> dict[str, Any]:
    """The columns of a letter."""
    return {
        "webhook": letter.webhook,
        "event": letter.id,
        "kind": letter.kind,
        "target": letter.target,
        "at": micros(letter.at),
        "body": letter.body,
        "due": micros(letter.due),
        "state": letter.state.value,
        "attempts": letter.attempts,
        "error": writable(letter.error),
    }


def to_letter(row: Row) -> Letter:
    """The letter of a row.

    Raises:
        CorruptRowError: any column cannot be read; the text names the row.
    """
    try:
        return Letter(
            webhook=row["webhook"],
            id=row["event"],
            kind=row["kind"],
            target=row["target"],
            at=instant(row["at"]),
            body=row["body"],
            due=instant(row["due"]),
            state=letters.State(row["state"]),
            attempts=_whole(row["attempts"]),
            error=row["error"],
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise CorruptRowError(f"row {row['event']!r} of table outbox cannot be read ({error})") from error


def _list(values: Sequence[str]) -> str:
    return json.dumps(list(values), separators=(",", ":"))


def _strings(text: str) -> tuple[str, ...]:
    values = json.loads(text)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("not a list of texts")
    return tuple(values)


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def _instant_or_none(value: int | None) -> datetime | None:
    return None if value is None else instant(value)


def writable(text: str) -> str:
    """Half a character or a NUL (which JSON from outside may hold) must not keep an outcome from being stored."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "?")

"""Operations and decisions to store."""

from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.core.by_hand import Intervention, Kind
from autoscaler.core.decision import Decision, NodeCounts, Reason, Verdict
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey

NOW = datetime(2026, 11, 23, 3, 5, 0, 123456, tzinfo=UTC)
INSTANCE = InstanceKey("eu-de", "p1", "i1")


def operation(identity: str = "op1", **fields: Any) -> Operation:
    """A scale-out of orders by one node, planned at NOW."""
    values: dict[str, Any] = {
        "target": "orders",
        "instance": INSTANCE,
        "group_id": "g1",
        "direction": Direction.OUT,
        "change": 1,
        "reason": Reason.ABOVE_THRESHOLD,
        "state": State.PLANNED,
        "committed_at": NOW,
        "send_before": NOW + timedelta(seconds=20),
        "known_jobs": frozenset({"j1", "j2"}),
    }
    return Operation(id=identity, **(values | fields))


def ended(identity: str, ended_at: datetime, state: State = State.SUCCEEDED, **fields: Any) -> Operation:
    """An operation that was committed a minute before its end."""
    values: dict[str, Any] = {"committed_at": ended_at - timedelta(minutes=1), "known_jobs": frozenset()}
    return operation(identity, state=state, ended_at=ended_at, **(values | fields))


def decision(at: datetime = NOW, target: str = "orders", **fields: Any) -> Decision:
    """A wish for a fourth node."""
    values: dict[str, Any] = {"change": 1, "desired": 4, "reason": Reason.ABOVE_THRESHOLD}
    return Decision(target=target, at=at, decision=Verdict.OUT, nodes=NodeCounts(3, 3, 2, 16), **(values | fields))


def intervention(
    identity: str = "h1", kind: Kind = Kind.PAUSE, target: str | None = "orders", **fields: Any
) -> Intervention:
    """A pause of orders from NOW on, until it is taken back; a closed breaker is a moment."""
    values: dict[str, Any] = {"from_": NOW, "reason": "a move", "who": "ann"}
    if kind is Kind.BREAKER_RESET:
        values["until"] = fields.get("from_", NOW)
    return Intervention(identity, kind, target, **(values | fields))

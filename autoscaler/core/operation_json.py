"""An operation as JSON: the one shape in which it is served, shown and printed."""

from datetime import datetime
from typing import Any

from autoscaler.core.decision import rfc3339
from autoscaler.core.operation import Operation


def operation_json(operation: Operation) -> dict[str, Any]:
    """What people and programs see of an operation: times RFC 3339, None where something is not known (yet)."""
    return {
        "id": operation.id,
        "target": operation.target,
        "direction": operation.direction.value,
        "change": operation.change,
        "reason": operation.reason.value,
        "state": operation.state.value,
        "committed_at": rfc3339(operation.committed_at),
        "submitted_at": _time(operation.submitted_at),
        "ended_at": _time(operation.ended_at),
        "job_id": operation.job_id,
        "order_id": operation.order_id,
        "arrived": operation.arrived,
        "detail": operation.detail,
        "foreign": operation.foreign,
        "shadow": operation.shadow,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)

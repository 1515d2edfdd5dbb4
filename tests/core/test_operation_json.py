from autoscaler.core.operation import State
from autoscaler.core.operation_json import operation_json
from tests.core.given import IN, NOW, ago, operation


def test_an_operation_that_ended_tells_everything_with_times_in_utc():
    done = operation(
        IN, 2, ended=NOW, submitted_at=ago(4), job_id="job-1", arrived=2, detail="2 nodes are gone", foreign=True
    )
    assert operation_json(done) == {
        "id": "op",
        "target": "orders",
        "direction": "in",
        "change": 2,
        "reason": "above_threshold",
        "state": "succeeded",
        "committed_at": "2026-11-23T11:55:00Z",
        "submitted_at": "2026-11-23T11:56:00Z",
        "ended_at": "2026-11-23T12:00:00Z",
        "job_id": "job-1",
        "order_id": None,
        "arrived": 2,
        "detail": "2 nodes are gone",
        "foreign": True,
        "shadow": False,
    }


def test_what_is_not_known_yet_is_none():
    planned = operation_json(operation(state=State.PLANNED, order_id="order-1", shadow=True))
    assert (planned["submitted_at"], planned["ended_at"], planned["job_id"]) == (None, None, None)
    assert (planned["order_id"], planned["state"], planned["shadow"]) == ("order-1", "planned", True)

"""The promise, on real processes: kill -9 at any moment never buys twice and never loses an operation."""

import random
import time

import pytest

from tests.e2e.processes import EmulatedCloud, RunningDaemon, policy, until, write_config

pytestmark = pytest.mark.process

MOMENTS = 24
SPEED = 300

HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than 16 nodes can carry
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
EAGER = policy(
    interval="1m",
    cooldown={"out": "1m"},
    warm_up="0s",
    nodes={"min": 2, "max": 32},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)


@pytest.mark.timeout(420)
def test_killed_at_many_moments_no_intent_is_sent_twice_and_no_accepted_call_is_lost(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=SPEED))
    cloud.fault(
        kind="slow", service="ddm", operation="enlarge", count=None, seconds=0.3
    )  # so that some die in the call
    environment = write_config(tmp_path / "daemon", cloud, targets={"orders": EAGER})
    chance = random.Random(20261123)  # noqa: S311  # moments, no secrets
    for _ in range(MOMENTS):
        daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
        time.sleep(chance.uniform(0, 1.5))
        daemon.kill()
    write_config(tmp_path / "daemon", cloud, targets={"orders": EAGER | {"mode": "observe"}})  # now only looks
    daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
    operations = until(daemon.operations, lambda found: not any(map(is_open, found)), seconds=200)
    assert daemon.stop() == 0

    mutations = cloud.mutations()
    accepted = [one["job_id"] for one in mutations if one["accepted"]]
    ours = [one for one in operations if not one["foreign"]]
    assert len(accepted) >= 10, "the daemon got something done between the kills"
    assert len(mutations) <= len(ours), "no intent was sent twice"
    assert sorted(accepted) == sorted(one["job_id"] for one in ours if one["job_id"]), (
        "each accepted call is one operation"
    )
    assert {one["state"] for one in ours if one["job_id"]} == {"succeeded"}
    assert {one["state"] for one in ours if not one["job_id"]} <= {"rejected", "never_happened"}
    assert cloud.nodes() == 2 + len(accepted)


def is_open(operation: dict) -> bool:
    return operation["state"] in ("planned", "submitted", "unknown")

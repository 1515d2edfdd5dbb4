"""The promise, on real processes: killed, stopped or paused at any moment, nothing is bought twice and nothing lost."""

import random
import signal
import time

import pytest

from tests.e2e.processes import EmulatedCloud, RunningDaemon, policy, until, write_config

pytestmark = pytest.mark.process

SEED = 20261123
MOMENTS = {"kill": 25, "terminate": 12, "pause": 65}
"""How often each; in an order of chance."""

SPEED = 300

HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than 16 nodes can carry
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
EAGER = policy(
    interval="1m",
    cooldown={"out": "4m"},
    warm_up="0s",
    nodes={"min": 2, "max": 32},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)


@pytest.mark.timeout(420)
def test_at_a_hundred_moments_no_intent_is_sent_twice_and_no_accepted_call_is_lost(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=SPEED))
    cloud.fault(
        kind="slow", service="ddm", operation="enlarge", count=None, seconds=0.3
    )  # so that some die in the call
    environment = write_config(tmp_path / "daemon", cloud, targets={"orders": EAGER})
    chance = random.Random(SEED)  # noqa: S311  # moments, no secrets
    moments = [kind for kind, times in MOMENTS.items() for _ in range(times)]
    chance.shuffle(moments)
    daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
    for kind in moments:
        time.sleep(chance.uniform(0, 0.6))
        if kind == "pause":
            daemon.process.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0, 0.6))
            daemon.process.send_signal(signal.SIGCONT)
            continue
        if kind == "terminate":
            assert daemon.stop() == 0
        else:
            daemon.kill()
        daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
    assert daemon.stop() == 0
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

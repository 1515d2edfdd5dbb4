"""SIGTERM ends a real daemon within the time that container engines wait, whatever it is waiting for itself."""

from typing import Any

import pytest

from tests.e2e.processes import ENGINES_WAIT, EmulatedCloud, RunningDaemon, policy, until, write_config

pytestmark = pytest.mark.process

SPEED = 300
HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},
    "jobs": {"enlarge": "60m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
NEVER: dict[str, Any] = {"kind": "slow", "count": None, "seconds": 120}


def stops_in_time(daemon: RunningDaemon) -> None:
    code, took = daemon.stop_timed()
    assert (code, took < ENGINES_WAIT) == (0, True)
    assert "Traceback" not in daemon.said()


def test_while_it_signs_in(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", {"faults": [NEVER | {"service": "iam"}]}))
    daemon = started(RunningDaemon(tmp_path / "daemon", write_config(tmp_path / "daemon", cloud)))
    until(lambda: daemon.get("/-/ready").text, lambda text: "not signed in" in text)
    stops_in_time(daemon)


def test_while_it_looks_what_became_of_an_earlier_operation(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=SPEED))
    environment = write_config(tmp_path / "daemon", cloud, targets={"orders": policy(warm_up="0s")})
    daemon = started(RunningDaemon(tmp_path / "daemon", environment)).ready()
    until(daemon.operations, lambda found: bool(found) and found[0]["state"] == "submitted")
    daemon.kill()
    cloud.fault(**NEVER, service="ddm")
    again = started(RunningDaemon(tmp_path / "daemon", environment)).ready()  # signed in
    assert "operation of an earlier run goes on" in until(again.log, lambda log: "earlier run" in log)
    stops_in_time(again)

"""A damaged store under a real daemon: what cannot be read holds what it concerns, and nothing is sent for it."""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import FLAVOR, TOKEN, EmulatedCloud, RunningDaemon, policy, until, write_config

pytestmark = pytest.mark.process

SPEED = 300
NAMES = ("orders", "stock")
SCENARIO = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than any number of nodes can carry
    "jobs": {"enlarge": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "data_nodes": [{"id": "rds-1"}],
    "instances": [
        {
            "id": f"{name}in09",
            "name": name,
            "groups": [{"id": f"{name}-gr09", "flavor": FLAVOR, "nodes": 2}],
            "schemas": [{"name": "orders", "data_nodes": ["rds-1"]}],
        }
        for name in NAMES
    ],
}
TARGETS = {
    name: policy(
        instance_id=f"{name}in09",
        group_id=f"{name}-gr09",
        nodes={"min": 2, "max": 32},
        cooldown={"out": "3m"},
        warm_up="0s",
        rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
    )
    for name in NAMES
}

Start = Callable[[], RunningDaemon]


@pytest.fixture
def cloud(tmp_path: Path, started: Callable[[Any], Any]) -> EmulatedCloud:
    made: EmulatedCloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    return made


@pytest.fixture
def start(tmp_path: Path, cloud: EmulatedCloud, started: Callable[[Any], Any]) -> Start:
    environment = write_config(tmp_path / "daemon", cloud, targets=TARGETS)
    return lambda: started(RunningDaemon(tmp_path / "daemon", environment))


@pytest.fixture
def store(tmp_path: Path, start: Start) -> Path:
    """Of a daemon that has acted on both, and was stopped."""
    daemon = start().ready()
    until(daemon.operations, lambda found: {one["target"] for one in found} == set(NAMES))
    assert daemon.stop() == 0
    return tmp_path / "daemon" / "state" / "autoscaler.db"


def change(store: Path, statement: str) -> None:
    with sqlite3.connect(store) as connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()


def calls_for(cloud: EmulatedCloud, target: str) -> int:
    return len([one for one in cloud.mutations() if f"{target}in09" in one["path"]])


def test_an_operation_that_cannot_be_read_holds_its_instance_and_no_other(cloud, start, store):
    change(store, "UPDATE operations SET state = 'of a newer version' WHERE target = 'orders'")
    orders, stock = (calls_for(cloud, name) for name in NAMES)
    daemon = start().ready()
    until(lambda: calls_for(cloud, "stock"), lambda calls: calls > stock)
    until(
        partial(daemon.count, "evaluation_errors_total", target="orders", error="store_error"), lambda count: count > 9
    )
    assert "operations" in daemon.target("orders")["error"]
    assert daemon.count("evaluation_errors_total", target="stock") == 0
    assert calls_for(cloud, "orders") == orders
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.said()

    change(store, "UPDATE operations SET state = 'succeeded' WHERE target = 'orders'")
    start().ready()
    until(lambda: calls_for(cloud, "orders"), lambda calls: calls > orders)


def test_what_was_done_by_hand_and_cannot_be_read_holds_everything(cloud, start, store):
    daemon = start().ready()
    path, bearer = f"{daemon.url}/api/v1/targets/stock/pause", {"Authorization": f"Bearer {TOKEN}"}
    httpx.post(path, json={"reason": "a move"}, headers=bearer, timeout=10).raise_for_status()
    assert daemon.stop() == 0
    change(store, "UPDATE interventions SET kind = 'of a newer version'")
    sent = len(cloud.mutations())
    daemon = start().ready()
    for name in NAMES:
        errors = partial(daemon.count, "evaluation_errors_total", target=name, error="store_error")
        until(errors, lambda count: count > 4)
    assert len(cloud.mutations()) == sent
    assert daemon.get("/-/healthy").status_code == 200


def test_a_file_that_is_no_store_any_more_ends_the_start_with_a_sentence(cloud, start, store):
    with store.open("r+b") as file:
        file.write(b"not what it was")
    sent = len(cloud.mutations())
    daemon = start()
    assert daemon.process.wait(30) == 1
    assert f"{store}: it is not a SQLite database; restore a backup" in daemon.said()
    assert "Traceback" not in daemon.said()
    assert len(cloud.mutations()) == sent

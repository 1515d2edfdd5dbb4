"""A disk that is full, under the store of a real daemon: it sends nothing, says so, and goes on when there is room."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import EmulatedCloud, RunningDaemon, policy, until, write_config
from tests.e2e.small_disk import SmallDisk

pytestmark = pytest.mark.process

SPEED = 300
WATCHED = 8
"""Evaluations that are watched while the disk is full: beyond any cooldown of these policies."""

ENLARGE: dict[str, Any] = {"service": "ddm", "operation": "enlarge"}
NO_ROOM = "no room is left on its disk"

HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than 16 nodes can carry
    "jobs": {"enlarge": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
SLOW_JOBS = HOT | {"jobs": {"enlarge": "15m", "status_delay": "10s"}}
CALM = HOT | {"load": {"constant": 1, "capacity_per_node": 1}}
EAGER = policy(
    interval="1m",
    cooldown={"out": "4m"},
    warm_up="0s",
    nodes={"min": 2, "max": 32},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)


@dataclass
class House:
    """A cloud, and a daemon whose store is on the small disk."""

    cloud: EmulatedCloud
    disk: SmallDisk
    folder: Path
    environment: dict[str, str]
    started: Callable[[Any], Any]
    daemon: RunningDaemon

    @classmethod
    def begin(cls, scenario: dict[str, Any], disk: SmallDisk, folder: Path, started: Callable[[Any], Any]) -> "House":
        cloud = started(EmulatedCloud(folder / "cloud", scenario, speed=SPEED))
        store = f"sqlite:///{disk.mount_point}/state/autoscaler.db"
        environment = write_config(folder / "daemon", cloud, targets={"orders": EAGER}, store=store)
        daemon = started(RunningDaemon(folder / "daemon", environment, enter=disk.enter))
        return cls(cloud, disk, folder / "daemon", environment, started, daemon)

    def start(self) -> RunningDaemon:
        self.daemon = self.started(RunningDaemon(self.folder, self.environment, enter=self.disk.enter))
        return self.daemon

    def refused(self) -> str:
        """A daemon ends at its start; its last line."""
        assert self.start().process.wait(30) == 1
        assert "Traceback" not in self.daemon.said()
        return self.daemon.said().splitlines()[-1]

    def fill(self) -> None:
        self.disk.fill()
        assert self.disk.full()

    def errors(self) -> float:
        return self.daemon.count("evaluation_errors_total", target="orders", error="store_error")

    def decided(self) -> float:
        return self.daemon.count("decisions_total", target="orders")

    def fails(self, times: int = WATCHED) -> None:
        """So many evaluations end in an error of the store; it is told, and pages are served meanwhile."""
        before = self.errors()
        until(self.errors, lambda now: now >= before + times)
        assert self.disk.full()
        assert NO_ROOM in self.daemon.log()
        assert NO_ROOM in self.daemon.target()["error"]
        assert self.daemon.get("/-/healthy").status_code == 200
        assert self.daemon.get("/").status_code == 200
        assert self.daemon.alive()

    def ours(self) -> list[dict[str, Any]]:
        """Newest first."""
        return [one for one in self.daemon.operations() if not one["foreign"]]

    def ended(self) -> list[dict[str, Any]]:
        return [one for one in self.ours() if one["state"] == "succeeded"]

    def goes_on(self) -> None:
        """One more operation succeeds, and there is no error any more."""
        known = len(self.ended())
        until(self.ended, lambda ended: len(ended) > known)
        until(self.daemon.target, lambda shown: shown["error"] is None)

    def nothing_is_twice_and_nothing_lost(self) -> None:
        """Beyond what is in flight just now: the daemon is stopped first, which finishes or writes down that."""
        assert self.daemon.stop() == 0
        mutations = self.cloud.mutations()
        copy = shutil.copytree(self.disk.here / "state", self.folder / "copy")  # SQLite follows links, out of the disk
        with sqlite3.connect(copy / "autoscaler.db") as store:
            assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found = store.execute('SELECT state, job_id FROM operations WHERE NOT "foreign"').fetchall()
        assert len(mutations) <= len(found), "no call without an intent of its own"
        accepted = sorted(one["job_id"] for one in mutations if one["accepted"])
        assert sorted(job for _, job in found if job) == accepted, "each accepted call is one operation"
        assert {state for state, job in found if not job} <= {"rejected"}
        assert "Traceback" not in self.daemon.said()


def test_before_the_start_it_says_so_and_ends_and_with_room_it_starts(tmp_path, small_disk, started):
    small_disk.fill()
    house = House.begin(HOT, small_disk, tmp_path, started)
    assert house.daemon.process.wait(30) == 1
    (line,) = house.daemon.said().splitlines()[-1:]
    assert str(small_disk.mount_point) in line
    assert "free some" in line
    assert "Traceback" not in house.daemon.said()
    assert house.cloud.mutations() == []
    small_disk.make_room()
    house.start().ready()
    house.goes_on()
    house.nothing_is_twice_and_nothing_lost()


def test_before_an_intent_nothing_is_sent_and_with_room_it_goes_on(tmp_path, small_disk, started):
    house = House.begin(HOT, small_disk, tmp_path, started)
    house.daemon.ready()
    until(house.ended, bool)
    house.fill()
    until(house.errors, bool)  # whatever was under way has had its answer by the time of the watched ones
    sent = house.cloud.mutations()
    house.fails()
    assert house.cloud.mutations() == sent
    small_disk.make_room()
    house.goes_on()
    house.nothing_is_twice_and_nothing_lost()


@pytest.fixture
def answered_while_full(tmp_path: Path, small_disk: SmallDisk, started: Callable[[Any], Any]) -> House:
    """The cloud has carried out a call, and its answer finds the disk full."""
    house = House.begin(HOT, small_disk, tmp_path, started)
    house.cloud.fault(kind="slow", **ENLARGE, seconds=5)
    until(house.cloud.mutations, bool)
    house.fill()
    until(house.daemon.log, lambda log: "an answer could not be stored; it will be looked for" in log)
    house.fails()
    assert [one["state"] for one in house.ours()] == ["planned"]
    assert len(house.cloud.mutations()) == 1
    return house


def test_an_answer_that_cannot_be_stored_is_looked_for_when_there_is_room(answered_while_full):
    house = answered_while_full
    house.disk.make_room()
    until(house.ended, bool)
    first = house.ended()[-1]
    assert (first["job_id"], first["arrived"]) == (house.cloud.mutations()[0]["job_id"], 1)
    until(lambda: house.daemon.count("operations_total", outcome="unknown"), lambda count: count == 1)
    house.goes_on()
    house.nothing_is_twice_and_nothing_lost()


def test_killed_with_an_answer_that_could_not_be_stored_the_next_start_with_room_finds_it(answered_while_full):
    house = answered_while_full
    house.daemon.kill()
    assert NO_ROOM in house.refused()
    house.disk.make_room()
    house.start().ready()
    until(house.ended, bool)
    first = house.ended()[-1]
    assert (first["job_id"], first["arrived"]) == (house.cloud.mutations()[0]["job_id"], 1)
    house.goes_on()
    house.nothing_is_twice_and_nothing_lost()


@pytest.mark.parametrize("killed", [False, True], ids=["goes on", "killed"])
def test_an_operation_that_is_followed_stays_open_and_ends_when_there_is_room(killed, tmp_path, small_disk, started):
    house = House.begin(SLOW_JOBS, small_disk, tmp_path, started)
    until(house.daemon.ready().operations, lambda found: bool(found) and found[0]["state"] == "submitted")
    house.fill()
    until(house.cloud.nodes, lambda nodes: nodes == 3)
    until(house.daemon.log, lambda log: "an operation could not be followed" in log)
    house.fails()
    assert [one["state"] for one in house.ours()] == ["submitted"]
    if killed:
        house.daemon.kill()
        assert NO_ROOM in house.refused()
    house.disk.make_room()
    if killed:
        house.start().ready()
    until(house.ended, bool)
    first = house.ended()[-1]
    assert (first["job_id"], first["arrived"]) == (house.cloud.mutations()[0]["job_id"], 1)
    house.nothing_is_twice_and_nothing_lost()


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_records_that_cannot_be_written_are_counted_errors_and_what_was_written_stays(
    killed, tmp_path, small_disk, started
):
    house = House.begin(CALM, small_disk, tmp_path, started)
    house.daemon.ready()
    until(house.decided, lambda count: count > 3)
    house.fill()
    until(house.errors, bool)
    decided, records = house.decided(), len(house.daemon.decisions())
    house.fails()
    assert (house.decided(), len(house.daemon.decisions())) == (decided, records), "what is not stored is not told"
    if killed:
        house.daemon.kill()
        assert NO_ROOM in house.refused()
    else:
        assert house.daemon.stop() == 0
        assert json.loads(house.daemon.log().splitlines()[-1])["message"] == "stopped"
    house.disk.make_room()
    house.start().ready()
    until(lambda: len(house.daemon.decisions()), lambda count: count > records + 3)
    assert {one["reason"] for one in house.daemon.decisions()} == {"within_bounds"}
    house.nothing_is_twice_and_nothing_lost()

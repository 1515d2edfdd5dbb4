"""Two real daemons on one real PostgreSQL: one leads; who is stopped, killed or cut off buys nothing twice."""

import signal
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import ENGINES_WAIT, TOKEN, EmulatedCloud, Program, RunningDaemon, policy, until, write_config
from tests.storage import postgres

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

SPEED = 300
TAKE_OVER = 30.0
"""Real seconds after a kill."""
AT_ONCE = 8.0
"""The same after a clean stop: a claim every two seconds, on a machine that does other things as well."""

HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # more than 32 nodes can carry
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
EAGER = policy(
    cooldown={"out": "10m"},
    warm_up="0s",
    nodes={"min": 2, "max": 32},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)


@dataclass
class Pair:
    """A cloud that always wants more, a database, and two daemons on it."""

    cloud: EmulatedCloud
    server: postgres.Server
    folder: Path
    environment: dict[str, str]
    daemons: list[RunningDaemon]
    started: Callable[[Program], Program]

    def start(self) -> RunningDaemon:
        """One daemon more, in a folder of its own."""
        folder = self.folder / f"daemon-{len(self.daemons) + 1}"
        write_config(folder, self.cloud, targets={"orders": EAGER}, store="sqlite:///unused.db")
        daemon = RunningDaemon(folder, self.environment)
        self.started(daemon)
        self.daemons.append(daemon)
        return daemon.ready()

    def roles(self) -> tuple[RunningDaemon, RunningDaemon]:
        """Who leads and who stands by, of the two last started that live."""
        living = [daemon for daemon in self.daemons if daemon.alive()]
        until(lambda: sorted(map(leads, living)), lambda found: found == [False, True], seconds=TAKE_OVER)
        leader, other = sorted(living, key=leads, reverse=True)
        return leader, other

    def goes_on(self, daemon: RunningDaemon) -> None:
        """It ends another operation that it began."""
        known = {one["id"] for one in daemon.operations() if ended_well(one)}
        until(lambda: {one["id"] for one in daemon.operations() if ended_well(one)} - known, bool, seconds=90)

    def nothing_twice(self, daemon: RunningDaemon) -> None:
        """Every accepted call is one operation, and no intent was sent twice; what is under way is waited for."""
        daemon.get("/-/healthy").raise_for_status()
        mutations = self.cloud.mutations()
        ours = [one for one in daemon.operations() if not one["foreign"]]
        assert len(mutations) <= len(ours), "no intent was sent twice"
        accepted = [one["job_id"] for one in mutations if one["accepted"]]
        assert len(accepted) == len(set(accepted))
        known = {one["job_id"] for one in ours if one["job_id"]}
        assert known <= set(accepted)
        assert len(set(accepted) - known) <= 1, "only the newest may be looked for"
        assert not [one for one in daemon.operations() if one["foreign"]], "nothing of ours is somebody else's"


def leads(daemon: RunningDaemon) -> bool:
    return daemon.count("leader") == 1


def ended_well(operation: dict[str, object]) -> bool:
    return operation["state"] == "succeeded"


@pytest.fixture
def pair(
    tmp_path: Path, postgresql: postgres.Server, started: Callable[[Program], Program]
) -> Generator[Pair, None, None]:
    cloud = EmulatedCloud(tmp_path / "cloud", HOT, speed=SPEED)
    started(cloud)
    url = postgresql.url(postgresql.new_database())
    environment = write_config(tmp_path / "any", cloud) | {"AUTOSCALER_STORE": url}
    made = Pair(cloud, postgresql, tmp_path, environment, [], started)
    made.start()
    made.start()
    yield made
    for daemon in made.daemons:
        if daemon.alive():
            daemon.process.send_signal(signal.SIGCONT)


def test_one_leads_and_the_other_says_who_and_takes_over_at_once_when_it_is_stopped(pair):
    leader, other = pair.roles()
    pair.goes_on(leader)
    shown = until(other.target, lambda one: one["decision"] is not None and one["decision"]["reason"] == "not_leader")
    assert str(leader.process.pid) in shown["decision"]["details"]["not_leader"]
    assert f"({leader.process.pid}) leads" in other.get("/-/ready").text
    assert [daemon.get("/-/leader").status_code for daemon in (leader, other)] == [200, 503]
    assert f"stands by:</strong> {other.get('/api/v1/targets').json()['led_by']} leads." in other.get("/").text
    assert "stands by" not in leader.get("/").text
    refused = post(other, "/api/v1/targets/orders/pause", {"reason": "mine"})
    assert (refused.status_code, f"({leader.process.pid})" in refused.text) == (409, True)
    assert leader.stop() == 0
    until(lambda: leads(other), bool, seconds=AT_ONCE)
    pair.goes_on(other)
    pair.nothing_twice(other)
    assert not [one for one in other.decisions() if one["reason"] == "not_leader"], "one history, of those who led"


def test_a_leader_that_is_killed_is_replaced_within_thirty_seconds(pair):
    pair.cloud.fault(kind="slow", service="ddm", operation="enlarge", count=None, seconds=0.5)
    leader, other = pair.roles()
    pair.goes_on(leader)
    leader.kill()
    until(lambda: leads(other), bool, seconds=TAKE_OVER)
    again = pair.start()
    assert not leads(again)
    pair.goes_on(other)
    pair.nothing_twice(other)


def test_i11_a_leader_that_was_stopped_for_a_while_cannot_act_when_it_goes_on(pair):
    pair.cloud.fault(kind="slow", service="ddm", operation="enlarge", count=None, seconds=0.5)
    for _ in range(2):
        leader, other = pair.roles()
        pair.goes_on(leader)
        leader.process.send_signal(signal.SIGSTOP)
        try:
            until(partial(leads, other), bool, seconds=TAKE_OVER)
            pair.goes_on(other)
        finally:
            leader.process.send_signal(signal.SIGCONT)
        until(partial(leads, leader), lambda found: not found, seconds=AT_ONCE)
        pair.nothing_twice(other)


def test_without_its_database_a_daemon_holds_and_answers_and_goes_on_when_it_is_back(pair):
    leader, other = pair.roles()
    pair.goes_on(leader)
    pair.server.crash()
    try:
        for daemon in (leader, other):
            until(partial(leads, daemon), lambda found: not found, seconds=TAKE_OVER)
            until(partial(daemon.count, "evaluation_errors_total", error="store_error"), bool)
            assert daemon.get("/-/healthy").status_code == 200
        sent = len(pair.cloud.mutations())
        before = leader.count("evaluation_errors_total")
        until(lambda: leader.count("evaluation_errors_total"), lambda found: found > before + 2)
        assert len(pair.cloud.mutations()) == sent
    finally:
        pair.server.start()
    leader, other = pair.roles()
    pair.goes_on(leader)
    pair.nothing_twice(leader)


@pytest.mark.parametrize("seconds", [0.2, 4.0], ids=["just now", "for a while"])
def test_while_its_database_hangs_a_daemon_stops_in_the_time_that_engines_wait(seconds, pair):
    leader, other = pair.roles()
    pair.goes_on(leader)
    with pair.server.standing_still():
        time.sleep(seconds)
        for daemon in (leader, other):
            begun = time.monotonic()
            assert daemon.stop(seconds=60) == 0
            assert time.monotonic() - begun < ENGINES_WAIT
            assert "Traceback" not in daemon.said()
    again = pair.start()
    until(lambda: leads(again), bool, seconds=TAKE_OVER)
    pair.goes_on(again)
    pair.nothing_twice(again)


def post(daemon: RunningDaemon, path: str, body: dict[str, object]) -> httpx.Response:
    return httpx.post(f"{daemon.url}{path}", json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)

"""The operator's hand on real processes: pause, restart, resume, override and its end; all the while at most once."""

import json

import httpx
import pytest

from tests.e2e.processes import (
    TOKEN,
    EmulatedCloud,
    Finished,
    RunningDaemon,
    finished,
    policy,
    until,
    write_config,
)

pytestmark = pytest.mark.process

SPEED = 300
SCENARIO = {
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than any number of nodes can carry
}
EAGER = policy(
    cooldown={"out": "1m", "in": "1m"},
    warm_up="0s",
    nodes={"min": 2, "max": 8},
    scale_in_stabilization="0s",
    rules=[
        {
            "name": "cpu",
            "type": "threshold",
            "metric": "ddm_cpu_util",
            "out": [{"above": 75, "add": 1}],
            "in": [{"below": 20, "remove": 1}],
        }
    ],
)
NEVER_OUT = EAGER | {"rules": [{key: value for key, value in EAGER["rules"][0].items() if key != "out"}]}


def by_hand(daemon: RunningDaemon, *arguments: str, token: str = TOKEN) -> Finished:
    return finished(*arguments, "--url", daemon.url, environment={"AUTOSCALER_SERVER__TOKEN": token, "LOGNAME": "ann"})


def after(records: list[dict], since: str) -> list[dict]:
    return [one for one in records if one["at"] > since]


def test_a_pause_holds_over_a_restart_until_it_is_resumed(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    environment = write_config(tmp_path, cloud, targets={"orders": EAGER | {"mode": "off"}})
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    for token, status, words in ((TOKEN + "x", 401, "is not the daemon's"), ("", 401, "none was sent")):
        refused = by_hand(daemon, "pause", "orders", token=token)
        assert (refused.code, words in refused.stderr) == (1, True)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert httpx.post(f"{daemon.url}/api/v1/pause", headers=headers).status_code == status
    unknown = by_hand(daemon, "pause", "ordrs")
    assert (unknown.code, "Did you mean orders?" in unknown.stderr) == (1, True)
    paused = by_hand(daemon, "pause", "--all", "--reason", "we move")
    assert paused.code == 0, paused.said
    assert daemon.stop() == 0

    write_config(tmp_path, cloud, targets={"orders": EAGER})
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    held = until(daemon.decisions, lambda found: sum(one["reason"] == "paused" for one in found) > 2)
    assert {one["decision"] for one in held} == {"hold"}
    assert held[0]["details"]["paused"] == (
        "all targets are paused by ann (token, from 127.0.0.1) until it is resumed: we move"
    )
    assert daemon.count("target_paused", target="orders") == 1
    alone = by_hand(daemon, "resume", "orders")
    assert (alone.code, "resume --all" in alone.stderr) == (1, True)
    assert cloud.mutations() == []

    assert by_hand(daemon, "resume", "--all").code == 0
    until(cloud.mutations, bool)
    assert daemon.stop() == 0
    at_most_once(cloud, daemon)


def test_an_override_is_reached_exactly_kept_and_ends_by_itself(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    environment = write_config(tmp_path, cloud, targets={"orders": NEVER_OUT})
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    beyond = by_hand(daemon, "override", "orders", "--nodes", "9", "--for", "2h", "--yes")
    assert (beyond.code, "it allows 2 to 8" in beyond.stderr) == (1, True)
    assert by_hand(daemon, "override", "orders", "--nodes", "5", "--for", "2h").code == 2

    until(daemon.decisions, bool)
    done = by_hand(daemon, "override", "orders", "--nodes", "5", "--for", "2h", "--yes", "--format", "json")
    assert done.code == 0, done.said
    override = json.loads(done.stdout)["override"]
    until(cloud.nodes, lambda nodes: nodes == 5)
    kept = until(
        daemon.decisions, lambda found: any(one["reason"] == "within_bounds" and "details" in one for one in found)
    )
    assert "5 nodes set by hand by ann" in kept[0]["details"]["override"]
    assert "5 nodes set by hand by ann" in by_hand(daemon, "status").stdout

    ended = until(daemon.decisions, lambda found: len(after(found, override["until"])) > 2)
    assert all("details" not in one for one in after(ended, override["until"]))
    assert daemon.target()["override"] is None
    assert daemon.count("target_override_nodes") == 0
    assert cloud.nodes() == 5
    assert [one["accepted"] for one in cloud.mutations()] == [True]
    assert daemon.stop() == 0
    at_most_once(cloud, daemon)


def at_most_once(cloud: EmulatedCloud, daemon: RunningDaemon) -> None:
    """Every call was of one intent, and no node came that was not asked for."""
    intents = daemon.log().count('"state": "planned"')
    assert len(cloud.mutations()) <= intents

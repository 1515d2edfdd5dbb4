"""Modes and APIs on real processes: observe sends nothing; v3, with an access key, names zones and nodes."""

import csv
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.processes import EmulatedCloud, RunningDaemon, policy, until, write_config

pytestmark = pytest.mark.process

SPEED = 300
FAST = {"jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"}, "metrics": {"lag": "1m"}}
HOT = FAST | {"load": {"constant": 5000, "capacity_per_node": 1}}
EAGER = policy(
    cooldown={"out": "3m", "in": "3m"},
    warm_up="0s",
    nodes={"min": 2, "max": 4},
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
PASSWORD = ("USERNAME", "PASSWORD", "DOMAIN")
ACCESS_KEY = {
    "AUTOSCALER_CLOUD__ACCESS_KEY": "EMULATORACCESSKEY",
    "AUTOSCALER_CLOUD__SECRET_KEY": "emulator-secret-key",
}


@pytest.mark.parametrize(
    ("target", "ceiling"),
    [({"mode": "observe"}, "enforce"), ({"mode": "enforce"}, "observe")],
    ids=["a target in observe", "a ceiling of observe"],
)
def test_i10_observe_goes_the_whole_way_and_sends_nothing(target, ceiling, tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", HOT, speed=SPEED))
    environment = write_config(tmp_path, cloud, targets={"orders": EAGER | target}, mode_ceiling=ceiling)
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    told = ("observe_only", "in_progress", "cooldown")
    found = until(daemon.decisions, lambda all_of_them: {one["reason"] for one in all_of_them} >= set(told))
    order = list(dict.fromkeys(one["reason"] for one in reversed(found) if one["reason"] in told))
    assert order == list(told), "as it would have been: begun, under way, cooling down"
    assert {one["decision"] for one in found} == {"hold"}
    assert {one["desired"] for one in found if one["reason"] in told} == {3}
    assert daemon.count("target_mode", target="orders", mode="observe") == 1
    assert daemon.count("operations_total") == 0
    assert daemon.stop() == 0
    assert cloud.mutations() == []


def rise_and_fall(file: Path) -> Path:
    """Two hours of far too much (more than two scale-outs and a slow start need), then a day of next to nothing."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = [500] * 120 + [1] * 24 * 60
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["timestamp", "value"])
        rows.writerows((begin + timedelta(minutes=at), value) for at, value in enumerate(minutes))
    return file


def test_v3_with_an_access_key_adds_nodes_in_zones_and_removes_them_by_name(tmp_path, started):
    load = {"file": str(rise_and_fall(tmp_path / "load.csv")), "capacity_per_node": 10}
    scenario = FAST | {"region": "eu-de", "dialect": "otc", "load": load}
    cloud = started(EmulatedCloud(tmp_path / "cloud", scenario, speed=SPEED))
    before = {node["id"] for node in cloud.state()["instances"][0]["groups"][0]["nodes"]}
    told = write_config(
        tmp_path,
        cloud,
        targets={"orders": {key: value for key, value in EAGER.items() if key != "flavor_id"}},
        in_cloud={"region": "eu-de", "dialect": "otc", "ddm_api": "v3", "credentials": "access_key"},
    )
    environment = {name: value for name, value in told.items() if name.rpartition("__")[2] not in PASSWORD} | ACCESS_KEY
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    until(cloud.nodes, lambda nodes: nodes == 4)
    until(cloud.nodes, lambda nodes: nodes == 2)
    operations = until(daemon.operations, lambda found: {one["state"] for one in found} == {"succeeded"})
    assert daemon.count("cloud_requests_total", operation="create_token") == 0
    assert daemon.stop() == 0

    mutations = cloud.mutations()
    assert [one["path"].rpartition("/")[2] for one in mutations] == ["nodes", "nodes", "batch-delete", "batch-delete"]
    assert all(one["path"].startswith("/v3/") and one["accepted"] for one in mutations)
    added = [node["available_zone"] for one in mutations[:2] for node in one["body"]["nodes"]]
    assert Counter(added).most_common(1)[0][1] == 1, "each in the zone with the fewest"
    removed = [name for one in mutations[2:] for name in one["body"]["node_ids"]]
    left = {node["id"] for node in cloud.state()["instances"][0]["groups"][0]["nodes"]}
    assert len(set(removed)) == 2
    assert not left & set(removed)
    assert len(left) == len(before)
    assert Counter(one["direction"] for one in operations) == {"out": 2, "in": 2}
    assert [one["reason"] for one in operations if one["direction"] == "in"] == ["below_threshold"] * 2

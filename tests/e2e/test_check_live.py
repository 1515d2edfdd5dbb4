"""`check --live` tells everything that would stop a scale-out, one thing not hiding another; on real processes."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import EmulatedCloud, Finished, finished, policy, write_config

pytestmark = pytest.mark.process

SCENARIO = {"load": {"constant": 1, "capacity_per_node": 1}, "metrics": {"lag": "1m"}}
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Generator[EmulatedCloud]:
    """One cloud that nothing changes."""
    emulated = EmulatedCloud(tmp_path_factory.mktemp("cloud"), SCENARIO)
    yield emulated
    assert emulated.mutations() == []
    emulated.end()


def checked(
    folder: Path, cloud: EmulatedCloud, target: dict[str, Any], *, clock: str = "", **in_cloud: Any
) -> Finished:
    endpoints = {**cloud.addresses, **in_cloud.pop("endpoints", {})}
    environment = write_config(folder, cloud, targets={"orders": target}, in_cloud={"endpoints": endpoints, **in_cloud})
    environment |= {"AUTOSCALER_CLOCK": clock} if clock else {}
    config = str(folder / "autoscaler.yaml")
    return finished("check", "--live", "--config", config, "--format", "json", environment=environment)


def found(done: Finished) -> tuple[list[str], list[str]]:
    (finding,) = json.loads(done.stdout)["live"]
    return finding["facts"], finding["stops"]


def test_what_cannot_be_read_hides_nothing_else(cloud, tmp_path):
    done = checked(tmp_path, cloud, policy(flavor_id="none"), endpoints={"rds": NOBODY, "cloud_eye": NOBODY})
    facts, stops = found(done)
    assert done.code == 1
    assert [stop.partition(" ")[0] for stop in stops] == ["metric", "RDS", "orders:"]
    assert "the cloud offers no flavor none; right for the group: " in stops[2]
    assert all(f"got no answer from {NOBODY}" in stop for stop in stops[:2])
    assert "later" not in done.stdout
    assert facts[0].startswith("instance RUNNING")


def test_a_zone_that_does_not_exist_is_not_sold_out(cloud, tmp_path):
    _, stops = found(checked(tmp_path, cloud, policy(zones=["nowhere-1a"]), ddm_api="v3"))
    assert stops == ["zone nowhere-1a does not exist here; there are: cn-north-4a, cn-north-4b, cn-north-4c"]
    _, stops = found(checked(tmp_path, cloud, policy(zones=["nowhere-1a", "cn-north-4b"]), ddm_api="v3"))
    assert stops[0].startswith("zone nowhere-1a does not exist here")


def test_clocks_that_are_apart_are_told_in_seconds_with_what_to_do(cloud, tmp_path):
    facts, (stop,) = found(checked(tmp_path, cloud, policy(), clock="2020-01-01T00:00:00Z@1.001"))
    (told,) = [fact for fact in facts if "clock" in fact]
    assert told.endswith(" s behind ours")
    assert "of at most 300 s; mend the time of this machine" in stop
    assert "AUTOSCALER_CLOCK" in stop
    assert [fact for fact in facts if "newest value of all nodes ended 1m" in fact], "by the cloud's clock"


def test_the_cpu_of_the_data_nodes_is_measured_where_max_cpu_is_set(cloud, tmp_path):
    facts, stops = found(checked(tmp_path, cloud, policy(guards={"data_nodes": {"max_cpu": 20}})))
    assert [stop.partition(" is at ")[0] for stop in stops] == ["data node rds-test"]
    assert stops[0].endswith(" % CPU, max_cpu is 20 %")
    facts, stops = found(checked(tmp_path, cloud, policy(guards={"data_nodes": {"max_cpu": 90}})))
    assert stops == []
    assert [fact for fact in facts if fact.endswith(" % CPU, max_cpu is 90 %")]
    facts, stops = found(checked(tmp_path, cloud, policy()))
    assert not [fact for fact in facts if "CPU" in fact]


def test_an_address_that_is_not_that_of_iam_is_named(cloud, tmp_path):
    done = checked(tmp_path, cloud, policy(), endpoints={"iam": cloud.addresses["ddm"]})
    assert (done.code, done.stdout) == (1, "")
    assert f"error: {cloud.addresses['ddm']} answered 404" in done.stderr
    assert "check cloud.endpoints.iam" in done.stderr

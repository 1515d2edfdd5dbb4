"""Files that change under a running daemon: by an editor, a ConfigMap's link, SIGHUP or a request; all or nothing."""

import html
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e.processes import GROUP, TOKEN, EmulatedCloud, RunningDaemon, finished, policy, until, write_config

pytestmark = pytest.mark.process

BEARER = {"Authorization": f"Bearer {TOKEN}"}
BUSY = {
    "jobs": {"enlarge": "4m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "load": {"constant": 5000, "capacity_per_node": 1},
}
EAGER_RULE = {"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}
OBSERVED = {"mode": "observe"}


def write(file: Path, targets: Mapping[str, Any], **more: Any) -> None:
    """As an editor does: another file under the old one's name."""
    new = file.with_suffix(".new")
    new.write_text(yaml.safe_dump({"targets": dict(targets), **more}))
    new.replace(file)


FILES = ["changed files"]


def lines(daemon: RunningDaemon, words: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in daemon.log().splitlines()]
    return [line for line in found if words in line["message"]]


def reload(daemon: RunningDaemon) -> httpx.Response:
    return httpx.post(f"{daemon.url}/-/reload", headers=BEARER, timeout=20)


def everywhere(daemon: RunningDaemon) -> list[str]:
    """What people and probes see."""
    pages = [html.unescape(daemon.get(path).text) for path in ("/", "/targets/orders", "/-/ready")]
    return [*pages, finished("status", "--url", daemon.url, environment={}).stdout]


def bounds(daemon: RunningDaemon, name: str = "orders") -> tuple[int, int]:
    shown = daemon.target(name)["policy"]
    return shown["min"], shown["max"]


def names(daemon: RunningDaemon) -> set[str]:
    return {one["name"] for one in daemon.get("/api/v1/targets").json()["targets"]}


def test_a_file_that_is_edited_is_obeyed_and_a_broken_one_is_not(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud"))
    environment = write_config(tmp_path, cloud, targets={"orders": policy(**OBSERVED)})
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    file = tmp_path / "policies.yaml"
    file.write_text(yaml.safe_dump({"targets": {"orders": policy(**OBSERVED, nodes={"min": 2, "max": 20})}}))
    until(lambda: bounds(daemon), lambda found: found == (2, 20))
    (told,) = lines(daemon, "the configuration was read anew")
    assert (told["cause"], told["changed"]) == ("files", "orders")
    assert lines(daemon, "orders: nodes.max was 16, is 20")

    file.write_text("targets: {orders: {nodes: {min: 3, max: 2}}}")
    until(lambda: daemon.count("config_last_reload_successful"), lambda value: value == 0)
    assert bounds(daemon) == (2, 20)
    assert lines(daemon, "nothing of it is obeyed")[0]["problems"] == len(lines(daemon, f"{file}:"))
    first = lines(daemon, f"{file}:")[0]["message"]
    until(lambda: everywhere(daemon), lambda found: all("is not obeyed" in said and first in said for said in found))
    assert daemon.get("/-/ready").status_code == 200
    before = daemon.count("config_last_reload_success_timestamp_seconds")

    daemon.process.send_signal(signal.SIGHUP)  # wrong still
    until(lambda: lines(daemon, "nothing of it is obeyed"), lambda found: len(found) == 2)
    refused = reload(daemon)
    assert refused.status_code == 422
    assert {problem["file"] for problem in refused.json()["problems"]} == {str(file)}
    assert all(problem["line"] for problem in refused.json()["problems"])

    write(file, {"orders": policy(**OBSERVED, nodes={"min": 2, "max": 9})})
    until(lambda: bounds(daemon), lambda found: found == (2, 9))
    until(lambda: daemon.count("config_last_reload_successful"), lambda value: value == 1)
    until(lambda: everywhere(daemon), lambda found: not any("is not obeyed" in said for said in found))
    for path in ("/", "/targets/orders"):
        assert "orders: nodes.max was 20, is 9" in daemon.get(path).text
    assert daemon.count("config_last_reload_success_timestamp_seconds") > before
    kept = daemon.get("/api/v1/interventions").json()["interventions"]  # the newest first
    assert [one["who"] for one in kept] == [*FILES, "token, from 127.0.0.1", "SIGHUP", *FILES, *FILES]
    assert [one["reason"].partition(":")[0] for one in kept] == ["orders", "refused", "refused", "refused", "orders"]
    assert kept[-1]["reason"] == "orders: nodes.max was 16, is 20"
    assert str(file) in kept[1]["reason"]
    assert daemon.stop() == 0


def test_a_configmap_whose_link_is_replaced_is_obeyed_as_a_whole(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud"))
    environment = write_config(tmp_path, cloud, policy_files=["mounted/*.yaml"])
    mounted = tmp_path / "mounted"
    first = {"orders.yaml": {"orders": policy(**OBSERVED, nodes={"min": 2, "max": 7})}}
    publish(mounted, "..first", first)
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    assert bounds(daemon) == (2, 7)

    second = {
        "orders.yaml": {"orders": policy(**OBSERVED, nodes={"min": 2, "max": 8})},
        "stock.yaml": {"stock": policy(mode="off", instance_id="f" * 32 + "in09", group_id=None)},
    }
    publish(mounted, "..second", second)
    until(lambda: names(daemon), lambda found: found == {"orders", "stock"})
    assert bounds(daemon) == (2, 8)
    (told,) = lines(daemon, "the configuration was read anew")
    assert (told["added"], told["changed"]) == ("stock", "orders")
    assert daemon.stop() == 0


def publish(mounted: Path, version: str, files: Mapping[str, Mapping[str, Any]]) -> None:
    """As the kubelet does: a new folder, then `..data` is replaced by a link to it; the names are links through it."""
    (mounted / version).mkdir(parents=True)
    for name, targets in files.items():
        (mounted / version / name).write_text(yaml.safe_dump({"targets": dict(targets)}))
    (mounted / "..data_tmp").symlink_to(version)
    (mounted / "..data_tmp").replace(mounted / "..data")
    for name in files:
        if not os.path.lexists(mounted / name):
            (mounted / name).symlink_to(f"..data/{name}")


def test_an_operation_of_a_target_that_is_removed_is_followed_to_its_end(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", BUSY, speed=60))
    eager = policy(rules=[EAGER_RULE], warm_up="0s", nodes={"min": 2, "max": 4})
    environment = write_config(tmp_path, cloud, targets={"orders": eager})
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    until(daemon.operations, lambda found: bool(found) and found[0]["state"] == "submitted")
    other = policy(mode="off", instance_id="f" * 32 + "in09", group_id=GROUP)
    write(tmp_path / "policies.yaml", {"stock": other})
    answer = reload(daemon)
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["added"], done["removed"], done["changed"]) == (["stock"], ["orders"], [])
    assert any("is followed to its end" in warning for warning in done["warnings"])

    assert names(daemon) == {"stock"}
    (operation,) = until(daemon.operations, lambda found: found[0]["state"] == "succeeded")
    assert (operation["target"], operation["arrived"]) == ("orders", 1)
    until(lambda: 'target="orders"' in daemon.get("/metrics").text, lambda there: not there)
    assert len(cloud.mutations()) == 1
    assert daemon.stop() == 0


def test_what_needs_a_restart_is_named_and_what_does_not_is_obeyed(tmp_path, started):
    cloud = started(EmulatedCloud(tmp_path / "cloud", speed=60))
    targets = {"orders": policy()}
    environment = write_config(tmp_path, cloud, targets=targets)
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    address = daemon.url
    write_config(
        tmp_path,
        cloud,
        targets=targets,
        server={"listen": "127.0.0.1:1"},
        store="sqlite:///elsewhere.db",
        in_cloud={"project_id": "f" * 32},
        mode_ceiling="observe",
        log={"level": "debug", "format": "json"},
        sources={"prom": {"type": "prometheus", "url": "http://127.0.0.1:1"}},
    )
    answer = reload(daemon)
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert done["needs_restart"] == ["cloud.project_id", "store", "server.listen"]
    assert {one["key"] for one in done["settings"]} >= {"mode_ceiling", "log.level", "sources.prom.url"}
    assert lines(daemon, "restart the daemon")[0]["message"].endswith("cloud.project_id, store, server.listen")
    assert daemon.target()["mode"] == "observe"
    shown = daemon.get("/api/v1/config").json()
    assert (shown["mode_ceiling"], shown["server"]["listen"]) == ("observe", "127.0.0.1:0")
    until(lambda: lines(daemon, "cloud call"), bool)
    assert daemon.url == address
    assert daemon.stop() == 0

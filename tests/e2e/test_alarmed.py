"""From the cloud to the pager: what goes wrong there is a metric, and a real Prometheus raises the alert."""

import re
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e import ports
from tests.e2e.processes import PROJECT, ROOT, EmulatedCloud, RunningDaemon, policy, until, write_config
from tests.prometheus import servers

pytestmark = pytest.mark.process

NOWHERE = dict.fromkeys(("iam", "ddm", "cloud_eye", "rds"), "http://127.0.0.1:1")
RUNBOOK = "https://git.example/runbook.md"
SPEED = 300
SCENARIO = {
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than any number of nodes can carry
}
IDLE = SCENARIO | {"load": {"constant": 1, "capacity_per_node": 1}}
EAGER = policy(
    cooldown={"out": "1m", "failed": "1m"},
    warm_up="0s",
    max_metric_age="5m",
    nodes={"min": 2, "max": 3},
    guards={"breaker": {"failures": 1}},
    rules=[
        {"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]},
        {
            "name": "never",
            "type": "threshold",
            "metric": "ddm_rw_ratio",  # the emulated cloud has none
            "on_missing_metric": "ignore",
            "out": [{"above": 75, "add": 1}],
        },
    ],
)


@pytest.fixture
def alerts(tmp_path: Path, require_tool: Callable[[str], str]) -> Generator[Callable[..., dict[str, Any]]]:
    """`alerts(address)` are the alerts of a Prometheus that scrapes it, by name; each keeps its first series."""
    with ExitStack() as running:
        urls: list[str] = []

        def raised(address: str) -> dict[str, Any]:
            if not urls:
                urls.append(running.enter_context(watching(require_tool("prometheus"), tmp_path, address)))
            found = httpx.get(f"{urls[0]}/api/v1/alerts", timeout=10, trust_env=False).json()["data"]["alerts"]
            return {one["labels"]["alertname"]: one for one in reversed(found)}

        yield raised


def watching(prometheus: str, folder: Path, address: str) -> Any:
    """With the shipped rules, but for how long something must last: `promtool` holds those to it."""
    rules = []
    for path in sorted((ROOT / "config/alerts").glob("*.yaml")):
        soon = re.sub(r"^( *for:) \d+[smh]$", r"\1 3s", path.read_text(), flags=re.MULTILINE)
        (folder / path.name).write_text(soon)
        rules.append(str(folder / path.name))
    config = {
        "global": {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
            "external_labels": {"runbook": RUNBOOK},
        },
        "rule_files": rules,
        "scrape_configs": [{"job_name": "ddm-autoscaler", "static_configs": [{"targets": [address]}]}],
    }
    (folder / "prometheus").mkdir()
    return servers.real(prometheus, folder / "prometheus", ports.consecutive_free_ports(1), yaml.safe_dump(config))


def firing(raised: dict[str, Any]) -> set[str]:
    return {name for name, one in raised.items() if one["state"] == "firing"}


def test_a_daemon_that_is_not_signed_in_goes_on_telling_what_it_tries(tmp_path, started, alerts):
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, NOWHERE, in_cloud={"project_id": PROJECT})))
    first = daemon.count("cloud_requests_total", service="iam")
    until(lambda: daemon.count("cloud_requests_total", service="iam"), lambda count: count > first)

    address = daemon.url.removeprefix("http://")
    raised = until(lambda: alerts(address), lambda found: firing(found) >= {"AutoscalerNoCycle"})
    assert "AutoscalerDown" not in firing(raised)


def test_a_failure_that_opens_the_breaker_and_a_metric_that_is_missing_raise_their_alerts(tmp_path, started, alerts):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    cloud.fault(kind="failed_job", service="ddm", operation="enlarge", count=None)
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": EAGER}))).ready()
    until(lambda: daemon.count("breaker_open", target="orders", direction="out"), lambda value: value == 1)

    address = daemon.url.removeprefix("http://")
    expected = {"AutoscalerBreakerOpen", "AutoscalerOperationFailing", "AutoscalerMetricMissing"}
    raised = until(lambda: alerts(address), lambda found: expected <= firing(found))
    failing = raised["AutoscalerOperationFailing"]
    assert re.fullmatch(r"Operations \(out\) of orders fail: \d in a row\.", failing["annotations"]["summary"])
    missing = raised["AutoscalerMetricMissing"]["labels"]
    assert (missing["target"], missing["rule"]) == ("orders", "never")


def test_a_target_at_its_max_that_wants_more_raises_its_alert(tmp_path, started, alerts):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": EAGER}))).ready()
    until(cloud.nodes, lambda nodes: nodes == 3)

    address = daemon.url.removeprefix("http://")
    raised = until(lambda: alerts(address), lambda found: "AutoscalerAtMaxAndHot" in firing(found))
    labels = raised["AutoscalerAtMaxAndHot"]["labels"]
    assert (labels["target"], labels["severity"]) == ("orders", "critical")
    assert not {"AutoscalerOperationFailing", "AutoscalerBreakerOpen", "AutoscalerUnknownOutcome"} & raised.keys()


def test_what_the_cloud_refuses_for_ever_raises_its_alerts_and_stands_on_the_page(tmp_path, started, alerts):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    cloud.fault(kind="http_404", service="ddm", operation="enlarge", count=None)
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": EAGER}))).ready()

    address, expected = daemon.url.removeprefix("http://"), {"AutoscalerOperationsRefused", "AutoscalerHeldBack"}
    raised = until(lambda: alerts(address), lambda found: expected <= firing(found))
    refused, held_back = (raised[name] for name in ("AutoscalerOperationsRefused", "AutoscalerHeldBack"))
    assert re.fullmatch(r"Operations \(out\) of orders are refused: \d+ in a row\.", refused["annotations"]["summary"])
    said = held_back["annotations"]["summary"]
    assert said == "orders wants more nodes and gets none (out, above_threshold)."
    assert held_back["annotations"]["runbook_url"] == f"{RUNBOOK}#autoscalerheldback"
    assert not {"AutoscalerOperationFailing", "AutoscalerBreakerOpen", "AutoscalerUnknownOutcome"} & raised.keys()
    assert daemon.target()["refused"]["times"] >= 3
    page = daemon.get("/").text
    assert 'class="row alarm"' in page
    assert "scaling out was refused" in page
    assert cloud.nodes() == 2


HOLDS: dict[str, dict[str, Any]] = {
    "sold_out": {"kind": "sold_out"},
    "data_node_busy": {"kind": "data_node_busy", "seconds": 1e6},
}


@pytest.mark.parametrize(("reason", "fault"), HOLDS.items(), ids=HOLDS)
def test_what_holds_nodes_back_that_are_wanted_raises_its_alert_with_the_reason(
    tmp_path, started, alerts, reason, fault
):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    cloud.fault(**fault)
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": EAGER}))).ready()

    address = daemon.url.removeprefix("http://")
    raised = until(lambda: alerts(address), lambda found: "AutoscalerHeldBack" in firing(found))
    assert raised["AutoscalerHeldBack"]["labels"]["severity"] == "critical"
    said = raised["AutoscalerHeldBack"]["annotations"]["summary"]
    assert said == f"orders wants more nodes and gets none (hold, {reason})."
    assert not {"AutoscalerAtMaxAndHot", "AutoscalerOperationsRefused"} & raised.keys()


@pytest.mark.parametrize(("kind", "direction"), [("foreign_scale_out", "out"), ("foreign_scale_in", "in")])
def test_a_change_by_somebody_else_raises_its_alert(tmp_path, started, alerts, kind, direction):
    cloud = started(EmulatedCloud(tmp_path / "cloud", IDLE, speed=SPEED))
    quiet = EAGER | {"nodes": {"min": 1, "max": 3}}
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": quiet}))).ready()
    until(lambda: daemon.count("target_nodes", kind="current"), lambda count: count == 2)
    address = daemon.url.removeprefix("http://")
    until(
        lambda: alerts(address), lambda found: "AutoscalerMetricMissing" in firing(found)
    )  # it has scraped the 0, too
    cloud.fault(kind=kind)

    raised = until(lambda: alerts(address), lambda found: "AutoscalerForeignChange" in firing(found))
    labels = raised["AutoscalerForeignChange"]["labels"]
    assert (labels["target"], labels["direction"], labels["severity"]) == ("orders", direction, "warning")
    assert daemon.count("foreign_changes_total", target="orders", direction=direction) == 1
    assert "AutoscalerFlapping" not in raised

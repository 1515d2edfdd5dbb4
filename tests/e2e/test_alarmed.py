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
SPEED = 300
SCENARIO = {
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "load": {"constant": 5000, "capacity_per_node": 1},  # far more than any number of nodes can carry
}
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
    rules = [str(path) for path in sorted((ROOT / "config/alerts").glob("*.yaml"))]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": rules,
        "scrape_configs": [{"job_name": "ddm-autoscaler", "static_configs": [{"targets": [address]}]}],
    }
    (folder / "prometheus").mkdir()
    return servers.real(prometheus, folder / "prometheus", ports.consecutive_free_ports(1), yaml.safe_dump(config))


def test_a_daemon_that_is_not_signed_in_goes_on_telling_what_it_tries(tmp_path, started, alerts):
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, NOWHERE, in_cloud={"project_id": PROJECT})))
    first = daemon.count("cloud_requests_total", service="iam")
    until(lambda: daemon.count("cloud_requests_total", service="iam"), lambda count: count > first)

    address = daemon.url.removeprefix("http://")
    raised = until(lambda: alerts(address), lambda found: "AutoscalerNoCycle" in found)
    assert raised["AutoscalerNoCycle"]["state"] == "pending"
    assert "AutoscalerDown" not in raised


def test_a_failure_that_opens_the_breaker_and_a_metric_that_is_missing_raise_their_alerts(tmp_path, started, alerts):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    cloud.fault(kind="failed_job", service="ddm", operation="enlarge", count=None)
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": EAGER}))).ready()
    until(lambda: daemon.count("breaker_open", target="orders", direction="out"), lambda value: value == 1)

    address = daemon.url.removeprefix("http://")
    expected = {"AutoscalerBreakerOpen", "AutoscalerOperationFailing", "AutoscalerMetricMissing"}
    raised = until(lambda: alerts(address), lambda found: expected <= found.keys())
    failing = raised["AutoscalerOperationFailing"]
    assert failing["state"] == "firing"
    assert re.fullmatch(r"Operations \(out\) of orders fail: \d in a row\.", failing["annotations"]["summary"])
    missing = raised["AutoscalerMetricMissing"]["labels"]
    assert (missing["target"], missing["rule"]) == ("orders", "never")


def test_a_target_at_its_max_that_wants_more_raises_its_alert(tmp_path, started, alerts):
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO, speed=SPEED))
    daemon = started(RunningDaemon(tmp_path, write_config(tmp_path, cloud, targets={"orders": EAGER}))).ready()
    until(cloud.nodes, lambda nodes: nodes == 3)

    address = daemon.url.removeprefix("http://")
    raised = until(lambda: alerts(address), lambda found: "AutoscalerAtMaxAndHot" in found)
    labels = raised["AutoscalerAtMaxAndHot"]["labels"]
    assert (labels["target"], labels["severity"]) == ("orders", "critical")
    assert not {"AutoscalerOperationFailing", "AutoscalerBreakerOpen", "AutoscalerUnknownOutcome"} & raised.keys()

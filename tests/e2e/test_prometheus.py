"""A real Prometheus scrapes a real exporter; the daemon asks it, scales out on what it says, and lives without it."""

import re
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.e2e import ports
from tests.e2e.processes import FLAVOR, EmulatedCloud, RunningDaemon, finished, policy, until, write_config
from tests.prometheus import servers

pytestmark = pytest.mark.process

QUERY = 'max(latency_seconds{db="orders"})'
SCENARIO = {"jobs": {"enlarge": "2s", "reduce": "2s", "status_delay": "1s"}, "metrics": {"lag": "1m"}}


class Exporter:
    """The latency of a database, and the load of its nodes, as an application would tell them."""

    def __init__(self) -> None:
        self.latency = 0.1
        self.nodes: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805 - the library's name; `self` is the exporter
                body = self._page().encode()
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(body)))
                handler.end_headers()
                handler.wfile.write(body)

            def log_message(handler, *_: object) -> None:  # noqa: N805 - as above
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def _page(self) -> str:
        lines = [f'latency_seconds{{db="orders",pod="p{place}"}} {self.latency / place}' for place in (1, 2)]
        lines += [f'load{{node_id="{node}"}} 50' for node in [*self.nodes, "of-another-group"]]
        return "\n".join(lines) + "\n"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def exporter() -> Generator[Exporter]:
    made = Exporter()
    yield made
    made.stop()


@pytest.fixture
def prometheus(
    tmp_path: Path, exporter: Exporter, require_tool: Callable[[str], str]
) -> Generator[tuple[str, ExitStack]]:
    """Its address, and how to end it before the test does."""
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "app", "static_configs": [{"targets": [exporter.address]}]}],
    }
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with ExitStack() as running:
        port = ports.consecutive_free_ports(1)
        yield (
            running.enter_context(servers.real(require_tool("prometheus"), folder, port, yaml.safe_dump(config))),
            running,
        )


def target(*metrics: dict[str, Any]) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [
        {
            "name": f"rule {place}",
            "type": "threshold",
            "metric": {"source": "prom", "period": "1s"} | metric,
            "out": [{"above": 1, "for": "3s", "add": 1}],
        }
        for place, metric in enumerate(metrics)
    ]
    return policy(interval="1s", max_metric_age="5s", nodes={"min": 2, "max": 3}, rules=rules)


def test_a_query_scales_the_group_out_and_without_its_server_it_holds(tmp_path, started, exporter, prometheus):
    url, running = prometheus
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO))
    sources = {"prom": {"type": "prometheus", "url": url}}
    environment = write_config(tmp_path, cloud, targets={"orders": target({"query": QUERY})}, sources=sources)
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    calm = until(daemon.decisions, lambda found: bool(found) and found[0]["rules"][0].get("value") is not None)[0]
    assert (calm["reason"], calm["rules"][0]["value"]) == ("within_bounds", 0.1)
    assert cloud.mutations() == []

    exporter.latency = 2.5
    until(cloud.nodes, lambda nodes: nodes == 3)
    (out,) = [one for one in daemon.decisions() if one["decision"] == "out"]
    assert (out["reason"], out["change"], out["rules"][0]["value"]) == ("above_threshold", 1, 2.5)
    assert len(cloud.mutations()) == 1
    assert daemon.count("metric_value", target="orders", rule="rule 0") == 2.5
    assert daemon.count("cloud_requests_total", service="prometheus", operation="query_range", code="200") > 3

    running.close()
    until(lambda: daemon.decisions(limit=1)[0]["reason"], lambda reason: reason == "stale_data")
    assert daemon.count("cloud_requests_total", service="prometheus", code="Unavailable") > 0
    assert daemon.count("evaluation_errors_total") == 0
    assert daemon.get("/-/healthy").status_code == 200
    assert daemon.get("/api/v1/config").json()["sources"]["prom"]["url"] == url
    assert daemon.stop() == 0


def test_check_live_tells_what_each_query_finds(tmp_path, started, exporter, prometheus):
    url, _ = prometheus
    cloud = started(EmulatedCloud(tmp_path / "cloud", SCENARIO))
    exporter.nodes = [node["id"] for node in cloud.state()["instances"][0]["groups"][0]["nodes"]]

    sources = {"prom": {"type": "prometheus", "url": url}}
    queries = target(
        {"query": QUERY},
        {"query": "load", "node_label": "node_id"},
        {"query": "load", "node_label": "pod"},
        {"query": "load"},
        {"query": "never"},
        {"query": "label_replace(load, 'id', 'x-$1', 'node_id', '(.*)')", "node_label": "id"},
    )
    environment = write_config(tmp_path, cloud, targets={"orders": queries}, sources=sources)
    config = str(tmp_path / "autoscaler.yaml")
    until(
        lambda: httpx.get(f"{url}/api/v1/query", params={"query": "load"}, timeout=10).json()["data"]["result"],
        lambda series: len(series) == 3,
    )
    said = finished("check", "--live", "--config", config, environment=environment).said
    seconds = r"\d+s ago\b"
    assert re.search(re.escape(f"metric {QUERY}: 1 series, newest value ended ") + seconds, said)
    of_all = "metric load: 3 series, 2 of them of ready nodes, newest value of all nodes ended "
    assert re.search(of_all + seconds, said)
    assert "stop: metric load: prom query 'load' gives a series without the label pod (" in said
    assert "stop: metric load: prom query 'load' gives 3 series (" in said
    assert "stop: metric never: no series with a value in the last hour; try the query at prom" in said
    assert "0 of 2 nodes had a value in the last hour, the label id has x-" in said


# The daemon's own Prometheus: the load of one target, as the daemon tells it, scales another.

BUSY, IDLE = "busyin09", "idlein09"
CHAIN = SCENARIO | {
    "instances": [
        {"id": name, "groups": [{"id": f"{name}-gr09", "flavor": FLAVOR, "nodes": 2, "load_share": share}]}
        for name, share in ((BUSY, 1.0), (IDLE, 0.0))
    ],
    "load": {"constant": 180, "capacity_per_node": 100},
}
OF_THE_OTHER = 'max(autoscaler_metric_value{job="ddm-autoscaler", target="orders", rule="cpu"})'


def one_after_the_other() -> dict[str, Any]:
    """Nothing but the query wants anything of stock; orders is only looked at."""
    busy = policy(instance_id=BUSY, group_id=f"{BUSY}-gr09", mode="observe")
    rule = {
        "name": "orders is busy",
        "type": "threshold",
        "metric": {"source": "prom", "query": OF_THE_OTHER, "period": "1s"},
        "out": [{"above": 75, "for": "3s", "add": 1}],
    }
    idle = policy(
        instance_id=IDLE, group_id=f"{IDLE}-gr09", interval="1s", max_metric_age="30s", nodes={"min": 2, "max": 3}
    )
    return {"orders": busy, "stock": idle | {"rules": [rule]}}


def test_the_prometheus_that_scrapes_the_daemon_drives_a_scale_out(tmp_path, started, require_tool):
    port = ports.consecutive_free_ports(1)
    cloud = started(EmulatedCloud(tmp_path / "cloud", CHAIN))
    sources = {"prom": {"type": "prometheus", "url": f"http://127.0.0.1:{port}"}}
    environment = write_config(tmp_path, cloud, targets=one_after_the_other(), sources=sources)
    daemon = started(RunningDaemon(tmp_path, environment)).ready()
    until(lambda: daemon.decisions("stock", limit=1), lambda found: bool(found) and found[0]["reason"] == "no_data")
    assert cloud.mutations() == []

    scrape = {"job_name": "ddm-autoscaler", "static_configs": [{"targets": [daemon.url.removeprefix("http://")]}]}
    config = yaml.safe_dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]})
    (tmp_path / "prometheus").mkdir()
    with servers.real(require_tool("prometheus"), tmp_path / "prometheus", port, config) as url:
        until(lambda: by_group(cloud), lambda nodes: nodes == {BUSY: 2, IDLE: 3})
        asked = httpx.get(f"{url}/api/v1/query", params={"query": OF_THE_OTHER}, timeout=10, trust_env=False).json()

    (out,) = [one for one in daemon.decisions("stock") if one["decision"] == "out"]
    told = {one["rules"][0]["value"] for one in daemon.decisions("orders")}  # one a minute
    assert (out["reason"], out["change"]) == ("above_threshold", 1)
    assert {out["rules"][0]["value"], float(asked["data"]["result"][0]["value"][1])} <= told
    assert [one["path"].split("/")[4] for one in cloud.mutations()] == [IDLE]


def by_group(cloud: EmulatedCloud) -> dict[str, int]:
    return {one["id"]: len(one["groups"][0]["nodes"]) for one in cloud.state()["instances"]}

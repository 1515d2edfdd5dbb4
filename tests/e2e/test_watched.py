"""A real Prometheus watches the running demo: its pages, the shipped alert rules, and every query of the dashboards.

Beside the demo, in which all goes well, runs a daemon to which things happen, so that no query is left without data.
"""

import operator
import re
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.config import dashboards
from tests.e2e import ports
from tests.e2e.processes import ROOT, TOKEN, EmulatedCloud, Program, RunningDaemon, policy, until, write_config
from tests.prometheus import servers
from tests.webhooks.receiver import SECRET, receiving

P = TypeVar("P", bound=Program)

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

RULES = sorted((ROOT / "config/alerts").glob("*.yaml"))

FLEET = {"limits": {"nodes": 20, "added_per_hour": 8}, "budget": {"node_hours_per_day": 400, "warn_at": "80%"}}
TARGET = policy(cooldown={"out": "1m"}, warm_up="0s")
SCENARIO = {
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
    "load": {"constant": 1, "capacity_per_node": 1},
}


@dataclass(frozen=True)
class Watched:
    """The demo, and the Prometheus that scrapes it every second, and the eventful daemon too."""

    demo: Program
    page: str
    prometheus: str

    @property
    def instance(self) -> str:
        """The demo's."""
        return self.page.removeprefix("http://").removesuffix("/metrics")

    def ask(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.prometheus}/api/v1/{path}", params=parameters, timeout=10, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["data"]

    def result(self, query: str) -> list[dict[str, Any]]:
        return list(self.ask("query", query=query)["result"])


def metrics_address(demo: Program) -> str:
    found = until(lambda: re.search(r"^metrics +http://(\S+)/metrics$", demo.stderr.read_text(), re.MULTILINE), bool)
    assert found is not None
    return found.group(1)


@contextmanager
def running(program: P) -> Iterator[P]:
    try:
        yield program
    finally:
        program.end()


@contextmanager
def eventful(folder: Path) -> Iterator[str]:
    """The address of a daemon whose nodes are set by hand, whose reads fail for a while, and who tells two webhooks.

    One of those answers 500. The daemon has a fleet with limits and a budget.
    """
    with ExitStack() as stack:
        works = stack.enter_context(receiving())
        fails = stack.enter_context(receiving(lambda _: 500))
        cloud = stack.enter_context(running(EmulatedCloud(folder / "cloud", SCENARIO, speed=120)))
        webhooks = [{"name": "pager", "url": works.url}, {"name": "broken", "url": fails.url}]
        environment = write_config(folder, cloud, webhooks=webhooks)
        secrets = {f"AUTOSCALER_WEBHOOKS__{name}__SECRET": SECRET for name in ("PAGER", "BROKEN")}
        (folder / "policies.yaml").write_text(yaml.safe_dump({"fleet": FLEET, "targets": {"orders": TARGET}}))
        daemon = stack.enter_context(running(RunningDaemon(folder, environment | secrets))).ready()
        wish = {"nodes": 3, "for": "30d", "reason": "to be seen"}
        override = f"{daemon.url}/api/v1/targets/orders/override"
        httpx.post(override, json=wish, headers={"Authorization": f"Bearer {TOKEN}"}).raise_for_status()
        until(cloud.nodes, lambda nodes: nodes == 3)
        cloud.fault(kind="http_404", service="ddm", operation="show_instance", count=3)
        until(lambda: daemon.count("evaluation_errors_total"), bool)
        yield daemon.url.removeprefix("http://")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Generator[Watched]:
    prometheus, folder = require_tool("prometheus"), tmp_path_factory.mktemp("watched")
    demo = Program(["demo", "--listen", "127.0.0.1:0"], folder / "demo", name="demo")
    with running(demo), eventful(folder / "eventful") as other:
        address = metrics_address(demo)
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in RULES],
            "scrape_configs": [{"job_name": "ddm-autoscaler", "static_configs": [{"targets": [address, other]}]}],
        }
        (folder / "prometheus").mkdir()
        port = ports.consecutive_free_ports(1)
        with servers.real(prometheus, folder / "prometheus", port, yaml.safe_dump(config)) as url:
            yield Watched(demo, f"http://{address}/metrics", url)


@pytest.fixture(scope="module")
def day(watched: Watched) -> Watched:
    """After nodes have come, and Prometheus has seen the count of that rise."""
    risen = 'increase(autoscaler_operations_total{direction="out",outcome="succeeded"}[5m]) > 0'
    until(lambda: watched.result(risen), bool, seconds=150, every=0.5)
    return watched


def test_the_scrape_is_up_and_what_it_reads_is_what_the_page_says(watched):
    until(lambda: watched.result("up == 1"), lambda found: len(found) == 2)
    targets = {one["scrapeUrl"]: (one["health"], one["lastError"]) for one in watched.ask("targets")["activeTargets"]}

    assert targets[watched.page] == ("up", "")
    least_nodes = f'autoscaler_target_nodes{{target="orders", kind="min", instance="{watched.instance}"}}'
    (least,) = until(lambda: watched.result(least_nodes), bool)
    assert least["value"][1] == "2"


@pytest.mark.parametrize("accept", ["", "text/plain;version=0.0.4", "*/*"], ids=["nothing", "text", "anything"])
def test_promtool_finds_nothing_to_say_of_the_text_page(day, accept, require_tool):
    answer = httpx.get(day.page, headers={"Accept": accept}, timeout=10, trust_env=False)
    checked = subprocess.run(
        [require_tool("promtool"), "check", "metrics"], input=answer.content, capture_output=True, check=False
    )

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
    assert sum(1 for _ in text_string_to_metric_families(answer.text)) > 20


def test_prometheus_own_header_is_answered_in_openmetrics(watched):
    """What Debian's Prometheus sends; the scrape above shows that it can read the answer."""
    accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain"
    answer = httpx.get(watched.page, headers={"Accept": accept}, timeout=10, trust_env=False)

    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_the_shipped_alert_rules_are_loaded_evaluated_and_silent_about_the_daemon(day):
    shipped = {
        rule["alert"]
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    }
    groups = until(
        lambda: day.ask("rules")["groups"],
        lambda found: all(rule["health"] != "unknown" for group in found for rule in group["rules"]),
    )
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}

    assert set(rules) == shipped
    assert {name: rule.get("lastError", "") for name, rule in rules.items() if rule["health"] != "ok"} == {}
    until(lambda: raised_about_the_daemon(day), operator.not_)  # one scrape that a busy machine missed is over soon


def raised_about_the_daemon(day: Watched) -> list[str]:
    """The alerts of its own group, pending ones, too: most have to last longer than any test."""
    groups = [group for group in day.ask("rules")["groups"] if group["name"] == "ddm-autoscaler-daemon"]
    raised = [
        (rule["name"], one["labels"]["instance"])
        for group in groups
        for rule in group["rules"]
        for one in rule["alerts"]
    ]
    return [name for name, instance in raised if instance == day.instance]


@pytest.mark.parametrize("query", list(dashboards.queries()), ids=lambda query: query.name)
def test_a_query_of_a_dashboard_returns_data(day, query):
    if query.panel == "annotation":  # there only at the moment in which something happened
        expr = f"last_over_time(({query.expr})[5m:1s])"
        until(lambda: day.result(expr), bool)
        return
    until(lambda: day.result(query.expr), numbers)


def numbers(result: list[dict[str, Any]]) -> bool:
    """Whether there is a series, and any of them has a number."""
    return any(one["value"][1] != "NaN" for one in result)


@pytest.mark.parametrize(("name", "series", "label"), list(dashboards.variables()))
def test_a_variable_of_a_dashboard_has_values(day, name, series, label):
    expr = dashboards.Query("", "", "", series).expr
    values = {one["metric"].get(label) for one in until(lambda: day.result(expr), bool)}

    assert values == {{"job": "ddm-autoscaler", "target": "orders"}[label]}


def test_the_demo_is_watched_without_errors_of_its_own(day):
    log = Path(day.demo.stderr).read_text()

    assert "Traceback" not in log

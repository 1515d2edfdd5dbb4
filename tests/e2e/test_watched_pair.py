"""A real Prometheus watches two daemons on one store: nothing that the shipped boards and alerts say is said twice."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import pytest
import yaml

from tests.config import dashboards
from tests.e2e import ports
from tests.e2e.processes import ROOT, EmulatedCloud, RunningDaemon, policy, until, write_config
from tests.prometheus import servers
from tests.storage import postgres

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

SPEED = 300
FULL = 3
HOT = {
    "load": {"constant": 5000, "capacity_per_node": 1},  # more than so many nodes can carry
    "jobs": {"enlarge": "1m", "reduce": "1m", "status_delay": "10s"},
    "metrics": {"lag": "1m"},
}
EAGER = policy(
    cooldown={"out": "1m"},
    warm_up="0s",
    nodes={"min": 2, "max": FULL},
    rules=[{"name": "cpu", "type": "threshold", "metric": "ddm_cpu_util", "out": [{"above": 75, "add": 1}]}],
)
FLEET = {"limits": {"nodes": 40, "added_per_hour": 10}, "budget": {"node_hours_per_day": 4000, "warn_at": "80%"}}

SAME = ("Targets", "Nodes", "Operations open", "Paused", "Nodes against the fleet's limit", "Mode", "Ready", "Desired")
"""Panels whose numbers stand still here; of the others it is asked how many series they have, and of what."""


@dataclass(frozen=True)
class WatchedPair:
    """Two daemons, of which `leader` leads, and the Prometheus that scrapes both every second."""

    leader: str  # its instance
    other: str
    prometheus: str

    def ask(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.prometheus}/api/v1/{path}", params=parameters, timeout=10, trust_env=False)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["data"]

    def result(self, query: str, at: str = "") -> list[tuple[dict[str, str], str]]:
        found = self.ask("query", query=query, **({"time": at} if at else {}))["result"]
        return sorted(((one["metric"], one["value"][1]) for one in found), key=str)


@pytest.fixture(scope="module")
def pair(
    tmp_path_factory: pytest.TempPathFactory, postgresql: postgres.Server, require_tool: Callable[[str], str]
) -> Generator[WatchedPair]:
    prometheus, folder = require_tool("prometheus"), tmp_path_factory.mktemp("pair")
    cloud = EmulatedCloud(folder / "cloud", HOT, speed=SPEED)
    url = postgresql.url(postgresql.new_database())
    daemons: list[RunningDaemon] = []
    try:
        for name in ("first", "second"):
            environment = write_config(folder / name, cloud, store="sqlite:///unused.db") | {"AUTOSCALER_STORE": url}
            (folder / name / "policies.yaml").write_text(yaml.safe_dump({"targets": {"orders": EAGER}, "fleet": FLEET}))
            daemons.append(RunningDaemon(folder / name, environment))
            daemons[-1].ready()
        until(cloud.nodes, lambda nodes: nodes == FULL)
        for daemon in daemons:
            until(partial(daemon.count, "target_nodes", kind="current"), lambda count: count == FULL)
        until(lambda: sorted(daemon.count("leader") for daemon in daemons), lambda found: found == [0, 1])
        leader, other = sorted(daemons, key=lambda daemon: daemon.count("leader"), reverse=True)
        addresses = [daemon.url.removeprefix("http://") for daemon in (leader, other)]
        with servers.real(prometheus, folder, ports.consecutive_free_ports(1), configuration(addresses)) as asked:
            made = WatchedPair(addresses[0], addresses[1], asked)
            until(lambda: made.result("count_over_time(autoscaler_leader[1m]) > 5"), lambda found: len(found) == 2)
            yield made
    finally:
        for daemon in daemons:
            daemon.end()
        cloud.end()


def configuration(addresses: list[str]) -> str:
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(path) for path in sorted((ROOT / "config/alerts").glob("*.yaml"))],
        "scrape_configs": [{"job_name": "ddm-autoscaler", "static_configs": [{"targets": addresses}]}],
    }
    return yaml.safe_dump(config)


def of_the_leader(pair: WatchedPair, expr: str) -> str:
    return expr.replace('job=~"ddm-autoscaler"', f'job=~"ddm-autoscaler", instance="{pair.leader}"')


@pytest.mark.parametrize(
    "query",
    [query for query in dashboards.queries() if query.board in ("fleet", "target") and query.panel != "annotation"],
    ids=lambda query: query.name,
)
def test_the_one_that_stands_by_changes_no_answer_of_a_dashboard(pair, query):
    at = str(time.time())  # the same moment for both
    alone, both = pair.result(of_the_leader(pair, query.expr), at), pair.result(query.expr, at)

    assert [labels for labels, _ in both] == [labels for labels, _ in alone]
    if query.panel in SAME:
        assert both == alone


def test_the_boards_of_the_pair_have_something_to_compare(pair):
    boards = {query.name: query.expr for query in dashboards.queries()}

    assert pair.result(boards["fleet: Nodes"]) == [({}, str(FULL))]
    assert pair.result(boards["fleet: Targets"]) == [({}, "1")]
    (decided, _), *more = pair.result(boards["fleet: Targets: Decided at"])
    assert (decided["reason"], more) == ("at_max", [])
    assert len(pair.result("autoscaler_target_last_decision_timestamp_seconds")) == 2


def test_an_alert_is_raised_once_and_by_the_one_that_leads(pair):
    raised = until(
        lambda: [one["labels"] for one in pair.ask("alerts")["alerts"]],
        lambda found: any(one["alertname"] == "AutoscalerAtMaxAndHot" for one in found),
    )

    at_max = [one["instance"] for one in raised if one["alertname"] == "AutoscalerAtMaxAndHot"]
    assert at_max == [pair.leader]
    assert not [one for one in raised if one["instance"] == pair.other and "target" in one]

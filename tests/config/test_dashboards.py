"""The shipped dashboards: laid out without gaps in meaning, and every query one that Prometheus can parse."""

import itertools
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.config import dashboards

METRICS = (dashboards.CHECKOUT / "docs/metrics.md").read_text()
FILES = pytest.mark.parametrize("path", dashboards.FILES, ids=lambda path: path.stem)


def panels(path: Path) -> list[dict[str, Any]]:
    return [panel for panel in dashboards.read(path)["panels"] if panel["type"] != "row"]


def test_there_is_one_for_the_fleet_a_target_and_the_daemon():
    boards = {path.stem: dashboards.read(path) for path in dashboards.FILES}

    assert {name: board["uid"] for name, board in boards.items()} == {
        name: f"ddm-autoscaler-{name}" for name in ("fleet", "target", "daemon")
    }
    assert all(board["schemaVersion"] >= 39 for board in boards.values())


@FILES
def test_the_data_source_is_chosen_and_nowhere_fixed(path):
    board = dashboards.read(path)
    first = board["templating"]["list"][0]

    assert (first["name"], first["type"], first["query"]) == ("datasource", "datasource", "prometheus")
    uids = re.findall(r'"datasource": \{[^}]*"uid": "([^"]*)"', path.read_text())
    assert set(uids) == {"${datasource}"}


@FILES
def test_a_panel_says_what_it_shows_and_in_which_unit(path):
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


@FILES
def test_panels_lie_beside_each_other_within_the_width(path):
    board = dashboards.read(path)["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in board:
        at = panel["gridPos"]
        cells = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in board}) == len(board)


@FILES
def test_each_query_is_of_the_chosen_job_and_target(path):
    names = {one["name"] for one in dashboards.read(path)["templating"]["list"]}
    for query in dashboards.queries():
        if query.board == path.stem:
            selectors = re.findall(r"\b(?:autoscaler|process)_\w+\{([^}]*)\}|\bup\{([^}]*)\}", query.written)
            assert selectors, query.name
            assert all('job=~"$job"' in "".join(one) for one in selectors), query.name
            assert set(re.findall(r"\$(\w+)", query.written)) <= names | {"__rate_interval"}, query.name


def test_queries_ask_only_for_metrics_that_there_are():
    asked = {name for query in dashboards.queries() for name in re.findall(r"\bautoscaler_\w+", query.expr)}
    families = {re.sub(r"_bucket$", "", name) for name in asked}

    assert families <= set(re.findall(r"`(autoscaler_\w+)`", METRICS))


def test_each_metric_is_shown_on_one_of_them():
    asked = " ".join(query.expr for query in dashboards.queries())

    assert [name for name in re.findall(r"^\| `(autoscaler_\w+)`", METRICS, re.MULTILINE) if name not in asked] == []


def test_promtool_parses_every_query(tmp_path, require_tool):
    """As recording rules, since Debian's promtool has no other way to be given an expression."""
    rules = [{"record": f"query:{place}", "expr": one.expr} for place, one in enumerate(dashboards.queries())]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run(
        [require_tool("promtool"), "check", "rules", tmp_path / "rules.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout

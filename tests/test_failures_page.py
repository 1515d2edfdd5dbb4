"""docs/failures.md names what there is: every fault of the simulated days, and reasons, errors, metrics and alerts.

And each alert that a row names does fire on the series that its reason and its metric stand for.
"""

import re
from pathlib import Path

import pytest
import yaml

from autoscaler import errors
from autoscaler.core.decision import Reason
from autoscaler.telemetry import error_name
from tests import told_series
from tests.simulation.plans import FAULTS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/failures.md").read_text(encoding="utf-8")
COLUMNS = 5


def rows() -> list[list[str]]:
    """The cells of each fault."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


ROWS = rows()
NAMES = [row[0].split(":")[0] for row in ROWS]


def tree(of: type[errors.AutoscalerError]) -> set[str]:
    """The names of an error and of its kinds, as labels."""
    return {error_name.of(_made(of))} | {name for kind in of.__subclasses__() for name in tree(kind)}


def _made(of: type[errors.AutoscalerError]) -> errors.AutoscalerError:
    return errors.BadConfig([]) if of is errors.BadConfig else of("")


def alerts() -> set[str]:
    files = (ROOT / "config/alerts").glob("*.yaml")
    groups = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return {rule["alert"] for group in groups for rule in group["rules"]}


def test_every_fault_of_the_simulated_days_is_told():
    assert [fault for fault in FAULTS if not any(row[0].startswith(fault) for row in ROWS)] == []


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_what_a_row_names_is_there(row):
    assert len(row) == COLUMNS
    _, does, words, metrics, alarms = row
    assert does
    told = set(re.findall(r"`(\w+)`", words))
    assert told
    assert told <= {reason.value for reason in Reason} | tree(errors.AutoscalerError)
    documented = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    found = re.findall(r"`(\w+)`", metrics)
    assert found
    assert [metric for metric in found if f"`{metric}`" not in documented] == []
    named = re.findall(r"\[(\w+)\]\(runbook\.md#(\w+)\)", alarms)
    assert bool(named) is not alarms.startswith("none: ")
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _ in named} <= alerts() & set(headings)
    assert [anchor for name, anchor in named if anchor != name.lower()] == []


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_each_alert_that_a_row_names_fires_on_what_it_says_is_seen(row, require_tool, tmp_path):
    promtool, rules = require_tool("promtool"), sorted((ROOT / "config/alerts").glob("*.yaml"))
    _, _, words, metrics, alarms = row
    fired = {
        alert
        for shown in told_series.phases(words, metrics)
        for alert in told_series.fired(promtool, rules, shown, tmp_path)
    }

    assert set(re.findall(r"\[(\w+)\]", alarms)) - fired == set(), fired


def test_of_a_daemon_that_is_sound_no_alert_fires(require_tool, tmp_path):
    rules = sorted((ROOT / "config/alerts").glob("*.yaml"))

    assert told_series.fired(require_tool("promtool"), rules, told_series.SOUND, tmp_path) == set()


def test_every_alert_has_a_fault():
    assert {alert for alert in alerts() if f"[{alert}]" not in PAGE} == set()

"""`autoscaler test` as a process: what it prints and writes, how it ends; the shipped examples pass their own tests."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from autoscaler import settings

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "config/policies/examples"
TESTS = sorted(EXAMPLES.glob("*.test.yaml"))

FILE = """\
policies: {targets: {orders: {instance_id: a, nodes: {min: 2, max: 5}, rules: [
  {name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1}]}]}}}
tests:
  - name: hot
    metrics: {ddm_cpu_util: "80"}
    expect: [{at: 0m, decision: out}]
  - name: 'not <hot> & "cold"'
    metrics: {ddm_cpu_util: "60"}
    expect: [{at: 0m, decision: out, rules: [{value: 60.5}]}]
"""


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autoscaler", "test", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.test.yaml").write_text(FILE)
    return tmp_path


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.name)
def test_an_example_passes_its_own_tests(file):
    done = run(str(file.relative_to(ROOT)))
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.fullmatch(r"[1-9][0-9]* passed, 0 failed", done.stdout.splitlines()[-1])


def test_every_example_has_its_tests():
    policies = {path.name for path in EXAMPLES.glob("*.yaml")} - {path.name for path in TESTS}
    assert {name.replace(".yaml", ".test.yaml") for name in policies} == {path.name for path in TESTS}
    assert policies >= {"cpu_band.yaml", "office_hours.yaml", "prepaid.yaml"}


def test_the_shipped_configuration_does_not_read_the_examples():
    outline = settings.outline(ROOT / "config/autoscaler.yaml", {})
    found = settings.find_policy_files(ROOT / "config", outline.policy_patterns)
    assert [path.name for path in found] == ["orders.yaml"]


def test_all_that_passes_ends_in_0(folder):
    (folder / "one.yaml").write_text(FILE.split("  - name: 'not", maxsplit=1)[0])
    done = run("one.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "ok    one.yaml:4: hot\n1 passed, 0 failed\n"


def test_a_failure_ends_in_1_and_says_what_was_decided_and_why(folder):
    done = run("orders.test.yaml", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "ok    orders.test.yaml:4: hot",
        'FAIL  orders.test.yaml:7: not <hot> & "cold"',
        "      at 0s (2026-01-01T00:00:00Z), expected in orders.test.yaml:9:14:",
        "        - decision: out   (expected)",
        "        + decision: hold   (got)",
        "        - rules[0].value: 60.5   (expected)",
        "        + rules[0].value: 60.0   (got)",
        "        held at 2 nodes: no rule wants a change (cpu 60 is not above 75).",
        "          rule   cpu: wants 2, 60 is not above 75, as of 00:00 UTC",
        "          stage  combine: 2, within bounds",
        "          stage  stabilize: 2",
        "          stage  limits: 2",
        "          stage  bounds: 2",
        "          stage  guards: 2",
        "1 passed, 1 failed",
    ]


def test_the_results_as_json(folder):
    done = run("orders.test.yaml", "--format", "json", cwd=folder)
    printed = json.loads(done.stdout)
    assert (done.returncode, printed["passed"], printed["failed"]) == (1, 1, 1)
    hot, cold = printed["cases"]
    assert hot == {"file": "orders.test.yaml", "line": 4, "name": "hot", "passed": True, "failures": []}
    (failure,) = cold["failures"]
    assert failure["differences"] == [
        {"key": "decision", "expected": "out", "got": "hold"},
        {"key": "rules[0].value", "expected": 60.5, "got": 60.0},
    ]
    assert (failure["at"], failure["line"], failure["record"]["decision"]) == ("0s", 9, "hold")
    assert failure["why"] == "held at 2 nodes: no rule wants a change (cpu 60 is not above 75)."


def test_the_results_as_junit(folder):
    done = run("orders.test.yaml", str(TESTS[0]), "--junit", "junit.xml", cwd=folder)
    assert done.returncode == 1
    root = ET.parse(folder / "junit.xml").getroot()  # noqa: S314  # our own file
    assert [suite.get("name") for suite in root] == ["orders.test.yaml", str(TESTS[0])]
    assert (root[0].get("tests"), root[0].get("failures")) == ("2", "1")
    hot, cold = root[0]
    assert (hot.get("name"), hot.get("line"), len(hot)) == ("hot", "4", 0)
    assert cold.get("name") == 'not <hot> & "cold"'
    assert "- decision: out   (expected)" in (cold[0].text or "")


def test_a_broken_file_ends_in_2_and_nothing_is_played(folder):
    (folder / "bad.yaml").write_text(FILE.replace("at: 0m", "at: 90s", 1).replace("above: 75", "above: 175"))
    done = run("orders.test.yaml", "bad.yaml", "none.yaml", "--junit", "junit.xml", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == ["bad.yaml:2:68", "none.yaml"]
    assert not (folder / "junit.xml").exists()


def test_a_report_that_cannot_be_written_is_one_line(folder):
    done = run("orders.test.yaml", "--junit", "no/such/folder.xml", cwd=folder)
    assert (done.returncode, done.stderr) == (
        2,
        "--junit: no/such/folder.xml cannot be written (No such file or directory)\n",
    )


def test_without_a_file_the_usage_is_told():
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Missing argument 'FILE" in done.stderr


def test_the_examples_of_the_page_pass(tmp_path):
    page = (ROOT / "docs/testing-policies.md").read_text()
    files = dict(re.findall(r"`([a-z.]+\.yaml)`:\n\n```yaml\n(.*?)```", page, re.DOTALL))
    assert set(files) == {"orders.yaml", "orders.test.yaml"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = run("orders.test.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    shown = re.findall(r"```console\n\$ autoscaler test orders.test.yaml\n(.*?)```", page, re.DOTALL)
    assert done.stdout == shown[0]

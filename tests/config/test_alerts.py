"""The shipped alert rules: what promtool says of them, and that each is proven both ways and has its runbook."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
RULES = sorted((CHECKOUT / "config/alerts").glob("*.yaml"))
CASES = sorted((CHECKOUT / "config/alerts/tests").glob("*.yaml"))
RUNBOOK = (CHECKOUT / "docs/runbook.md").read_text()
METRICS = (CHECKOUT / "docs/metrics.md").read_text()


def rules() -> dict[str, dict[str, Any]]:
    files = [yaml.safe_load(path.read_text()) for path in RULES]
    return {rule["alert"]: rule for file in files for group in file["groups"] for rule in group["rules"]}


def proven(*, firing: bool) -> set[str]:
    files = [yaml.safe_load(path.read_text()) for path in CASES]
    checks = [check for file in files for test in file["tests"] for check in test.get("alert_rule_test", ())]
    return {check["alertname"] for check in checks if bool(check["exp_alerts"]) is firing}


def paragraphs() -> dict[str, str]:
    """The text under each heading of the runbook that is an alert's."""
    found = re.findall(r"^## (Autoscaler\w+)\n(.*?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    return dict(found)


def promtool(path: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_promtool_accepts_the_rules(require_tool):
    done = promtool(require_tool("promtool"), "check", "rules", *RULES)

    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_promtool_passes_the_tests_of_the_rules(require_tool):
    done = promtool(require_tool("promtool"), "test", "rules", *CASES)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(CASES) == 3


SECONDS = {"s": 1, "m": 60, "h": 3600}
SPAN = re.compile(r"(?<=for: )\d+[smh]$|(?<=\[)\d+[smh](?=\])", re.MULTILINE)


def spans() -> list[tuple[Path, int, int, int]]:
    """Every span that is waited for or looked back: the file, where in it from and to, and half and twice of it."""
    found = [(path, *one.span(), one[0]) for path in RULES for one in SPAN.finditer(path.read_text())]
    lasting = [(path, begin, end, int(span[:-1]) * SECONDS[span[-1]]) for path, begin, end, span in found]
    return [(path, begin, end, other) for path, begin, end, long in lasting for other in (long // 2, long * 2)]


@pytest.mark.parametrize(("path", "begin", "end", "other"), spans())
def test_a_span_that_is_half_or_twice_as_long_fails_a_test_of_the_rules(
    path, begin, end, other, tmp_path, require_tool
):
    text = path.read_text()
    alert = re.findall(r"- alert: (\w+)", text[:begin])[-1]
    (tmp_path / "changed.yaml").write_text(f"{text[:begin]}{other}s{text[end:]}")
    said = []
    for case in CASES:
        tests = yaml.safe_load(case.read_text())
        about = [test for test in tests["tests"] if alert in str(test)]
        (tmp_path / case.name).write_text(yaml.safe_dump(tests | {"rule_files": ["changed.yaml"], "tests": about}))
        said.append(promtool(require_tool("promtool"), "test", "rules", tmp_path / case.name).stderr)

    assert alert in "".join(said)


@pytest.mark.parametrize("firing", [True, False], ids=["to fire", "to keep silent"])
def test_each_alert_is_proven(firing):
    assert proven(firing=firing) == set(rules())


@pytest.mark.parametrize("name", list(rules()))
def test_an_alert_says_how_bad_it_is_and_what_it_means_in_words(name):
    rule = rules()[name]

    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith(".")
    assert "`" not in str(rule["annotations"]), "chat and pagers show it as it is"


def test_each_alert_has_its_paragraph_and_each_paragraph_its_alert():
    links = {name: rule["annotations"]["runbook_url"] for name, rule in rules().items()}

    page = '{{ or $externalLabels.runbook "docs/runbook.md" }}'
    assert links == {name: f"{page}#{name.lower()}" for name in paragraphs()}


@pytest.mark.parametrize("name", list(paragraphs()))
def test_a_paragraph_says_what_it_means_what_to_look_at_and_what_to_do(name):
    text = paragraphs()[name]

    assert "**Means**" in text
    assert "**Look**" in text
    assert re.search(r"\*\*[Dd]o\*\*", text)


@pytest.mark.parametrize("page", ["runbook.md", "deployment.md", "metrics.md"])
def test_a_link_between_pages_leads_to_a_heading(page):
    text = (CHECKOUT / "docs" / page).read_text()
    lost = []
    for link in re.findall(r"\]\(([^)\s]*)\)", text):
        file, _, anchor = link.partition("#")
        target = (CHECKOUT / "docs" / file) if file else CHECKOUT / "docs" / page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            lost.append(link)

    assert lost == []


def anchors(text: str) -> set[str]:
    """What headings are linked by: small letters, no punctuation, hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_rules_and_their_tests_ask_only_for_metrics_that_there_are():
    texts = "".join(path.read_text() for path in [*RULES, *CASES])
    asked = set(re.findall(r"\bautoscaler_\w+", texts))

    assert asked <= set(re.findall(r"`(autoscaler_\w+)`", METRICS))


def test_commands_of_the_runbook_are_commands_of_the_program():
    said = set(re.findall(r"^autoscaler (\w+)", RUNBOOK, re.MULTILINE))

    assert said <= {"status", "explain", "history", "check", "resolve", "pause", "resume", "override"}
    assert {"status", "explain", "history", "check", "resolve"} <= said

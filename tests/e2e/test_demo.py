"""The demo, as a stranger runs it: a real process, read over HTTP by another one."""

import json
import re
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import Program, until

pytestmark = pytest.mark.process

SECONDS = 54


class Demo(Program):
    """`autoscaler demo` that stops by itself."""

    def __init__(self, folder) -> None:
        arguments = ["demo", "--seconds", str(SECONDS), "--format", "json", "--listen", "127.0.0.1:0"]
        super().__init__(arguments, folder, name="demo")

    def address(self, name: str) -> str:
        found = until(lambda: re.search(rf"^{name} +(http\S+)$", self.stderr.read_text(), re.MULTILINE), bool)
        assert found is not None
        return found.group(1)

    def by_metrics(self) -> dict[str, int]:
        page = httpx.get(self.address("metrics"), timeout=10).raise_for_status().text
        accepted = {"out": 0, "in": 0}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.name == "autoscaler_operations_submitted_total":
                    accepted[sample.labels["direction"]] += int(sample.value)
        return accepted

    def by_api(self) -> dict[str, int]:
        url = self.address("dashboard").rstrip("/")
        answer = httpx.get(f"{url}/api/v1/operations?limit=1000", timeout=10).raise_for_status().json()
        jobs = [one["direction"] for one in answer["operations"] if one["job_id"] and not one["foreign"]]
        return {"out": jobs.count("out"), "in": jobs.count("in")}

    def by_emulator(self) -> dict[str, int]:
        state = httpx.get(self.address("emulator"), timeout=10).raise_for_status().json()
        paths = [one["path"] for one in state["mutations"] if one["accepted"]]
        return {
            "out": sum(path.endswith("/action/enlarge") for path in paths),
            "in": sum(path.endswith("/action/reduce") for path in paths),
        }

    def counts(self) -> tuple[dict[str, int], ...]:
        return self.by_emulator(), self.by_api(), self.by_metrics()


@pytest.mark.timeout(120)
def test_nodes_are_added_within_half_a_minute_and_metrics_api_and_emulator_agree(tmp_path, started):
    begun = time.monotonic()
    demo = started(Demo(tmp_path))
    until(demo.by_emulator, lambda counts: counts["out"] >= 1)
    assert time.monotonic() - begun < 30
    # Metrics are rendered once a cycle, so that they may be a moment behind; at rest all three say the same.
    emulator, api, metrics = until(
        demo.counts, lambda counts: counts[0]["out"] >= 2 and counts.count(counts[0]) == len(counts)
    )
    assert emulator == api == metrics
    assert demo.process.wait(SECONDS + 20) == 0
    summary = json.loads(demo.stdout.read_text())
    assert set(summary) == {
        "decisions", "enlarges", "reduces", "nodes_start", "nodes_max", "nodes_end",
        "operations_succeeded", "operations_failed", "metrics_url",
    }  # fmt: skip
    assert summary["enlarges"] >= max(1, emulator["out"])
    assert summary["operations_failed"] == 0
    assert summary["nodes_start"] == 2
    assert summary["nodes_max"] >= 6
    assert summary["reduces"] >= 1, "the whole story: out, and in again"
    assert summary["metrics_url"] == demo.address("metrics")

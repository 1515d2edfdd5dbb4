"""The lines of targets are those of the client library, byte by byte, and written anew no oftener than is worth it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, openmetrics
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from autoscaler.core.by_hand import ByHand
from autoscaler.core.history import Standing
from autoscaler.core.observation import Override, Pause
from autoscaler.core.operation import State
from autoscaler.core.policy import Direction, ThresholdRule
from autoscaler.core.policy import Metric as Looked
from autoscaler.errors import NotFound
from autoscaler.telemetry import target_page, target_series
from autoscaler.telemetry.latest import Latest
from autoscaler.telemetry.metrics import END, OPENMETRICS, READ_WITHIN, SHARE, Metrics
from tests.telemetry.conftest import MINUTE, START, StandingClock, decision, planned, policy, snapshot, way

HOSTILE = 'a "rule"\\ of\nlines, ünd {more}'


class ByTheLibrary(Collector):
    """The same families, as the client library wants them."""

    def __init__(self, targets: dict[str, Latest]) -> None:
        self._targets = targets

    def collect(self) -> Iterator[Metric]:
        for kind, name, words, labels, values in target_series.FAMILIES:
            family = kind(f"autoscaler_{name}", words, labels=["target", *labels])
            for target_name, target in self._targets.items():
                if not target.removed or name in target_series.OF_OPERATIONS:
                    for label_values, value in values(target, START):
                        family.add_metric([target_name, *label_values], value)
            yield family


def lived(name: str) -> Latest:
    """One of which everything is known."""
    told = replace(policy(name), rules=(ThresholdRule(HOSTILE, Looked("ddm_cpu_util")),))
    last = decision(target=name)
    seen = last.rules[0]._replace(rule=HOSTILE, value=Decimal("1e-7"))
    target = Latest(told, snapshot=snapshot(), decision=last._replace(rules=(*last.rules, seen)))
    target.cooldowns = {Direction.OUT: 10 * MINUTE, Direction.IN: timedelta(0)}
    target.breakers = {direction: Standing(2, START + MINUTE) for direction in Direction}
    target.by_hand = ByHand((Pause(START, None),), (Override(START, START + MINUTE, 6),))
    target.decisions["out", "above_threshold"] += 12345678
    target.errors["not_found"] += 1
    for step in way(State.SUBMITTED, State.SUCCEEDED):
        target.count(step)
    return target


def test_every_family_is_written_as_the_library_writes_it():
    gone = lived("gone")
    gone.follow(planned(), overdue=True)
    gone.remove()
    targets = {"orders": lived("orders"), HOSTILE: lived(HOSTILE), "new": Latest(policy("new")), "gone": gone}
    registry = CollectorRegistry()
    registry.register(ByTheLibrary(targets))

    written = target_page.lines(targets, START)

    assert target_page.page(written, openly=False) == prometheus_client.generate_latest(registry)
    openly = openmetrics.exposition.generate_latest(registry)  # type: ignore[no-untyped-call]  # the library's
    assert target_page.page(written, openly=True) + END == openly
    assert [family[1] for family, body in written if not body] == []


def test_without_targets_there_are_the_heads_alone():
    registry = CollectorRegistry()
    registry.register(ByTheLibrary({}))
    assert target_page.page(target_page.lines({}, START), openly=False) == prometheus_client.generate_latest(registry)


class SlowClock(StandingClock):
    """Its real seconds pass as it is looked at: each rendering takes one."""

    seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1.0
        return self.seconds


@pytest.fixture
def clock() -> SlowClock:
    return SlowClock()


@pytest.fixture
def metrics(clock: SlowClock) -> Metrics:
    made = Metrics(clock)
    made.targets([policy()])
    return made


def errors(metrics: Metrics) -> int:
    """How many are on the page; one more is told each time."""
    body, _ = metrics.exposition("")
    metrics.failed("orders", NotFound("no such group"))
    lines = [line for line in body.decode().splitlines() if line.startswith("autoscaler_evaluation_errors_total{")]
    return int(float(lines[0].split()[-1])) if lines else 0


def test_between_cycles_so_much_of_the_time_goes_into_rendering_and_no_more(clock, metrics):
    errors(metrics)
    seen = []
    for _ in range(5):
        metrics.render()
        seen.append(errors(metrics))

    assert seen == [1, 1, 1, 1, 1]
    clock.seconds += 1 / SHARE
    metrics.render()
    assert errors(metrics) == 6


def test_after_a_cycle_the_page_is_always_that_of_its_end(metrics):
    errors(metrics)
    seen = []
    for _ in range(3):
        metrics.cycle(interval=MINUTE, seconds=0.2, lateness=0.0, targets=1, errors=0)
        metrics.render()
        seen.append(errors(metrics))

    assert seen == [1, 2, 3]


def test_a_format_that_nobody_reads_is_not_rendered_and_made_when_somebody_does(clock, metrics):
    metrics.exposition("")
    metrics.exposition(OPENMETRICS)
    clock.seconds += READ_WITHIN
    metrics.exposition(OPENMETRICS)
    metrics.render()

    assert list(metrics._pages) == [OPENMETRICS]
    metrics.failed("orders", NotFound("no such group"))
    assert b"autoscaler_evaluation_errors_total{" in metrics.exposition("")[0]

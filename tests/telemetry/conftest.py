"""One target, one operation, a clock that stands until it is moved, and metrics read as Prometheus reads them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.core.decision import Decision, NodeCounts, Reason, RuleRecord, Verdict
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Bounds, Direction, Policy
from autoscaler.core.target import InstanceKey, Mode, Node, Snapshot, Target
from autoscaler.telemetry.metrics import Metrics

START = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class StandingClock:
    """The port Clock, moved by hand."""

    at: datetime = START
    speed: float = 1.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def boottime(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def policy(name: str = "orders", mode: Mode = Mode.ENFORCE) -> Policy:
    return Policy(Target(name, "instance"), Bounds(2, 16), mode=mode)


def snapshot(ready: int = 3, creating: int = 1) -> Snapshot:
    nodes = [Node(f"n{place}", "normal") for place in range(ready)]
    nodes += [Node(f"c{place}", "creating") for place in range(creating)]
    return Snapshot(START, "RUNNING", tuple(nodes), len(nodes), "group")


def decision(
    verdict: Verdict = Verdict.HOLD,
    reason: Reason = Reason.WITHIN_BOUNDS,
    *,
    target: str = "orders",
    value: str | None = "81.2",
) -> Decision:
    change = {Verdict.OUT: 1, Verdict.IN: -1, Verdict.HOLD: 0}[verdict]
    seen = None if value is None else Decimal(value)
    rule = RuleRecord("cpu", reason, 3 + change, seen, None if seen is None else START - 6 * MINUTE, 5)
    return Decision(
        target, START, verdict, change, 3 + change, reason, NodeCounts(3, 3, 2, 16), (rule,), mode="enforce"
    )


def planned(direction: Direction = Direction.OUT, **more) -> Operation:
    return Operation(
        **{
            "id": "op-1",
            "target": "orders",
            "instance": InstanceKey("eu-de", "project", "instance"),
            "group_id": "group",
            "direction": direction,
            "change": 1,
            "reason": Reason.ABOVE_THRESHOLD,
            "state": State.PLANNED,
            "committed_at": START + MINUTE,
            "send_before": START + 2 * MINUTE,
            **more,
        }
    )


def way(*states: State, first: Operation | None = None) -> list[Operation]:
    """The operation at each step of its way, a minute apart."""
    steps = [first or planned()]
    for minutes, state in enumerate(states, 2):
        steps.append(steps[-1].step(state, at=START + minutes * MINUTE))
    return steps


Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@dataclass
class Page:
    """What a scrape shows."""

    metrics: Metrics
    clock: StandingClock = field(default_factory=StandingClock)

    def series(self) -> Series:
        """Every sample, of a fresh rendering, by name and labels."""
        self.metrics.render()
        body, _ = self.metrics.exposition("text/plain")
        families = text_string_to_metric_families(body.decode())
        return {
            (one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples
        }

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of one metric, by the values of its labels in the order of their names."""
        return {
            tuple(value for _, value in labels): number
            for (found, labels), number in self.series().items()
            if found == f"autoscaler_{name}"
        }

    def openmetrics(self) -> list[str]:
        """The families of the OpenMetrics page; reading it is strict."""
        body, _ = self.metrics.exposition("application/openmetrics-text")
        families = openmetrics_parser.text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call]  # same
        return [family.name for family in families]


@pytest.fixture
def page() -> Page:
    clock = StandingClock()
    return Page(Metrics(clock), clock)

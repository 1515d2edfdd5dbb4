"""How long one decision takes: `make bench`, or `.venv/bin/python benchmarks/decide.py --format json`.

Each decision is made of an observation that none was made of before, so that nothing which an observation works out
once and keeps makes the figures better than the daemon's. The floor beside them, measured in the same rounds, is what
no engine could do without: an observation and an empty record are made, and nothing is decided.
"""

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from autoscaler.core import engine
from autoscaler.core.decision import Decision, NodeCounts, Reason, StageRecord, Verdict
from autoscaler.core.observation import Observation, Wish
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Bounds, Direction, Metric, Policy, Size, Step, ThresholdRule
from autoscaler.core.sample import Sample
from autoscaler.core.target import InstanceKey, Mode, Node, Snapshot, Target

BUDGET = 30.0
"""Microseconds that a decision of one rule may take, holding still or moving."""

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = 30
RULES = (1, 3, 10)
LOADS = {"hold": "50", "out": "80", "in": "20"}
"""What the decision is, by the value of every sample."""

ROUND = 100
"""Decisions in a round; a round's figure is their mean."""


@dataclass(frozen=True)
class Row:
    """One line of the table, in microseconds a decision."""

    case: str
    rules: int
    median: float
    minimum: float
    over_floor: float  # how many times the floor's median


def policy(rules: int) -> Policy:
    """Every rule looks at 30 samples of a metric of its own, for scaling out and for scaling in."""
    size, span = Size(Decimal(1)), WINDOW * MINUTE
    return Policy(
        target=Target("orders", "instance"),
        bounds=Bounds(2, 16),
        mode=Mode.ENFORCE,
        rules=tuple(
            ThresholdRule(
                name=f"rule {number}",
                metric=Metric(f"metric {number}"),
                out=(Step(Decimal(75), size, for_=span),),
                in_=(Step(Decimal(30), size, for_=span),),
            )
            for number in range(rules)
        ),
    )


def observation(chosen: Policy, value: str) -> Observation:
    """Three nodes, an operation an hour and a half ago, a quarter of an hour of wishes.

    As in the daemon, the metrics are those of the policy itself.
    """
    ended = NOW - 90 * MINUTE
    operation = Operation(
        id="op",
        target="orders",
        instance=InstanceKey("eu-de", "project", "instance"),
        group_id="group",
        direction=Direction.OUT,
        change=1,
        reason=Reason.ABOVE_THRESHOLD,
        state=State.SUCCEEDED,
        committed_at=ended - 5 * MINUTE,
        send_before=ended,
        ended_at=ended,
        arrived=1,
    )
    return Observation(
        now=NOW,
        snapshot=Snapshot(NOW, "RUNNING", tuple(Node(f"node {k}", "normal") for k in range(3)), 3, "group"),
        mode=Mode.ENFORCE,
        first_evaluated_at=ended,
        samples={metric: samples(value) for metric in chosen.metrics},
        operations=(operation,),
        wishes=tuple(Wish(NOW - minute * MINUTE, 3) for minute in range(15)),
    )


def samples(value: str) -> tuple[Sample, ...]:
    """One a minute, newest first."""
    return tuple(Sample(NOW - (age + 1) * MINUTE, Decimal(value)) for age in range(WINDOW))


def floor(ready: Observation) -> Decision:
    """What is left when nothing is decided: an observation of the same things, and a record that says nothing."""
    seen = Observation(
        now=ready.now,
        snapshot=ready.snapshot,
        mode=ready.mode,
        first_evaluated_at=ready.first_evaluated_at,
        samples=ready.samples,
        operations=ready.operations,
        wishes=ready.wishes,
    )
    return Decision(
        target="orders",
        at=seen.now,
        decision=Verdict.HOLD,
        change=0,
        desired=3,
        reason=Reason.WITHIN_BOUNDS,
        nodes=NodeCounts(3, 3, 2, 16),
        stages=tuple(StageRecord(stage, 3) for stage in ("combine", "stabilize", "limits", "bounds", "guards")),
    )


def timed(decide: Callable[[Observation], Decision], seen: Sequence[Observation]) -> float:
    """Microseconds of this thread a decision, over these observations, none of which has been looked at."""
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time_ns()
        for one in seen:
            decide(one)
        elapsed = time.thread_time_ns() - start
    finally:
        gc.enable()
    return elapsed / len(seen) / 1000


def measured(rounds: int) -> list[Row]:
    """All cases in turn, round after round, so that a machine that slows down slows all of them down."""
    cases: dict[tuple[str, int], tuple[Policy, str, Callable[[Observation], Decision]]] = {
        ("floor", 0): (policy(0), "50", floor)
    }
    for rules in RULES:
        chosen = policy(rules)
        for case, value in LOADS.items():
            assert engine.decide(chosen, observation(chosen, value)).decision.value == case  # noqa: S101  # or the figures lie
            cases[case, rules] = chosen, value, partial(engine.decide, chosen)
    times: dict[tuple[str, int], list[float]] = {key: [] for key in cases}
    for _ in range(rounds):
        for (case, rules), (chosen, value, decide) in cases.items():
            fresh = [observation(chosen, value) for _ in range(ROUND)]
            times[case, rules].append(timed(decide, fresh))
    lowest = statistics.median(times["floor", 0])
    return [
        Row(case, rules, round(middle, 2), round(min(each), 2), round(middle / lowest, 1))
        for (case, rules), each in times.items()
        for middle in [statistics.median(each)]
    ]


def as_table(rows: Sequence[Row]) -> str:
    """Columns for people."""
    lines = [f"{'case':8}{'rules':>6}{'median µs':>12}{'minimum µs':>12}{'x floor':>9}"]
    lines += [f"{row.case:8}{row.rules:6}{row.median:12.1f}{row.minimum:12.1f}{row.over_floor:9.1f}" for row in rows]
    slowest = max(row.median for row in rows if row.rules == 1)
    return "\n".join([*lines, f"one rule: at most {slowest:.1f} µs in the median; the budget is {BUDGET:.0f} µs"])


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long one decision takes.")
    parser.add_argument("--rounds", type=int, default=40, help=f"rounds of {ROUND} decisions a case (default 40)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    rows = measured(chosen.rounds)
    record: dict[str, Any] = {"unit": "µs a decision", "window": WINDOW, "budget_of_one_rule": BUDGET}
    if chosen.format == "json":
        print(json.dumps(record | {"cases": [asdict(row) for row in rows]}, indent=1, ensure_ascii=False))
    else:
        print(as_table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])

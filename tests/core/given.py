"""A small world to decide in: one group of one instance, one moment, and builders that name only what matters."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from autoscaler.core import engine
from autoscaler.core.checks import Checks, DataNode, Job, Offer
from autoscaler.core.decision import Decision, Reason
from autoscaler.core.observation import Observation, Wish
from autoscaler.core.operation import OPEN_STATES, Operation, State
from autoscaler.core.policy import (
    Bounds,
    Cooldown,
    Direction,
    Limits,
    Metric,
    Policy,
    Rule,
    ScheduleRule,
    Size,
    Step,
    TargetTrackingRule,
    ThresholdRule,
)
from autoscaler.core.sample import Sample
from autoscaler.core.target import InstanceKey, Mode, Node, Snapshot, Target
from autoscaler.core.window import DateWindow

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CPU = Metric("ddm_cpu_util")
CONNECTIONS = Metric("ddm_connection_util")
INSTANCE = InstanceKey("eu-de", "project", "instance")
OUT, IN = Direction.OUT, Direction.IN


def ago(minutes: float) -> datetime:
    """So many minutes before now."""
    return NOW - minutes * MINUTE


def values(text: str, *, last: datetime | None = None, period: timedelta = MINUTE) -> dict[datetime, Decimal]:
    """`"60 80x3 _ 75"`, oldest first: 80x3 is three of them, _ a gap; the last one's period ended just now."""
    return {time: Decimal(word) for time, word in _placed(text, last, period) if word != "_"}


def samples(text: str, *, last: datetime | None = None, period: timedelta = MINUTE) -> tuple[Sample, ...]:
    """Complete ones, newest first, written like `values`; `75h` is a half sample."""
    placed = [(time, word) for time, word in _placed(text, last, period) if word != "_"]
    return tuple(Sample(time, Decimal(word.rstrip("h")), half=word.endswith("h")) for time, word in reversed(placed))


def _placed(text: str, last: datetime | None, period: timedelta) -> list[tuple[datetime, str]]:
    words = [word for part in text.split() for word in _repeated(part)]
    newest = last if last is not None else NOW - period
    return [(newest - (len(words) - 1 - place) * period, word) for place, word in enumerate(words)]


def _repeated(part: str) -> list[str]:
    word, _, times = part.partition("x")
    return [word] * int(times or 1)


def size(text: str) -> Size:
    """`"2"` nodes or `"50%"`."""
    return Size(Decimal(text.rstrip("%")), percent=text.endswith("%"))


def step(threshold: str, move: str = "1", **more: Any) -> Step:
    """Beyond that threshold move so many; `for_`, `datapoints`, `cooldown` as in Step."""
    return Step(Decimal(threshold), size(move), **more)


def threshold(
    *, out: Sequence[Step] = (), in_: Sequence[Step] = (), name: str = "cpu", metric: Metric = CPU, **more: Any
) -> ThresholdRule:
    """A threshold rule."""
    return ThresholdRule(name=name, metric=metric, out=tuple(out), in_=tuple(in_), **more)


def tracking(target: str = "60", *, name: str = "track", metric: Metric = CPU, **more: Any) -> TargetTrackingRule:
    """A target tracking rule."""
    return TargetTrackingRule(name=name, metric=metric, target=Decimal(target), **more)


HOT_OR_COLD = threshold(out=[step("75")], in_=[step("30")])
"""Out above 75, in below 30, by one, on the newest sample."""

NO_COOLDOWN = Cooldown(timedelta(0), timedelta(0), timedelta(0))


def around(start: float = -60, end: float = 60) -> DateWindow:
    """A window of these minutes from now, open by default."""
    return DateWindow(NOW + start * MINUTE, NOW + end * MINUTE)


CLOSED = around(-60, 0)
"""Closed just now: an end is excluded."""


def schedule(least: int | None = None, most: int | None = None, *, name: str = "office", **more: Any) -> ScheduleRule:
    """A schedule of this floor and cap, open unless a window is given."""
    return ScheduleRule(name=name, min=least, max=most, **{"window": around(), **more})


def policy(*rules: Rule, nodes: tuple[int, int] = (2, 16), **more: Any) -> Policy:
    """An enforcing policy of these rules."""
    target = more.pop("target", Target("orders", INSTANCE.instance_id))
    return Policy(target=target, bounds=Bounds(*nodes), rules=rules, **{"mode": Mode.ENFORCE, **more})


def limits(**texts: Any) -> Limits:
    """Limits, with `add` and `remove` as in the file."""
    values: dict[str, Any] = {key: size(value) if isinstance(value, str) else value for key, value in texts.items()}
    return Limits(**values)


def snapshot(
    current: int = 3,
    ready: int | None = None,
    *,
    others: int = 0,
    status: str = "RUNNING",
    missing_ones_are: str = "abnormal",
    **more: Any,
) -> Snapshot:
    """A group of `current` nodes of which `ready` serve, beside `others` in other groups of the instance."""
    serving = current if ready is None else ready
    nodes = tuple(Node(f"n{k}", "normal" if k < serving else missing_ones_are) for k in range(current))
    return Snapshot(NOW, status, nodes, instance_nodes=current + others, group_id="group", **more)


def operation(
    direction: Direction = OUT,
    change: int = 1,
    *,
    ended: datetime | None = None,
    state: State = State.SUCCEEDED,
    **more: Any,
) -> Operation:
    """One of this group, begun five minutes before its end; open ones begun five minutes ago."""
    committed = more.pop("committed", (ended or NOW) - 5 * MINUTE)
    fields: dict[str, Any] = {
        "id": "op",
        "target": "orders",
        "instance": INSTANCE,
        "group_id": "group",
        "reason": Reason.ABOVE_THRESHOLD,
        "send_before": committed,
        "ended_at": None if state in OPEN_STATES else (ended or NOW),
    }
    return Operation(direction=direction, change=change, state=state, committed_at=committed, **{**fields, **more})


def observation(text: str | dict[Metric, tuple[Sample, ...]] = "", **more: Any) -> Observation:
    """A moment: `text` are the samples of CPU; three nodes, nothing ever done, enforce, watched for a day."""
    given = {CPU: samples(text)} if isinstance(text, str) else text
    defaults = {"now": NOW, "snapshot": snapshot(), "mode": Mode.ENFORCE, "first_evaluated_at": NOW - 24 * HOUR}
    return Observation(samples=given, **{**defaults, **more})


def checks(seen: Observation, **more: Any) -> Checks:
    """What is read just before acting, everything in order."""
    return Checks(**{"snapshot": seen.snapshot, "jobs": (), **more})


def job(status: str = "Running", *, name: str = "EnlargeNode", instance: str = INSTANCE.instance_id) -> Job:
    """A job of the cloud's task centre."""
    return Job("job-1", name, status, instance)


def data_node(ddm: str = "normal", rds: str = "ACTIVE", cpu: str | None = None) -> DataNode:
    """An associated RDS instance."""
    return DataNode("rds-1", "orders-db", ddm, rds, None if cpu is None else Decimal(cpu))


def offer(*, sold_out: bool = False) -> Offer:
    """What the cloud would sell."""
    return Offer("flavor", () if sold_out else ("az1",), sold_out)


def wishes(*entries: tuple[float, int]) -> tuple[Wish, ...]:
    """(minutes ago, desired) each."""
    return tuple(Wish(ago(minutes), desired) for minutes, desired in entries)


def decided(rules: Policy | Rule, seen: Observation | str = "", **more: Any) -> Decision:
    """The decision of a policy (or of a policy with just this rule) on an observation (or on these CPU samples)."""
    chosen = rules if isinstance(rules, Policy) else policy(rules)
    given = observation(seen, **more) if isinstance(seen, str) else replace(seen, **more)
    return engine.decide(chosen, given)


def outcome(decision: Decision) -> tuple[str, int, str]:
    """The three that a table compares: decision, desired, reason."""
    return decision.decision.value, decision.desired, decision.reason.value

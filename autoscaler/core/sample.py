"""A sample is one number per period for the whole group: the nodes' values, folded.

What makes a sample complete, and why a half one may scale out but never in, is in docs/policies.md under "Samples".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeGuard

from autoscaler.core.policy import Metric

LARGEST = Decimal("1e24")
"""Numbers beyond ± this count as infinite, and so as missing: no metric of a database node comes near it."""

GROUP = ""
"""Stands for a node's id where a series is of the whole group: already folded, so its sample is never half."""

_EVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sample:
    """One folded value; `time` is the start of its period.

    Raises:
        ValueError: the value is NaN or infinite; that is no sample, so that no rule ever has to ask.
    """

    time: datetime
    value: Decimal
    half: bool = False  # some of the counted nodes gave nothing: may scale out, never in

    def __post_init__(self) -> None:
        if not self.value.is_finite():
            raise ValueError(f"{self.value} is not a number")


def fold(
    metric: Metric,
    points: Mapping[str, Mapping[datetime, Decimal]],
    counted_from: Mapping[str, datetime],
    now: datetime,
) -> tuple[Sample, ...]:
    """The complete samples of a metric, newest first.

    Args:
        metric: tells the period and how to fold.
        points: node id → its values by the start of their period.
        counted_from: node id → when it begins to count (ready and warm); only ready nodes are in it. The value of a
            whole group counts whatever its nodes are.
        now: a period that has not ended by then has no sample.
    """
    if metric.of_group:
        counted_from = {GROUP: _EVER}
    times = {time for node in counted_from for time in points.get(node, ())}
    ended = sorted((time for time in times if time + metric.period <= now), reverse=True)
    samples = (_fold_one(metric, time, points, counted_from, now) for time in ended)
    return tuple(sample for sample in samples if sample is not None)


def _fold_one(
    metric: Metric,
    time: datetime,
    points: Mapping[str, Mapping[datetime, Decimal]],
    counted_from: Mapping[str, datetime],
    now: datetime,
) -> Sample | None:
    counted = [node for node, start in counted_from.items() if start <= time]
    values = [value for node in counted if is_number(value := points.get(node, {}).get(time))]
    if not values:
        return None
    half = len(values) < len(counted)
    if half and (metric.across_nodes == "sum" or not _may_be_half(values, counted, time, metric.period, now)):
        return None
    return Sample(time, folder(metric.across_nodes)(values), half)


def _may_be_half(
    values: Sequence[Decimal], counted: Sequence[str], time: datetime, period: timedelta, now: datetime
) -> bool:
    """Two periods after its end a sample is taken with at least half of its nodes."""
    return 2 * len(values) >= len(counted) and now >= time + 3 * period


def is_number(value: Decimal | None) -> TypeGuard[Decimal]:
    """Whether it is there, finite, and of a size that a metric may have."""
    return value is not None and value.is_finite() and abs(value) <= LARGEST


def folder(across_nodes: str) -> Callable[[Sequence[Decimal]], Decimal]:
    """How to make one number of several: mean, max, min, sum, or a percentile such as p90 (nearest rank)."""
    if across_nodes in _FOLDERS:
        return _FOLDERS[across_nodes]
    return _percentile(int(across_nodes.removeprefix("p")))


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


def _sum(values: Sequence[Decimal]) -> Decimal:
    return sum(values, Decimal(0))


def _percentile(percent: int) -> Callable[[Sequence[Decimal]], Decimal]:
    def nearest_rank(values: Sequence[Decimal]) -> Decimal:
        return sorted(values)[max(1, math.ceil(percent * len(values) / 100)) - 1]

    return nearest_rank


_FOLDERS: dict[str, Callable[[Sequence[Decimal]], Decimal]] = {"mean": _mean, "max": max, "min": min, "sum": _sum}

"""What the cloud told one process of its metrics, and whether that is enough for what the process decides.

It is read off the wire, beside the daemon, and judged without its code: a value that never came cannot be in here.
"""

import json
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.core.policy import MetricRule, ThresholdRule
from autoscaler.emulator.records import Group

KEPT = 5400.0
"""Seconds: longer than any window, with the greatest age of a metric."""

MINUTE = timedelta(minutes=1)

Told = Mapping[str, Mapping[datetime, float]]
"""Node id -> values by minute."""


class Served:
    """The answers of Cloud Eye that one process has read to their ends."""

    def __init__(self) -> None:
        self._bodies: deque[tuple[float, bytes]] = deque()

    def take(self, at: float, body: bytes) -> None:
        """An answer, whatever it says, was read at that many seconds."""
        while self._bodies and self._bodies[0][0] < at - KEPT:
            self._bodies.popleft()
        self._bodies.append((at, body))

    def values(self) -> Told:
        """Only numbers; of what came twice the last one, as it was corrected."""
        told: dict[str, dict[datetime, float]] = {}
        for _, body in self._bodies:
            for metric in _metrics(body):
                of_node = told.setdefault(metric["dimensions"][-1]["value"], {})
                for point in metric.get("datapoints", ()):  # the list of metrics has none
                    value = float(point["average"])
                    if math.isfinite(value):
                        of_node[datetime.fromtimestamp(point["timestamp"] / 1000, UTC)] = value
        return told


def _metrics(body: bytes) -> Sequence[Any]:
    try:
        found: Sequence[Any] = json.loads(body).get("metrics", ())
    except ValueError:  # an answer that was spoilt
        return ()
    return found


def lacks(
    record: Mapping[str, Any], rule: MetricRule, told: Told, group: Group, warm: Mapping[str, datetime]
) -> Iterator[str]:
    """Why a decision to move by this rule has no grounds in what the cloud told of the nodes that there are."""
    (mine,) = (one for one in record["rules"] if one["rule"] == rule.name)
    if mine["value"] is None:
        yield "without data"
        return
    is_in = record["decision"] == "in"
    age = datetime.fromisoformat(record["at"]) - datetime.fromisoformat(mine["as_of"])
    if is_in and age > rule.max_metric_age:
        yield f"in on data that is {age} old"
    due = _span(rule, is_in=is_in) // MINUTE
    as_of = datetime.fromisoformat(mine["as_of"])
    minutes = [as_of - number * MINUTE for number in range(due)]
    counted = [node.id for node in group.nodes if node.id in warm and warm[node.id] <= minutes[-1]]
    values = {minute: [told[node][minute] for node in counted if minute in told.get(node, {})] for minute in minutes}
    whole = [minute for minute, found in values.items() if found and len(found) == len(counted)]
    if is_in and (5 * len(whole) < 4 * due or mine["samples"] > len(whole)):
        yield f"in on {mine['samples']} samples, and the cloud told of {len(whole)} minutes of {due}, to {as_of}"
    if not is_in and 2 * len(values[as_of]) < len(counted):
        yield f"out on {as_of}, of which the cloud told the values of {len(values[as_of])} nodes of {len(counted)}"
    same = not any(node.deleted_at and node.deleted_at >= minutes[-1] for node in group.gone)
    if same and len(counted) == len(group.nodes) == record["nodes"]["ready"] and len(whole) == due:
        looked_at = [as_of] if isinstance(rule, ThresholdRule) else minutes
        truth = sum(sum(values[minute]) / len(counted) for minute in looked_at) / len(looked_at)
        if abs(truth - mine["value"]) > 0.001:  # records have three digits
            yield f"on a value of {mine['value']}, and the cloud told {truth:.3f} as of {as_of}"


def _span(rule: MetricRule, *, is_in: bool) -> timedelta:
    """How much of it a change rests on; for scaling out at least on the newest minute."""
    if not isinstance(rule, ThresholdRule):
        return rule.over or MINUTE
    return rule.in_[0].for_ or MINUTE if is_in else MINUTE

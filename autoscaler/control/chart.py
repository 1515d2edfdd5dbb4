"""What a chart of one target shows: the values that its rules read, and its nodes, from the stored records.

A point stands at the time of its decision: what was known then. Thinning keeps the least and the greatest of each
stretch of time and shows that something was missing in it; a chart of a week shows the same peaks as one of an hour.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median_low
from typing import Any

from autoscaler.core.decision import rfc3339

Json = dict[str, Any]

NODES = ("current", "ready", "desired", "min", "max")

MOST_MOVES = 500
"""The newest of the decisions to scale, none of which is thinned away; more could not be told apart on a screen."""

SILENT_INTERVALS = 3
"""So many intervals without a record are a gap: the daemon was stopped, the target off, or the cloud not to be read."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Which time a chart shows, and in how many stretches at most."""

    since: datetime
    until: datetime
    points: int
    now: datetime


@dataclass
class _Columns:
    """Records turned on their side: everything by its place in `at` (seconds since 1970); None where it is missing."""

    at: list[float] = field(default_factory=list)
    values: dict[str, list[float | None]] = field(default_factory=dict)
    nodes: list[tuple[int | None, ...]] = field(default_factory=list)

    def add(self, at: float, values: Mapping[str, float | None], nodes: tuple[int | None, ...]) -> None:
        for rule in values.keys() - self.values.keys():
            self.values[rule] = [None] * len(self.at)
        for rule, column in self.values.items():
            column.append(values.get(rule))
        self.at.append(at)
        self.nodes.append(nodes)


def of_records(target: str, rules: Sequence[Json], records: Iterable[Json], *, interval: timedelta, span: Span) -> Json:
    """The chart's JSON. `rules` as a target shows them, `records` the oldest first."""
    moves: list[Json] = []
    columns = _columns(_noted(records, moves), interval)
    buckets = _buckets(columns.at, span.points)
    series = [
        _head(rule) | {"points": _points(columns, rule["name"], buckets)}
        for rule in [*rules, *_former(rules, columns)]
        if rule["metric"] is not None or rule["type"] is None
    ]
    shown = _thinned_nodes(columns.nodes, buckets, span.points)
    return {
        "target": target,
        "now": rfc3339(span.now),
        "since": rfc3339(span.since),
        "until": rfc3339(span.until),
        "series": series,
        "nodes": {"at": [columns.at[place] for place in shown]}
        | {name: [columns.nodes[place][column] for place in shown] for column, name in enumerate(NODES)},
        "moves": moves[-MOST_MOVES:],
        "thinned": len(columns.at) > span.points,
    }


def _noted(records: Iterable[Json], moves: list[Json]) -> Iterator[Json]:
    """The records as they come; those that scale are put into `moves`."""
    for record in records:
        if record["decision"] != "hold":
            moves.append({name: record[name] for name in ("at", "decision", "change", "reason")})
        yield record


def _columns(records: Iterable[Json], interval: timedelta) -> _Columns:
    columns = _Columns()
    for at, values, nodes in _with_gaps(list(map(_row, records)), interval):
        columns.add(at, values, nodes)
    return columns


_Row = tuple[float, dict[str, float | None], tuple[int | None, ...]]


def _row(record: Json) -> _Row:
    nodes = record["nodes"] | {"desired": record["desired"]}
    return (
        round(datetime.fromisoformat(record["at"]).timestamp(), 3),
        {one["rule"]: one["value"] for one in record["rules"]},
        tuple(nodes[name] for name in NODES),
    )


def _with_gaps(rows: list[_Row], interval: timedelta) -> Iterator[_Row]:
    """The rows, and one that has nothing where there was no record for long."""
    distances = [later[0] - earlier[0] for earlier, later in pairwise(rows)]
    usual = max(
        interval.total_seconds(), median_low(distances) if distances else 0.0
    )  # it may have been another before
    yield from rows[:1]
    for (earlier, row), distance in zip(pairwise(rows), distances, strict=True):
        if distance > SILENT_INTERVALS * usual:
            yield earlier[0] + usual, {}, (None,) * len(NODES)
        yield row


def _former(rules: Sequence[Json], columns: _Columns) -> list[Json]:
    """Rules that the policy has no more, of which there are values."""
    known = {rule["name"] for rule in rules}
    gone = [
        name
        for name, column in columns.values.items()
        if name not in known and any(value is not None for value in column)
    ]
    return [{"name": name, "type": None, "metric": None, "unit": "", "mode": None, "thresholds": {}} for name in gone]


def _head(rule: Json) -> Json:
    limits = rule["thresholds"]
    return {
        "rule": rule["name"],
        "metric": rule["metric"],
        "unit": rule["unit"],
        "mode": rule["mode"],
        "above": limits.get("above", []),
        "below": limits.get("below", []),
        "target": limits.get("target"),
    }


def _buckets(at: Sequence[float], points: int) -> list[range]:
    """The equal stretches of time, from the first record to the last, that are thinned; as places in `at`.

    None where there is nothing to thin.
    """
    if len(at) <= points:
        return []
    width = max((at[-1] - at[0]) / points, 0.001)
    stretches = [min(int((moment - at[0]) / width), points - 1) for moment in at]
    ends = [place for place in range(1, len(at)) if stretches[place] != stretches[place - 1]]
    return [range(first, last) for first, last in pairwise([0, *ends, len(at)])]


def _points(columns: _Columns, rule: str, buckets: Sequence[range]) -> list[list[float | None]]:
    values = columns.values.get(rule)
    if values is None:
        return []
    kept = [place for bucket in buckets for place in _extremes(values, bucket)] if buckets else range(len(values))
    return [[columns.at[place], values[place]] for place in kept]


def _extremes(values: Sequence[float | None], bucket: range) -> list[int]:
    """Where the least, the greatest and the first missing value of a stretch are, in order."""
    there = [(value, place) for place in bucket if (value := values[place]) is not None]
    missing = next(([place] for place in bucket if values[place] is None), []) if len(there) < len(bucket) else []
    return sorted({*missing, *([min(there)[1], max(there)[1]] if there else [])})


def _thinned_nodes(nodes: Sequence[tuple[int | None, ...]], buckets: Sequence[range], points: int) -> list[int]:
    """Where nodes changed, before and after; of each stretch the extremes only where even those are too many."""
    if not buckets:
        return list(range(len(nodes)))
    last = len(nodes) - 1
    changes = [
        place
        for place in range(len(nodes))
        if place in (0, last) or nodes[place] != nodes[place - 1] or nodes[place] != nodes[place + 1]
    ]
    if len(changes) <= points:
        return changes
    columns = list(zip(*nodes, strict=True))
    return sorted({place for bucket in buckets for column in columns for place in _extremes(column, bucket)})

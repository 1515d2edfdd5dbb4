"""The port `MetricSource`: PromQL queries over spans of time, and what their series mean.

Prometheus evaluates at instants. The value at T is taken as that of the period that ends at T, so the time of its
sample, a period's start, is T − period: what is evaluated now is the newest sample, and it is complete at once.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from autoscaler import clock, errors, ports
from autoscaler.core.sample import GROUP
from autoscaler.prometheus import answers
from autoscaler.prometheus.client import Client
from autoscaler.prometheus.connection import Connection

MOST_STEPS = 10_000
"""Per call; Prometheus refuses more than 11,000 points of a series."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_WARNINGS = 100  # kept, to tell each once
_SHOWN_SERIES = 3
_LONGEST_QUERY = 100

_Answer = Mapping[str, ports.Points] | errors.CloudError


@dataclass(frozen=True)
class _Span:
    """Instants at which a query is evaluated: first, first + period, … last."""

    first: datetime
    last: datetime


class PrometheusSource:
    """One server. `Client` limits how many queries run at the same time."""

    def __init__(self, connection: Connection, *, time: clock.Clock, monitor: ports.Monitor) -> None:
        """Open nothing yet.

        Raises:
            BadConfig: the proxy or the certificates of the settings cannot be used.
        """
        self._name = connection.name
        self._altogether = connection.timeouts.altogether
        self._client = Client(connection, time=time, monitor=monitor)
        self._monitor = monitor
        self._told: set[str] = set()
        self._asking = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is asked of it now."""
        return self._asking == 0

    @property
    def closed(self) -> bool:
        """Whether it can be asked no more."""
        return self._client.closed

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def fetch(
        self, queries: Sequence[ports.MetricQuery], start: datetime, end: datetime
    ) -> Mapping[ports.MetricQuery, _Answer]:
        asked = tuple(dict.fromkeys(queries))
        if not asked:
            return {}
        found: dict[ports.MetricQuery, _Answer] = {}
        self._asking += 1
        tasks = [asyncio.ensure_future(self._take(query, start, end, found)) for query in asked]
        try:
            await asyncio.wait(tasks, timeout=self._altogether)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._asking -= 1
        late = errors.Unavailable(f"{self._name} gave no answer within {self._altogether:g} s; it is asked again later")
        return {query: found.get(query, late) for query in asked}

    async def _take(
        self, query: ports.MetricQuery, start: datetime, end: datetime, found: dict[ports.MetricQuery, _Answer]
    ) -> None:
        try:
            found[query] = await self._points(query, start, end)
        except errors.CloudError as error:
            found[query] = error

    async def _points(self, query: ports.MetricQuery, start: datetime, end: datetime) -> Mapping[str, ports.Points]:
        where = f"{self._name} query {_short(query.name)}"
        points: dict[str, dict[datetime, Decimal]] = {}
        for span in _spans(start, end, query.period):
            matrix = await self._client.query_range(_form(query, span), where)
            self._warn(query, matrix.warnings)
            for node, series in _by_node(query, matrix.series, where).items():
                points.setdefault(node, {}).update(_samples(series, span, query.period, where))
        return points

    def _warn(self, query: ports.MetricQuery, warnings: Sequence[str]) -> None:
        """Tell each warning once; without an end they would fill the log at every cycle."""
        for warning in warnings:
            key = f"{query.name} {warning}"
            if key not in self._told and len(self._told) < _MOST_WARNINGS:
                self._told.add(key)
                self._monitor.event(
                    "warning", "the server warns of a query", source=self._name, query=query.name, warning=warning
                )


def _spans(start: datetime, end: datetime, period: timedelta) -> Iterator[_Span]:
    """The ends of all periods that begin in [start, end) and have ended by `end`, in as few calls as are allowed."""
    first = _EPOCH + math.ceil((start - _EPOCH) / period) * period + period
    while first <= end:
        count = min((end - first) // period, MOST_STEPS - 1)
        yield _Span(first, first + count * period)
        first += (count + 1) * period


def _form(query: ports.MetricQuery, span: _Span) -> dict[str, str]:
    return {
        "query": query.name,
        "start": f"{span.first.timestamp():.3f}",
        "end": f"{span.last.timestamp():.3f}",
        "step": f"{query.period.total_seconds():g}",
        "partial_response": "false",  # Thanos: half an answer would pass for little load; others know no such field
    }


def _by_node(query: ports.MetricQuery, series: Sequence[answers.Series], where: str) -> Mapping[str, answers.Series]:
    """Node id → its series; the one series of a query without a node label is the group's.

    Raises:
        Unreadable: it is not clear which value is whose.
    """
    if query.node_label is None:
        if len(series) > 1:
            raise errors.Unreadable(
                f"{where} gives {len(series)} series ({_few(series)}) where one is needed: aggregate it, as by sum(…), "
                "or name the label of the nodes in node_label"
            )
        return dict(zip((GROUP,), series, strict=False))
    found: dict[str, answers.Series] = {}
    for one in series:
        node = one.labels.get(query.node_label, "")
        if not node:
            raise errors.Unreadable(
                f"{where} gives a series without the label {query.node_label} ({one}): keep it, as by sum by "
                f"({query.node_label}) (…)"
            )
        if node in found:
            raise errors.Unreadable(
                f"{where} gives two series of node {node} ({found[node]}, {one}): aggregate them, as by sum by "
                f"({query.node_label}) (…)"
            )
        found[node] = one
    return found


def _samples(series: answers.Series, span: _Span, period: timedelta, where: str) -> Mapping[datetime, Decimal]:
    """The values by the start of their period.

    Raises:
        Unreadable: the server evaluated at other instants than those that it was asked for.
    """
    odd = next((instant for instant in series.values if (instant - span.first) % period), None)
    if odd is not None:
        raise errors.Unreadable(
            f"{where} was answered for {odd.isoformat()}, which was not asked: check that nothing between changes "
            "start and step"
        )
    return {instant - period: value for instant, value in series.values.items() if span.first <= instant <= span.last}


def _few(series: Sequence[answers.Series]) -> str:
    shown = ", ".join(map(str, series[:_SHOWN_SERIES]))
    return shown if len(series) <= _SHOWN_SERIES else f"{shown}, …"


def _short(query: str) -> str:
    text = " ".join(query.split())
    return repr(text if len(text) <= _LONGEST_QUERY else f"{text[: _LONGEST_QUERY - 1]}…")

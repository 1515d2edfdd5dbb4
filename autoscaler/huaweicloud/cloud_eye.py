"""The port `MetricSource`: Cloud Eye asked in batches for the whole fleet."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from autoscaler import clock, errors, ports
from autoscaler.core.policy import Statistic
from autoscaler.huaweicloud import batches, series
from autoscaler.huaweicloud.batches import Batch, Series
from autoscaler.huaweicloud.connection import Dialect
from autoscaler.huaweicloud.dimensions import NAMESPACE, DimensionBook, Dimensions
from autoscaler.huaweicloud.gateway import Gateway

_AT_ONCE = 8

_Fetched = dict[tuple[Statistic, timedelta, Series], "series.Points | errors.CloudError"]
_Book = Mapping[tuple[str, str], Dimensions]
_Answer = Mapping[str, ports.Points] | errors.CloudError


class CloudEye:
    """What the port promises, for metrics of namespace SYS.DDMS."""

    def __init__(self, gateway: Gateway, *, dialect: Dialect, time: clock.Clock) -> None:
        self._gateway = gateway
        self._dialect = dialect
        self._dimensions = DimensionBook(gateway, time=time)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def fetch(
        self, queries: Sequence[ports.MetricQuery], start: datetime, end: datetime
    ) -> Mapping[ports.MetricQuery, _Answer]:
        possible = [query for query in dict.fromkeys(queries) if query.period in batches.PERIODS]
        answers: dict[ports.MetricQuery, _Answer] = {
            query: _impossible(query) for query in queries if query.period not in batches.PERIODS
        }
        try:
            book = await self._dimensions.of({(q.instance_id, node) for q in possible for node in q.node_ids})
        except errors.CloudError as error:
            return answers | dict.fromkeys(possible, error)
        fetched: _Fetched = {}
        calls = [self._call(batch, fetched) for batch in self._batches(possible, book, start, end)]
        await asyncio.gather(*calls)
        return answers | {query: _answer(query, book, fetched) for query in possible}

    def _batches(
        self, queries: Sequence[ports.MetricQuery], book: _Book, start: datetime, end: datetime
    ) -> list[Batch]:
        """All series of one statistic and period share calls, whichever target they are for."""
        wanted: dict[tuple[Statistic, timedelta], dict[Series, None]] = defaultdict(dict)
        for query in queries:
            wanted[query.statistic, query.period].update(dict.fromkeys(_series(query, book).values()))
        return [
            batch
            for (statistic, period), found in wanted.items()
            for batch in batches.batches(
                list(found), statistic=statistic, period=period, start=start, end=end, dialect=self._dialect
            )
        ]

    async def _call(self, batch: Batch, fetched: _Fetched) -> None:
        """Add a batch's points, or its error, to what was fetched; an error outlasts other spans of the same series."""
        found: Mapping[Series, series.Points | series.LeftOut] | errors.CloudError
        async with self._slots:
            try:
                found = await self._asked(batch)
            except errors.CloudError as error:
                found = error
        for one in batch.series:
            key = (batch.statistic, batch.period, one)
            before, new = fetched.get(key, {}), found if isinstance(found, errors.CloudError) else found[one]
            if isinstance(before, errors.CloudError):
                continue
            fetched[key] = new if isinstance(new, errors.CloudError) or not before else {**before, **new}

    async def _asked(self, batch: Batch) -> Mapping[Series, series.Points | series.LeftOut]:
        return await asked(self._gateway, batch, NAMESPACE, self._dialect)


async def asked(
    gateway: Gateway, batch: Batch, namespace: str, dialect: Dialect
) -> Mapping[Series, series.Points | series.LeftOut]:
    """One call of a batch.

    Raises:
        CloudError: it could not be asked, or its answer cannot be used.
    """
    path = "/V1.0/{project}/batch-query-metric-data"
    answer = await gateway.query("cloud_eye", "batch_query", path, _body(batch, namespace, dialect))
    return series.read(batch, answer.body, "Cloud Eye batch_query")


def _body(batch: Batch, namespace: str, dialect: Dialect) -> dict[str, Any]:
    metrics = [
        {
            "namespace": namespace,
            "metric_name": name,
            "dimensions": [{"name": key, "value": value} for key, value in dimensions],
        }
        for name, dimensions in batch.series
    ]
    return {
        "metrics": metrics,
        "from": _milliseconds(batch.start),
        "to": _milliseconds(batch.end) - 1,  # the cloud includes it, the port does not
        "period": batches.period_word(batch.period, batch.statistic, dialect),
        "filter": batch.statistic.value,
    }


def _series(query: ports.MetricQuery, book: _Book) -> dict[str, Series]:
    return {node: (query.name, book[query.instance_id, node]) for node in query.node_ids}


def _answer(query: ports.MetricQuery, book: _Book, fetched: _Fetched) -> _Answer:
    """The points by node. A node that the answer leaves out has none, as long as others of the query were answered.

    Whether Cloud Eye mentions a node too new to have data is not documented; were it an error, each scale-out would
    hide the whole group for minutes. Half an answer does no harm here: a sample that lacks nodes never scales in.
    """
    points: dict[str, ports.Points] = {}
    left_out: errors.CloudError | None = None
    for node, one in _series(query, book).items():
        found = fetched.get((query.statistic, query.period, one), {})
        if isinstance(found, series.LeftOut):
            left_out = found
        elif isinstance(found, errors.CloudError):
            return found
        else:
            points[node] = found
    return points if left_out is None or points else left_out


def _impossible(query: ports.MetricQuery) -> errors.Refused:
    allowed = ", ".join(str(int(period.total_seconds())) for period in batches.PERIODS)
    asked = f"{query.period.total_seconds():g}"
    return errors.Refused(f"Cloud Eye keeps no {asked} s values of {query.name}: use a period of {allowed} s")


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)

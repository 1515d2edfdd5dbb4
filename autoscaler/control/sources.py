"""All metric sources as one: each query goes to the source that it names, and no source waits for another."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from autoscaler.errors import CloudError, Unreadable
from autoscaler.ports import MetricQuery, MetricSource, Points

_Answers = Mapping[MetricQuery, Mapping[str, Points] | CloudError]


async def nothing() -> None:
    """There is nothing to tidy up."""


class Sources:
    """The port `MetricSource` over several of them, by the names that policies use."""

    def __init__(self, sources: Mapping[str, MetricSource], *, tidy: Callable[[], Awaitable[None]] = nothing) -> None:
        """`tidy` is called after each round of questions: what was replaced meanwhile is perhaps asked no more."""
        self._sources = sources
        self._tidy = tidy

    def replace(self, sources: Mapping[str, MetricSource]) -> None:
        """These there are from now on; a query under way is answered by the one that it was asked of."""
        self._sources = sources

    async def fetch(self, queries: Sequence[MetricQuery], start: datetime, end: datetime) -> _Answers:
        by_source: dict[str, list[MetricQuery]] = {}
        for query in queries:
            by_source.setdefault(query.source, []).append(query)
        told = await asyncio.gather(*(self._ask(name, asked, start, end) for name, asked in by_source.items()))
        await self._tidy()
        return {query: answer for each in told for query, answer in each.items()}

    async def _ask(self, name: str, queries: Sequence[MetricQuery], start: datetime, end: datetime) -> _Answers:
        source = self._sources.get(name)
        if source is None:
            return dict.fromkeys(queries, Unreadable(f"there is no metric source {name}: configure it under sources"))
        try:
            return await source.fetch(queries, start, end)
        except Exception as error:  # noqa: BLE001  # a source that breaks is missing data of its own queries only
            return dict.fromkeys(queries, Unreadable(f"the metric source {name} failed: {error!r}"))

"""The CPU of the RDS instances behind DDM, from Cloud Eye: namespace SYS.RDS, under whichever dimension it lists.

The name of that dimension was not found documented, so the list of metrics is asked, and what has the RDS instance's id
in it is copied verbatim. One that is not listed is not known, and nobody is stopped by it.
"""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from autoscaler import clock, ports
from autoscaler.core import checks
from autoscaler.core.policy import Statistic
from autoscaler.huaweicloud import batches, cloud_eye, dimensions, series
from autoscaler.huaweicloud.batches import Batch
from autoscaler.huaweicloud.connection import Dialect
from autoscaler.huaweicloud.dimensions import Dimensions
from autoscaler.huaweicloud.gateway import Gateway

NAMESPACE = "SYS.RDS"
METRIC = "rds001_cpu_util"
"""Percent, a value a minute (RDS user guide, "Monitoring Metrics")."""

_REFRESH_SECONDS = 300.0

_Known = dict[str, tuple[Dimensions, ...]]
"""RDS instance → its series: one, or where only its nodes have series, all of these."""


class DataNodeCpu:
    """What the list of metrics told, read again (at most every five real minutes) when a data node is not in it."""

    def __init__(self, gateway: Gateway, *, dialect: Dialect, time: clock.Clock) -> None:
        self._gateway = gateway
        self._dialect = dialect
        self._time = time
        self._known: _Known = {}
        self._read_at: float | None = None
        self._lock = asyncio.Lock()

    async def fetch(self, data_node_ids: Collection[str], start: datetime, end: datetime) -> Mapping[str, ports.Points]:
        """What the port `Cloud` promises of `data_node_cpu`."""
        known = await self._listed(data_node_ids)
        points: dict[str, dict[datetime, Decimal]] = {data_node_id: {} for data_node_id in known}
        for batch in self._batches(known, start, end):
            found = await cloud_eye.asked(self._gateway, batch, NAMESPACE, self._dialect)
            for data_node_id, several in known.items():
                for one in several:
                    _add(points[data_node_id], found.get((METRIC, one), {}))
        return points

    async def _listed(self, data_node_ids: Collection[str]) -> _Known:
        async with self._lock:
            if self._due() and any(one not in self._known for one in data_node_ids):
                self._known = _shortest(await dimensions.listed(self._gateway, NAMESPACE, METRIC))
                self._read_at = self._time.monotonic()
        return {one: self._known[one] for one in data_node_ids if one in self._known}

    def _due(self) -> bool:
        return self._read_at is None or self._time.monotonic() - self._read_at >= _REFRESH_SECONDS

    def _batches(self, known: _Known, start: datetime, end: datetime) -> list[Batch]:
        wanted = dict.fromkeys((METRIC, one) for several in known.values() for one in several)
        return list(
            batches.batches(
                list(wanted),
                statistic=Statistic.AVERAGE,
                period=checks.CPU_PERIOD,
                start=start,
                end=end,
                dialect=self._dialect,
            )
        )


def _shortest(found: list[Dimensions]) -> _Known:
    """By each value in them those with the fewest dimensions: the instance as a whole before one of its nodes."""
    known: _Known = {}
    for one in found:
        for _, value in one:
            others = known.get(value, ())
            if not others or len(one) < len(others[0]):
                known[value] = (one,)
            elif len(one) == len(others[0]):
                known[value] = (*others, one)
    return known


def _add(points: dict[datetime, Decimal], new: series.Points | series.LeftOut) -> None:
    """Of several nodes of one RDS instance the busiest counts."""
    if not isinstance(new, series.LeftOut):
        points.update({time: max(value, points.get(time, value)) for time, value in new.items()})

"""What Cloud Eye knows: every metric of every node, as a function of the load, the nodes that served and the time.

Nothing is recorded: the value of a minute is computed from who served in it, so the past before the start is there too.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from autoscaler.emulator import faults, records, world

MINUTE = timedelta(minutes=1)
_LATE_SECONDS = 600.0
_COLLECTING = 95  # percent, from which on a node is short of memory


@dataclass(frozen=True)
class Metric:
    """One metric of a node: its unit as Cloud Eye writes it, and its value from the node's utilisation (percent)."""

    unit: str
    value: Callable[[float], float]


def _percent(value: float) -> float:
    return min(max(value, 0.0), 100.0)


def _latency(used: float) -> float:
    """Milliseconds: grows as a queue's, and stays finite on a node that is asked too much."""
    return 2 / (1 - min(used, 98.0) / 100)


# DDM user guide: DDM Metrics. The relations to the load are plausible, not the vendor's.
NODE_METRICS: dict[str, Metric] = {
    "ddm_cpu_util": Metric("%", _percent),
    "ddm_mem_util": Metric("%", lambda used: _percent(35 + 0.4 * used)),
    "ddm_bytes_in": Metric("byte/s", lambda used: 40_000 * used),
    "ddm_bytes_out": Metric("byte/s", lambda used: 120_000 * used),
    "ddm_qps": Metric("count", lambda used: 50 * min(used, 110.0)),
    "ddm_read_count": Metric("count/s", lambda used: 40 * min(used, 110.0)),
    "ddm_write_count": Metric("count/s", lambda used: 10 * min(used, 110.0)),
    "ddm_slow_log": Metric("count", lambda used: float(math.floor(max(used - 80, 0.0) / 4))),
    "ddm_rt_avg": Metric("ms", _latency),
    "ddm_connections": Metric("count", lambda used: float(round(16 * min(used, 125.0)))),
    "ddm_active_connections": Metric("count", lambda used: float(round(2 * min(used, 125.0)))),
    "ddm_connection_util": Metric("%", lambda used: _percent(0.8 * used)),
    "ddm_backend_connection_ratio": Metric("%", lambda used: _percent(0.7 * used)),
    "ddm_node_status_alarm_code": Metric("", lambda _used: 0.0),
    "ddm_kernel_fgc_cnt": Metric("count", lambda used: float(used > _COLLECTING)),
}
RDS_CPU = "rds001_cpu_util"  # RDS user guide: Monitoring Metrics
DDM_SPACE, RDS_SPACE = "SYS.DDMS", "SYS.RDS"
_RDS_KEY = "rds_cluster_id"

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Series:
    """One metric of one resource, as the list of metrics names it."""

    namespace: str
    name: str
    dimensions: Dimensions
    unit: str

    @property
    def marker(self) -> str:
        """Its place in the paged list (CES API reference: Querying the Metrics)."""
        dimensions = ",".join(f"{name}:{value}" for name, value in self.dimensions)
        return f"{self.namespace}.{self.name}.{dimensions}"


Source = Callable[[datetime], float]  # the value of the minute that begins then, NaN where there is no point


@dataclass(frozen=True)
class Eye:
    """Cloud Eye's view of the world at `now`, bent by a fault of stage CONTENT where there is one."""

    world: world.World
    now: datetime
    fault: faults.Armed | None = None
    _used: dict[tuple[str, datetime], float] = field(default_factory=dict)  # by group and minute, as it was asked for

    def series(self) -> Iterator[Series]:
        """All series, deleted nodes' for three hours more (CES API reference: Querying the Metrics)."""
        if self._bent(faults.Kind.EMPTY_METRICS, None):
            return
        for group, node in self.world.nodes.values():
            if self._known(node):
                dimensions = self._dimensions(group, node)
                for name, metric in NODE_METRICS.items():
                    yield Series(DDM_SPACE, name, dimensions, metric.unit)
        for data_node_id in self.world.data_nodes:
            yield Series(RDS_SPACE, RDS_CPU, ((_RDS_KEY, data_node_id),), "%")

    def unit(self, name: str) -> str:
        """The unit of a metric; empty for one that does not exist."""
        return NODE_METRICS[name].unit if name in NODE_METRICS else "%" if name == RDS_CPU else ""

    def points(
        self, name: str, dimensions: Dimensions, *, begin: datetime, end: datetime
    ) -> Iterator[tuple[datetime, float]]:
        """The minutes from `begin` to `end` that can be seen by now, each with its value.

        Dimensions that belong to nothing give no points, not an error.
        """
        resource = dimensions[-1][1]
        source = self._source(name, dimensions, resource)
        if source is None or self._bent(faults.Kind.EMPTY_METRICS, resource):
            return
        minute, last = _ceil(begin), min(end, self._newest(resource))
        while minute <= last:
            value = source(minute)
            lost = self._bent(faults.Kind.LOST_DATAPOINTS, resource) and minute.minute % 2
            if not math.isnan(value) and not lost:
                yield minute, math.nan if self._bent(faults.Kind.NAN_DATAPOINTS, resource) else value
            minute += MINUTE

    def told_twice(self, resource: str) -> bool:
        """Whether each of its points is told once too early, as it was before it was corrected."""
        return self._bent(faults.Kind.DUPLICATED_DATAPOINTS, resource)

    def _bent(self, kind: faults.Kind, resource: str | None) -> bool:
        """Whether a fault of this kind strikes the series of that node or data node."""
        wanted = self.fault.request if self.fault else None
        return wanted is not None and wanted.kind is kind and wanted.node in (None, resource)

    def _newest(self, resource: str) -> datetime:
        """The latest minute that is visible: ended, and older than the lag.

        DDM user guide, Viewing Instance Metrics: what is shown is of 5 to 10 minutes before.
        """
        lag = self.world.settings.metrics.lag
        if self.fault and self._bent(faults.Kind.LATE_DATAPOINTS, resource):
            lag += timedelta(seconds=self.fault.request.seconds or _LATE_SECONDS)
        newest = self.now - MINUTE - lag
        if self.fault and self._bent(faults.Kind.STALE_DATAPOINTS, resource):
            newest = min(newest, datetime.fromtimestamp(self.fault.at, UTC) - MINUTE - lag)
        return newest

    def _known(self, node: records.Node) -> bool:
        """Whether Cloud Eye has heard of it and not yet forgotten it."""
        settings = self.world.settings.metrics
        heard = node.ready_at is not None and node.ready_at + MINUTE + settings.lag <= self.now
        return heard and (node.deleted_at is None or self.now < node.deleted_at + settings.kept_after_delete)

    def _dimensions(self, group: records.Group, node: records.Node) -> Dimensions:
        """The vendor's pages disagree on the key, so a scenario chooses; `node_id` alone is the newest."""
        match self.world.settings.metrics.dimensions:
            case "instance_id,node_id":
                return (("instance_id", group.instance_id), ("node_id", node.id))
            case key:
                return ((key, node.id),)

    def _source(self, name: str, dimensions: Dimensions, resource: str) -> Source | None:
        """What tells the metric's value, or None where there is no such series."""
        if name == RDS_CPU and resource in self.world.data_nodes and dimensions == ((_RDS_KEY, resource),):
            return self._of_data_node(self.world.data_nodes[resource])
        if name not in NODE_METRICS or resource not in self.world.nodes:
            return None
        group, node = self.world.nodes[resource]
        if not self._known(node) or dimensions != self._dimensions(group, node):
            return None
        return self._of_node(NODE_METRICS[name], group, node)

    def _of_node(self, metric: Metric, group: records.Group, node: records.Node) -> Source:
        def value(minute: datetime) -> float:
            if not node.served(minute):
                return math.nan
            used = self._utilisation(group, minute)
            return round(metric.value(used * node.factor * (1 + 0.01 * _noise(node.id, minute))), 2)

        return value

    def _utilisation(self, group: records.Group, minute: datetime) -> float:
        """Of its nodes in that minute, before what makes them differ; one call asks for it of every node."""
        used = self._used.get((group.id, minute))
        if used is None:
            used = self.world.load.utilisation(minute, ready=group.ready(minute), share=group.load_share)
            self._used[group.id, minute] = used
        return used

    def _of_data_node(self, node: records.DataNode) -> Source:
        return lambda minute: round(_percent(node.cpu_at(minute) * (1 + 0.01 * _noise(node.id, minute))), 2)


def aggregate(points: Iterator[tuple[datetime, float]], period: timedelta, how: str) -> list[tuple[datetime, float]]:
    """Fold minutes into periods, each stamped with its start; one that lacks its last minute is not there yet.

    CES API reference: Querying Monitoring Data of a Metric (an unfinished period has no data).
    """
    folded: dict[datetime, list[tuple[datetime, float]]] = {}
    for minute, value in points:
        folded.setdefault(floor(minute, period), []).append((minute, value))
    newest = max((minute for rows in folded.values() for minute, _ in rows), default=None)
    return [
        (begin, round(_FOLDS[how]([value for _, value in rows]), 2))
        for begin, rows in sorted(folded.items())
        if newest is not None and newest >= begin + period - MINUTE
    ]


def floor(moment: datetime, period: timedelta) -> datetime:
    """The start of the period that holds the moment."""
    seconds = period.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def _ceil(moment: datetime) -> datetime:
    """The first full minute from the moment on."""
    begin = floor(moment, MINUTE)
    return begin if begin == moment else begin + MINUTE


def _variance(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


_FOLDS: dict[str, Callable[[list[float]], float]] = {
    "average": lambda values: sum(values) / len(values),
    "max": max,
    "min": min,
    "sum": sum,
    "variance": _variance,
}


@lru_cache(maxsize=16_384)  # who polls asks for the same minutes again and again
def _noise(resource: str, minute: datetime) -> float:
    """Between -1 and 1, the same whenever it is asked for."""
    digest = hashlib.sha256(f"{resource}/{minute.timestamp():.0f}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**31 - 1

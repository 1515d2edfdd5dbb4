"""By which dimensions Cloud Eye knows a node: the editions of its documents disagree, so it is asked.

Wrong dimensions bring empty answers, not errors. What the list of metrics tells is copied verbatim; a node that is not
in it yet (a new one has no data for minutes) gets the form that the others have, and `node_id` where there are none.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping

from autoscaler import clock, errors
from autoscaler.huaweicloud.gateway import Gateway
from autoscaler.huaweicloud.records import Record

NAMESPACE = "SYS.DDMS"

Dimensions = tuple[tuple[str, str], ...]
"""(name, value) pairs in the cloud's order."""

_NODE_NAMES = ("node_id", "ddm_node_id")
_INSTANCE_NAME = "instance_id"
_DEFAULT_FORM = ("node_id",)
_EVERY_NODE_HAS = "ddm_cpu_util"
_PAGE = 1000
_MOST_PAGES = 200
_REFRESH_SECONDS = 300.0


class DimensionBook:
    """What the list told, read again (at most every five real minutes) when a node is not in it."""

    def __init__(self, gateway: Gateway, *, time: clock.Clock) -> None:
        self._gateway = gateway
        self._time = time
        self._known: dict[str, Dimensions] = {}
        self._form: tuple[str, ...] = _DEFAULT_FORM
        self._read_at: float | None = None
        self._lock = asyncio.Lock()

    async def of(self, nodes: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Dimensions]:
        """The dimensions of each (instance id, node id).

        Raises:
            CloudError: the list was never read, and cannot be now (Throttled, Unavailable, Unreadable).
        """
        async with self._lock:
            if self._due() and any(node_id not in self._known for _, node_id in nodes):
                await self._refresh()
        return {(instance, node): self._known.get(node) or self._formed(instance, node) for instance, node in nodes}

    def _due(self) -> bool:
        return self._read_at is None or self._time.monotonic() - self._read_at >= _REFRESH_SECONDS

    async def _refresh(self) -> None:
        try:
            self._known = await self._listed()
        except errors.CloudError as error:
            refused = isinstance(error, errors.Refused) and not isinstance(error, errors.Throttled)
            if self._read_at is None and not refused:  # without the right to list, the documented form must do
                raise
        else:
            forms = Counter(tuple(name for name, _ in dimensions) for dimensions in self._known.values())
            self._form = forms.most_common(1)[0][0] if forms else _DEFAULT_FORM
        self._read_at = self._time.monotonic()

    async def _listed(self) -> dict[str, Dimensions]:
        return {
            value: dimensions
            for dimensions in await listed(self._gateway, NAMESPACE, _EVERY_NODE_HAS)
            for name, value in dimensions
            if name in _NODE_NAMES
        }

    def _formed(self, instance_id: str, node_id: str) -> Dimensions:
        values = dict.fromkeys(_NODE_NAMES, node_id) | {_INSTANCE_NAME: instance_id}
        form = self._form if all(name in values for name in self._form) else _DEFAULT_FORM
        return tuple((name, values[name]) for name in form)


async def listed(gateway: Gateway, namespace: str, metric_name: str) -> list[Dimensions]:
    """The dimensions of every series of a metric, in the cloud's order (its API reference, "Querying Metrics").

    Raises:
        CloudError: it could not be asked, or has no end.
    """
    found: list[Dimensions] = []
    marker = ""
    for _ in range(_MOST_PAGES):
        query = (("namespace", namespace), ("metric_name", metric_name), ("limit", str(_PAGE)))
        page = await gateway.get(
            "cloud_eye",
            "list_metrics",
            "/V1.0/{project}/metrics",
            (*query, ("start", marker)) if marker else query,
        )
        metrics = page.records("metrics")
        found += map(pairs, metrics)
        before, marker = marker, page.record("meta_data").text_or("marker") if page.has("meta_data") else ""
        if len(metrics) < _PAGE or marker in ("", before):
            return found
    raise errors.Unreadable("Cloud Eye list_metrics: there is no end to its pages; the answer is not used")


def pairs(metric: Record) -> Dimensions:
    """The dimensions of a metric in an answer."""
    return tuple((dimension.text("name"), dimension.text("value")) for dimension in metric.records("dimensions"))

"""What waits for webhooks as series, at the time of the rendering."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from autoscaler.clock import Clock
from autoscaler.ports import Backlog


class BacklogCollector(Collector):
    """A webhook that nothing waits for has zeros; a process that does not deliver has no series."""

    def __init__(self, clock: Clock) -> None:
        self.latest: Mapping[str, Backlog | None] = {}
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        latest, now = self.latest, self._clock.now()
        waiting = GaugeMetricFamily(
            "autoscaler_webhook_letters_waiting", "Letters that are still to be delivered.", labels=["webhook"]
        )
        oldest = GaugeMetricFamily(
            "autoscaler_webhook_oldest_letter_age_seconds",
            "How long ago that happened which the oldest waiting letter tells of.",
            labels=["webhook"],
        )
        for webhook, backlog in latest.items():
            waiting.add_metric([webhook], 0 if backlog is None else backlog.waiting)
            age = 0.0 if backlog is None else max(0.0, (now - backlog.oldest).total_seconds())
            oldest.add_metric([webhook], age)
        yield waiting
        yield oldest

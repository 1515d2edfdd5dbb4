"""What all targets together have and have used, and what they may, as series."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from autoscaler.core.fleet import HOUR, Use
from autoscaler.core.policy import Budget, Fleet


class FleetCollector(Collector):
    """What is known of all targets together; a number that is not known, or a limit that is not set, has no series."""

    def __init__(self) -> None:
        self.latest: Mapping[str, float] = {}

    def collect(self) -> Iterator[Metric]:
        latest = self.latest
        for name, words in _FLEET_FAMILIES.items():
            if name in latest:
                yield GaugeMetricFamily(f"autoscaler_{name}", words, value=latest[name])


_FLEET_FAMILIES = {
    "fleet_nodes": "Nodes of all targets' groups, and those that are still to come.",
    "fleet_nodes_limit": "Most nodes that all targets together may have.",
    "fleet_added_nodes": "Nodes that all targets together have added within the last hour.",
    "fleet_added_nodes_limit": "Most nodes that all targets together may add within an hour.",
    "fleet_node_seconds": "Seconds that nodes of all targets together were there within the last 24 hours.",
    "fleet_node_seconds_budget": "The budget of such seconds within 24 hours.",
    "fleet_node_seconds_warn_at": "So many of them are to be warned of.",
}


def values_of(fleet: Fleet, use: Use) -> Mapping[str, float]:
    """The value of each metric of the fleet that has one."""
    values: dict[str, float | None] = {
        "fleet_nodes_limit": fleet.limits.nodes,
        "fleet_added_nodes_limit": fleet.limits.added_per_hour,
        **_of_budget(fleet.budget),
    }
    if not use.unknown:  # without a target's share a sum says nothing
        values |= {"fleet_nodes": use.nodes, "fleet_added_nodes": use.added}
        values["fleet_node_seconds"] = use.node_time.total_seconds()
    return {name: value for name, value in values.items() if value is not None}


def _of_budget(budget: Budget | None) -> Mapping[str, float | None]:
    if budget is None:
        return {}
    seconds = (budget.node_hours_per_day * HOUR).total_seconds()
    warn_at = None if budget.warn_at is None else seconds * float(budget.warn_at)
    return {"fleet_node_seconds_budget": seconds, "fleet_node_seconds_warn_at": warn_at}

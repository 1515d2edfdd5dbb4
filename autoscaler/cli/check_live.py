"""`autoscaler check --live`: asks the cloud, changes nothing, and says per target what would stop a scale-out."""

import contextlib
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from autoscaler import daemon, rereading
from autoscaler.clock import VARIABLE, Clock
from autoscaler.control import preflight
from autoscaler.control.sources import Sources
from autoscaler.core.checks import MAX_SKEW, DataNode
from autoscaler.core.history import DAY
from autoscaler.core.policy import CLOUD_EYE, Direction, Metric, Policy
from autoscaler.core.target import MAX_NODES_PER_INSTANCE, Mode, NodeState, Snapshot
from autoscaler.errors import CloudError, NotFound
from autoscaler.huaweicloud.cloud import HuaweiCloud
from autoscaler.ports import Cloud, MetricQuery, MetricSource, Points
from autoscaler.telemetry.metrics import Metrics
from autoscaler.telemetry.monitor import Telemetry
from autoscaler.yamlfile import quantities

Found = TypeVar("Found")

LOOK_BACK = timedelta(minutes=60)
"""How far back a metric is looked for: a day's first value may be late, an hour without any is a fault."""

_SHOWN_LABELS = 3


@dataclass
class Finding:
    """What the cloud says of one target."""

    target: str
    facts: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)  # what would stop a scale-out now
    missing: bool = False  # there is no such instance or group

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"target": self.target, "facts": self.facts, "stops": self.stops}

    def lines(self) -> list[str]:
        """For people: the target, then a line for each fact and each stop."""
        verdict = "a scale-out would be stopped" if self.stops else "nothing would stop a scale-out"
        return [
            f"{self.target}: {verdict}",
            *(f"  {fact}" for fact in self.facts),
            *(f"  stop: {stop}" for stop in self.stops),
        ]


async def look(setup: daemon.Setup, clock: Clock) -> list[Finding]:
    """Sign in and look at every target that is not off.

    Raises:
        CloudError: signing in failed, so nothing could be looked at.
    """
    monitor = Telemetry(Metrics(clock))
    async with contextlib.AsyncExitStack() as opened:
        huawei = HuaweiCloud(setup.connection, time=clock, monitor=monitor)
        opened.push_async_callback(huawei.aclose)
        servers = rereading.Servers(setup.sources, clock=clock, monitor=monitor)
        opened.push_async_callback(servers.aclose)
        sources = Sources(rereading.sources_of(huawei.metrics, servers))
        await huawei.cloud.sign_in()
        looked_at = (policy for policy in setup.policies if policy.mode is not Mode.OFF)
        return [await _look_at(huawei.cloud, sources, policy, clock) for policy in looked_at]


async def _look_at(cloud: Cloud, sources: MetricSource, policy: Policy, clock: Clock) -> Finding:
    """Every reading is tried by itself, so that one that fails hides none of the others."""
    finding, now = Finding(policy.name), clock.now()
    snapshot = await _tried(finding, preflight.describe_one(cloud, policy))
    if snapshot is not None:
        _instance(finding, policy, snapshot)
        await _metrics(sources, finding, policy, snapshot, now, cloud.skew or timedelta(0))
    elif finding.missing:
        return finding  # of what is not there nothing else can be asked
    await _jobs(cloud, finding, policy, now)
    await _data_nodes(cloud, finding, policy, now)
    if snapshot is not None:
        await _offer(cloud, finding, policy, snapshot)
    _clocks(finding, cloud.skew or timedelta(0))
    return finding


async def _tried(finding: Finding, reading: Awaitable[Found]) -> Found | None:
    """What was read, or None where it could not be: that would stop a scale-out too."""
    try:
        return await reading
    except CloudError as error:
        finding.missing = isinstance(error, NotFound)
        finding.stops.append(str(error))
        return None


def _instance(finding: Finding, policy: Policy, snapshot: Snapshot) -> None:
    finding.facts.append(
        f"instance {snapshot.instance_status}, group {snapshot.group_id}: {snapshot.ready} of {snapshot.current} nodes "
        f"ready, {snapshot.instance_nodes} in the instance"
    )
    if not snapshot.running:
        finding.stops.append(f"the instance is {snapshot.instance_status}, not RUNNING")
    finding.stops += [f"node {node.id} is {node.status}" for node in snapshot.nodes if node.state is NodeState.CHANGING]
    if snapshot.instance_nodes >= MAX_NODES_PER_INSTANCE:
        finding.stops.append(f"the instance has {snapshot.instance_nodes} nodes, as many as the cloud allows")
    if snapshot.current >= policy.bounds.max:
        finding.stops.append(f"the group has {snapshot.current} nodes; the policy's max is {policy.bounds.max}")
    if snapshot.prepaid and not policy.target.auto_pay:
        finding.stops.append(
            "the instance is prepaid (yearly/monthly): without auto_pay: true every order would wait for payment"
        )


def _clocks(finding: Finding, skew: timedelta) -> None:
    seconds = round(skew.total_seconds())
    apart = f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} ours" if seconds else "the same as ours"
    finding.facts.append(f"the cloud's clock is {apart}")
    if abs(skew) > MAX_SKEW:
        finding.stops.append(
            f"the clocks are {abs(seconds)} s apart, of at most {MAX_SKEW.total_seconds():.0f} s; mend the time of this"
            f" machine, or for an emulated cloud set {VARIABLE} to the clock that the emulator printed"
        )


async def _jobs(cloud: Cloud, finding: Finding, policy: Policy, now: datetime) -> None:
    jobs = await _tried(finding, cloud.jobs(now - DAY, now + DAY)) or ()
    for job in jobs:
        if job.instance_id == policy.target.instance_id and not job.finished:
            finding.stops.append(f"job {job.id} ({job.name}) is {job.status}")


async def _offer(cloud: Cloud, finding: Finding, policy: Policy, snapshot: Snapshot) -> None:
    offer = await _tried(finding, cloud.offer(policy.target, snapshot))
    if cloud.names_nodes:
        await _tried(finding, cloud.node_zones(policy.target, snapshot))
    if offer is None:
        return
    if offer.zone_error:
        finding.stops.append(offer.zone_error)
    elif offer.sold_out:
        finding.stops.append(f"flavor {offer.flavor_id or 'of the group'} is sold out where the target may use it")
    if offer.sellable_zones:
        zones = ", ".join(offer.sellable_zones)
        finding.facts.append(f"flavor {offer.flavor_id or 'of the group'} is on sale in {zones}")


async def _data_nodes(cloud: Cloud, finding: Finding, policy: Policy, now: datetime) -> None:
    read = await _tried(finding, preflight.data_nodes_of(cloud, policy, Direction.OUT, now))
    data_nodes, cpu_unknown = read or ((), "")
    for node in data_nodes:
        told = f"data node {node.name or node.id} is {node.ddm_status} in DDM and {node.rds_status or 'unknown'} in RDS"
        stops = policy.check_data_nodes and not node.available
        (finding.stops if stops else finding.facts).append(told)
    _data_node_cpu(finding, policy, data_nodes, cpu_unknown)


def _data_node_cpu(finding: Finding, policy: Policy, data_nodes: Iterable[DataNode], unknown: str) -> None:
    limit = policy.data_node_max_cpu
    if limit is None:
        return
    for node in data_nodes:
        if node.cpu is not None:
            told = f"data node {node.name or node.id} is at {node.cpu:f} % CPU, max_cpu is {limit:f} %"
            (finding.stops if node.cpu > limit else finding.facts).append(told)
    if unknown:
        finding.facts.append(f"max_cpu stops nothing while the CPU of a data node is not known: {unknown}")


async def _metrics(
    sources: MetricSource, finding: Finding, policy: Policy, snapshot: Snapshot, now: datetime, skew: timedelta
) -> None:
    nodes = tuple(sorted(snapshot.ready_ids))
    queries = {metric: MetricQuery.of(metric, policy.target.instance_id, nodes) for metric in policy.metrics}
    for metric, query in queries.items():
        at = now + skew if metric.source == CLOUD_EYE else now  # each by the clock of its source
        answer = (await sources.fetch((query,), at - LOOK_BACK, at))[query]
        if isinstance(answer, CloudError):
            finding.stops.append(f"metric {metric.name}: {answer}")
        elif metric.of_group:
            _of_group(finding, metric, answer, at)
        else:
            _of_nodes(finding, metric, answer, nodes, at)


def _of_group(finding: Finding, metric: Metric, answer: Mapping[str, Points], now: datetime) -> None:
    """A query whose one series is the value of the group."""
    newest = [max(points) for points in answer.values() if points]
    if newest:
        finding.facts.append(f"metric {metric.name}: 1 series, {_lag('newest value', newest, metric, now)}")
    else:
        finding.stops.append(
            f"metric {metric.name}: no series with a value in the last hour; try the query at {metric.source}"
        )


def _of_nodes(
    finding: Finding, metric: Metric, answer: Mapping[str, Points], nodes: Sequence[str], now: datetime
) -> None:
    newest = [max(answer[node]) for node in nodes if answer.get(node)]
    if len(newest) < len(nodes):
        found = f", the label {metric.node_label} has {_few(answer)}" if metric.is_query else ""
        finding.stops.append(
            f"metric {metric.name}: {len(newest)} of {len(nodes)} nodes had a value in the last hour{found}"
        )
    if newest:
        counted = f"{len(answer)} series, {len(newest)} of them of ready nodes, " if metric.is_query else ""
        finding.facts.append(f"metric {metric.name}: {counted}{_lag('newest value of all nodes', newest, metric, now)}")


def _few(found: Iterable[str]) -> str:
    """What a label holds, for who has to find out why no node is among it."""
    names = sorted(found)
    shown = ", ".join(names[:_SHOWN_LABELS]) or "no value"
    return f"{shown}, …" if len(names) > _SHOWN_LABELS else shown


def _lag(what: str, newest: Sequence[datetime], metric: Metric, now: datetime) -> str:
    """How old the value is that all have, from the end of its period."""
    age = max(now - (min(newest) + metric.period), timedelta(0))
    return f"{what} ended {quantities.write_duration(age)} ago"

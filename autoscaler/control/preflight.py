"""The pre-flight: everything that is read again just before something would be changed."""

from dataclasses import replace
from datetime import datetime, timedelta

from autoscaler.core.checks import Checks, DataNode, newest_cpu
from autoscaler.core.history import DAY
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import Snapshot
from autoscaler.errors import CloudError
from autoscaler.ports import Cloud

TOKEN_GOOD_FOR = timedelta(minutes=5)
"""No call that changes something begins on a token that may end before its answer."""


async def read(cloud: Cloud, policy: Policy, direction: Direction, now: datetime) -> Checks:
    """The instance, its jobs, its data nodes and (going out) what is on sale, as they are now.

    Raises:
        CloudError: anything of it could not be read; then nothing may be changed.
    """
    await cloud.sign_in(good_for=TOKEN_GOOD_FOR)
    target = policy.target
    snapshot = await describe_one(cloud, policy)
    jobs = await cloud.jobs(now - DAY, now + DAY)
    data_nodes, cpu_unknown = await data_nodes_of(cloud, policy, direction, now)
    offer = await cloud.offer(target, snapshot) if direction is Direction.OUT else None
    if cloud.names_nodes:
        snapshot = await _with_zones(cloud, policy, snapshot)
    return Checks(snapshot, jobs, data_nodes, offer, skew=cloud.skew or timedelta(0), cpu_unknown=cpu_unknown)


async def data_nodes_of(
    cloud: Cloud, policy: Policy, direction: Direction, now: datetime
) -> tuple[tuple[DataNode, ...], str]:
    """The data nodes, if anything is asked of them; and why a CPU is not known that the policy asks for.

    Raises:
        CloudError: whether they are available is to be known, and could not be read.
    """
    asked_for_cpu = policy.data_node_max_cpu is not None and direction is Direction.OUT
    if not policy.check_data_nodes and not asked_for_cpu:
        return (), ""
    try:
        data_nodes = await cloud.data_nodes(policy.target)
    except CloudError as error:
        if policy.check_data_nodes:
            raise
        return (), str(error)
    return await measured(cloud, data_nodes, policy.max_metric_age, now) if asked_for_cpu else (data_nodes, "")


async def measured(
    cloud: Cloud, data_nodes: tuple[DataNode, ...], max_age: timedelta, now: datetime
) -> tuple[tuple[DataNode, ...], str]:
    """The data nodes with their CPU, and why one is not known; an error is told, not raised: it stops nobody."""
    try:
        points = await cloud.data_node_cpu([node.id for node in data_nodes], now - max_age, now)
    except CloudError as error:
        return data_nodes, str(error)
    known = tuple(replace(node, cpu=newest_cpu(points.get(node.id, {}), now, max_age)) for node in data_nodes)
    blind = ", ".join(node.name or node.id for node in known if node.cpu is None)
    return known, f"Cloud Eye has no value of {blind} that is new enough" if blind else ""


async def describe_one(cloud: Cloud, policy: Policy) -> Snapshot:
    """One target as it is now.

    Raises:
        CloudError: it could not be read.
    """
    answer = (await cloud.describe([policy.target]))[policy.name]
    if isinstance(answer, CloudError):
        raise answer
    return answer


async def _with_zones(cloud: Cloud, policy: Policy, snapshot: Snapshot) -> Snapshot:
    zones = await cloud.node_zones(policy.target, snapshot)
    return replace(snapshot, nodes=tuple(replace(node, zone=zones.get(node.id, "")) for node in snapshot.nodes))

"""The pre-flight: everything that is read again just before something would be changed."""

from dataclasses import replace
from datetime import datetime, timedelta

from autoscaler.core.checks import Checks
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
    data_nodes = await cloud.data_nodes(target) if policy.check_data_nodes else ()
    offer = await cloud.offer(target, snapshot) if direction is Direction.OUT else None
    if cloud.names_nodes:
        snapshot = await _with_zones(cloud, policy, snapshot)
    return Checks(snapshot, jobs, data_nodes, offer, cloud.skew or timedelta(0))


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

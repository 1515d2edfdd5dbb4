"""The port `Cloud`: one DDM service of one project."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from autoscaler import clock, errors, ports
from autoscaler.core import checks
from autoscaler.core.operation import Operation
from autoscaler.core.target import Scope, Snapshot, Target
from autoscaler.huaweicloud import data_node_cpu, data_nodes, flavors, groups, instances, jobs, scaling, skew
from autoscaler.huaweicloud.connection import DdmApi
from autoscaler.huaweicloud.gateway import Gateway


class DdmCloud:
    """What the port promises, in either API."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        region: str,
        api: DdmApi,
        time: clock.Clock,
        clock_skew: skew.ClockSkew,
        cpu: data_node_cpu.DataNodeCpu,
    ) -> None:
        self._gateway = gateway
        self._region = region
        self._api = api
        self._time = time
        self._skew = clock_skew
        self._cpu = cpu

    @property
    def scope(self) -> Scope | None:
        project_id = self._gateway.session.project_id
        return None if project_id is None else Scope(self._region, project_id)

    @property
    def skew(self) -> timedelta | None:
        return self._skew.value

    @property
    def names_nodes(self) -> bool:
        return self._api is DdmApi.V3

    async def sign_in(self, *, good_for: timedelta = timedelta(0)) -> None:
        await self._gateway.session.sign_in(good_for=good_for)

    async def describe(self, targets: Sequence[Target]) -> Mapping[str, Snapshot | errors.CloudError]:
        wanted = dict.fromkeys(target.instance_id for target in targets)
        shown = dict(zip(wanted, await asyncio.gather(*map(self._instance, wanted)), strict=True))
        return {target.name: _snapshot(target, shown[target.instance_id]) for target in targets}

    async def jobs(self, start: datetime, end: datetime) -> tuple[checks.Job, ...]:
        return await jobs.jobs(self._gateway, start, end)

    async def job(self, job_id: str) -> checks.Job | None:
        return await jobs.job(self._gateway, job_id)

    async def data_nodes(self, target: Target) -> tuple[checks.DataNode, ...]:
        return await data_nodes.data_nodes(self._gateway, target.instance_id)

    async def data_node_cpu(
        self, data_node_ids: Collection[str], start: datetime, end: datetime
    ) -> Mapping[str, ports.Points]:
        return await self._cpu.fetch(data_node_ids, start, end)

    async def offer(self, target: Target, snapshot: Snapshot) -> checks.Offer:
        instance = await instances.show(self._gateway, target.instance_id, at=self._time.now())
        group = (await self._groups(target)).get(snapshot.group_id)
        on_offer = await flavors.flavors(self._gateway, instance.engine_version)
        return flavors.offer(target, self._api, instance, group, on_offer)

    async def node_zones(self, target: Target, snapshot: Snapshot) -> Mapping[str, str]:
        group = (await self._groups(target)).get(snapshot.group_id)
        return {} if group is None else {node_id: zone for node_id, zone in group.zones.items() if zone}

    async def add_nodes(self, target: Target, operation: Operation, before_send: ports.BeforeSend) -> ports.Accepted:
        return await scaling.add_nodes(
            self._gateway, self._api, target=target, operation=operation, before_send=before_send
        )

    async def remove_nodes(self, target: Target, operation: Operation, before_send: ports.BeforeSend) -> ports.Accepted:
        return await scaling.remove_nodes(
            self._gateway, self._api, target=target, operation=operation, before_send=before_send
        )

    async def _instance(self, instance_id: str) -> instances.Instance | errors.CloudError:
        try:
            return await instances.show(self._gateway, instance_id, at=self._time.now())
        except errors.CloudError as error:
            return error

    async def _groups(self, target: Target) -> dict[str, groups.Group]:
        """The instance's groups; none where this edition of the API has no such call."""
        try:
            return await groups.groups(self._gateway, target.instance_id)
        except errors.NotFound:
            return {}


def _snapshot(target: Target, shown: instances.Instance | errors.CloudError) -> Snapshot | errors.CloudError:
    if isinstance(shown, errors.CloudError):
        return shown
    try:
        return shown.snapshot(target)
    except errors.CloudError as error:
        return error

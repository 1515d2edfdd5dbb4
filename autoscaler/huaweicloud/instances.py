"""DDM instances and their nodes (DDM API reference, "Querying Details of a DDM Instance", "Querying Nodes")."""

from dataclasses import dataclass
from datetime import datetime

from autoscaler import errors
from autoscaler.core import target as targets
from autoscaler.huaweicloud.gateway import Gateway, identifier
from autoscaler.huaweicloud.records import Record, unique


@dataclass(frozen=True)
class GroupNode:
    """A node and the group that it is in; "" where the instance has no groups."""

    node: targets.Node
    group_id: str


@dataclass(frozen=True)
class Instance:
    """One reading of an instance."""

    id: str
    taken_at: datetime
    status: str  # the cloud's word
    nodes: tuple[GroupNode, ...]  # of all groups
    node_count: int  # as the cloud counts
    prepaid: bool
    engine_version: str
    flavor_code: str  # of the instance; a group may have another class
    zones: tuple[str, ...]

    def snapshot(self, target: targets.Target) -> targets.Snapshot:
        """What a target sees of it.

        Raises:
            NotFound: no such group, or none named where there are several.
        """
        group_id = self._group(target)
        return targets.Snapshot(
            taken_at=self.taken_at,
            instance_status=self.status,
            nodes=tuple(member.node for member in self.nodes if member.group_id == group_id),
            instance_nodes=max(self.node_count, len(self.nodes)),
            group_id=group_id,
            prepaid=self.prepaid,
        )

    def _group(self, target: targets.Target) -> str:
        there = sorted({member.group_id for member in self.nodes})
        named = ", ".join(group for group in there if group) or "none"
        if target.group_id is not None:
            if target.group_id in there:
                return target.group_id
            raise errors.NotFound(f"instance {self.id} has no group {target.group_id}; its groups: {named}")
        if not there:
            raise errors.Unreadable(f"instance {self.id} was shown without any node; the answer is not used")
        if len(there) > 1:
            raise errors.NotFound(f"instance {self.id} has several groups, so group_id is needed; its groups: {named}")
        return there[0]


async def show(gateway: Gateway, instance_id: str, *, at: datetime) -> Instance:
    """One reading, the list of nodes asked for too where the instance does not tell all of them.

    Raises:
        CloudError: it could not be read; NotFound where there is no such instance.
    """
    path = f"/v1/{{project}}/instances/{identifier(instance_id, 'DDM instance')}"
    try:
        record = await gateway.get("ddm", "show_instance", path)
    except errors.NotFound as error:
        message = f"there is no DDM instance {instance_id} in this project and region: check instance_id ({error})"
        raise errors.NotFound(message, status=error.status, code=error.code) from error
    nodes, count = record.records_or_none("nodes"), record.whole_or("node_count", 0)
    if len(nodes) < max(count, 1) or not all(node.has("node_id") and node.has("group_id") for node in nodes):
        nodes = await gateway.pages("ddm", "list_nodes", f"{path}/nodes", items="nodes")
    return Instance(
        id=instance_id,
        taken_at=at,
        status=record.text("status"),
        nodes=tuple(_node(node, node_id) for node_id, node in unique(nodes, "node_id")),
        node_count=count,
        prepaid=record.text_or("order_id") != "",
        engine_version=record.text_or("engine_version"),
        flavor_code=record.text_or("flavor_ref"),
        zones=tuple(zone.strip() for zone in record.text_or("available_zone").split(",") if zone.strip()),
    )


def _node(record: Record, node_id: str) -> GroupNode:
    return GroupNode(targets.Node(node_id, record.text("status")), record.text_or("group_id"))

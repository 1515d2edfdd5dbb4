"""Node groups: the class of their nodes, and the zones these are in (DDM API reference, "Querying DDM Groups")."""

from dataclasses import dataclass

from autoscaler.huaweicloud.gateway import Gateway, identifier
from autoscaler.huaweicloud.records import Record, unique


@dataclass(frozen=True)
class NodeClass:
    """What a node is made of. Groups do not name their flavor, so it is found by this."""

    cpus: int
    memory: int  # GB
    architecture: str  # upper case: X86, ARM; "" where it is not told

    def __str__(self) -> str:
        return f"{self.cpus} vCPUs, {self.memory} GB{f', {self.architecture}' if self.architecture else ''}"


@dataclass(frozen=True)
class Group:
    """One node group."""

    id: str
    node_class: NodeClass
    zones: dict[str, str]  # node id → zone


async def groups(gateway: Gateway, instance_id: str) -> dict[str, Group]:
    """All groups of an instance by their id.

    Raises:
        CloudError: they could not be read.
    """
    path = f"/v3/{{project}}/instances/{identifier(instance_id, 'DDM instance')}/groups"
    found = await gateway.pages("ddm", "list_groups", path, items="group_list", total="total_count")
    return {group_id: _group(record, group_id) for group_id, record in unique(found, "id")}


def _group(record: Record, group_id: str) -> Group:
    node_class = NodeClass(
        cpus=record.whole_or("cpu_num_per_node", 0),
        memory=record.whole_or("mem_num_per_node", 0),
        architecture=record.text_or("architecture").upper(),
    )
    nodes = unique(record.records_or_none("node_list"), "id")
    return Group(group_id, node_class, {node_id: node.text_or("az") for node_id, node in nodes})

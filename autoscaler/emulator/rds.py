"""RDS: the state of the data nodes."""

from typing import Any

from autoscaler.emulator import records
from autoscaler.emulator.calls import Answer, Call, Operation


def list_data_nodes(call: Call) -> Answer:
    """RDS API reference: Querying DB Instances; `id` is exact, unless it begins with `*`. 100 at most."""
    wanted = call.query.get("id", "*")
    found = [
        _data_node(call, node)
        for node in call.cloud.world.data_nodes.values()
        if (wanted[1:] in node.id if wanted.startswith("*") else wanted == node.id)
    ]
    page, _, _ = call.page(found, limit=100, most=100)
    return Answer(200, {"instances": page, "total_count": len(found)})


def _data_node(call: Call, node: records.DataNode) -> dict[str, Any]:
    settings, status = call.cloud.world.settings, node.status_at(call.now)
    master = {"id": node.id[:-4] + "no01", "name": f"{node.name}_node0", "role": "master", "status": status}
    return {
        "id": node.id,
        "status": status,
        "name": node.name,
        "port": 3306,
        "type": "Ha",
        "region": settings.region,
        "datastore": {"type": "MySQL", "version": "8.0"},
        "cpu": "4",
        "mem": "8",
        "nodes": [master | {"availability_zone": settings.zone_codes[0]}],
        "related_instance": [],
        "read_only_by_user": False,
        "associated_with_ddm": True,
    }


OPERATIONS = (Operation("list_data_nodes", "GET", "/v3/{project_id}/instances", list_data_nodes),)

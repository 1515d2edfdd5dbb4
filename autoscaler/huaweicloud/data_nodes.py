"""The RDS instances behind a DDM instance: the union over its schemas, as DDM and as RDS see them.

DDM's copy of a status can be stale, so RDS itself is asked too (DDM API reference, "Querying DDM Schemas").
"""

import asyncio

from autoscaler.core import checks
from autoscaler.huaweicloud import rds
from autoscaler.huaweicloud.gateway import Gateway, identifier


async def data_nodes(gateway: Gateway, instance_id: str) -> tuple[checks.DataNode, ...]:
    """Every associated data node, once; empty where there is no schema.

    Raises:
        CloudError: DDM or RDS could not be asked.
    """
    path = f"/v1/{{project}}/instances/{identifier(instance_id, 'DDM instance')}/databases"
    schemas = await gateway.pages("ddm", "list_databases", path, items="databases")
    known: dict[str, tuple[str, str]] = {}
    for schema in schemas:
        for used in schema.records_or_none("used_rds"):
            name, status = used.text_or("name"), used.text_or("status")
            worse = known.get(used.text("id"), (name, "normal"))[1]
            known[used.text("id")] = (name, status if worse.lower() == "normal" else worse)
    statuses = await asyncio.gather(*(rds.status(gateway, data_node_id) for data_node_id in known))
    return tuple(
        checks.DataNode(id=data_node_id, name=name, ddm_status=ddm_status, rds_status=rds_status)
        for (data_node_id, (name, ddm_status)), rds_status in zip(known.items(), statuses, strict=True)
    )

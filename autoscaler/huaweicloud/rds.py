"""RDS instances (RDS API reference, "Querying DB Instances")."""

from autoscaler.huaweicloud.gateway import Gateway

_PAGE = 100


async def status(gateway: Gateway, instance_id: str) -> str:
    """The RDS instance's own word (ACTIVE is good); "" where RDS does not know it.

    Raises:
        CloudError: it could not be asked.
    """
    query = (("id", instance_id), ("offset", "0"), ("limit", str(_PAGE)))
    answer = await gateway.get("rds", "list_instances", "/v3/{project}/instances", query)
    found = [record for record in answer.records("instances") if record.text("id") == instance_id]
    if not found and answer.whole_or("total_count", 0) > 0:
        raise answer.unreadable(f"it counts {instance_id} but does not list it")
    return found[0].text("status") if found else ""

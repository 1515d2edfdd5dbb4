"""The calls that change the number of nodes, in both APIs (DDM API reference, "Scaling Out/In a DDM Instance")."""

from typing import Any

from autoscaler import errors, ports
from autoscaler.core.operation import Operation
from autoscaler.core.target import Target
from autoscaler.huaweicloud.connection import DdmApi
from autoscaler.huaweicloud.gateway import Gateway, identifier


async def add_nodes(
    gateway: Gateway, api: DdmApi, *, target: Target, operation: Operation, before_send: ports.BeforeSend
) -> ports.Accepted:
    """Enlarge, once. Raises as the port says."""
    path = _path(target, operation)
    if api is DdmApi.V2:
        return await gateway.change("enlarge", f"/v2/{path}/action/enlarge", _enlarge(target, operation), before_send)
    return await gateway.change("add_nodes", f"/v3/{path}/nodes", _add(target, operation), before_send)


async def remove_nodes(
    gateway: Gateway, api: DdmApi, *, target: Target, operation: Operation, before_send: ports.BeforeSend
) -> ports.Accepted:
    """Reduce, once. Raises as the port says."""
    path = _path(target, operation)
    if api is DdmApi.V2:
        body = {"node_number": operation.change, **_group(operation)}
        return await gateway.change("reduce", f"/v2/{path}/action/reduce", body, before_send)
    if len(set(operation.removing)) != operation.change:
        message = f"{target.name}: {operation.change} nodes are to go, but {len(operation.removing)} are named"
        raise errors.Unsent(message)
    body = {"node_ids": list(operation.removing)}
    return await gateway.change("remove_nodes", f"/v3/{path}/nodes/batch-delete", body, before_send)


def _path(target: Target, operation: Operation) -> str:
    if target.instance_id != operation.instance.instance_id or operation.change < 1:
        raise errors.Unsent(f"{target.name}: the operation is of another instance, or changes nothing")
    try:
        return f"{{project}}/instances/{identifier(target.instance_id, 'DDM instance')}"
    except errors.NotFound as error:
        raise errors.Unsent(str(error)) from error


def _enlarge(target: Target, operation: Operation) -> dict[str, Any]:
    """`node_number` is how many to *add*. Zones are left to the cloud: only newer editions know the field."""
    if target.flavor_id is None:
        raise errors.Unsent(f"{target.name}: flavor_id is needed by the v2 API: set it in the policy")
    body = {"flavor_id": target.flavor_id, "node_number": operation.change}
    return body | _group(operation) | _payment(target)


def _add(target: Target, operation: Operation) -> dict[str, Any]:
    """A zone for each new node; the class is that of the group."""
    if len(operation.zones) != operation.change:
        message = f"{target.name}: {operation.change} nodes are to come, but zones for {len(operation.zones)} are named"
        raise errors.Unsent(message)
    body = {"nodes": [{"available_zone": zone} for zone in operation.zones]}
    subnet = {"subnet_id": target.subnet_id} if target.subnet_id else {}
    return body | _group(operation) | subnet | _payment(target)


def _group(operation: Operation) -> dict[str, Any]:
    return {"group_id": operation.group_id} if operation.group_id else {}


def _payment(target: Target) -> dict[str, Any]:
    return {"is_auto_pay": True} if target.auto_pay else {}

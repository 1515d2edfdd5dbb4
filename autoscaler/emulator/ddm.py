"""DDM: the calls that read instances, nodes, groups, flavors, jobs and schemas, and those that enlarge and reduce."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.emulator import faults, records, refusals, scenario, world
from autoscaler.emulator.calls import Answer, Call, Operation

_PORT = "5066"
_ENGINE_ID = "036dc44a-b560-4316-9e7f-e25a60f2aea2"
_MONTH = timedelta(days=30)
_MOST = 128  # of one page, in every list of DDM but the RDS ones


# Instances


def list_instances(call: Call) -> Answer:
    """DDM API reference: Querying DDM Instances (SDK: list_instances_response.py)."""
    every = [_summary(call, instance) for instance in call.cloud.world.instances.values()]
    page, offset, limit = call.page(every, limit=10, most=_MOST)
    pages = -(-len(every) // limit)
    total = {"page_no": offset // limit + 1, "page_size": limit, "total_page": pages}
    return Answer(200, {"instances": page, "instance_num": len(page), "total_record": len(every)} | total)


def list_instances_v3(call: Call) -> Answer:
    """SDK: list_ddms_response.py; `total` where v1 has `total_record`."""
    body = list_instances(call).body
    return Answer(200, {**body, "total": body["total_record"]})


def show_instance(call: Call) -> Answer:
    """DDM API reference: Querying Details of a DDM Instance. Here a node is `RUNNING` that is `normal` elsewhere."""
    instance = _instance(call)
    nodes = [
        {
            "status": "RUNNING" if node.status is records.NodeStatus.NORMAL else node.status,
            "port": _PORT,
            "ip": node.ip,
            "group_id": group.id,
            "node_id": node.id,
        }
        for group in instance.groups
        for node in group.nodes
    ]
    return Answer(200, {"nodes": nodes} | _summary(call, instance))


def _summary(call: Call, instance: records.Instance) -> dict[str, Any]:
    """What v1 tells of an instance: numbers as strings, but for `node_count`; the flavor by its code."""
    flavor = call.cloud.world.flavor(instance.groups[0].flavor_id)
    status = call.cloud.world.status(instance)
    first = instance.nodes[0]
    answer: dict[str, Any] = {
        "id": instance.id,
        "status": status,
        "name": instance.name,
        "created": offset_time(instance.created_at),
        "updated": offset_time(instance.updated_at),
        "available_zone": ",".join(sorted({node.zone for node in instance.nodes})),
        "vpc_id": "1a2b3c4d-0000-4000-8000-000000000001",
        "subnet_id": _SUBNET,
        "security_group_id": "1a2b3c4d-0000-4000-8000-000000000003",
        "node_count": len(instance.nodes),
        "access_ip": first.ip,
        "access_port": _PORT,
        "core_count": str(flavor.vcpus),
        "ram_capacity": str(flavor.ram),
        "node_status": status,
        "enterprise_project_id": "0",
        "project_id": call.cloud.world.settings.project.id,
        "engine_version": call.cloud.world.settings.engine_version,
        "admin_user_name": "root",
        "enable_ssl": False,
        "flavor_ref": flavor.code,
    }
    return answer | ({"order_id": instance.order_id} if instance.prepaid else {})


def show_instance_v3(call: Call) -> Answer:
    """SDK: show_ddm_detail_response.py, instance_detail.py; a list of one."""
    instance = _instance(call)
    groups = [_detailed_group(group, default=group is instance.groups[0]) for group in instance.groups]
    settings = call.cloud.world.settings
    actions = [{"action": "lock"}] if call.cloud.world.running_job(instance.id) else []
    detail = {
        "id": instance.id,
        "name": instance.name,
        "project_id": settings.project.id,
        "cluster_mode": "Cluster",
        "status": call.cloud.world.status(instance),
        "datastore_version": settings.engine_version,
        "datastore_type": "ddm",
        "create_at": offset_time(instance.created_at),
        "update_at": offset_time(instance.updated_at),
        "port": _PORT,
        "pay_model": "1" if instance.prepaid else "0",
        "order_id": instance.order_id,
        "is_frozen": False,
        "actions": actions,
        "only_default_group": len(instance.groups) == 1,
        "groups": groups,
        "admin_user_name": "root",
        "enable_ssl": 0,
    }
    return Answer(200, {"instances": [detail]})


def _detailed_group(group: records.Group, *, default: bool) -> dict[str, Any]:
    nodes = [
        {"id": node.id, "status": node.status, "name": node.name, "az_code": node.zone, "actions": []}
        | {"subnet_id": _SUBNET}
        for node in group.nodes
    ]
    return {
        "id": group.id,
        "name": group.name,
        "role": group.role,
        "endpoint": _endpoint(group),
        "node_count": len(nodes),
        "load_balance": True,
        "is_default_group": default,
        "nodes": nodes,
    }


# Nodes and groups


def list_nodes(call: Call) -> Answer:
    """DDM API reference: Querying Nodes of a DDM Instance."""
    every = [
        {"port": _PORT, "status": node.status, "node_id": node.id, "ip": node.ip, "group_id": group.id}
        for group in _instance(call).groups
        for node in group.nodes
    ]
    page, offset, limit = call.page(every, limit=_MOST, most=_MOST)
    return Answer(200, {"nodes": page, "offset": offset, "limit": limit, "total": len(every)})


def show_node(call: Call) -> Answer:
    """DDM API reference: Querying Details of a DDM Instance Node (v1)."""
    group, node = _node(call)
    return Answer(
        200,
        {
            "status": node.status,
            "name": node.name,
            "node_id": node.id,
            "private_ip": node.ip,
            "floating_ip": None,
            "server_id": None,
            "subnet_name": "subnet-test",
            "datavolume_id": None,
            "res_subnet_ip": node.ip,
            "systemvolume_id": None,
            "group_id": group.id,
            "subnet_id": _SUBNET,
        },
    )


def show_node_v3(call: Call) -> Answer:
    """DDM API reference: Querying Details of a DDM Instance Node (v3); only here and in the groups is the zone."""
    group, node = _node(call)
    told = {"id": node.id, "private_ip": node.ip, "status": node.status, "name": node.name}
    return Answer(200, told | {"subnet_id": _SUBNET, "az_code": node.zone, "group_id": group.id})


def list_groups(call: Call) -> Answer:
    """DDM API reference: Querying Groups of a DDM Instance; no flavor in it, ten by default."""
    instance = _instance(call)
    page, _, _ = call.page([_group(call, group) for group in instance.groups], limit=10, most=_MOST)
    return Answer(200, {"group_list": page, "total_count": len(instance.groups)})


def _group(call: Call, group: records.Group) -> dict[str, Any]:
    flavor = call.cloud.world.flavor(group.flavor_id)
    return {
        "id": group.id,
        "name": group.name,
        "role": group.role,
        "endpoint": _endpoint(group),
        "is_load_balance": True,
        "is_default_group": False,  # so it is in the vendor's own example, for the default group
        "cpu_num_per_node": flavor.vcpus,
        "mem_num_per_node": flavor.ram,
        "architecture": flavor.architecture,
        "node_list": [{"id": node.id, "name": node.name, "az": node.zone} for node in group.nodes],
    }


def _endpoint(group: records.Group) -> str:
    return f"{group.nodes[0].ip}:{_PORT}"


# Engines and flavors


def list_engines(call: Call) -> Answer:
    """DDM API reference: Querying DDM Engine Information (v2): camelCase."""
    settings = call.cloud.world.settings
    zones = [{"code": zone, "name": zone, "favored": False} for zone in settings.zone_codes]
    engine = {"id": _ENGINE_ID, "name": "ddm", "version": settings.engine_version, "supportAzs": zones}
    page, offset, limit = call.page([engine], limit=10, most=_MOST)
    return Answer(200, {"engineGroups": page, "offset": offset, "limit": limit, "total": 1})


def list_engines_v3(call: Call) -> Answer:
    """DDM API reference: Querying DDM Engine Information (v3): snake_case."""
    engine = {"id": _ENGINE_ID, "name": "ddm", "version": call.cloud.world.settings.engine_version}
    page, offset, limit = call.page([engine], limit=10, most=_MOST)
    return Answer(200, {"engine_groups": page, "offset": offset, "limit": limit, "total": 1})


def list_flavors(call: Call) -> Answer:
    """DDM API reference: Querying DDM Node Classes Available in an AZ (v2); the engine's id is mandatory."""
    if call.query.get("engine_id") != _ENGINE_ID:
        raise ValueError("engine_id is missing or unknown")
    groups = []
    for architecture, flavors in _by_architecture(call):
        page, offset, limit = call.page([_compute_flavor(call, flavor) for flavor in flavors], limit=10, most=_MOST)
        group = {"groupType": architecture, "computeFlavors": page}
        groups.append(group | {"offset": offset, "limit": limit, "total": len(flavors)})
    return Answer(200, {"computeFlavorGroups": groups})


def _compute_flavor(call: Call, flavor: scenario.Flavor) -> dict[str, Any]:
    return {
        "id": flavor.id,
        "typeCode": "hws.resource.type.ddm",
        "code": flavor.code,
        "iaasCode": flavor.code.removeprefix("ddm."),
        "cpu": str(flavor.vcpus),
        "mem": str(flavor.ram),
        "maxConnections": None,
        "serverType": "VM",
        "architecture": flavor.architecture,
        "azStatus": {zone: _sale(call, flavor, zone) for zone in call.cloud.world.settings.zone_codes},
        "regionStatus": "normal",
        "groupType": flavor.architecture,
        "dbType": "ddm",
        "extendFields": None,
    }


def list_flavors_v3(call: Call) -> Answer:
    """DDM API reference: Querying DDM Node Classes (v3); by engine id or version, the totals per architecture."""
    version = call.cloud.world.settings.engine_version
    if call.query.get("engine_id") != _ENGINE_ID and call.query.get("engine_version") != version:
        raise ValueError("engine_id or engine_version is needed")
    asked = [zone for zone in call.query.get("available_zones", "").split(",") if zone]
    groups = []
    for architecture, flavors in _by_architecture(call):
        page, offset, limit = call.page([_flavor(call, flavor, asked) for flavor in flavors], limit=10, most=_MOST)
        group = {"group_type": architecture, "flavors": page}
        groups.append(group | {"offset": offset, "limit": limit, "total": len(flavors)})
    return Answer(200, {"flavor_groups": groups})


def _flavor(call: Call, flavor: scenario.Flavor, asked: list[str]) -> dict[str, Any]:
    zones = [
        {"code": zone, "description": zone, "status": _sale(call, flavor, zone), "support_ipv6": True}
        for zone in call.cloud.world.settings.zone_codes
        if not asked or zone in asked
    ]
    told = {"id": flavor.id, "spec_code": flavor.code, "vcpus": str(flavor.vcpus), "ram": str(flavor.ram)}
    return told | {"az_infos": zones}


def _sale(call: Call, flavor: scenario.Flavor, zone: str) -> str:
    return "normal" if call.cloud.world.on_sale(flavor, zone, call.now) else "sellout"


def _by_architecture(call: Call) -> Iterable[tuple[str, list[scenario.Flavor]]]:
    flavors = call.cloud.world.settings.flavors
    for architecture in sorted({flavor.architecture for flavor in flavors}, reverse=True):
        yield architecture, [flavor for flavor in flavors if flavor.architecture == architecture]


# Jobs


def show_job(call: Call) -> Answer:
    """DDM API reference: Querying Details of a Job. There is an end time while it runs, and no reason of a failure."""
    job = next((job for job in call.cloud.world.jobs if job.id == call.params["job_id"]), None)
    if job is None or call.struck_by(faults.Kind.JOB_LIST_FORGETS):
        raise refusals.refuse("ddm", 400, "DBS.300400", "The task is not found.")
    instance = call.cloud.world.instances[job.instance_id]
    told = _job(call, job) | {"instance": {"id": instance.id, "name": instance.name}}
    return Answer(200, {"job": told})


def list_jobs(call: Call) -> Answer:
    """DDM API reference: Querying Jobs. Newest first; both times are mandatory, in ms, 30 days back at most."""
    begin, end = (_from_ms(call.query[name]) for name in ("start_time", "end_time"))
    if begin > end or begin < call.now - _MONTH:
        raise ValueError("start_time is out of bounds")
    wanted = [job for job in reversed(call.cloud.world.jobs) if begin <= job.created_at <= end]
    if call.struck_by(faults.Kind.JOB_LIST_FORGETS):
        wanted = []
    page, offset, limit = call.page([_listed_job(call, job) for job in wanted], limit=10, most=_MOST)
    return Answer(200, {"jobs": page, "offset": offset, "limit": limit, "total": len(wanted)})


def _listed_job(call: Call, job: records.Job) -> dict[str, Any]:
    """The list knows the reason of a failure, the single job does not."""
    name = call.cloud.world.instances[job.instance_id].name
    reason = job.ending.fail_reason if job.status is records.JobStatus.FAILED else ""
    told = {"instance_id": job.instance_id, "instance_name": name, "operations": []}
    return _job(call, job) | told | {"database_name": "", "fail_reason": reason}


def _job(call: Call, job: records.Job) -> dict[str, Any]:
    end = call.now if job.running or job.ending.at is None else job.ending.at
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "created_time": offset_time(job.created_at),
        "end_time": offset_time(end),
        "process": job.progress(call.now),
    }


# Schemas


def list_schemas(call: Call) -> Answer:
    """DDM API reference: Querying Schemas; `used_rds` is the documented way to the associated data nodes."""
    schemas = _instance(call).schemas
    page, _, _ = call.page([_schema(call, schema) for schema in schemas], limit=10, most=_MOST)
    return Answer(200, {"databases": page, "total": len(schemas)})


def _schema(call: Call, schema: scenario.Schema) -> dict[str, Any]:
    return {
        "name": schema.name,
        "shard_mode": "cluster",
        "shard_number": 8 * len(schema.data_nodes),
        "shard_unit": 8,
        "status": schema.status,
        "created": int(call.cloud.world.start.timestamp() * 1000),
        "used_rds": [
            {"id": node.id, "name": node.name, "status": _word(node, call.now)}
            for node in (call.cloud.world.data_nodes[node_id] for node_id in schema.data_nodes)
        ],
    }


def show_schema(call: Call) -> Answer:
    """DDM API reference: Querying Details of a Schema (v3)."""
    schema = next((one for one in _instance(call).schemas if one.name == call.params["name"]), None)
    if schema is None:
        raise refusals.refuse("ddm", 404)
    listed = _schema(call, schema)
    nodes = [
        {"id": node["id"], "status": node["status"], "name": node["name"], "engine_name": "MySQL"}
        | {"engine_version": "8.0", "mem": "8", "cpu": "4"}
        for node in listed["used_rds"]
    ]
    created = offset_time(call.cloud.world.start)
    told = {key: listed[key] for key in ("name", "status", "shard_mode", "shard_number")}
    return Answer(200, told | {"shards": [], "created": created, "updated": created, "data_nodes": nodes})


def _word(node: records.DataNode, now: datetime) -> str:
    """DDM's own words for an RDS's state (its API reference, appendix: Status Description)."""
    words = {"ACTIVE": "normal", "BACKING UP": "Backing up", "FAILED": "Abnormal", "REBOOTING": "Rebooting"}
    status = node.status_at(now)
    return words.get(status, status.capitalize())


# Enlarge and reduce


def enlarge_v2(call: Call) -> Answer:
    """DDM API reference: Scaling Out a DDM Instance (v2). `node_number` are the nodes to add; 200, camelCase."""
    body = call.json()
    group = _wanted_group(call, body)
    if body["flavor_id"] != group.flavor_id:
        raise ValueError("flavor_id is not that of the group")
    zones = tuple(body.get("available_zones") or call.cloud.world.spread(group, _count(body["node_number"])))
    if len(zones) != body["node_number"]:
        raise ValueError("available_zones is not as long as node_number")
    done = _enlarge(call, body, zones)
    return Answer(200, _camel(call, done))


def enlarge_v3(call: Call) -> Answer:
    """DDM API reference: Scaling Out a DDM Instance (v3). A zone per node; 202, snake_case."""
    body = call.json()
    zones = tuple(node["available_zone"] for node in body["nodes"])
    _check_zones(call, zones)
    return Answer(202, _snake(_enlarge(call, body, zones)))


def _enlarge(call: Call, body: dict[str, Any], zones: tuple[str, ...]) -> world.Accepted:
    _check_zones(call, zones)
    return call.cloud.world.enlarge(
        call.params["instance_id"],
        body.get("group_id"),
        zones,
        auto_pay=bool(body.get("is_auto_pay")),
        now=call.now,
    )


def reduce_v2(call: Call) -> Answer:
    """DDM API reference: Scaling In a DDM Instance. The cloud picks the nodes; 200, camelCase."""
    body = call.json()
    count = _count(body["node_number"])
    done = call.cloud.world.reduce_by(call.params["instance_id"], body.get("group_id"), count, call.now)
    return Answer(200, _camel(call, done))


def reduce_v3(call: Call) -> Answer:
    """DDM API reference: Deleting Multiple Nodes from an Instance at a Time; 202, snake_case."""
    nodes = tuple(str(node) for node in call.json()["node_ids"])
    done = call.cloud.world.reduce_nodes(call.params["instance_id"], nodes, call.now)
    return Answer(202, _snake(done))


def _camel(call: Call, done: world.Accepted) -> dict[str, str]:
    """A job comes with the instance's name; a prepaid one's order without (SDK: expand_instance_nodes_response)."""
    instance = _instance(call)
    if done.order_id is not None:
        return {"instanceId": instance.id, "orderId": done.order_id}
    return {"instanceId": instance.id, "instanceName": instance.name, "jobId": str(done.job_id)}


def _snake(done: world.Accepted) -> dict[str, str]:
    return {"order_id": done.order_id} if done.order_id is not None else {"job_id": str(done.job_id)}


def _check_zones(call: Call, zones: tuple[str, ...]) -> None:
    if not zones or any(zone not in call.cloud.world.settings.zone_codes for zone in zones):
        raise ValueError("there is no such availability zone")


def _count(value: object) -> int:
    """A number of nodes, from 1 on."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= records.MAX_NODES:
        raise ValueError("node_number is out of bounds")
    return value


# What all of them use


def _instance(call: Call) -> records.Instance:
    return call.cloud.world.instance(call.params["instance_id"])


def _wanted_group(call: Call, body: dict[str, Any]) -> records.Group:
    """The group of an enlarge; told, or the only one."""
    return call.cloud.world.chosen_group(_instance(call), body.get("group_id"))


def _node(call: Call) -> tuple[records.Group, records.Node]:
    for group in _instance(call).groups:
        for node in group.nodes:
            if node.id == call.params["node_id"]:
                return group, node
    raise refusals.refuse("ddm", 404, message="The node does not exist.")


def offset_time(moment: datetime) -> str:
    """`2021-11-09T03:30:01+0000`: an offset without a colon."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S%z")


def _from_ms(text: str) -> datetime:
    return datetime.fromtimestamp(0, tz=UTC) + timedelta(milliseconds=int(float(text)))


_SUBNET = "1a2b3c4d-0000-4000-8000-000000000002"
_ONE = "/v1/{project_id}/instances/{instance_id}"
_TWO = "/v2/{project_id}/instances/{instance_id}"
_THREE = "/v3/{project_id}/instances/{instance_id}"

OPERATIONS = (
    Operation("list_instances", "GET", "/v1/{project_id}/instances", list_instances),
    Operation("list_instances", "GET", "/v3/{project_id}/instances", list_instances_v3),
    Operation("show_instance", "GET", _ONE, show_instance),
    Operation("show_instance", "GET", _THREE, show_instance_v3),
    Operation("list_nodes", "GET", _ONE + "/nodes", list_nodes),
    Operation("show_node", "GET", _ONE + "/nodes/{node_id}", show_node),
    Operation("show_node", "GET", _THREE + "/nodes/{node_id}", show_node_v3),
    Operation("list_groups", "GET", _THREE + "/groups", list_groups),
    Operation("list_engines", "GET", "/v2/{project_id}/engines", list_engines),
    Operation("list_engines", "GET", "/v3/{project_id}/engines", list_engines_v3),
    Operation("list_flavors", "GET", "/v2/{project_id}/flavors", list_flavors),
    Operation("list_flavors", "GET", "/v3/{project_id}/flavors", list_flavors_v3),
    Operation("show_job", "GET", "/v3/{project_id}/jobs/{job_id}", show_job),
    Operation("list_jobs", "GET", "/v3/{project_id}/jobs", list_jobs),
    Operation("list_schemas", "GET", _ONE + "/databases", list_schemas),
    Operation("show_schema", "GET", _THREE + "/databases/{name}", show_schema),
    Operation("enlarge", "POST", _TWO + "/action/enlarge", enlarge_v2, mutating=True),
    Operation("enlarge", "POST", _THREE + "/nodes", enlarge_v3, mutating=True),
    Operation("reduce", "POST", _TWO + "/action/reduce", reduce_v2, mutating=True),
    Operation("reduce", "POST", _THREE + "/nodes/batch-delete", reduce_v3, mutating=True),
    Operation("reduce", "DELETE", _THREE + "/nodes", reduce_v3, mutating=True),
)

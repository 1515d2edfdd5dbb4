"""What the adapter makes of DDM's and RDS's answers, and the bodies that it sends."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from autoscaler import errors
from autoscaler.core.checks import DataNode, Job, Offer
from autoscaler.core.policy import Direction
from autoscaler.core.target import Node, Target
from autoscaler.huaweicloud.connection import DdmApi, Dialect
from tests.huaweicloud.conftest import FLAVOR, GROUP, INSTANCE, PROJECT, TARGET, Seen, Server, http, operation

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
OTHER_GROUP = "0000abf2010d45118068c28c8958f5fcgr09"


def node(name: str, group: str | None = GROUP, status: str = "RUNNING") -> dict:
    shown = {"status": status, "port": "5066", "ip": "10.0.0.5", "node_id": f"{name}no09"}
    return shown | ({"group_id": group} if group is not None else {})


def instance(members: list[dict], **changes: object) -> dict:
    shown = {
        "id": INSTANCE,
        "status": "RUNNING",
        "node_count": len(members),
        "available_zone": "az1,az2",
        "engine_version": "3.1.0.8",
        "flavor_ref": "ddm.c6.xlarge.2",
        "nodes": members,
    }
    return shown | changes


class Ddm:
    """A scripted service: one answer for each path below the project."""

    def __init__(self, **paths: object) -> None:
        self.paths = paths

    def __call__(self, seen: Seen) -> bytes:
        path = seen.target.partition("?")[0].split(f"{PROJECT}/", 1)[1]
        name = path.replace(f"instances/{INSTANCE}", "instance").replace("/", "_").replace("-", "_")
        found = self.paths.get(name)
        if callable(found):
            found = found(dict(pair.split("=") for pair in seen.target.partition("?")[2].split("&")))
        return http(404) if found is None else found if isinstance(found, bytes) else http(200, found)


async def describe(route: Any, client: Any, target: Target = TARGET, **paths: object) -> tuple[Any, Server]:
    server = await route(Ddm(**paths))
    return (await client(server.url).cloud.describe([target]))[target.name], server


async def test_an_instance_is_described_by_one_call_for_all_its_targets(route, client):
    shown = instance([node("a"), node("b"), node("c", OTHER_GROUP, "normal")], order_id="")
    server = await route(Ddm(instance=shown))
    other = Target("other", INSTANCE, group_id=OTHER_GROUP)
    found = await client(server.url).cloud.describe([TARGET, other])
    assert server.operations == [f"GET /v1/{PROJECT}/instances/{INSTANCE}"]
    assert found["orders"].nodes == (Node("ano09", "RUNNING"), Node("bno09", "RUNNING"))
    assert found["other"].nodes == (Node("cno09", "normal"),)
    assert {shot.instance_nodes for shot in found.values()} == {3}
    assert {(shot.instance_status, shot.prepaid, shot.running) for shot in found.values()} == {("RUNNING", False, True)}


async def test_a_paid_order_makes_it_prepaid(route, client):
    shot, _ = await describe(route, client, instance=instance([node("a")], order_id="CS2411"))
    assert shot.prepaid


NO_GROUP = dataclasses.replace(TARGET, group_id=None)

GROUPS = [
    ("the only one", NO_GROUP, [node("a"), node("b")], GROUP),
    ("none at all", NO_GROUP, [node("a", ""), node("b", "")], ""),
    ("the one named", TARGET, [node("a"), node("b", OTHER_GROUP)], GROUP),
]


@pytest.mark.parametrize(("name", "target", "nodes", "group"), GROUPS, ids=[row[0] for row in GROUPS])
async def test_the_group_is(route, client, name, target, nodes, group):
    shot, _ = await describe(route, client, target, instance=instance(nodes))
    assert shot.group_id == group
    assert {node.id for node in shot.nodes} == {one["node_id"] for one in nodes if one["group_id"] == group}


async def test_several_groups_and_none_named_is_an_error_that_names_them(route, client):
    error, _ = await describe(route, client, NO_GROUP, instance=instance([node("a"), node("b", OTHER_GROUP)]))
    assert isinstance(error, errors.NotFound)
    assert GROUP in str(error)
    assert OTHER_GROUP in str(error)


async def test_an_unknown_group_is_an_error_that_names_the_known_ones(route, client):
    error, _ = await describe(route, client, instance=instance([node("a", OTHER_GROUP)]))
    assert isinstance(error, errors.NotFound)
    assert str(error) == f"instance {INSTANCE} has no group {GROUP}; its groups: {OTHER_GROUP}"


async def test_an_unknown_instance_is_an_error_in_its_place_and_the_others_are_described(route, client):
    server = await route(Ddm(instance=instance([node("a")])))
    bad = [Target("gone", "0000841d0b9c4f6a9a30742ee60e1068in09"), Target("odd", "../jobs")]
    found = await client(server.url).cloud.describe([bad[0], TARGET, bad[1]])
    assert isinstance(found["gone"], errors.NotFound)
    assert isinstance(found["odd"], errors.NotFound)
    assert found["orders"].current == 1
    assert "check instance_id" in str(found["gone"])
    assert len(server.requests) == 2, "what cannot be an id is not sent"


LISTED = {"nodes": [node("a"), node("b")], "offset": 0, "limit": 128, "total": 2}
OLD_NODE = {"status": "RUNNING", "port": "5066", "ip": "10.0.0.5"}

INCOMPLETE = [
    ("does not tell ids", instance([OLD_NODE, OLD_NODE])),
    ("does not tell groups", instance([node("a", None), node("b", None)])),
    ("shows fewer nodes than it counts", instance([node("a")], node_count=2)),
    ("shows no nodes", instance([], node_count="2")),
    ("has no list of nodes", instance([], nodes=None, node_count=2)),
]


@pytest.mark.parametrize(("name", "shown"), INCOMPLETE, ids=[row[0] for row in INCOMPLETE])
async def test_nodes_are_listed_where_the_instance(route, client, name, shown):
    shot, server = await describe(route, client, instance=shown, instance_nodes=LISTED)
    assert shot.node_ids == {"ano09", "bno09"}
    assert server.requests[1].target.endswith("/nodes?limit=128&offset=0")


async def test_half_a_list_of_nodes_is_an_error_not_fewer_nodes(route, client):
    half = LISTED | {"nodes": [node("a")]}
    error, _ = await describe(route, client, instance=instance([]), instance_nodes=half)
    assert isinstance(error, errors.Unreadable)


MALFORMED = [
    ("a list", []),
    ("without a status", instance([node("a")], status=None)),
    ("with a number for a status", instance([node("a")], status=1)),
    ("with text for nodes", instance([node("a")], nodes="a")),
    ("with a node twice", instance([node("a"), node("a")])),
    ("with a node without a status", instance([node("a") | {"status": None}])),
    ("with an object for a group", instance([node("a") | {"group_id": {}}])),
    ("with a count that is none", instance([node("a")], node_count="some")),
]


@pytest.mark.parametrize(("name", "shown"), MALFORMED, ids=[row[0] for row in MALFORMED])
async def test_an_instance_of_another_shape_is_unreadable(route, client, name, shown):
    error, _ = await describe(route, client, instance=shown, instance_nodes=LISTED)
    assert isinstance(error, errors.Unreadable)


def task(number: int, **changes: object) -> dict:
    return {"id": f"job-{number}", "name": "EnlargeNode", "status": "Running", "instance_id": INSTANCE} | changes


def paged(records: list[dict], items: str, total: str = "total") -> Callable[[dict[str, str]], dict]:
    def page(query: dict[str, str]) -> dict:
        first, size = int(query["offset"]), int(query["limit"])
        return {items: records[first : first + size], total: len(records)}

    return page


async def test_all_pages_of_the_jobs_are_read_and_times_have_their_offset(route, client):
    times = {"created_time": "2018-08-06T10:41:14+0100", "end_time": ""}
    tasks = [task(number) for number in range(299)] + [task(299, status="Failed", fail_reason="no resources", **times)]
    server = await route(Ddm(jobs=paged(tasks, "jobs")))
    found = await client(server.url).cloud.jobs(AT - timedelta(days=1), AT + timedelta(days=1))
    assert len(found) == 300
    created = datetime(2018, 8, 6, 10, 41, 14, tzinfo=timezone(timedelta(hours=1)))
    assert found[-1] == Job(
        "job-299", "EnlargeNode", "Failed", INSTANCE, created_at=created, fail_reason="no resources"
    )
    assert server.requests[0].target == (
        f"/v3/{PROJECT}/jobs?end_time=1795514400000&limit=128&offset=0&start_time=1795341600000"
    )
    assert [seen.target.split("offset=")[1].split("&")[0] for seen in server.requests] == ["0", "128", "256"]


def full_page(query: dict[str, str], total: int) -> dict:
    return {"jobs": [task(int(query["offset"]) + number) for number in range(128)], "total": total}


SHORT = [
    ("a page is short", lambda _: {"jobs": [task(1)], "total": 200}, 1),
    ("the total grows", lambda query: full_page(query, 400 + int(query["offset"])), 2),
    ("the total shrinks", lambda query: full_page(query, 400 - int(query["offset"])), 2),
    ("a job comes on two pages", lambda _: full_page({"offset": "0"}, 256), 2),
    ("there is more than the total", lambda _: {"jobs": [task(1), task(2)], "total": 1}, 1),
]


@pytest.mark.parametrize(("name", "page", "calls"), SHORT, ids=[row[0] for row in SHORT])
async def test_jobs_are_never_part_of_a_list_where(route, client, name, page, calls):
    server = await route(Ddm(jobs=page))
    with pytest.raises(errors.Unreadable):
        await client(server.url).cloud.jobs(AT, AT)
    assert len(server.requests) == calls


async def test_one_job_is_read(route, client):
    shown = {"id": "job-1", "name": "ReduceNode", "status": "Completed", "instance": {"id": INSTANCE, "name": "n"}}
    server = await route(Ddm(jobs_job_1={"job": shown}))
    assert await client(server.url).cloud.job("job-1") == Job("job-1", "ReduceNode", "Completed", INSTANCE)


FORGOTTEN = [http(404), http(400, {"errCode": "DBS.300400"}), http(400, {"errCode": "DBS.300120"})]


@pytest.mark.parametrize("answer", FORGOTTEN, ids=["404", "DBS.300400", "DBS.300120"])
async def test_a_job_that_the_cloud_does_not_know_is_none(route, client, answer):
    server = await route(Ddm(jobs_job_1=answer))
    assert await client(server.url).cloud.job("job-1") is None


async def test_a_job_that_cannot_be_asked_is_an_error_not_none(route, client):
    server = await route(Ddm(jobs_job_1=http(400, {"errCode": "DBS.280001"})))
    with pytest.raises(errors.Refused):
        await client(server.url).cloud.job("job-1")


def schema(name: str, *used: dict, **changes: object) -> dict:
    return {"name": name, "status": "RUNNING", "used_rds": list(used)} | changes


def rds_of(**statuses: str) -> Callable[[dict[str, str]], dict]:
    def found(query: dict[str, str]) -> dict:
        status = statuses.get(query["id"])
        listed = [{"id": query["id"], "status": status, "name": "x"}] if status else []
        return {"instances": listed, "total_count": len(listed)}

    return found


async def test_data_nodes_are_the_union_over_the_schemas_each_asked_of_rds(route, client):
    schemas = [
        schema(
            "a", {"id": "r1", "name": "rds-1", "status": "normal"}, {"id": "r2", "name": "rds-2", "status": "normal"}
        ),
        schema(
            "b",
            {"id": "r1", "name": "rds-1", "status": "Backing up"},
            {"id": "r3", "name": "rds-3", "status": "normal"},
        ),
        schema("c", used_rds=None),
    ]
    server = await route(
        Ddm(instance_databases=paged(schemas, "databases"), instances=rds_of(r1="ACTIVE", r2="BACKING UP"))
    )
    assert await client(server.url).cloud.data_nodes(TARGET) == (
        DataNode("r1", "rds-1", "Backing up", "ACTIVE"),
        DataNode("r2", "rds-2", "normal", "BACKING UP"),
        DataNode("r3", "rds-3", "normal", ""),
    )
    assert len(server.requests) == 4


async def test_without_a_schema_there_are_no_data_nodes(route, client):
    server = await route(Ddm(instance_databases={"databases": [], "total": 0}))
    assert await client(server.url).cloud.data_nodes(TARGET) == ()


GROUP_LIST = {
    "group_list": [
        {
            "id": GROUP,
            "architecture": "x86",
            "cpu_num_per_node": 4,
            "mem_num_per_node": 8,
            "node_list": [{"id": "ano09", "name": "n1", "az": "az2"}, {"id": "bno09", "name": "n2", "az": "az1"}],
        },
        {"id": OTHER_GROUP, "architecture": "X86", "cpu_num_per_node": 8, "mem_num_per_node": 16, "node_list": []},
    ],
    "total_count": 2,
}


def flavor(name: str, vcpus: str = "4", ram: str = "8", code: str = "ddm.c6.xlarge.2", **zones: str) -> dict:
    azs = [{"code": zone, "status": status} for zone, status in (zones or {"az1": "normal", "az2": "normal"}).items()]
    return {"id": name, "spec_code": code, "vcpus": vcpus, "ram": ram, "az_infos": azs}


def flavor_list(*x86: dict, arm: tuple[dict, ...] = ()) -> dict:
    groups = {"X86": x86, "ARM": arm}
    return {
        "flavor_groups": [
            {"group_type": name, "offset": 0, "limit": 128, "total": len(found), "flavors": list(found)}
            for name, found in groups.items()
        ]
    }


BIG = flavor("big", "8", "16", "ddm.c6.2xlarge.2")
ANY_FLAVOR = dataclasses.replace(TARGET, flavor_id=None)

OFFERS = [
    ("on sale everywhere", TARGET, "v2", [flavor(FLAVOR), BIG], Offer(FLAVOR, ("az1", "az2"), sold_out=False)),
    (
        "sold out in one zone",
        TARGET,
        "v2",
        [flavor(FLAVOR, az1="sellout", az2="normal")],
        Offer(FLAVOR, ("az2",), sold_out=False),
    ),
    (
        "sold out and unsupported",
        TARGET,
        "v3",
        [flavor(FLAVOR, az1="sellout", az2="unsupported", az3="normal")],
        Offer(FLAVOR, (), sold_out=True),
    ),
    (
        "in the zones of the policy, in its order",
        dataclasses.replace(TARGET, zones=("az3", "az1")),
        "v3",
        [flavor(FLAVOR, az1="normal", az2="normal", az3="normal")],
        Offer(FLAVOR, ("az3", "az1"), sold_out=False),
    ),
    (
        "found by the group's class",
        ANY_FLAVOR,
        "v3",
        [BIG, flavor("mine")],
        Offer("mine", ("az1", "az2"), sold_out=False),
    ),
    (
        "found by class and then by the instance's code",
        ANY_FLAVOR,
        "v3",
        [flavor("s", code="ddm.c6s.xlarge.2"), flavor("mine")],
        Offer("mine", ("az1", "az2"), sold_out=False),
    ),
    ("not found, so left to the cloud", ANY_FLAVOR, "v3", [BIG], Offer(None, ("az1", "az2"), sold_out=False)),
]


@pytest.mark.parametrize(("name", "target", "api", "listed", "expected"), OFFERS, ids=[row[0] for row in OFFERS])
async def test_the_flavor_is(route, client, name, target, api, listed, expected):
    server = await route(
        Ddm(instance=instance([node("a"), node("b")]), instance_groups=GROUP_LIST, flavors=flavor_list(*listed))
    )
    cloud = client(server.url, ddm_api=DdmApi(api)).cloud
    snapshot = (await cloud.describe([target]))["orders"]
    assert await cloud.offer(target, snapshot) == expected
    assert await cloud.node_zones(target, snapshot) == {"ano09": "az2", "bno09": "az1"}


WRONG_FLAVORS = [
    ("unknown", dataclasses.replace(TARGET, flavor_id="nope"), f"offers no flavor nope; right for the group: {FLAVOR}"),
    ("of another class", dataclasses.replace(TARGET, flavor_id="big"), f"8 vCPUs, 16 GB.* have 4 vCPUs.*{FLAVOR}"),
    ("missing, and the API needs it", ANY_FLAVOR, f"flavor_id is needed by the v2 API; it takes {FLAVOR}"),
]


@pytest.mark.parametrize(("name", "target", "sentence"), WRONG_FLAVORS, ids=[row[0] for row in WRONG_FLAVORS])
async def test_the_right_flavors_are_named_where_it_is(route, client, name, target, sentence):
    listed = flavor_list(flavor(FLAVOR), BIG, arm=(flavor("arm"),))
    server = await route(Ddm(instance=instance([node("a")]), instance_groups=GROUP_LIST, flavors=listed))
    cloud = client(server.url).cloud
    snapshot = (await cloud.describe([target]))["orders"]
    with pytest.raises(errors.NotFound, match=sentence):
        await cloud.offer(target, snapshot)


async def test_flavors_are_paged_by_the_longest_architecture(route, client):
    many = [flavor(f"f{number}", "64", "128") for number in range(200)] + [flavor(FLAVOR)]

    def page(query: dict[str, str]) -> dict:
        first = int(query["offset"])
        found = flavor_list(*many[first : first + 128], arm=() if first else (flavor("arm"),))
        for group, total in zip(found["flavor_groups"], (len(many), 1), strict=True):
            group["total"] = total
        return found

    server = await route(Ddm(instance=instance([node("a")]), instance_groups=GROUP_LIST, flavors=page))
    cloud = client(server.url).cloud
    snapshot = (await cloud.describe([TARGET]))["orders"]
    assert (await cloud.offer(TARGET, snapshot)).flavor_id == FLAVOR
    assert "engine_version=3.1.0.8" in server.requests[-1].target


async def test_half_a_page_of_flavors_is_an_error_not_an_unknown_flavor(route, client):
    listed = flavor_list(BIG)
    listed["flavor_groups"][0]["total"] = 2
    server = await route(Ddm(instance=instance([node("a")]), instance_groups=GROUP_LIST, flavors=listed))
    cloud = client(server.url).cloud
    snapshot = (await cloud.describe([TARGET]))["orders"]
    with pytest.raises(errors.Unreadable):
        await cloud.offer(TARGET, snapshot)


async def test_an_api_without_groups_still_makes_an_offer(route, client):
    server = await route(Ddm(instance=instance([node("a", "")]), flavors=flavor_list(flavor(FLAVOR))))
    cloud = client(server.url).cloud
    snapshot = (await cloud.describe([NO_GROUP]))["orders"]
    assert await cloud.offer(NO_GROUP, snapshot) == Offer(FLAVOR, ("az1", "az2"), sold_out=False)
    assert await cloud.node_zones(NO_GROUP, snapshot) == {}


IN = Direction.IN
PAYING = dataclasses.replace(TARGET, auto_pay=True)
WITH_SUBNET = dataclasses.replace(TARGET, subnet_id="sub-1")

BODIES = [
    (
        "v2 out",
        "v2",
        TARGET,
        operation(change=2),
        "v2/action/enlarge",
        {"flavor_id": FLAVOR, "node_number": 2, "group_id": GROUP},
    ),
    (
        "v2 out, paying",
        "v2",
        PAYING,
        operation(),
        "v2/action/enlarge",
        {"flavor_id": FLAVOR, "node_number": 1, "group_id": GROUP, "is_auto_pay": True},
    ),
    (
        "v2 out, no groups",
        "v2",
        TARGET,
        operation(group_id=""),
        "v2/action/enlarge",
        {"flavor_id": FLAVOR, "node_number": 1},
    ),
    ("v2 in", "v2", TARGET, operation(IN, 2), "v2/action/reduce", {"node_number": 2, "group_id": GROUP}),
    (
        "v3 out",
        "v3",
        TARGET,
        operation(change=2, zones=("az1", "az2")),
        "v3/nodes",
        {"nodes": [{"available_zone": "az1"}, {"available_zone": "az2"}], "group_id": GROUP},
    ),
    (
        "v3 out, with a subnet, paying",
        "v3",
        dataclasses.replace(WITH_SUBNET, auto_pay=True),
        operation(zones=("az1",)),
        "v3/nodes",
        {"nodes": [{"available_zone": "az1"}], "group_id": GROUP, "subnet_id": "sub-1", "is_auto_pay": True},
    ),
    ("v3 in", "v3", TARGET, operation(IN, 1, removing=("ano09",)), "v3/nodes/batch-delete", {"node_ids": ["ano09"]}),
]


@pytest.mark.parametrize(("name", "api", "target", "wanted", "path", "body"), BODIES, ids=[row[0] for row in BODIES])
async def test_the_body_is(route, client, name, api, target, wanted, path, body):
    server = await route(lambda _: http(200, {"jobId": "j"}))
    cloud = client(server.url, ddm_api=DdmApi(api)).cloud
    assert cloud.names_nodes == (api == "v3")
    send = cloud.add_nodes if wanted.direction is Direction.OUT else cloud.remove_nodes
    assert (await send(target, wanted, lambda: None)).job_id == "j"
    version, _, rest = path.partition("/")
    assert server.operations == [f"POST /{version}/{PROJECT}/instances/{INSTANCE}/{rest}"]
    assert server.requests[0].json == body
    assert server.requests[0].headers["content-type"] == "application/json"


IMPOSSIBLE = [
    ("v2 needs a flavor", "v2", ANY_FLAVOR, operation()),
    ("v3 needs a zone for each node", "v3", TARGET, operation(change=2, zones=("az1",))),
    ("v3 needs each node's id", "v3", TARGET, operation(IN, 2, removing=("ano09",))),
    ("v3 needs different nodes", "v3", TARGET, operation(IN, 2, removing=("ano09", "ano09"))),
    ("it is of another instance", "v2", dataclasses.replace(TARGET, instance_id="other"), operation()),
    ("it changes nothing", "v2", TARGET, operation(change=0)),
    ("the id is none", "v2", dataclasses.replace(TARGET, instance_id=INSTANCE + "/x"), operation()),
]


@pytest.mark.parametrize(("name", "api", "target", "wanted"), IMPOSSIBLE, ids=[row[0] for row in IMPOSSIBLE])
async def test_what_cannot_be_asked_is_not_sent(route, client, name, api, target, wanted):
    server = await route(lambda _: http(200, {"jobId": "j"}))
    cloud = client(server.url, ddm_api=DdmApi(api)).cloud
    send = cloud.add_nodes if wanted.direction is Direction.OUT else cloud.remove_nodes
    with pytest.raises(errors.Unsent):
        await send(target, wanted, lambda: None)
    assert server.requests == []


@pytest.mark.parametrize(("dialect", "names_nodes"), [(Dialect.HUAWEI, False), (Dialect.OTC, True)])
async def test_the_api_is_v2_at_huawei_and_v3_at_otc(client, dialect, names_nodes):
    assert client("http://127.0.0.1:9", dialect=dialect).cloud.names_nodes is names_nodes

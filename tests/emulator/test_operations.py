"""What the emulated DDM accepts, refuses and does with time."""

from datetime import timedelta
from typing import Any

import pytest

GROUP = "f080abf2010d45118068c28c8958f5fcgr09"
FLAVOR = "8f2e696c-a9c1-30bd-af90-25522bc67606"
OTHER = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaagr09"
INSTANCE = "28e8841d0b9c4f6a9a30742ee60e1068in09"


def two_groups() -> dict[str, Any]:
    groups = tuple({"id": group, "flavor": FLAVOR} for group in (GROUP, OTHER))
    return {"instances": ({"id": INSTANCE, "groups": groups},)}


def prepaid() -> dict[str, Any]:
    return {"instances": ({"id": INSTANCE, "prepaid": True, "groups": ({"id": GROUP, "flavor": FLAVOR},)},)}


async def test_status_and_new_nodes_show_late_and_the_nodes_serve_at_the_end(caller, clock):
    await caller.enlarge(2)
    seen = []
    for seconds in (0, 29, 1, 269, 1):
        clock.advance(seconds=seconds)
        shown = await caller.ddm("/v1/{p}/instances/{i}")
        seen.append((shown["status"], await caller.statuses()))
    assert seen == [
        ("RUNNING", ["normal"] * 2),
        ("RUNNING", ["normal"] * 2),
        ("GROWING", ["normal"] * 2 + ["creating"] * 2),
        ("GROWING", ["normal"] * 2 + ["creating"] * 2),
        ("RUNNING", ["normal"] * 4),
    ]


async def test_a_scale_in_keeps_its_nodes_until_the_end(caller, clock):
    first, _ = await caller.node_ids()
    await caller.reduce()
    clock.advance(minutes=4)
    assert len(await caller.node_ids()) == 2
    clock.advance(minutes=1)
    assert await caller.node_ids() == [first]


async def test_nodes_may_serve_and_be_gone_before_their_job_ends(start, clock):
    caller = await start(jobs={"completion_delay": timedelta(minutes=1)})
    seen = []
    for change in (caller.enlarge, caller.reduce):
        await change()
        for minutes in (3, 1, 1):
            clock.advance(minutes=minutes)
            shown = await caller.ddm("/v1/{p}/instances/{i}")
            seen.append((shown["status"], await caller.statuses(), (await caller.jobs())[0]["status"]))
    assert seen == [
        ("GROWING", ["normal", "normal", "creating"], "Running"),
        ("GROWING", ["normal"] * 3, "Running"),
        ("RUNNING", ["normal"] * 3, "Completed"),
        ("REDUCING", ["normal"] * 3, "Running"),
        ("REDUCING", ["normal"] * 2, "Running"),
        ("RUNNING", ["normal"] * 2, "Completed"),
    ]


async def test_an_enlarge_may_end_before_its_nodes_serve(start, clock):
    caller = await start(jobs={"serving_delay": timedelta(minutes=1)})
    await caller.enlarge()
    seen = []
    for minutes in (5, 1):
        clock.advance(minutes=minutes)
        shown = await caller.ddm("/v1/{p}/instances/{i}")
        seen.append((shown["status"], await caller.statuses(), (await caller.jobs())[0]["status"]))
    assert seen == [
        ("RUNNING", ["normal", "normal", "creating"], "Completed"),
        ("RUNNING", ["normal"] * 3, "Completed"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"node_number": 1}, id="no flavor"),
        pytest.param({"flavor_id": "another", "node_number": 1}, id="another flavor"),
        pytest.param({"flavor_id": FLAVOR, "node_number": 0}, id="no node"),
        pytest.param({"flavor_id": FLAVOR, "node_number": 31}, id="more than 32 in all"),
        pytest.param({"flavor_id": FLAVOR, "node_number": "1"}, id="a string"),
        pytest.param({"flavor_id": FLAVOR, "node_number": 1, "group_id": OTHER}, id="no such group"),
        pytest.param([], id="no object"),
    ],
)
async def test_an_enlarge_that_makes_no_sense_is_a_parameter_error(caller, body):
    answer = await caller.call("ddm", "POST", "/v2/{p}/instances/{i}/action/enlarge", json=body)
    assert (answer.status_code, answer.json()["errCode"]) == (400, "DBS.280001")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("nodes", {"nodes": []}, id="no zone"),
        pytest.param("nodes", {"nodes": [{"available_zone": "moon"}]}, id="no such zone"),
        pytest.param("nodes/batch-delete", {"node_ids": []}, id="no node"),
        pytest.param("nodes/batch-delete", {"node_ids": ["none"]}, id="no such node"),
    ],
)
async def test_the_newer_calls_check_their_bodies_too(caller, path, body):
    answer = await caller.call("ddm", "POST", "/v3/{p}/instances/{i}/" + path, json=body)
    assert (answer.status_code, answer.json()["errCode"]) == (400, "DBS.280001")


async def test_the_last_node_stays(caller):
    answer = await caller.call(
        "ddm", "POST", "/v3/{p}/instances/{i}/nodes/batch-delete", json={"node_ids": await caller.node_ids()}
    )
    assert [answer.status_code, (await caller.reduce(2)).status_code] == [400, 400]


async def test_with_two_groups_the_group_must_be_told(start, clock):
    caller = await start(**two_groups())
    assert (await caller.enlarge()).status_code == 400
    assert (await caller.enlarge(group_id=OTHER)).status_code == 200
    clock.advance(minutes=5)
    state = (await caller.state())["instances"][0]
    assert {group["id"]: len(group["nodes"]) for group in state["groups"]} == {GROUP: 2, OTHER: 3}


async def test_a_prepaid_enlarge_waits_for_its_payment(start, clock):
    caller = await start(**prepaid())
    assert (await caller.ddm("/v1/{p}/instances/{i}"))["order_id"]
    answer = (await caller.enlarge()).json()
    assert sorted(answer) == ["instanceId", "orderId"]
    clock.advance(days=1)
    await caller.sign_in()
    assert len(await caller.node_ids()) == 2
    await caller.fault("orders_paid")
    clock.advance(minutes=5)
    assert len(await caller.node_ids()) == 3


async def test_a_prepaid_enlarge_that_pays_brings_its_node_but_tells_no_job(start, clock):
    caller = await start(**prepaid())
    answer = await caller.call(
        "ddm",
        "POST",
        "/v3/{p}/instances/{i}/nodes",
        json={"nodes": [{"available_zone": "cn-north-4a"}], "is_auto_pay": True},
    )
    assert (answer.status_code, sorted(answer.json())) == (202, ["order_id"])
    clock.advance(minutes=5)
    assert len(await caller.node_ids()) == 3


async def test_a_prepaid_instance_is_not_scaled_in(start):
    caller = await start(**prepaid())
    refused = await caller.reduce()
    assert (refused.status_code, refused.json()["errCode"]) == (400, "DBS.300360")


async def test_every_mutating_call_that_was_read_is_written_down(caller):
    await caller.enlarge()
    await caller.reduce()
    first, second = (await caller.state())["mutations"]
    assert (first["n"], second["n"]) == (1, 2)
    assert first["method"] == "POST"
    assert first["path"].endswith("/action/enlarge")
    assert first["body"] == {"flavor_id": FLAVOR, "node_number": 1}
    assert (first["accepted"], first["job_id"]) == (True, (await caller.jobs())[0]["id"])
    assert (second["accepted"], second["job_id"]) == (False, None)


async def test_the_job_list_is_paged_newest_first_and_bounded(caller, clock):
    for _ in range(3):
        await caller.enlarge()
        clock.advance(minutes=6)
    now = int(clock.now().timestamp() * 1000)
    span = {"start_time": now - 3_600_000, "end_time": now}
    pages = [await caller.ddm("/v3/{p}/jobs", **span, offset=offset, limit=2) for offset in (0, 2)]
    listed = [job["id"] for page in pages for job in page["jobs"]]
    assert listed == [job["id"] for job in await caller.jobs()]
    assert [page["total"] for page in pages] == [3, 3]
    for wrong in ({}, span | {"start_time": now - 31 * 86_400_000}, span | {"limit": 129}):
        assert (await caller.call("ddm", "GET", "/v3/{p}/jobs", params=wrong)).status_code == 400


@pytest.mark.parametrize(
    ("service", "path", "status"),
    [
        pytest.param("ddm", "/v1/{p}/instances/none", 404, id="instance"),
        pytest.param("ddm", "/v1/{p}/instances/{i}/nodes/none", 404, id="node"),
        pytest.param("ddm", "/v9/none", 404, id="path"),
        pytest.param("ddm", "/v1/ffffffffffffffffffffffffffffffff/instances", 403, id="project"),
    ],
)
async def test_what_is_not_there(caller, service, path, status):
    assert (await caller.call(service, "GET", path)).status_code == status


async def test_an_rds_is_found_by_its_id_alone(caller):
    found = await caller.call("rds", "GET", "/v3/{p}/instances?id=c6f68fed9e74478c8679479a07d7d568in01")
    assert [one["status"] for one in found.json()["instances"]] == ["ACTIVE"]
    assert (await caller.call("rds", "GET", "/v3/{p}/instances?id=none")).json()["total_count"] == 0


async def test_the_same_seed_makes_the_same_names(start):
    one, two, other = [await start(seed=seed) for seed in (1, 1, 2)]
    assert await one.node_ids() == await two.node_ids() != await other.node_ids()

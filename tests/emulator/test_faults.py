"""Each fault, as it is seen from the other end of a socket."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from autoscaler.emulator import faults

DOCS = Path(__file__).parents[2] / "docs" / "emulator.md"
NODES = "/v1/{p}/instances/{i}/nodes"


async def accepted(caller: Any) -> list[bool]:
    return [mutation["accepted"] for mutation in (await caller.state())["mutations"]]


def test_every_kind_is_in_the_manual_and_no_other():
    section = DOCS.read_text(encoding="utf-8").split("## Faults")[1].split("\n## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| `")]
    told = [kind.strip("` ") for row in rows for kind in row.split(",")]
    assert sorted(told) == sorted(kind.value for kind in faults.Kind)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param({"kind": "earthquake"}, "timeout_after", id="kind"),
        pytest.param({"kind": "slow", "service": "dns"}, "cloud_eye", id="service"),
        pytest.param({"kind": "slow", "service": "ddm", "operation": "dig"}, "enlarge", id="operation"),
        pytest.param({"kind": "slow", "often": 3}, "often", id="key"),
        pytest.param({"kind": "slow", "count": 0}, "count", id="count"),
        pytest.param({"kind": "foreign_scale_out", "group": "none"}, "none", id="group"),
    ],
)
async def test_a_fault_that_could_strike_nothing_is_refused_by_name(caller, body, names):
    answer = await caller.fault(**body)
    assert answer.status_code == 400
    assert names in answer.json()["error"]


async def test_count_and_after_choose_the_calls(caller):
    await caller.fault("http_503", service="ddm", operation="list_nodes", after=1, count=2)
    codes = [(await caller.call("ddm", "GET", NODES)).status_code for _ in range(5)]
    assert codes == [200, 503, 503, 200, 200]
    assert (await caller.call("ddm", "GET", "/v1/{p}/instances")).status_code == 200


@pytest.mark.parametrize(
    ("kind", "more", "raised", "carried_out"),
    [
        pytest.param("timeout_before", {}, httpx.ReadTimeout, False, id="time-out before"),
        pytest.param("timeout_after", {}, httpx.ReadTimeout, True, id="time-out after"),
        pytest.param("reset_before", {}, httpx.ReadError, False, id="reset before"),
        pytest.param("reset_after", {}, httpx.ReadError, True, id="reset after"),
        pytest.param("closed_before", {}, httpx.RemoteProtocolError, False, id="closed before"),
        pytest.param("closed_after", {}, httpx.RemoteProtocolError, True, id="closed after"),
    ],
)
async def test_a_call_that_is_broken_off(caller, kind, more, raised, carried_out):
    await caller.fault(kind, service="ddm", operation="enlarge", **more)
    caller.http.timeout = httpx.Timeout(0.3)
    with pytest.raises(raised):
        await caller.enlarge()
    assert await accepted(caller) == [carried_out]
    assert len((await caller.state())["jobs"]) == carried_out


@pytest.mark.parametrize(
    ("kind", "more", "status", "text", "carried_out"),
    [
        pytest.param("http_error", {"status": 502}, 502, "APIGW.0201", False, id="5xx before"),
        pytest.param("http_500", {}, 500, "DBS.200412", False, id="500"),
        pytest.param("503_after", {}, 503, "APIGW.0201", True, id="5xx after"),
        pytest.param("http_error", {"status": 403, "code": "DBS.200047"}, 403, "DBS.200047", False, id="any code"),
        pytest.param("throttled", {"retry_after": 7.0}, 429, "APIGW.0308", False, id="429"),
        pytest.param("garbage", {}, 200, "<html>", True, id="garbage"),
        pytest.param("expired_token", {}, 401, "APIGW.0301", False, id="token"),
        pytest.param("slow", {"seconds": 3}, 200, "jobId", True, id="slow"),
        pytest.param("dripping", {"seconds": 0.5}, 200, "jobId", True, id="dripping"),
    ],
)
async def test_a_call_that_is_answered_badly(caller, kind, more, status, text, carried_out):
    assert (await caller.fault(kind, service="ddm", operation="enlarge", **more)).status_code == 200
    answer = await caller.enlarge()
    assert answer.status_code == status
    assert text in answer.text
    assert await accepted(caller) == [carried_out]
    assert answer.headers.get("Retry-After") == ("7" if kind == "throttled" else None)
    slept = caller.emulator.clock.slept
    assert slept == {"slow": [3], "dripping": [0.5] * len(answer.content)}.get(kind, [])


async def test_cloud_eye_says_429_in_its_own_words(caller):
    await caller.fault("429", service="cloud_eye")
    answer = await caller.call("cloud_eye", "GET", "/V1.0/{p}/metrics")
    assert (answer.status_code, answer.json()["message"]["code"]) == (429, "ces.0429")


async def test_half_a_page_keeps_the_whole_total(caller):
    await caller.fault("partial_page", service="ddm", operation="list_nodes")
    found = await caller.ddm(NODES)
    assert (len(found["nodes"]), found["total"]) == (1, 2)


async def test_a_revoked_token_is_refused_and_a_new_one_is_good(caller):
    await caller.fault("token_revoked")
    assert (await caller.call("ddm", "GET", NODES)).status_code == 401
    await caller.sign_in()
    assert (await caller.call("ddm", "GET", NODES)).status_code == 200


@pytest.mark.parametrize(
    ("kind", "more", "status", "nodes"),
    [
        pytest.param("failed_job", {}, "Failed", ["normal"] * 2, id="failed"),
        pytest.param("enlargefail", {}, "Failed", ["normal"] * 2 + ["enlargefail"] * 2, id="enlargefail"),
        pytest.param(
            "enlargefail", {"nodes": 1}, "Failed", ["normal"] * 3 + ["enlargefail"], id="enlargefail, one arrives"
        ),
        pytest.param("sold_out", {}, "Failed", ["normal"] * 2 + ["enlargefail"] * 2, id="sold out"),
        pytest.param("job_never_ends", {}, "Running", ["normal"] * 2 + ["creating"] * 2, id="never ends"),
    ],
)
async def test_an_enlarge_that_does_not_succeed(caller, clock, kind, more, status, nodes):
    await caller.fault(kind, **more)
    assert (await caller.enlarge(2)).status_code == 200
    clock.advance(hours=1)
    assert [job["status"] for job in await caller.jobs()] == [status]
    assert await caller.statuses() == nodes


async def test_a_refused_enlarge_does_not_use_up_the_failing_job(caller, clock):
    await caller.fault("failed_job")
    assert (await caller.enlarge(33)).status_code == 400
    await caller.enlarge()
    clock.advance(minutes=5)
    assert [job["status"] for job in await caller.jobs()] == ["Failed"]


async def test_sold_out_shows_in_the_flavors_until_it_ends(caller, clock):
    await caller.fault("sold_out", seconds=60, zone="cn-north-4b")

    async def statuses() -> dict[str, str]:
        found = await caller.ddm("/v3/{p}/flavors", engine_version="3.1.0.8")
        zones = found["flavor_groups"][0]["flavors"][0]["az_infos"]
        return {zone["code"][-1]: zone["status"] for zone in zones}

    assert await statuses() == {"a": "normal", "b": "sellout", "c": "normal"}
    clock.advance(seconds=60)
    assert set((await statuses()).values()) == {"normal"}


async def test_a_busy_data_node_shows_at_both_services_and_refuses_enlarges(caller, clock):
    await caller.fault("data_node_busy")
    rds = (await caller.call("rds", "GET", "/v3/{p}/instances")).json()["instances"]
    used = (await caller.ddm("/v1/{p}/instances/{i}/databases"))["databases"][0]["used_rds"]
    refused = await caller.enlarge()
    assert (rds[0]["status"], used[0]["status"]) == ("BACKING UP", "Backing up")
    assert (refused.status_code, refused.json()["errCode"]) == (400, "DBS.300323")
    clock.advance(minutes=10)
    assert (await caller.enlarge()).status_code == 200


async def test_a_hot_data_node_shows_in_cloud_eye_and_cools_again(caller, clock):
    await caller.fault("data_node_hot", cpu=93, seconds=300)
    clock.advance(minutes=30)
    now = int(clock.now().timestamp() * 1000)
    query = {"namespace": "SYS.RDS", "metric_name": "rds001_cpu_util", "period": 1, "filter": "average"}
    query |= {"dim.0": "rds_cluster_id,c6f68fed9e74478c8679479a07d7d568in01", "from": now - 2_400_000, "to": now}
    found = (await caller.call("cloud_eye", "GET", "/V1.0/{p}/metric-data", params=query)).json()["datapoints"]
    assert [point["average"] > 90 for point in found].count(True) == 5


async def test_somebody_else_scales_out_and_in(caller, clock):
    await caller.fault("foreign_scale_out", nodes=2)
    assert (await caller.enlarge()).status_code == 409
    clock.advance(minutes=5)
    assert len(await caller.node_ids()) == 4
    await caller.fault("foreign_scale_in")
    clock.advance(minutes=5)
    assert len(await caller.node_ids()) == 3
    assert await accepted(caller) == [False]


async def test_a_forgotten_job_goes_on(caller, clock):
    job = (await caller.enlarge()).json()["jobId"]
    await caller.fault("job_list_forgets", count=2)
    assert await caller.jobs() == []
    forgotten = await caller.call("ddm", "GET", f"/v3/{{p}}/jobs/{job}")
    assert (forgotten.status_code, forgotten.json()["errCode"]) == (400, "DBS.300400")
    clock.advance(minutes=5)
    assert [job["status"] for job in await caller.jobs()] == ["Completed"]


async def test_datapoints_go_wrong(caller, clock):
    node, other = await caller.node_ids()
    whole = await caller.points(node, minutes=20)

    async def bent(kind: str, **more: Any) -> Any:
        await caller.fault(kind, **more)
        return await caller.points(node, minutes=20)

    assert await bent("empty_metrics") == []
    assert await bent("late_datapoints", seconds=120) == whole[:-2]
    assert len(await bent("lost_datapoints")) in (len(whole) // 2, len(whole) // 2 + 1)
    assert {str(point["average"]) for point in await bent("nan_datapoints")} == {"nan"}
    assert await bent("nan_datapoints", node=other) == whole
    twice = await bent("duplicated_datapoints")
    assert twice[1::2] == whole
    assert [(one["timestamp"], one["average"]) for one in twice[::2]] == [
        (one["timestamp"], round(one["average"] / 2, 2)) for one in whole
    ]
    await caller.fault("stale_datapoints", count=None)
    clock.advance(minutes=10)
    assert (await caller.points(node, minutes=30))[-1]["timestamp"] == whole[-1]["timestamp"]


async def test_faults_of_a_scenario_wait_for_their_time(start, clock):
    caller = await start(faults=({"kind": "foreign_scale_out", "at": "10m"},))
    clock.advance(minutes=10, seconds=29)
    assert len(await caller.node_ids()) == 2
    clock.advance(minutes=5)
    assert len(await caller.node_ids()) == 3


async def test_the_emulator_ends_at_once_while_a_call_hangs(start):
    caller = await start()
    await caller.fault("timeout_after")
    hanging = asyncio.create_task(caller.ddm(NODES))
    while not caller.emulator.cloud.calls.get(("ddm", "list_nodes")):  # noqa: ASYNC110 - a count has no event
        await asyncio.sleep(0)
    async with asyncio.timeout(3):
        await caller.emulator.__aexit__(None, None, None)
    with pytest.raises(httpx.HTTPError):
        await hanging

"""What the emulated Cloud Eye shows, and when."""

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.emulator import load

FLAT = {"load": {"constant": 120, "capacity_per_node": 100}}


def batch(caller: Any, nodes: list[str], *, count: int = 1, minutes: int = 60, period: str = "1") -> Any:
    now = int(caller.emulator.clock.now().timestamp() * 1000)
    metric = {
        "namespace": "SYS.DDMS",
        "metric_name": "ddm_cpu_util",
        "dimensions": [{"name": "node_id", "value": nodes[0]}],
    }
    body = {
        "metrics": [metric] * count,
        "from": now - minutes * 60_000,
        "to": now,
        "period": period,
        "filter": "average",
    }
    return caller.call("cloud_eye", "POST", "/V1.0/{p}/batch-query-metric-data", json=body)


async def test_a_minute_is_visible_once_it_has_ended_and_the_lag_has_passed(start, clock):
    clock.time = clock.time.replace(second=0)
    caller = await start()
    node = (await caller.node_ids())[0]

    async def age() -> Any:
        return clock.now().timestamp() - (await caller.points(node))[-1]["timestamp"] / 1000

    assert await age() == 7 * 60
    clock.advance(seconds=59)
    assert await age() == 7 * 60 + 59
    clock.advance(seconds=1)
    assert await age() == 7 * 60


async def test_the_load_spreads_over_the_nodes_that_serve(start, clock):
    clock.time = clock.time.replace(second=0)
    caller = await start(**FLAT)
    nodes = await caller.node_ids()
    before = [(await caller.points(node))[-1]["average"] for node in nodes]
    await caller.enlarge()
    clock.advance(minutes=5)
    (new,) = set(await caller.node_ids()) - set(nodes)
    assert await caller.points(new) == []
    clock.advance(minutes=10)
    after = [(await caller.points(node))[-1]["average"] for node in (*nodes, new)]
    assert before == pytest.approx([60, 60], rel=0.04)
    assert after == pytest.approx([40, 40, 40], rel=0.04)
    assert len(set(after)) == 3
    assert len(await caller.points(new)) == 4  # minutes 5..8, seen at minute 15 with a lag of 6


async def test_a_deleted_nodes_data_stay_three_hours(start, clock):
    caller = await start(**FLAT)
    _, gone = await caller.node_ids()
    await caller.reduce()
    clock.advance(hours=2, minutes=5)
    assert await caller.points(gone, minutes=240)
    clock.advance(hours=1)
    assert await caller.points(gone, minutes=240) == []


async def test_two_nodes_carry_the_night_and_eight_the_peak_of_the_default_trace(start, clock):
    caller = await start(load={"trace": "nasa_http_5min", "begin": "1995-07-05T00:00:00"})
    played = caller.emulator.world.load
    night, afternoon = (played.utilisation(clock.now() + timedelta(hours=hour), ready=2) for hour in (5, 15))
    assert night < 100 < afternoon
    assert load.nearest_rank(played.values, 99) / 8 == pytest.approx(played.capacity)


async def test_periods_are_folded_and_an_unfinished_one_is_missing(start, clock):
    clock.time = clock.time.replace(minute=10, second=0)
    caller = await start()
    node = (await caller.node_ids())[0]
    raw = {point["timestamp"]: point["max"] for point in await caller.points(node, how="max")}
    folded = await caller.points(node, period="300", how="max")
    begin = int(clock.now().timestamp()) * 1000 - 15 * 60_000
    assert folded[-1] == {"max": max(raw[begin + minute * 60_000] for minute in range(5)), "timestamp": begin}
    assert begin + 5 * 60_000 not in [point["timestamp"] for point in folded]


@pytest.mark.parametrize(
    ("dialect", "most", "sixty"),
    [pytest.param("huawei", 500, 200, id="huawei"), pytest.param("otc", 10, 400, id="otc")],
)
async def test_the_dialects_differ_in_batch_size_and_period(start, dialect, most, sixty):
    caller = await start(dialect=dialect)
    nodes = await caller.node_ids()
    assert (await batch(caller, nodes, count=most)).status_code == 200
    refused = await batch(caller, nodes, count=most + 1)
    assert (refused.status_code, refused.json()["message"]["code"]) == (400, "ces.0014")
    assert (await batch(caller, nodes, period="60")).status_code == sixty


async def test_more_than_3000_points_move_the_start_in_silence(caller):
    nodes = await caller.node_ids()
    found = (await batch(caller, nodes, count=300, minutes=60)).json()["metrics"]
    assert sum(len(metric["datapoints"]) for metric in found) <= 3_000
    assert {len(metric["datapoints"]) for metric in found} == {3}  # ten minutes, seven of them not visible yet


async def test_a_body_over_512_kb_is_refused(caller):
    nodes = ["x" * 1200]
    assert (await batch(caller, nodes, count=500)).status_code == 400


async def test_batch_queries_are_limited_by_the_minute(start):
    caller = await start(metrics={"calls_per_minute": 2})
    nodes = await caller.node_ids()
    answers = [await batch(caller, nodes) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_wrong_dimensions_are_no_error_and_no_data(caller):
    assert await caller.points("nobody") == []
    assert await caller.points((await caller.node_ids())[0], name="ddm_none") == []


@pytest.mark.parametrize(
    ("key", "count"), [("instance_id,node_id", 2), ("ddm_node_id", 1)], ids=["two levels", "another name"]
)
async def test_the_dimensions_are_those_of_the_scenario(start, key, count):
    caller = await start(metrics={"dimensions": key})
    query = {"namespace": "SYS.DDMS", "metric_name": "ddm_cpu_util"}
    found = (await caller.call("cloud_eye", "GET", "/V1.0/{p}/metrics", params=query)).json()["metrics"]
    assert [",".join(one["name"] for one in metric["dimensions"]) for metric in found] == [key] * 2
    assert len(found[0]["dimensions"]) == count


async def test_the_list_of_metrics_is_paged_by_its_marker(caller):
    seen, start, total = [], "", 0
    while True:
        query = {"limit": 7, "namespace": "SYS.DDMS"} | ({"start": start} if start else {})
        page = (await caller.call("cloud_eye", "GET", "/V1.0/{p}/metrics", params=query)).json()
        total = page["meta_data"]["total"]
        if not page["metrics"]:
            break
        seen += [(one["metric_name"], one["dimensions"][0]["value"]) for one in page["metrics"]]
        start = page["meta_data"]["marker"]
    assert len(seen) == len(set(seen)) == total == 30


async def test_a_data_nodes_cpu_is_found_by_its_listed_dimension(caller, clock):
    listed = await caller.call("cloud_eye", "GET", "/V1.0/{p}/metrics", params={"namespace": "SYS.RDS"})
    (one,) = listed.json()["metrics"]
    now = int(clock.now().timestamp() * 1000)
    query = {
        "namespace": "SYS.RDS",
        "metric_name": one["metric_name"],
        "dim.0": f"{one['dimensions'][0]['name']},{one['dimensions'][0]['value']}",
        "from": now - 900_000,
        "to": now,
        "period": 1,
        "filter": "average",
    }
    found = (await caller.call("cloud_eye", "GET", "/V1.0/{p}/metric-data", params=query)).json()["datapoints"]
    assert [point["average"] for point in found] == pytest.approx([30] * len(found), rel=0.02)
    assert found

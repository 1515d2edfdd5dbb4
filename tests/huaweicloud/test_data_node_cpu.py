"""The CPU of RDS instances: by whichever dimension Cloud Eye lists, in one batch, and never guessed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler import errors
from autoscaler.huaweicloud.connection import Dialect
from tests.huaweicloud.conftest import PROJECT, Hands, Seen, http

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
END = AT + timedelta(minutes=2)
FIRST, SECOND = AT, AT + timedelta(minutes=1)


def series(value: int, **dimensions: str) -> dict[str, Any]:
    """A listed series, and what each of its minutes is."""
    return {"dimensions": [{"name": key, "value": one} for key, one in dimensions.items()], "value": value}


class Moving(Hands):
    """A clock whose monotonic hand moves with the wall's."""

    def monotonic(self) -> float:
        return self.now().timestamp()


class CloudEye:
    """Lists these series and answers batches of them."""

    def __init__(self, *listed: dict[str, Any]) -> None:
        self.listed = list(listed)
        self.list_answer: bytes | None = None
        self.left_out: set[str] = set()

    def __call__(self, seen: Seen) -> bytes:
        return self._list(seen) if seen.method == "GET" else http(200, self._batch(seen.json))

    def _list(self, seen: Seen) -> bytes:
        query = dict(pair.split("=") for pair in seen.target.partition("?")[2].split("&"))
        assert (query["namespace"], query["metric_name"]) == ("SYS.RDS", "rds001_cpu_util")
        metrics = [
            {"namespace": "SYS.RDS", "metric_name": "rds001_cpu_util", "dimensions": one["dimensions"]}
            for one in self.listed
        ]
        return self.list_answer or http(200, {"metrics": metrics, "meta_data": {"marker": "", "total": len(metrics)}})

    def _batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"metrics": [self._one(asked, metric) for metric in asked["metrics"] if not self._silent(metric)]}

    def _one(self, asked: dict[str, Any], metric: dict[str, Any]) -> dict[str, Any]:
        assert (metric["namespace"], asked["filter"], asked["period"]) == ("SYS.RDS", "average", "1")
        (value,) = [one["value"] for one in self.listed if one["dimensions"] == metric["dimensions"]]
        stamps = range(asked["from"], asked["to"] + 1, 60_000)
        return metric | {"datapoints": [{"average": value, "timestamp": at} for at in stamps]}

    def _silent(self, metric: dict[str, Any]) -> bool:
        return any(dimension["value"] in self.left_out for dimension in metric["dimensions"])


def minutes(value: int) -> dict[datetime, Decimal]:
    return {FIRST: Decimal(value), SECOND: Decimal(value)}


ALONE = series(10, rds_cluster_id="r1")
FORMS = {
    "a dimension of whatever name": ((series(10, anything="r1"),), {"r1": 10}),
    "two instances in one call": ((ALONE, series(20, rds_cluster_id="r2")), {"r1": 10, "r2": 20}),
    "the instance before its nodes": ((series(90, rds_cluster_id="r1", rds_node_id="n"), ALONE), {"r1": 10}),
    "the busiest of its nodes": (
        (series(30, cluster="r1", node="n1"), series(40, cluster="r1", node="n2"), series(20, cluster="r1", node="n3")),
        {"r1": 40},
    ),
    "others only": ((series(90, rds_cluster_id="r9"),), {}),
    "nothing at all": ((), {}),
}


@pytest.mark.parametrize(("listed", "expected"), FORMS.values(), ids=FORMS)
async def test_the_cpu_is_found_by_what_is_listed(route, client, listed, expected):
    server = await route(CloudEye(*listed))
    found = await client(server.url).cloud.data_node_cpu(["r1", "r2"], AT, END)
    assert found == {one: minutes(value) for one, value in expected.items()}
    batches = [f"POST /V1.0/{PROJECT}/batch-query-metric-data"] if expected else []
    assert server.operations == [f"GET /V1.0/{PROJECT}/metrics", *batches]


async def test_the_batch_is_split_at_the_limit_of_the_dialect(route, client):
    server = await route(CloudEye(*(series(place, rds_cluster_id=f"r{place}") for place in range(12))))
    made = client(server.url, dialect=Dialect.OTC)
    found = await made.cloud.data_node_cpu([f"r{place}" for place in range(12)], AT, END)
    assert found == {f"r{place}": minutes(place) for place in range(12)}
    assert [len(seen.json["metrics"]) for seen in server.requests if seen.method == "POST"] == [10, 2]


async def test_one_that_the_answer_leaves_out_has_no_values(route, client):
    script = CloudEye(ALONE, series(20, rds_cluster_id="r2"))
    script.left_out = {"r2"}
    server = await route(script)
    assert await client(server.url).cloud.data_node_cpu(["r1", "r2"], AT, END) == {"r1": minutes(10), "r2": {}}


async def test_the_list_is_read_again_after_five_minutes_and_only_for_one_that_is_not_in_it(route, client):
    script, time = CloudEye(ALONE), Moving(AT)
    server = await route(script)
    made = client(server.url, time=time)

    async def lists(*wanted: str) -> int:
        await made.cloud.data_node_cpu(wanted, AT, END)
        return sum(seen.method == "GET" for seen in server.requests)

    assert [await lists("r1"), await lists("r2"), await lists("r1")] == [1, 1, 1]
    time.forward(minutes=5)
    assert [await lists("r1"), await lists("r2"), await lists("r2")] == [1, 2, 2]


async def test_a_list_that_cannot_be_read_is_an_error(route, client):
    script = CloudEye(ALONE)
    script.list_answer = http(403, {"code": "ces.0050", "message": "no right"})
    server = await route(script)
    with pytest.raises(errors.CloudError):
        await client(server.url).cloud.data_node_cpu(["r1"], AT, END)

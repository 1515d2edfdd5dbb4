"""Cloud Eye in batches: within its limits, matched by name, missing is never zero, half an answer is an error."""

import itertools
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from autoscaler import clock, errors
from autoscaler.core.policy import Statistic
from autoscaler.huaweicloud import batches
from autoscaler.huaweicloud.cloud import HuaweiCloud
from autoscaler.huaweicloud.connection import Dialect
from autoscaler.ports import MetricQuery
from tests.huaweicloud.conftest import INSTANCE, PROJECT, Seen, http

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CPU = MetricQuery("ddm_cpu_util", Statistic.AVERAGE, MINUTE, INSTANCE, ("ano09", "bno09"))


def stamp(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def by_node(node: str) -> list[dict]:
    return [{"name": "node_id", "value": node}]


class CloudEye:
    """Answers batch queries with one value a minute, and lists metrics with these dimensions."""

    def __init__(self, *listed: list[dict]) -> None:
        self.listed = list(listed)
        self.list_answer: bytes | None = None
        self.change: Callable[[dict], Any] = lambda answer: answer

    def __call__(self, seen: Seen) -> bytes:
        if seen.method == "GET":
            return self.list_answer or self._list(seen)
        return http(200, self.change(self._batch(seen.json)))

    def _list(self, seen: Seen) -> bytes:
        query = dict(pair.split("=") for pair in seen.target.partition("?")[2].split("&"))
        assert (query["namespace"], query["metric_name"], query["limit"]) == ("SYS.DDMS", "ddm_cpu_util", "1000")
        first = int(query.get("start", "0"))
        page = self.listed[first : first + 1000]
        metrics = [{"namespace": "SYS.DDMS", "dimensions": one, "metric_name": "ddm_cpu_util"} for one in page]
        meta = {"count": len(page), "marker": str(first + len(page)), "total": len(self.listed)}
        return http(200, {"metrics": metrics, "meta_data": meta})

    def _batch(self, asked: dict) -> dict:
        step = 60_000 if asked["period"] == "1" else int(asked["period"]) * 1000
        first = -(-asked["from"] // step) * step
        points = [{asked["filter"]: 50.5, "timestamp": at} for at in range(first, asked["to"] + 1, step)]
        return {"metrics": [metric | {"datapoints": list(points), "unit": "%"} for metric in asked["metrics"]]}


async def fetch(made: HuaweiCloud, *queries: MetricQuery, end: datetime = AT + 3 * MINUTE) -> dict[MetricQuery, Any]:
    return dict(await made.metrics.fetch(queries, AT, end))


THREE = {AT + number * MINUTE: Decimal("50.5") for number in range(3)}


async def test_one_call_brings_every_point_of_every_node(route, client):
    server = await route(CloudEye(by_node("ano09"), by_node("bno09")))
    assert await fetch(client(server.url), CPU) == {CPU: {"ano09": THREE, "bno09": THREE}}
    assert server.operations == [
        f"GET /V1.0/{PROJECT}/metrics",
        f"POST /V1.0/{PROJECT}/batch-query-metric-data",
    ]
    assert server.requests[1].json == {
        "metrics": [
            {"namespace": "SYS.DDMS", "metric_name": "ddm_cpu_util", "dimensions": by_node(node)}
            for node in ("ano09", "bno09")
        ],
        "from": stamp(AT),
        "to": stamp(AT + 3 * MINUTE) - 1,
        "period": "1",
        "filter": "average",
    }


async def test_metrics_of_many_targets_share_calls_and_a_series_is_asked_once(route, client):
    server = await route(CloudEye())
    queries = [
        MetricQuery(name, Statistic.AVERAGE, MINUTE, f"i{number}", (f"n{number}-1", f"n{number}-2"))
        for number in range(20)
        for name in ("ddm_cpu_util", "ddm_qps")
    ]
    answers = await fetch(client(server.url), *queries, *queries)
    assert set(answers) == set(queries)
    batch = [seen.json for seen in server.requests if seen.method == "POST"]
    assert [len(one["metrics"]) for one in batch] == [80]


async def test_nothing_asked_is_nothing_called(route, client):
    server = await route(CloudEye())
    assert await fetch(client(server.url)) == {}
    empty = MetricQuery("ddm_cpu_util", Statistic.AVERAGE, MINUTE, INSTANCE, ())
    assert await fetch(client(server.url), empty) == {empty: {}}
    assert server.requests == []


# Which dimensions.

FORMS = [
    ("node_id", [{"name": "node_id", "value": "ano09"}], [{"name": "node_id", "value": "bno09"}]),
    (
        "instance_id and node_id",
        [{"name": "instance_id", "value": INSTANCE}, {"name": "node_id", "value": "ano09"}],
        [{"name": "instance_id", "value": INSTANCE}, {"name": "node_id", "value": "bno09"}],
    ),
    ("ddm_node_id", [{"name": "ddm_node_id", "value": "ano09"}], [{"name": "ddm_node_id", "value": "bno09"}]),
    (
        "something unheard of",
        [{"name": "node_id", "value": "ano09"}, {"name": "shard", "value": "7"}],
        [{"name": "node_id", "value": "bno09"}],
    ),
]


@pytest.mark.parametrize(("name", "listed", "formed"), FORMS, ids=[row[0] for row in FORMS])
async def test_dimensions_are_copied_and_a_new_nodes_are_formed_alike(route, client, name, listed, formed):
    server = await route(CloudEye(listed))
    await fetch(client(server.url), CPU)
    assert [metric["dimensions"] for metric in server.requests[1].json["metrics"]] == [listed, formed]


async def test_the_list_is_read_again_for_an_unknown_node_but_not_at_once(route, client):
    class Later(clock.SystemClock):
        at = 1000.0

        def monotonic(self) -> float:
            return Later.at

    server = await route(CloudEye(by_node("ano09")))
    made = client(server.url, time=Later())
    for _ in range(3):
        await fetch(made, CPU)
    assert server.operations.count(f"GET /V1.0/{PROJECT}/metrics") == 1
    Later.at += 301
    await fetch(made, CPU)
    assert server.operations.count(f"GET /V1.0/{PROJECT}/metrics") == 2


async def test_all_pages_of_the_list_are_read(route, client):
    script = CloudEye(*(by_node(f"n{number}") for number in range(2500)), [{"name": "ddm_node_id", "value": "ano09"}])
    server = await route(script)
    await fetch(client(server.url), CPU)
    assert server.operations.count(f"GET /V1.0/{PROJECT}/metrics") == 3
    assert server.requests[-1].json["metrics"][0]["dimensions"] == [{"name": "ddm_node_id", "value": "ano09"}]


async def test_without_the_right_to_list_the_documented_form_is_used(route, client):
    script = CloudEye()
    script.list_answer = http(403, {"http_code": 403, "message": {"details": "No.", "code": "ces.0017"}})
    server = await route(script)
    assert await fetch(client(server.url), CPU) == {CPU: {"ano09": THREE, "bno09": THREE}}


LIST_TROUBLE = [
    ("5xx", http(503), errors.Unavailable),
    ("429", http(429, {"message": {"code": "ces.0429"}}, Retry_After="60"), errors.Throttled),
    ("another shape", http(200, {"metrics": "none"}), errors.Unreadable),
    ("dimensions of another shape", http(200, {"metrics": [{"dimensions": [{"name": "node_id"}]}]}), errors.Unreadable),
]


@pytest.mark.parametrize(("name", "answer", "expected"), LIST_TROUBLE, ids=[row[0] for row in LIST_TROUBLE])
async def test_while_the_list_cannot_be_read_no_guess_is_made(route, client, name, answer, expected):
    script = CloudEye()
    script.list_answer = answer
    server = await route(script)
    answers = await fetch(client(server.url), CPU)
    assert type(answers[CPU]) is expected
    assert not any(seen.method == "POST" for seen in server.requests)


# What a batch answer means.


def replaced(points: list[object]) -> Callable[[dict], dict]:
    def change(answer: dict) -> dict:
        for metric in answer["metrics"]:
            metric["datapoints"] = points
        return answer

    return change


def at(minute: float, value: object, key: str = "average") -> dict:
    return {key: value, "timestamp": stamp(AT) + int(minute * 60_000)}


VALUES = [
    ("a decimal, exactly", [at(0, 63.2)], {0: "63.2"}),
    ("a whole number", [at(0, 7)], {0: "7"}),
    ("zero", [at(0, 0)], {0: "0"}),
    ("a number as text", [at(0, "63.2")], {0: "63.2"}),
    ("null", [at(0, None)], {}),
    ("NaN", [at(0, math.nan)], {}),
    ("infinite", [at(0, math.inf), at(1, -math.inf)], {}),
    ("NaN as text", [at(0, "NaN"), at(1, "Infinity"), at(2, "-inf")], {}),
    ("words", [at(0, "high"), at(1, "")], {}),
    ("true", [at(0, True)], {}),  # noqa: FBT003 - the value itself
    ("an object", [at(0, {})], {}),
    ("absurdly large", [at(0, 1e300)], {}),
    ("under another statistic's name", [at(0, 5.5, "max")], {}),
    ("inside its period", [at(1.5, 5.5)], {1: "5.5"}),
    ("twice: the last one counts", [at(0, 1), at(0.5, 2)], {0: "2"}),
    ("out of order", [at(2, 3), at(0, 1)], {0: "1", 2: "3"}),
    ("before the start", [at(-1, 1), at(-0.001, 1)], {}),
    ("at the end, which is excluded", [at(3, 1)], {}),
    ("an impossible time", [{"average": 1, "timestamp": 10**30}], {}),
    ("none", [], {}),
]


@pytest.mark.parametrize(("name", "points", "expected"), VALUES, ids=[row[0] for row in VALUES])
async def test_a_point_is(route, client, name, points, expected):
    script = CloudEye()
    script.change = replaced(points)
    server = await route(script)
    found = (await fetch(client(server.url), CPU))[CPU]["ano09"]
    assert found == {AT + minute * MINUTE: Decimal(value) for minute, value in expected.items()}


def reversed_metrics(answer: dict) -> dict:
    for number, metric in enumerate(answer["metrics"]):
        metric["datapoints"] = [at(0, number)]
        metric["dimensions"] = metric["dimensions"][::-1]
    return {"metrics": [*answer["metrics"][::-1], {"metric_name": "other", "dimensions": [], "datapoints": []}]}


async def test_series_are_matched_by_name_and_dimensions_never_by_order(route, client):
    forms = [[{"name": "instance_id", "value": INSTANCE}, {"name": "node_id", "value": node}] for node in CPU.node_ids]
    script = CloudEye(*forms)
    script.change = reversed_metrics
    server = await route(script)
    found = (await fetch(client(server.url), CPU))[CPU]
    assert found == {"ano09": {AT: Decimal(0)}, "bno09": {AT: Decimal(1)}}


async def test_a_node_that_is_left_out_has_no_points_and_a_query_left_out_altogether_is_an_error(route, client):
    other = MetricQuery("ddm_qps", Statistic.AVERAGE, MINUTE, INSTANCE, ("ano09",))
    alone = MetricQuery("ddm_qps", Statistic.AVERAGE, MINUTE, INSTANCE, ("bno09",))
    script = CloudEye()
    script.change = lambda answer: {
        "metrics": [one for one in answer["metrics"] if one["dimensions"] != by_node("bno09")]
    }
    server = await route(script)
    found = await fetch(client(server.url), CPU, other, alone)
    assert found[CPU] == {"ano09": THREE}
    assert isinstance(found[alone], errors.Unreadable)
    assert found[other] == {"ano09": THREE}


SHAPES: list[tuple[str, Any]] = [
    ("a list", []),
    ("null", None),
    ("no metrics", {}),
    ("metrics that are an object", {"metrics": {}}),
    ("metrics that are text", {"metrics": ["x"]}),
    ("no dimensions", {"metrics": [{"metric_name": "ddm_cpu_util", "datapoints": []}]}),
    ("no name", {"metrics": [{"dimensions": by_node("ano09"), "datapoints": []}]}),
    *[
        (
            f"datapoints that are {name}",
            {"metrics": [{"metric_name": "ddm_cpu_util", "dimensions": by_node("ano09"), "datapoints": bad}]},
        )
        for name, bad in [("null", None), ("text", "x"), ("numbers", [1]), ("without a time", [{"average": 1}])]
    ],
]


@pytest.mark.parametrize(("name", "answer"), SHAPES, ids=[row[0] for row in SHAPES])
async def test_an_answer_of_another_shape_is_unreadable(route, client, name, answer):
    script = CloudEye()
    script.change = lambda _: answer
    server = await route(script)
    assert isinstance((await fetch(client(server.url), CPU))[CPU], errors.Unreadable)


FAILURES = [
    (
        "429",
        http(429, {"http_code": 429, "message": {"details": "Too Many", "code": "ces.0429"}}, Retry_After="9"),
        errors.Throttled,
    ),
    ("500", http(500, {"http_code": 500, "message": {"details": "x", "code": "ces.0007"}}), errors.Unavailable),
    ("401", http(401, {"http_code": 401, "message": {"details": "x", "code": "ces.0015"}}), errors.AccessRefused),
    ("403", http(403, {"http_code": 403, "message": {"details": "x", "code": "ces.0017"}}), errors.AccessRefused),
    ("HTML", http(200, b"<html>"), errors.Unreadable),
]


@pytest.mark.parametrize(("name", "answer", "expected"), FAILURES, ids=[row[0] for row in FAILURES])
async def test_a_call_that_fails_is_the_error_of_the_queries_it_carried(route, client, name, answer, expected):
    other = MetricQuery("ddm_cpu_util", Statistic.MAX, MINUTE, INSTANCE, ("ano09",))
    script = CloudEye()
    server = await route(lambda seen: answer if b'"filter":"average"' in seen.body else script(seen))
    found = await fetch(client(server.url), CPU, other)
    assert type(found[CPU]) is expected
    assert found[other] == {"ano09": THREE}


async def test_a_period_that_cloud_eye_does_not_keep_is_refused_with_those_it_does(route, client):
    odd = MetricQuery("ddm_cpu_util", Statistic.AVERAGE, 2 * MINUTE, INSTANCE, ("ano09",))
    server = await route(CloudEye())
    found = await fetch(client(server.url), odd, CPU)
    assert isinstance(found[odd], errors.Refused)
    assert "use a period of 60, 300, 1200, 3600, 14400, 86400 s" in str(found[odd])
    assert found[CPU] == {"ano09": THREE, "bno09": THREE}


WORDS = [
    (Dialect.HUAWEI, MINUTE, Statistic.AVERAGE, "1"),
    (Dialect.HUAWEI, MINUTE, Statistic.MAX, "60"),
    (Dialect.OTC, MINUTE, Statistic.MAX, "1"),
    (Dialect.OTC, 5 * MINUTE, Statistic.SUM, "300"),
    (Dialect.HUAWEI, 20 * MINUTE, Statistic.AVERAGE, "1200"),
]


@pytest.mark.parametrize(("dialect", "period", "statistic", "word"), WORDS)
def test_a_period_is_written(dialect, period, statistic, word):
    assert batches.period_word(period, statistic, dialect) == word


async def test_a_long_window_is_read_in_spans_that_the_cloud_allows(route, client):
    server = await route(CloudEye())
    found = await fetch(client(server.url), CPU, end=AT + timedelta(hours=9))
    assert len(found[CPU]["ano09"]) == 9 * 60
    spans = [(seen.json["to"] + 1 - seen.json["from"]) / 3_600_000 for seen in server.requests if seen.method == "POST"]
    assert sorted(spans) == [1, 4, 4]


async def test_an_error_in_one_span_is_not_hidden_by_the_others(route, client):
    script = CloudEye()
    server = await route(
        lambda seen: http(400) if seen.method == "POST" and seen.json["from"] == stamp(AT) else script(seen)
    )
    assert isinstance((await fetch(client(server.url), CPU, end=AT + timedelta(hours=9)))[CPU], errors.Refused)


def test_twelve_minutes_are_250_series_a_call_at_huawei_and_10_at_otc():
    series = [("ddm_cpu_util", (("node_id", f"n{number}"),)) for number in range(1000)]
    for dialect, size in ((Dialect.HUAWEI, 250), (Dialect.OTC, 10)):
        made = batches.batches(
            series, statistic=Statistic.AVERAGE, period=MINUTE, start=AT, end=AT + 12 * MINUTE, dialect=dialect
        )
        assert {len(batch.series) for batch in made} == {size}


@hypothesis.given(
    count=strategies.integers(0, 1200),
    period=strategies.sampled_from(batches.PERIODS),
    length=strategies.floats(0.1, 5000),
    offset=strategies.integers(0, 10**7),
    dialect=strategies.sampled_from(list(Dialect)),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_batches_cover_every_series_and_moment_once_within_the_limits(count, period, length, offset, dialect):
    series = [("m", (("node_id", str(number)),)) for number in range(count)]
    start = AT + timedelta(milliseconds=offset)
    end = start + timedelta(seconds=int(length * period.total_seconds()))
    made = list(
        batches.batches(series, statistic=Statistic.AVERAGE, period=period, start=start, end=end, dialect=dialect)
    )
    for batch in made:
        assert len(batch.series) <= batches.MOST_SERIES[dialect]
        assert len(batch.series) * ((batch.end - batch.start) / period) <= batches.MOST_POINTS
    spans = sorted({(batch.start, batch.end) for batch in made})
    if spans:
        assert (spans[0][0], spans[-1][1]) == (start, end)
        assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    asked = sorted(one for batch in made for one in batch.series)
    assert asked == sorted(series * len(spans))

"""What may go wrong between us and a server: errors, retries, time-outs, odd answers, secrets, warnings."""

import asyncio
import json
import ssl
import subprocess
import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler import clock, errors
from autoscaler.core.policy import Metric
from autoscaler.core.sample import GROUP
from autoscaler.ports import MetricQuery
from autoscaler.prometheus.client import AT_ONCE, LARGEST_ANSWER
from autoscaler.prometheus.connection import Connection, Timeouts
from autoscaler.prometheus.source import PrometheusSource
from tests.e2e import ports
from tests.fakes import RecordingMonitor
from tests.prometheus.servers import Answer, Behaviour, Emulated, at, evaluate

QUERY = MetricQuery.of(Metric("sum(load)", source="prom"), "instance", ("n1",))


def failing(*answers: Answer) -> Behaviour:
    """First these answers, then good ones."""
    left = list(answers)
    return lambda form: left.pop(0) if left else Answer(*evaluate(form))


def matrix(*series: object, **more: object) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "matrix", "result": list(series)}, **more}


def said(kind: str, text: str) -> dict[str, Any]:
    return {"status": "error", "errorType": kind, "error": text}


async def answer(source: PrometheusSource) -> Any:
    return (await source.fetch([QUERY], at(0), at(1)))[QUERY]


GOOD = {GROUP: {at(0): Decimal(102)}}


async def test_a_query_is_a_form_however_long_it_is(emulated, source_of):
    long = MetricQuery.of(Metric("sum(load)" + " + 0" * 10_000, source="prom"), "i", ())
    await source_of(f"{emulated.url}/prometheus").fetch([long], at(0), at(3))
    (request,) = emulated.requests
    assert request.path == "/prometheus/api/v1/query_range"
    assert request.form == {
        "query": long.name,
        "start": f"{at(1).timestamp():.3f}",
        "end": f"{at(3).timestamp():.3f}",
        "step": "60",
        "partial_response": "false",
    }


CREDENTIALS = {
    "a token": ({"token": "hunter2"}, "Bearer hunter2"),
    "a name and a password": ({"username": "me", "password": "hunter2"}, "Basic bWU6aHVudGVyMg=="),
    "none": ({}, None),
}


@pytest.mark.parametrize(("given", "header"), CREDENTIALS.values(), ids=CREDENTIALS)
async def test_who_we_are_goes_in_a_header_and_nothing_comes_from_the_environment(
    emulated, source_of, monkeypatch, given, header
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert await answer(source_of(emulated.url, **given)) == GOOD
    assert emulated.requests[0].headers.get("authorization") == header


async def test_a_proxy_is_asked_where_there_is_one(emulated, source_of):
    assert await answer(source_of("http://prometheus.invalid:9090", proxy=emulated.url)) == GOOD
    assert emulated.requests[0].path == "http://prometheus.invalid:9090/api/v1/query_range"


@pytest.mark.parametrize("status", [429, 503])
async def test_what_may_pass_is_tried_again(emulated, source_of, monitor, status):
    emulated.behave = failing(Answer(status), Answer(status))
    assert await answer(source_of(emulated.url)) == GOOD
    assert monitor.codes == [str(status), str(status), "200"]


async def test_a_server_that_asks_for_patience_gets_it_where_it_is_short(emulated, source_of):
    emulated.behave = failing(Answer(429, headers={"Retry-After": "0"}))
    assert await answer(source_of(emulated.url)) == GOOD
    emulated.behave = failing(Answer(429, headers={"Retry-After": "60"}))
    found = await answer(source_of(emulated.url))
    assert isinstance(found, errors.Throttled)
    assert found.retry_after == timedelta(seconds=60)


REFUSED = {
    "unauthorized": (401, said("", ""), errors.AccessRefused, "check the source's token"),
    "forbidden": (403, b"<html>", errors.AccessRefused, "let these credentials query"),
    "not found": (404, b"404 page not found", errors.NotFound, "check the url"),
    "redirected": (302, b"", errors.Unreadable, "check the url"),
    "wrong": (400, said("bad_data", "parse error: x"), errors.Refused, "(bad_data: parse error: x): correct the query"),
    "too heavy": (422, said("execution", "too many samples"), errors.Refused, "(execution: too many samples)"),
    "failing": (500, said("internal", "disk"), errors.Unavailable, "(internal: disk)"),
    "behind a gateway": (502, b"Bad Gateway", errors.Unavailable, "is failing"),
    "busy three times": (503, said("unavailable", "not ready"), errors.Unavailable, "(unavailable: not ready)"),
    "odd words": (400, {"error": 1, "errorType": None}, errors.Refused, "was answered 400: correct the query"),
    "a list": (400, [1], errors.Refused, "was answered 400: correct the query"),
}


@pytest.mark.parametrize(("status", "body", "kind", "part"), REFUSED.values(), ids=REFUSED)
async def test_an_error_has_its_kind_the_servers_words_and_a_remedy(emulated, source_of, status, body, kind, part):
    emulated.behave = lambda _: Answer(status, body)
    found = await answer(source_of(emulated.url))
    assert (type(found), found.status) == (kind, status)
    assert part in str(found)
    assert len(emulated.requests) == (3 if status == 503 else 1)


ODD = {
    "no JSON": (b"<html>", "no JSON"),
    "cut off": (json.dumps(matrix()).encode()[:-5], "no JSON"),
    "a list": ([], "not the API"),
    "no data": ({"status": "success"}, "not the API"),
    "an error as if it were none": (said("internal", "x") | {"data": {}}, "not the API"),
    "a vector": ({"status": "success", "data": {"resultType": "vector", "result": []}}, "with a vector"),
    "no result": ({"status": "success", "data": {"resultType": "matrix", "result": None}}, "with a matrix"),
    "no labels": (matrix({"values": []}), "without labels"),
    "no series": (matrix("x"), "without labels"),
    "no values": (matrix({"metric": {}}), "without values ({})"),
    "histograms": (matrix({"metric": {"a": "b"}, "histograms": [[1, {}]]}), 'histograms ({a="b"})'),
    "a word": (matrix({"metric": {}, "values": [[at(1).timestamp(), "many"]]}), "value that is none"),
    "nothing": (matrix({"metric": {}, "values": [[at(1).timestamp(), None]]}), "value that is none"),
    "no time": (matrix({"metric": {}, "values": [["now", "1"]]}), "value that is none"),
    "a time far away": (matrix({"metric": {}, "values": [[1e300, "1"]]}), "value that is none"),
    "a lone number": (matrix({"metric": {}, "values": [1]}), "value that is none"),
    "another time": (matrix({"metric": {}, "values": [[at(1).timestamp() + 1, "1"]]}), "which was not asked"),
}


@pytest.mark.parametrize(("body", "part"), ODD.values(), ids=ODD)
async def test_an_answer_that_is_not_of_the_api_is_unreadable(emulated, source_of, body, part):
    emulated.behave = lambda _: Answer(200, body)
    found = await answer(source_of(emulated.url))
    assert isinstance(found, errors.Unreadable)
    assert part in str(found)


async def test_values_of_times_outside_the_span_are_left_out(emulated, source_of):
    values = [[at(minute).timestamp(), "102"] for minute in range(-3, 5)]
    emulated.behave = lambda _: Answer(200, matrix({"metric": {}, "values": values}))
    assert await answer(source_of(emulated.url)) == GOOD


async def test_an_answer_without_end_is_not_read_to_its_end(emulated, source_of):
    emulated.behave = lambda _: Answer(200, b" " * (LARGEST_ANSWER + 1))
    found = await answer(source_of(emulated.url, timeouts=Timeouts()))
    assert isinstance(found, errors.Unreadable)
    assert "aggregate" in str(found)


async def test_a_server_that_is_not_there_is_tried_again_and_named(source_of, monitor):
    url = f"http://127.0.0.1:{ports.consecutive_free_ports(1)}"
    found = await answer(source_of(url))
    assert isinstance(found, errors.Unavailable)
    assert url in str(found)
    assert monitor.codes == ["Unavailable"] * 3


async def test_a_server_that_is_silent_is_asked_once_and_not_waited_for(emulated, source_of, monitor):
    emulated.behave = lambda _: None
    found = await answer(source_of(emulated.url))
    assert isinstance(found, errors.Unavailable)
    assert monitor.codes == ["Unavailable"]


async def test_all_queries_together_have_a_deadline_and_those_in_time_their_answers(emulated, source_of, monitor):
    emulated.behave = lambda form: None if form["query"] == "load" else Answer(*evaluate(form))
    slow = [MetricQuery.of(Metric("load", source="prom", period=timedelta(seconds=n)), "", ()) for n in range(1, 5)]
    source = source_of(emulated.url, timeouts=Timeouts(connect=1, one_try=60, altogether=1))
    began = time.monotonic()
    found = await source.fetch([*slow, QUERY], at(0), at(1))
    assert time.monotonic() - began < 10
    assert found[QUERY] == GOOD
    assert all("within 1 s" in str(found[query]) for query in slow)
    assert sorted(monitor.codes) == ["200", *["Cancelled"] * 4]


async def test_no_more_than_a_few_queries_run_at_once(emulated, source_of):
    emulated.delay = 0.02
    many = [MetricQuery.of(Metric(f"{number}", source="prom"), "", ()) for number in range(30)]
    await source_of(emulated.url).fetch(many, at(0), at(1))
    assert (len(emulated.requests), emulated.most_at_once) == (30, AT_ONCE)


async def test_a_fetch_that_is_cancelled_leaves_nothing_behind(emulated, source_of, monitor):
    arrived = asyncio.Event()
    emulated.behave = lambda _: arrived.set()
    source = source_of(emulated.url, timeouts=Timeouts())
    fetch = asyncio.ensure_future(source.fetch([QUERY], at(0), at(1)))
    await arrived.wait()
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch
    assert monitor.codes == ["Cancelled"]


async def test_what_the_server_warns_of_is_told_once(emulated, source_of, monitor):
    series = {"metric": {}, "values": [[at(1).timestamp(), "102"]]}
    emulated.behave = lambda _: Answer(200, matrix(series, warnings=["half of it is missing"]))
    source = source_of(emulated.url)
    for _ in range(3):
        assert await answer(source) == GOOD
    assert monitor.events == [
        (
            "warning",
            "the server warns of a query",
            {"source": "prom", "query": "sum(load)", "warning": "half of it is missing"},
        )
    ]


async def test_warnings_that_never_repeat_do_not_fill_the_log(emulated, source_of, monitor):
    emulated.behave = lambda _: Answer(200, matrix(warnings=[f"w{number}" for number in range(1000)]))
    await answer(source_of(emulated.url))
    assert len(monitor.events) == 100


async def test_nothing_to_ask_asks_nothing(emulated, source_of):
    assert await source_of(emulated.url).fetch([], at(0), at(9)) == {}
    assert emulated.requests == []


@pytest.mark.parametrize("given", [{"token": 'hunter2"'}, {"username": "me", "password": 'hunter2"'}])
async def test_i12_no_secret_is_in_what_is_said(emulated, source_of, given):
    emulated.behave = lambda _: Answer(401, said("auth", 'no such secret: hunter2"'))
    source = source_of(emulated.url, proxy=emulated.url.replace("://", "://u:hunter2@"), **given)
    found = await answer(source)
    assert "no such secret: ***" in str(found)
    assert "hunter2" not in f"{found!r} {Connection('prom', emulated.url, proxy='http://u:hunter2@h', **given)!r}"


@pytest.mark.parametrize(
    ("key", "value", "part"),
    [
        ("ca_file", "/dev/null", "holds no readable PEM certificates"),
        ("proxy", "ftp://hunter2@proxy", "it is not an http:// or https:// URL"),
    ],
)
def test_settings_that_cannot_be_used_are_told_by_their_key(key, value, part):
    with pytest.raises(errors.BadConfig) as refused:
        PrometheusSource(
            Connection("prom", "http://h", **{key: value}), time=clock.SystemClock(), monitor=RecordingMonitor()
        )
    assert f"sources.prom.{key}: " in str(refused.value)
    assert part in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.fixture
def certificate(tmp_path, require_tool):
    """One that nobody vouches for but its own file, and its key."""
    made, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    wanted = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run([require_tool("openssl"), *wanted.split(), *names], check=True, capture_output=True)
    return made, key


@pytest.fixture
async def encrypted(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = await Emulated().start(context)
    yield server.url
    await server.stop()


async def test_only_authorities_of_the_settings_are_trusted_besides_the_public_ones(encrypted, certificate, source_of):
    assert await answer(source_of(encrypted, ca_file=str(certificate[0]))) == GOOD
    found = await answer(source_of(encrypted))
    assert isinstance(found, errors.Unavailable)
    assert "certificate" in str(found)

"""Reads are tried again where that may help, renewed once on a 401, and bounded in time, size and number."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler import clock, errors
from autoscaler.core.checks import Job
from autoscaler.huaweicloud.cloud import HuaweiCloud
from autoscaler.huaweicloud.connection import Password, Retries, Timeouts
from autoscaler.huaweicloud.wire import Request
from tests.huaweicloud.conftest import EAGER, PROJECT, QUICK, Conversation, Route, Seen, http, until

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
NO_JOBS = {"jobs": [], "offset": 0, "limit": 128, "total": 0}


async def read(made: HuaweiCloud) -> tuple[Job, ...]:
    return await made.cloud.jobs(AT, AT)


async def closed(conversation: Conversation) -> None:
    await conversation.request()


async def reset(conversation: Conversation) -> None:
    await conversation.request()
    conversation.reset()


async def silent(conversation: Conversation) -> None:
    await conversation.request()
    await asyncio.sleep(60)


async def garbage(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b"\x00\x01\x02\r\n\r\n")


async def dripping(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    while True:
        await conversation.write(b" ")
        await asyncio.sleep(0.05)


PASSING = [
    ("closed", closed),
    ("reset", reset),
    ("garbage", garbage),
    ("silent", silent),
    ("dripping past the total", dripping),
    ("a 500", http(500, {"errCode": "DBS.200412"})),
    ("a 502", http(502, b"<html>")),
    ("a 503", http(503)),
    ("a 408", http(408)),
    ("a 429 that names a short time", http(429, {"error_code": "APIGW.0308"}, Retry_After="0")),
    ("a 429 that names none", http(429)),
]


@pytest.mark.parametrize(("name", "trouble"), PASSING, ids=[row[0] for row in PASSING])
async def test_a_failure_that_passes_is_tried_again(serve, client, name, trouble):
    async def behave(conversation: Conversation) -> None:
        if conversation.server.connections == 1 and callable(trouble):
            await trouble(conversation)
            return
        while await conversation.request():
            first = len(conversation.server.requests) == 1
            await conversation.write(trouble if first and isinstance(trouble, bytes) else http(200, NO_JOBS))

    server = await serve(behave)
    assert await read(client(server.url)) == ()
    assert len(server.requests) == 2


STAYING = [
    ("closed", closed, errors.Unavailable),
    ("reset", reset, errors.Unavailable),
    ("garbage", garbage, errors.Unavailable),
    ("silent", silent, errors.Unavailable),
    ("dripping past the total", dripping, errors.Unavailable),
    ("a 500", http(500, {"errCode": "DBS.200412"}), errors.Unavailable),
    ("a 429", http(429, Retry_After="0"), errors.Throttled),
]


@pytest.mark.parametrize(("name", "trouble", "expected"), STAYING, ids=[row[0] for row in STAYING])
async def test_a_failure_that_stays_is_told_after_three_tries(serve, client, name, trouble, expected):
    async def behave(conversation: Conversation) -> None:
        if callable(trouble):
            await trouble(conversation)
            return
        while await conversation.request():
            await conversation.write(trouble)

    server = await serve(behave)
    began = time.monotonic()
    with pytest.raises(errors.CloudError) as caught:
        await read(client(server.url))
    assert type(caught.value) is expected
    assert len(server.requests) == EAGER.tries
    assert time.monotonic() - began < EAGER.tries * QUICK.read_total + 2


FINAL = [
    ("a 302", http(302, b"", Location="/x"), errors.Unreadable),
    ("a 400", http(400, {"errCode": "DBS.280001", "externalMessage": "Parameter error."}), errors.Refused),
    ("a 401", http(401, {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM"}), errors.AccessRefused),
    ("a 403", http(403, {"errCode": "DBS.200010"}), errors.AccessRefused),
    ("a 404", http(404), errors.NotFound),
    ("a 429 that asks for long", http(429, Retry_After="60"), errors.Throttled),
    ("a 200 in HTML", http(200, b"<html>"), errors.Unreadable),
    ("a 200 that is a list", http(200, []), errors.Unreadable),
    ("a 200 without the list", http(200, {"total": 0}), errors.Unreadable),
    ("a 200 whose list is an object", http(200, {"total": 0, "jobs": {}}), errors.Unreadable),
    ("a 200 whose list holds text", http(200, {"total": 1, "jobs": ["x"]}), errors.Unreadable),
    ("a 200 without a total", http(200, {"jobs": []}), errors.Unreadable),
    ("a 200 with a total that is no number", http(200, {"jobs": [], "total": "many"}), errors.Unreadable),
    ("a 200 with fewer than its total", http(200, {"jobs": [], "total": 1}), errors.Unreadable),
    ("a job without a status", http(200, {"jobs": [{"id": "a"}], "total": 1}), errors.Unreadable),
    ("a job without an id", http(200, {"jobs": [{"status": "Running"}], "total": 1}), errors.Unreadable),
    ("a job twice", http(200, {"jobs": [{"id": "a", "status": "Running"}] * 2, "total": 2}), errors.Unreadable),
    (
        "a job with a date that is none",
        http(200, {"jobs": [{"id": "a", "status": "x", "created_time": "soon"}], "total": 1}),
        errors.Unreadable,
    ),
]


@pytest.mark.parametrize(("name", "answer", "expected"), FINAL, ids=[row[0] for row in FINAL])
async def test_an_answer_that_would_not_change_is_told_at_once(route, client, name, answer, expected):
    server = await route(lambda _: answer)
    with pytest.raises(errors.CloudError) as caught:
        await read(client(server.url))
    assert type(caught.value) is expected
    assert len(server.requests) == 1


async def test_a_throttled_read_tells_how_long_to_wait(route, client):
    server = await route(lambda _: http(429, Retry_After="60"))
    with pytest.raises(errors.Throttled) as caught:
        await read(client(server.url))
    assert caught.value.retry_after == timedelta(seconds=60)


BODIES = [
    ("DDM", {"errCode": "DBS.280001", "externalMessage": "Parameter error."}, "DBS.280001", "Parameter error."),
    ("the gateway", {"error_code": "APIGW.0301", "error_msg": "Bad  sign"}, "APIGW.0301", "Bad sign"),
    ("the gateway, camel case", {"errorCode": "X.1", "errorMsg": "no"}, "X.1", "no"),
    ("code and message", {"code": "X.2", "message": "no"}, "X.2", "no"),
    (
        "Cloud Eye",
        {
            "http_code": 400,
            "message": {"details": "Bad body.", "code": "ces.0014"},
            "encoded_authorization_message": None,
        },
        "ces.0014",
        "Bad body.",
    ),
    ("IAM", {"error": {"code": 400, "message": "No scope.", "title": "Bad Request"}}, "400", "No scope."),
    ("nothing", {}, "", ""),
    ("text", "no", "", ""),
    ("null", None, "", ""),
]


@pytest.mark.parametrize(("name", "body", "code", "text"), BODIES, ids=[row[0] for row in BODIES])
async def test_the_error_bodies_of_every_service_are_read(route, client, name, body, code, text):
    server = await route(lambda _: http(400, body))
    with pytest.raises(errors.Refused) as caught:
        await read(client(server.url))
    assert caught.value.code == code
    assert text in str(caught.value)
    assert str(caught.value).startswith("DDM list_jobs was answered 400")


async def test_at_most_eight_reads_are_under_way_and_waiting_is_no_time_out(serve, client, monitor):
    now = most = 0

    async def behave(conversation: Conversation) -> None:
        nonlocal now, most
        while await conversation.request():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0.1)
            now -= 1
            await conversation.write(http(200, NO_JOBS))

    server = await serve(behave)
    made = client(server.url)
    await asyncio.gather(*(read(made) for _ in range(120)))  # 1.5 s in all, more than one call may take
    assert most == 8
    assert server.connections == 8, "they are kept open"
    assert set(monitor.calls) == {("ddm", "list_jobs", "200")}


def password_service(answer: Route) -> Route:
    """Tokens `t1`, `t2`, … and, for every other request, what `answer` says."""
    given = 0

    def respond(seen: Seen) -> bytes:
        nonlocal given
        if not seen.target.startswith("/v3/auth/tokens"):
            return answer(seen)
        given += 1
        token = {"token": {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": PROJECT, "name": "r"}}}
        return http(201, token, X_Subject_Token=f"t{given}")

    return respond


USER = Password("user", "the-password", "account")


async def test_a_401_renews_the_token_once_and_the_read_goes_on(route, client):
    def answer(seen: Seen) -> bytes:
        return http(200, NO_JOBS) if seen.headers["x-auth-token"] == "t2" else http(401)

    server = await route(password_service(answer))
    made = client(server.url, credentials=USER)
    assert await read(made) == ()
    assert [seen.method for seen in server.requests] == ["POST", "GET", "POST", "GET"]


async def test_a_401_that_stays_is_told_after_one_renewal(route, client):
    server = await route(password_service(lambda _: http(401)))
    with pytest.raises(errors.AccessRefused):
        await read(client(server.url, credentials=USER))
    assert [seen.method for seen in server.requests] == ["POST", "GET", "POST", "GET"]


async def test_many_401s_at_once_share_one_renewal(route, client):
    def answer(seen: Seen) -> bytes:
        return http(200, NO_JOBS) if seen.headers["x-auth-token"] == "t2" else http(401)

    server = await route(password_service(answer))
    made = client(server.url, credentials=USER)
    await asyncio.gather(*(read(made) for _ in range(20)))
    assert sum(seen.method == "POST" for seen in server.requests) == 2


async def test_a_cancelled_read_frees_its_place(serve, client):
    async def behave(conversation: Conversation) -> None:
        while await conversation.request():
            if len(conversation.server.requests) <= 8:
                await asyncio.sleep(60)
            await conversation.write(http(200, NO_JOBS))

    server = await serve(behave)
    made = client(server.url)
    stuck = [asyncio.ensure_future(read(made)) for _ in range(8)]
    await until(lambda: len(server.requests) == 8)
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)
    assert await read(made) == ()


SKEWS = [("10:10:00", 600.0), ("09:50:00", -599.0), ("10:00:00", 0.0), ("09:59:59", 0.0)]


@pytest.mark.parametrize(("at", "seconds"), SKEWS, ids=["ahead", "behind", "equal", "equal, cut to the second"])
async def test_calls_and_the_clocks_difference_are_reported(route, client, monitor, at, seconds):
    date = f"Mon, 23 Nov 2026 {at} GMT"
    server = await route(lambda _: http(200, NO_JOBS, Date=date))

    class Stopped(clock.SystemClock):
        def now(self) -> datetime:
            return AT

    made = client(server.url, time=Stopped())
    assert made.cloud.skew is None
    await read(made)
    assert monitor.calls == [("ddm", "list_jobs", "200")]
    assert monitor.skews == [seconds]
    assert made.cloud.skew == timedelta(seconds=seconds)


async def test_a_date_within_the_call_is_no_skew(route, client):
    def answer(_: Seen) -> bytes:
        return http(200, NO_JOBS, Date=datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"))

    server = await route(answer)
    made = client(server.url)
    await read(made)
    assert made.cloud.skew == timedelta(0)


async def test_an_answer_without_bounds_is_not_swallowed(serve, client):
    async def behave(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        while True:
            await conversation.write(b" " * 1_000_000)

    server = await serve(behave)
    with pytest.raises(errors.Unreadable, match="more than"):
        await read(client(server.url, timeouts=Timeouts()))
    assert len(server.requests) == 1


async def test_what_is_signed_is_what_is_sent(route, client):
    server = await route(lambda _: http(200, {"instances": [], "total_count": 0}))
    made = client(server.url)
    odd = Request(
        "ddm",
        "odd",
        "GET",
        server.url,
        "/v1/a b/~ü,%/x",
        query=(("z", "a,b c+~"), ("a", "ü&="), ("a", ""), ("%2F", "/")),
    )
    await made._reader.read(odd, made._session)
    assert server.requests[0].target == "/v1/a%20b/~%C3%BC%2C%25/x?%252F=%2F&a=&a=%C3%BC%26%3D&z=a%2Cb%20c%2B~"


def test_retries_wait_longer_each_time_and_never_long():
    assert Retries().tries * (QUICK.read_total + Retries().longest_wait) < 10

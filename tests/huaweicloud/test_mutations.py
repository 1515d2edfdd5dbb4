"""What the end of a mutation means, over real sockets: sent at most once, and never thought unsent when it was."""

import asyncio
import socket
import time

import pytest

from autoscaler import errors, ports
from autoscaler.huaweicloud.cloud import HuaweiCloud
from autoscaler.huaweicloud.connection import AccessKey, Password, Timeouts
from tests.huaweicloud.conftest import QUICK, TARGET, Conversation, http, operation, until

JOB = {"instanceId": "i", "instanceName": "n", "jobId": "job-1"}


class Asked:
    """A `before_send` that counts, and stops the call where it is told to."""

    def __init__(self, stop: Exception | None = None) -> None:
        self.times = 0
        self._stop = stop

    def __call__(self) -> None:
        self.times += 1
        if self._stop:
            raise self._stop


async def enlarge(made: HuaweiCloud, before_send: ports.BeforeSend | None = None) -> ports.Accepted:
    return await made.cloud.add_nodes(TARGET, operation(), before_send or Asked())


# After the request was begun: whatever is not a clear answer is ambiguous.


async def reset_before_reading(conversation: Conversation) -> None:
    conversation.reset()


async def reset_while_reading(conversation: Conversation) -> None:
    await conversation.reader.read(20)
    conversation.reset()


async def reset_after_reading(conversation: Conversation) -> None:
    await conversation.request()
    conversation.reset()


async def closed_after_reading(conversation: Conversation) -> None:
    await conversation.request()


async def silent_before_reading(conversation: Conversation) -> None:
    await asyncio.sleep(60)


async def silent_after_reading(conversation: Conversation) -> None:
    await conversation.request()
    await asyncio.sleep(60)


async def garbage(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b"\x00\x01 SSH-2.0-OpenSSH_9.2\r\n\r\n")


async def closed_inside_the_headers(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b"HTTP/1.1 200 OK\r\nContent-Le")


async def closed_inside_the_body(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"jobId":')


async def reset_inside_the_body_of_a_refusal(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b'HTTP/1.1 409 Conflict\r\nContent-Length: 100\r\n\r\n{"errCode":')
    conversation.reset()


async def dripping_past_the_total(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
    while True:
        await conversation.write(b" ")
        await asyncio.sleep(0.05)


async def dripping_headers(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await conversation.write(b"x")
        await asyncio.sleep(0.05)


async def endless_body(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    while True:
        await conversation.write(b" " * 1_000_000)


AMBIGUOUS = [
    reset_while_reading,
    reset_after_reading,
    closed_after_reading,
    silent_before_reading,
    silent_after_reading,
    garbage,
    closed_inside_the_headers,
    closed_inside_the_body,
    reset_inside_the_body_of_a_refusal,
    dripping_past_the_total,
    dripping_headers,
    endless_body,
]


@pytest.mark.parametrize("behaviour", AMBIGUOUS, ids=lambda behaviour: behaviour.__name__)
async def test_without_a_clear_answer_it_is_ambiguous_and_not_sent_again(serve, client, monitor, behaviour):
    server = await serve(behaviour)
    asked = Asked()
    began = time.monotonic()
    with pytest.raises(errors.Ambiguous) as caught:
        await enlarge(client(server.url), asked)
    assert time.monotonic() - began < QUICK.mutation_total + 1
    assert (server.connections, asked.times) == (1, 1)
    assert len(server.requests) <= 1
    assert "look" in str(caught.value)
    assert monitor.calls == [("ddm", "enlarge", "Ambiguous")]


async def test_a_reset_at_once_is_never_taken_for_an_answer_and_not_sent_again(serve, client):
    server = await serve(reset_before_reading)
    asked = Asked()
    with pytest.raises((errors.Ambiguous, errors.Unsent)) as caught:
        await enlarge(client(server.url), asked)
    assert server.connections == 1
    assert isinstance(caught.value, errors.Ambiguous) == (asked.times == 1)


# Answers.

ANSWERS = [
    ("a 302", http(302, b"", Location="/elsewhere"), errors.Ambiguous),
    ("a 307", http(307, b"", Location="/elsewhere"), errors.Ambiguous),
    ("a 304", b"HTTP/1.1 304 Not Modified\r\n\r\n", errors.Ambiguous),
    ("a 101", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", errors.Ambiguous),
    ("a 405", http(405, {}), errors.Ambiguous),
    ("a 407 of a proxy", http(407, b"", Proxy_Authenticate="Basic"), errors.Ambiguous),
    ("a 408", http(408, {}), errors.Ambiguous),
    ("a 415", http(415, {}), errors.Ambiguous),
    ("a 500", http(500, {"errCode": "DBS.200412", "externalMessage": "Server failure."}), errors.Ambiguous),
    ("a 501", http(501, {}), errors.Ambiguous),
    ("a 502 in HTML", http(502, b"<html>Bad gateway</html>"), errors.Ambiguous),
    ("a 503 that asks to come back", http(503, b"", Retry_After="0"), errors.Ambiguous),
    ("a 504", http(504, {}), errors.Ambiguous),
    ("an empty 200", http(200, b""), errors.Ambiguous),
    ("a 200 in HTML", http(200, b"<html>welcome</html>"), errors.Ambiguous),
    ("a 200 cut off", http(200, b'{"jobId":"1'), errors.Ambiguous),
    ("a 200 that is a list", http(200, [JOB]), errors.Ambiguous),
    ("a 200 nested too deep", http(200, b"[" * 100_000), errors.Ambiguous),
    ("a 200 in another encoding", http(200, b'{"jobId":"\xff\xfe"}'), errors.Ambiguous),
    ("a 200 without an id", http(200, {"instanceId": "i"}), errors.Ambiguous),
    ("a 200 with an empty id", http(200, {"jobId": "", "orderId": ""}), errors.Ambiguous),
    ("a 200 with a null id", http(200, {"jobId": None}), errors.Ambiguous),
    ("a 200 with an object for an id", http(200, {"jobId": {}}), errors.Ambiguous),
    ("a 200 gzipped badly", http(200, b"not gzip", Content_Encoding="gzip"), errors.Ambiguous),
    ("a 204", http(204), errors.Ambiguous),
    ("a 400", http(400, {"errCode": "DBS.280001", "externalMessage": "Parameter error."}), errors.Refused),
    ("a 400 without a body", http(400), errors.Refused),
    ("a 400 in HTML", http(400, b"<html>"), errors.Refused),
    ("a 400, RDS unavailable", http(400, {"errCode": "DBS.300323"}), errors.DataNodeBusy),
    ("a 400, RDS status", http(400, {"errCode": "DBS.300110"}), errors.DataNodeBusy),
    ("a 400, schema status", http(400, {"errCode": "DBS.300130"}), errors.DataNodeBusy),
    ("a 400, RDS in use", http(400, {"errCode": "DBS.300133"}), errors.DataNodeBusy),
    ("a 401", http(401, {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM"}), errors.AccessRefused),
    ("a 403", http(403, {"error_code": "DBS.200010", "error_msg": "no"}), errors.AccessRefused),
    *[
        (f"a 403 with {code}", http(403, {"errCode": code}), errors.Busy)
        for code in ("DBS.200011", "DBS.200018", "DBS.200019", "DBS.200047", "DBS.212033")
    ],
    ("a 403 with a data node's code", http(403, {"errCode": "DBS.300323"}), errors.AccessRefused),
    ("a 404", http(404, {"errCode": "DBS.200020"}), errors.NotFound),
    ("a 409", http(409, {"errCode": "DBS.200019"}), errors.Busy),
    ("a 409 without a body", http(409), errors.Busy),
    ("a 413", http(413, {}), errors.Refused),
    ("a 429", http(429, {"error_code": "APIGW.0308"}, Retry_After="0"), errors.Throttled),
]


@pytest.mark.parametrize(("name", "answer", "expected"), ANSWERS, ids=[row[0] for row in ANSWERS])
async def test_every_answer_has_one_meaning_and_is_asked_for_once(serve, client, name, answer, expected):
    async def behave(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.write(answer)

    server = await serve(behave)
    with pytest.raises(errors.CloudError) as caught:
        await enlarge(client(server.url))
    assert type(caught.value) is expected
    assert (server.connections, len(server.requests)) == (1, 1)
    if isinstance(caught.value, errors.Refused):
        assert caught.value.status == int(answer.split(b" ")[1])
        assert str(caught.value).startswith(f"DDM enlarge was answered {caught.value.status}")


ACCEPTED = [
    ("v2, pay-per-use", 200, JOB, ("job-1", None)),
    ("v3, pay-per-use", 202, {"job_id": "job-2"}, ("job-2", None)),
    ("v2, prepaid", 200, {"instanceId": "i", "orderId": "CS1"}, (None, "CS1")),
    ("v3, prepaid", 202, {"order_id": "CS2"}, (None, "CS2")),
    ("both", 201, {"jobId": "job-3", "orderId": "CS3"}, ("job-3", "CS3")),
]


@pytest.mark.parametrize(("name", "status", "body", "ids"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
async def test_a_job_or_an_order_is_an_acceptance(route, client, name, status, body, ids):
    server = await route(lambda _: http(status, body))
    accepted = await enlarge(client(server.url))
    assert (accepted.job_id, accepted.order_id) == ids
    assert len(server.requests) == 1


# Before the request was begun: surely unsent.


@pytest.fixture
def refusing_port():
    with socket.socket() as held:  # bound and not listening: connecting is refused, and nobody else gets the port
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def test_a_refused_connection_is_unsent(client, refusing_port):
    asked = Asked()
    with pytest.raises(errors.Unsent, match=r"DDM enlarge was not sent to http://127\.0\.0\.1.*nothing was changed"):
        await enlarge(client(f"http://127.0.0.1:{refusing_port}"), asked)
    assert asked.times == 0


async def test_a_name_that_does_not_resolve_is_unsent(client):
    asked = Asked()
    with pytest.raises(errors.Unsent):
        await enlarge(client(f"http://{'a' * 64}.invalid"), asked)  # a label too long for DNS: fails without a query
    assert asked.times == 0


async def test_a_failed_tls_handshake_is_unsent(serve, client):
    async def behave(conversation: Conversation) -> None:
        await conversation.reader.read(10)
        await conversation.write(http(200, JOB))

    server = await serve(behave)
    asked = Asked()
    with pytest.raises(errors.Unsent):
        await enlarge(client(server.url.replace("http:", "https:")), asked)
    assert (asked.times, server.connections) == (0, 1)


async def test_a_tls_handshake_that_hangs_is_unsent(serve, client):
    server = await serve(silent_before_reading)
    asked = Asked()
    with pytest.raises(errors.Unsent):
        await enlarge(client(server.url.replace("http:", "https:")), asked)
    assert (asked.times, server.connections) == (0, 1)


async def test_a_connect_time_out_is_unsent(client):
    with socket.socket() as listening, socket.socket() as first, socket.socket() as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)  # nobody accepts, and the backlog holds one
        for filler in (first, second):
            filler.settimeout(0)
            filler.connect_ex(listening.getsockname())
        asked = Asked()
        began = time.monotonic()
        with pytest.raises(errors.Unsent, match="ConnectTimeout"):
            await enlarge(client(f"http://127.0.0.1:{listening.getsockname()[1]}"), asked)
        assert time.monotonic() - began < 2
        assert asked.times == 0


PROXY_ENDS = [
    ("refuses the tunnel", http(403, b"no")),
    ("wants a password", http(407, b"", Proxy_Authenticate="Basic")),
    ("cannot reach the service", http(502, b"no")),
    ("answers garbage", b"\x00\x00\r\n\r\n"),
    ("closes", b""),
]


@pytest.mark.parametrize(("name", "answer"), PROXY_ENDS, ids=[row[0] for row in PROXY_ENDS])
async def test_a_proxy_that_makes_no_tunnel_leaves_it_unsent(serve, client, name, answer):
    async def behave(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.write(answer)

    proxy = await serve(behave)
    asked = Asked()
    password = "hunter2"
    address = proxy.url.replace("//", f"//user:{password}@")
    with pytest.raises(errors.Unsent) as caught:
        await enlarge(client("https://ddm.example.invalid", proxy=address), asked)
    assert asked.times == 0
    assert [seen.method for seen in proxy.requests] == ["CONNECT"]
    assert password not in str(caught.value)


async def test_before_send_that_stops_it_leaves_no_byte_on_the_wire(serve, client, monitor):
    received: list[bytes] = []

    async def behave(conversation: Conversation) -> None:
        received.append(await conversation.reader.read())

    server = await serve(behave)
    stop = errors.Unsent("its deadline has passed")
    with pytest.raises(errors.Unsent) as caught:
        await enlarge(client(server.url), Asked(stop))
    assert caught.value is stop
    await until(lambda: received)
    assert (server.connections, received) == (1, [b""])
    assert monitor.calls == [("ddm", "enlarge", "Unsent")]


async def test_before_send_that_breaks_is_unsent_too(serve, client):
    server = await serve(closed_after_reading)
    with pytest.raises(errors.Unsent):
        await enlarge(client(server.url), Asked(ZeroDivisionError("a bug")))
    assert server.requests == []


async def test_before_send_is_asked_only_when_the_connection_stands(serve, client):
    connected_first: list[bool] = []

    async def behave(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.write(http(200, JOB))

    server = await serve(behave)
    await enlarge(client(server.url), lambda: connected_first.append(not server.requests and server.connections <= 1))
    assert connected_first == [True]


async def test_without_a_token_it_is_unsent(route, client):
    server = await route(lambda _: http(401, {"error": {"code": 401, "message": "The password is wrong."}}))
    made = client(server.url, credentials=Password("u", "the-password", "d"))
    asked = Asked()
    with pytest.raises(errors.Unsent, match="password is wrong"):
        await enlarge(made, asked)
    assert server.operations == ["POST /v3/auth/tokens"]
    assert asked.times == 0


# One send.


async def test_each_mutation_has_a_connection_of_its_own(route, client):
    server = await route(lambda _: http(200, JOB))
    made = client(server.url)
    for _ in range(3):
        await enlarge(made)
    await asyncio.gather(*(enlarge(made) for _ in range(3)))
    assert server.connections == 6
    assert {seen.headers["connection"] for seen in server.requests} == {"close"}


async def test_a_connection_that_a_read_left_open_is_not_used(route, client):
    def answer(seen):
        return http(200, JOB if seen.method == "POST" else {"jobs": [], "total": 0})

    server = await route(answer)
    made = client(server.url)
    at = operation().committed_at
    await made.cloud.jobs(at, at)
    await made.cloud.jobs(at, at)
    assert server.connections == 1
    await enlarge(made)
    assert server.connections == 2


async def test_a_401_does_not_renew_and_resend(route, client):
    tokens = iter(["first", "second", "third"])

    def answer(seen):
        if seen.target.startswith("/v3/auth/tokens"):
            ends = "2099-01-01T00:00:00.000000Z"
            token = {"token": {"expires_at": ends, "project": {"id": "p"}}}
            return http(201, token, X_Subject_Token=next(tokens))
        return http(401, {"error_code": "APIGW.0307", "error_msg": "The token must be updated."})

    server = await route(answer)
    with pytest.raises(errors.AccessRefused):
        await enlarge(client(server.url, credentials=Password("u", "p", "d")))
    assert [seen.method for seen in server.requests] == ["POST", "POST"]
    assert server.operations[0] == "POST /v3/auth/tokens"


async def test_a_cancelled_call_stays_cancelled_and_is_not_sent_again(serve, client, monitor):
    server = await serve(silent_after_reading)
    asked = Asked()
    task = asyncio.ensure_future(enlarge(client(server.url, timeouts=Timeouts()), asked))
    await until(lambda: server.requests)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (server.connections, len(server.requests), asked.times) == (1, 1, 1)
    assert monitor.calls == [("ddm", "enlarge", "Cancelled")]


async def test_no_message_holds_a_secret_even_where_the_answer_repeats_it(route, client):
    def answer(seen):
        repeated = f"bad {seen.headers['authorization']} {seen.headers['x-security-token']}"
        return http(403, {"error_code": "APIGW.0301", "error_msg": repeated})

    server = await route(answer)
    made = client(server.url, credentials=AccessKey("AK", "the-secret-key", "the-security-token"))
    with pytest.raises(errors.AccessRefused) as caught:
        await enlarge(made)
    sent = server.requests[0].headers
    for secret in ("the-secret-key", "the-security-token", sent["authorization"]):
        assert secret not in str(caught.value)
    assert "***" in str(caught.value)


async def test_variables_of_the_environment_make_no_proxy(route, client, monkeypatch, refusing_port):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{refusing_port}")
    server = await route(lambda _: http(200, JOB))
    assert (await enlarge(client(server.url))).job_id == "job-1"


async def test_through_a_forwarding_proxy_it_is_sent_once(route, client):
    proxy = await route(lambda _: http(200, JOB))
    made = client("http://ddm.example.invalid", proxy=proxy.url)
    assert (await enlarge(made)).job_id == "job-1"
    assert [seen.target.startswith("http://ddm.example.invalid/v2/") for seen in proxy.requests] == [True]

"""Server-sent events over a real socket: what is written, who is served, and that no reader holds anything up."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from autoscaler.ports import EventKind
from autoscaler.web import events, server
from tests.web.conftest import Served, record, until

PATH = "/api/v1/events"


def tell(served: Served, kind: EventKind, target: str | None = None, **data: object) -> None:
    served.call(served.console.feed.publish, kind, target, lambda: data)


class Reader:
    """Reads an answer that does not end, event by event."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()

    def block(self) -> dict[str, str]:
        """The fields of the next event; comments under the empty name."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        return {"end": ""}

    def data(self) -> dict:
        return dict(json.loads(self.block()["data"]))


@pytest.fixture
def reading(served: Served) -> Iterator:
    """`reading(query)`: a reader that is served already."""
    opened = []

    def read(query: str = "", **headers: str) -> Reader:
        context = served.http.stream("GET", PATH + query, headers=headers)
        opened.append(context)
        reader = Reader(context.__enter__())
        assert reader.answer.status_code == 200
        assert reader.block() == {"retry": "3000"}
        return reader

    yield read
    for context in opened:
        context.__exit__(None, None, None)


def test_what_happens_is_told_as_it_happens(served, reading):
    reader = reading()
    served.call(served.console.feed.publish, EventKind.DECISION, "orders", record)
    first = reader.block()
    tell(served, EventKind.CYCLE, n=2)
    second = reader.block()

    assert reader.answer.headers["content-type"].startswith("text/event-stream")
    assert reader.answer.headers["cache-control"] == "no-store"
    assert (first["event"], json.loads(first["data"])) == ("decision", record())
    assert (second["event"], json.loads(second["data"])) == ("cycle", {"n": 2})
    assert int(second["id"]) > int(first["id"])


def test_only_some_kinds_and_only_one_target(served, reading):
    reader = reading("?events=operation&events=cycle&target=orders")
    tell(served, EventKind.OPERATION, "other", n=1)
    tell(served, EventKind.DECISION, "orders", n=2)
    tell(served, EventKind.OPERATION, "orders", n=3)
    tell(served, EventKind.CYCLE, None, n=4)

    assert [reader.data()["n"] for _ in range(2)] == [3, 4]


@pytest.mark.parametrize("by", ["header", "query", "the header first"])
def test_who_comes_back_hears_what_it_missed(served, reading, by):
    last = served.call(served.console.feed.last)
    tell(served, EventKind.CYCLE, n=1)
    tell(served, EventKind.CYCLE, n=2)

    headers = {} if by == "query" else {"Last-Event-ID": str(last)}
    query = {"header": "", "query": f"?after={last}", "the header first": f"?after={last + 2}"}[by]
    reader = reading(query, **headers)

    assert [reader.data()["n"] for _ in range(2)] == [1, 2]


def test_who_was_away_too_long_is_told_whatever_it_wants_to_hear(served, reading):
    reader = reading("?events=cycle&target=orders&after=5")
    lost = reader.block()
    tell(served, EventKind.CYCLE, n=1)

    assert (lost["event"], lost["data"]) == ("lost", "{}")
    assert reader.data() == {"n": 1}


def test_where_nothing_is_told_there_is_a_comment_and_how_far_it_came(served, reading, monkeypatch):
    monkeypatch.setattr(events, "BEAT", 0.05)
    reader = reading("?events=cycle")
    assert reader.block() == {"": "still here"}
    tell(served, EventKind.DECISION, n=1)
    blocks = [reader.block()]
    while "id" not in blocks[-1]:
        blocks.append(reader.block())

    assert blocks[-1] == {"": "still here", "id": str(served.call(served.console.feed.last))}


def test_one_reader_too_many_is_503_and_a_place_becomes_free(served):
    with (
        served.http.stream("GET", PATH),
        served.http.stream("GET", PATH) as second,
        served.http.stream("GET", PATH),
    ):
        refused = served.http.get(PATH)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        assert refused.json() == {"error": "3 others follow the events already; no more are served."}
        second.close()
        until(lambda: len(served.console.feed._followers) == 2)
        with served.http.stream("GET", PATH) as answer:
            assert answer.status_code == 200


@pytest.mark.parametrize(
    ("query", "headers", "words"),
    [
        ("?events=error", {}, "events.0: "),
        ("?after=-1", {}, "after: "),
        ("?after=x", {}, "after: "),
        ("", {"Last-Event-ID": "x"}, "Last-Event-ID: "),
        ("", {"Last-Event-ID": "9" * 19}, "Last-Event-ID: "),
    ],
)
def test_what_nobody_can_follow_is_422(served, query, headers, words):
    answer = served.http.get(PATH + query, headers=headers)

    assert answer.status_code == 422
    assert answer.json()["error"].startswith(words)
    assert not served.console.feed._followers


def test_the_server_stops_at_once_with_readers_connected(console, monkeypatch):
    monkeypatch.setattr(server, "DRAIN_SECONDS", 10)
    running = Served(console, None)
    with running.http.stream("GET", PATH) as answer:
        reader = Reader(answer)
        reader.block()
        begun = time.monotonic()
        running.close(keep_http=True)
        took = time.monotonic() - begun
        assert reader.block() == {"end": ""}
    running.http.close()
    assert took < 5


@pytest.fixture
def stuck(served: Served, monkeypatch) -> Iterator[socket.socket]:
    """A reader that asked, and takes nothing of what it is told."""
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 2.0)
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.connect(served._server.address)
        one.sendall(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until(lambda: len(served.console.feed._followers) == 1)
        yield one


def test_a_reader_that_takes_nothing_is_cut_off_and_holds_nobody_up(served, stuck, reading):
    reader = reading()
    for number in range(100):
        tell(served, EventKind.CYCLE, n=number, long="x" * 100_000)
        assert reader.data()["n"] == number

    until(lambda: len(served.console.feed._followers) == 1)


async def test_a_reader_that_takes_nothing_does_not_keep_the_server_from_stopping():
    begun = asyncio.Event()

    async def endless(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        begun.set()
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})

    running = server.Server(endless, host="127.0.0.1", port=0)
    await running.start()
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(one.connect, running.address)
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await begun.wait()
        at = time.monotonic()
        await running.stop()

    assert time.monotonic() - at < server.DRAIN_SECONDS + 1.5

"""Small servers of our own on loopback sockets, scripted answer by answer, and a client that points at them."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from autoscaler import clock
from autoscaler.core.decision import Reason
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey, Target
from autoscaler.huaweicloud import cloud
from autoscaler.huaweicloud.connection import AccessKey, Connection, Dialect, Endpoints, Retries, Timeouts

PROJECT = "0123456789abcdef0123456789abcdef"
INSTANCE = "28e8841d0b9c4f6a9a30742ee60e1068in09"
GROUP = "f080abf2010d45118068c28c8958f5fcgr09"
FLAVOR = "8f2e696c-a9c1-30bd-af90-25522bc67606"
QUICK = Timeouts(read_connect=1.0, read_total=1.0, mutation_connect=0.5, mutation_total=1.0)
EAGER = Retries(tries=3, first_wait=0.001, longest_wait=0.002, longest_retry_after=0.5)


@dataclass(frozen=True)
class Seen:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Conversation:
    """One connection to a scripted server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "Server"

    async def request(self) -> Seen | None:
        """Read one request; None at the end of the connection."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError as end:
            self.server.stray += end.partial
            return None
        line, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in rest)}
        method, target, _ = line.split(" ")
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        seen = Seen(method, target, headers, body)
        self.server.requests.append(seen)
        return seen

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close so that the other side gets a reset, not an end."""
        self.writer.transport.abort()


Behaviour = Callable[[Conversation], Awaitable[None]]
Route = Callable[[Seen], bytes]


@dataclass
class Server:
    """A scripted server, and everything it was sent."""

    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    connections: int = 0
    stray: bytes = b""

    @property
    def operations(self) -> list[str]:
        return [f"{seen.method} {seen.target.partition('?')[0]}" for seen in self.requests]


def http(status: int = 200, body: object = None, **headers: str) -> bytes:
    """A whole answer; `body` as JSON unless it is bytes already. Header names with `_` for `-`."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@pytest.fixture
async def serve():
    """Start servers: by a behaviour per connection, or by a route per request."""
    started: list[asyncio.Server] = []
    open_writers: list[asyncio.StreamWriter] = []

    async def start(behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> Server:
        server = Server()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server.connections += 1
            open_writers.append(writer)
            try:
                await behave(Conversation(reader, writer, server))
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the client went away, or the test is over
            finally:
                writer.close()

        listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        started.append(listening)
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        return server

    yield start
    for listening in started:
        listening.close()
    for writer in open_writers:
        writer.transport.abort()


@pytest.fixture
def route(serve):
    """Start a server that answers every request of every connection by a function."""

    async def start(answer: Route) -> Server:
        async def behave(conversation: Conversation) -> None:
            while (seen := await conversation.request()) is not None:
                await conversation.write(answer(seen))

        server: Server = await serve(behave)
        return server

    return start


@dataclass
class Listener:
    """A monitor that remembers the calls and measurements it is told of."""

    calls: list[tuple[str, str, str]] = field(default_factory=list)
    skews: list[float] = field(default_factory=list)

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((service, name, code))

    def skew(self, seconds: float) -> None:
        self.skews.append(seconds)


class Hands(clock.SystemClock):
    """A clock that stands where it is put."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        object.__setattr__(self, "at", at)  # the parent is frozen

    def now(self) -> datetime:
        return cast("datetime", getattr(self, "at"))  # noqa: B009 - set past the parent's frozen fields

    def forward(self, **span: float) -> None:
        object.__setattr__(self, "at", self.now() + timedelta(**span))


async def until(holds: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Wait until something holds, at most so long."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is the other end of a socket: there is no event
            await asyncio.sleep(0.005)


@pytest.fixture
def monitor() -> Listener:
    return Listener()


def connection_to(url: str, **changes: object) -> Connection:
    """All services at one address, an access key, a known project."""
    settings: dict[str, object] = {
        "region": "cn-north-4",
        "credentials": AccessKey("AK", "the-secret-key"),
        "dialect": Dialect.HUAWEI,
        "project_id": PROJECT,
        "endpoints": Endpoints(iam=url, ddm=url, cloud_eye=url, rds=url),
        "timeouts": QUICK,
        "retries": EAGER,
    }
    return Connection(**(settings | changes))  # type: ignore[arg-type]  # the dataclass's own types, by name


@pytest.fixture
async def client(monitor):
    """Build clients that are closed after the test."""
    made: list[cloud.HuaweiCloud] = []

    def build(url: str, *, time: clock.Clock | None = None, **changes: object) -> cloud.HuaweiCloud:
        made.append(cloud.HuaweiCloud(connection_to(url, **changes), time=time or clock.SystemClock(), monitor=monitor))
        return made[-1]

    yield build
    for one in made:
        await one.aclose()


TARGET = Target("orders", INSTANCE, group_id=GROUP, flavor_id=FLAVOR)


def operation(direction: Direction = Direction.OUT, change: int = 1, **changes: object) -> Operation:
    at = datetime.now(UTC)
    settings: dict[str, object] = {
        "id": "op",
        "target": "orders",
        "instance": InstanceKey("cn-north-4", PROJECT, INSTANCE),
        "group_id": GROUP,
        "direction": direction,
        "change": change,
        "reason": Reason.ABOVE_THRESHOLD,
        "state": State.PLANNED,
        "committed_at": at,
        "send_before": at + timedelta(seconds=20),
    }
    return Operation(**(settings | changes))  # type: ignore[arg-type]  # the dataclass's own types, by name

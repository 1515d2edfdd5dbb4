"""The wire between daemon and cloud, in process: an httpx transport that fails as sockets do, in virtual time.

A request travels on its own: once its first byte is written it arrives, whatever becomes of the process that sent it.
"""

import asyncio
import contextvars
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import httpx

from autoscaler.emulator.gateway import Gateway

_WRITING = "http11.send_request_headers.started"


class Network:
    """The state of the wire: how long a byte takes, and what is broken for a while."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.gateways: dict[str, Gateway] = {}
        self.down: type[httpx.TransportError] | None = None  # what connecting ends in, while it does
        self.latency = 0.02  # seconds one way, at most
        self.date_off = timedelta(0)  # of the clock that the dates of answers are of
        self.held = 0.0  # seconds more, of the next request that changes something
        self.written: Callable[[httpx.Request], Any] = lambda _: None  # told when a first byte is written; what it
        self.arrived: Callable[[Any], None] = lambda _: None  # answers is told when the request has arrived
        self._peers: dict[tuple[str, int], _Exchange] = {}
        self._next_port = 10_000

    def peer(self, exchange: "_Exchange") -> tuple[str, int]:
        self._next_port += 1
        address = ("10.0.0.1", self._next_port)
        self._peers[address] = exchange
        return address

    def forget(self, peer: tuple[str, int]) -> None:
        self._peers.pop(peer, None)

    def break_off(self, peer: tuple[str, int], reset: bool) -> None:
        """What a fault of the emulator does to a connection."""
        error: httpx.TransportError = (
            httpx.ReadError("[Errno 104] Connection reset by peer")
            if reset
            else httpx.RemoteProtocolError("Server disconnected without sending a response.")
        )
        self._peers[peer].fail(error)

    def dated(self, date: bytes) -> bytes:
        """The `Date` of an answer, as that clock shows it."""
        if not self.date_off:
            return date
        return format_datetime(parsedate_to_datetime(date.decode()) + self.date_off, usegmt=True).encode()

    def delay(self) -> float:
        return self.chance.uniform(0.001, self.latency)


class Wire(httpx.AsyncBaseTransport):
    """One process's transport; of one that is not alive nothing leaves any more."""

    def __init__(self, network: Network, alive: Callable[[], bool], read: Callable[[bytes], None]) -> None:
        """`read` is told of each answer about metrics that was read to its end."""
        self._network = network
        self._alive = alive
        self._read = read

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        await self._connect(timeouts.get("connect"))
        if not self._alive():
            raise httpx.ConnectError("the process is dead")
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace(_WRITING, {"request": _Traced(request.method.encode())})
        exchange = _Exchange(self._network, request, self._network.written(request))
        contextvars.Context().run(exchange.start)  # from here on it is on its way, and belongs to no process
        read = self._read if request.url.host == "ces.sim" else None
        return await exchange.response(timeouts.get("read"), read)

    async def _connect(self, within: float | None) -> None:
        broken = self._network.down
        if broken is httpx.ConnectTimeout:
            await asyncio.sleep(within or 30.0)
            raise httpx.ConnectTimeout("timed out")
        if broken is not None:
            await asyncio.sleep(self._network.delay())
            raise broken("[Errno -2] Name or service not known")
        await asyncio.sleep(self._network.delay())


class _Traced:
    def __init__(self, method: bytes) -> None:
        self.method = method


class _Exchange:
    """One request on its way, its handling there, and its answer."""

    def __init__(self, network: Network, request: httpx.Request, noted: Any) -> None:
        self._network = network
        self._noted = noted
        self._request = request
        self._came: asyncio.Queue[dict[str, Any] | httpx.TransportError] = asyncio.Queue()
        self._hung_up = asyncio.Event()
        self._asked = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        await asyncio.sleep(self._network.delay())
        if self._noted is not None:
            held, self._network.held = self._network.held, 0.0
            await asyncio.sleep(held)
        peer = self._network.peer(self)
        url = self._request.url
        scope = {
            "type": "http",
            "method": self._request.method,
            "path": url.path,
            "query_string": url.query,
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "client": peer,
        }
        try:
            await self._network.gateways[url.host](scope, self._receive, self._send)
        finally:
            self._network.forget(peer)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            self._network.arrived(self._noted)  # nobody else runs until it is read
            return {"type": "http.request", "body": self._request.content, "more_body": False}
        await self._hung_up.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if not self._hung_up.is_set():
            self._came.put_nowait(message)

    def fail(self, error: httpx.TransportError) -> None:
        self._came.put_nowait(error)
        self._hung_up.set()

    async def response(self, read_timeout: float | None, read: Callable[[bytes], None] | None) -> httpx.Response:
        try:
            await asyncio.sleep(self._network.delay())
            first = await self._next(read_timeout)
        except BaseException:
            self._hung_up.set()
            raise
        headers = [(name, self._network.dated(value) if name == b"date" else value) for name, value in first["headers"]]
        return httpx.Response(first["status"], headers=headers, stream=_Body(self, read_timeout, read))

    async def _next(self, read_timeout: float | None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(read_timeout):
                message = await self._came.get()
        except TimeoutError:
            raise httpx.ReadTimeout("timed out") from None
        if isinstance(message, httpx.TransportError):
            raise message
        return message

    async def chunks(self, read_timeout: float | None) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._next(read_timeout)
            more = message.get("more_body", False)
            yield message.get("body", b"")

    def hang_up(self) -> None:
        self._hung_up.set()


class _Body(httpx.AsyncByteStream):
    def __init__(self, exchange: _Exchange, read_timeout: float | None, read: Callable[[bytes], None] | None) -> None:
        self._exchange = exchange
        self._read_timeout = read_timeout
        self._read = read

    async def __aiter__(self) -> AsyncIterator[bytes]:
        whole = []
        async for chunk in self._exchange.chunks(self._read_timeout):
            whole.append(chunk)
            yield chunk
        if self._read is not None:
            self._read(b"".join(whole))

    async def aclose(self) -> None:
        self._exchange.hang_up()

"""Serves the application in the daemon's own loop: uvicorn, without its signal handlers, on a socket bound before."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from autoscaler.errors import ListenError

DRAIN_SECONDS = 1
"""How long answers under way may take at the stop: with the daemon's own drain, within 10 s."""

PATIENCE_SECONDS = 20.0
"""How long a reader may take nothing of what is sent to it, before its connection is broken."""

HIGHEST_PORT = 65535

PLACES = 150
"""Connections at a time. A newcomer takes the place of whoever has asked for nothing, or takes nothing, the longest."""

UNDER_WAY = 200
"""Connections, or requests, from which on an answer is 503: only where none of those that are open could go."""

_REMEDIES = {
    errno.EADDRINUSE: "another program has it; stop that one, or choose another",
    errno.EACCES: "this user may not use that port; choose one from 1024 on",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose one of its own, or 0.0.0.0",
}


class _QuietServer(uvicorn.Server):
    """The daemon handles the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Impatient(H11Protocol):
    """Breaks the connection of a reader that takes nothing: it would hold memory and a place for ever.

    Closing is not enough, since that waits until what was written has been taken. And where there are many, whoever has
    a connection and asks for nothing (or never to the end) gives way: a probe must have its answer in any crowd.
    """

    waits_since = 0.0  # the loop's time: of the connection, or of the end of its last answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Make room for the connection, and note it, for it may have to be broken."""
        self._make_room()
        super().connection_made(transport)
        self.waits_since = self.loop.time()
        app = self.app

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            async def sent(message: Message) -> None:
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await send(message)
                except TimeoutError:
                    transport.abort()  # what else is sent goes nowhere, and the application hears that nobody listens

            await app(scope, receive, sent)

        self.app = served

    def on_response_complete(self) -> None:
        """From now on it waits to be asked."""
        self.waits_since = self.loop.time()
        super().on_response_complete()

    @property
    def may_go(self) -> bool:
        """Whether nothing is being worked out for it, or what was is not taken."""
        return self.cycle is None or self.cycle.response_complete or self.flow.write_paused

    def _make_room(self) -> None:
        """One that may go, the one that has waited the longest, gives its place up."""
        if len(self.connections) < PLACES:
            return
        others = [one for one in self.connections if isinstance(one, _Impatient) and one.may_go]
        if others:
            longest = min(others, key=lambda one: one.waits_since)
            self.connections.discard(longest)  # now, not when the loop comes to it: many may come at once
            longest.transport.abort()


class Server:
    """Started and stopped with `async with`; `address` is where it listens, also for port 0."""

    def __init__(self, app: ASGIApp, *, host: str, port: int) -> None:
        self._socket = _bound(host, port)
        config = uvicorn.Config(
            app,
            http=_Impatient,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=UNDER_WAY,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        self._server = _QuietServer(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host, port = self.address
        local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
        return f"http://[{local}]:{port}" if ":" in local else f"http://{local}:{port}"

    async def start(self) -> None:
        """Answer from now on."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="web server")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise ListenError(f"{self.url}: the web server ended at its start")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Take no more requests, finish those under way, and release the address."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
        for connection in list(self._server.server_state.connections):  # of readers that have not taken all
            if connection.transport is not None:
                connection.transport.abort()
        self._socket.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        ListenError: it cannot be had; one sentence with the address and the remedy.
    """
    if not 0 <= port <= HIGHEST_PORT:  # asked first: the standard library would leave a socket open
        raise ListenError(_sentence(host, port, f"a port is a number from 0 to {HIGHEST_PORT}"))
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=128)
    except socket.gaierror:
        raise ListenError(_sentence(host, port, "the host's name is not known; write an IP address")) from None
    except OSError as error:
        raise ListenError(_sentence(host, port, _REMEDIES.get(error.errno or 0, str(error)))) from None


def _sentence(host: str, port: int, remedy: str) -> str:
    return f"{host}:{port} cannot be listened on (server.listen, AUTOSCALER_SERVER__LISTEN): {remedy}"

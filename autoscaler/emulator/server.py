"""The emulated cloud on four real ports of one event loop."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from autoscaler import clock, errors
from autoscaler.emulator import accounts, ces, cloud, ddm, gateway, iam, rds, refusals, scenario, state, world
from autoscaler.emulator.calls import Operation

_HOST = "127.0.0.1"
_START_SECONDS = 10
_SERVICES: dict[str, tuple[Operation, ...]] = {
    refusals.IAM: iam.OPERATIONS,
    refusals.DDM: ddm.OPERATIONS,
    refusals.CLOUD_EYE: ces.OPERATIONS,
    refusals.RDS: rds.OPERATIONS,
}
_OPERATIONS = {service: {operation.name for operation in found} for service, found in _SERVICES.items()}


@dataclass(frozen=True)
class Addresses:
    """Where the four services are, as base URLs."""

    iam: str
    ddm: str
    cloud_eye: str
    rds: str


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone: who started the emulator ends it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class Emulator:
    """The emulated cloud, from `async with` on until its end.

    Args:
        wanted: what there is at the start.
        its_clock: the only source of time; the world begins at its `now`.
        ports: of IAM, DDM, Cloud Eye and RDS on the loopback address; 0 takes a free one.

    Raises:
        errors.ListenError: a port cannot be had.
        errors.BadConfig: the scenario's trace cannot be read, or a fault in it could strike nothing.
    """

    def __init__(
        self, wanted: scenario.Scenario, its_clock: clock.Clock, ports: tuple[int, int, int, int] = (0, 0, 0, 0)
    ) -> None:
        self._control = state.Control(_OPERATIONS)
        _check_faults(self._control, wanted)
        self.clock = its_clock
        self.world = world.World(wanted, its_clock.now())
        self.cloud = cloud.Cloud(self.world, accounts.Accounts(wanted))
        self._ports = ports
        self._servers: list[_Server] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        self._sockets: list[socket.socket] = []

    @property
    def addresses(self) -> Addresses:
        """The base URLs, once started."""
        iam_url, ddm_url, eye_url, rds_url = (f"http://{_HOST}:{one.getsockname()[1]}" for one in self._sockets)
        return Addresses(iam_url, ddm_url, eye_url, rds_url)

    async def __aenter__(self) -> Self:
        self._sockets = _bind(self._ports)
        for (service, operations), bound in zip(_SERVICES.items(), self._sockets, strict=True):
            own = self._control.operations() if service == refusals.IAM else ()
            app = gateway.Gateway(service, (*operations, *own), self.cloud, self.clock, self._break_off)
            server = _Server(self._config(app))
            self._servers.append(server)
            self._tasks.append(asyncio.create_task(server.serve(sockets=[bound])))
        async with asyncio.timeout(_START_SECONDS):
            while not all(server.started for server in self._servers):  # noqa: ASYNC110 - uvicorn has only a flag
                await asyncio.sleep(0.001)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for transport in self._transports.values():
            transport.abort()
        for server in self._servers:
            server.should_exit = server.force_exit = True
        await asyncio.gather(*self._tasks)

    def _config(self, app: gateway.Gateway) -> uvicorn.Config:
        transports = self._transports

        class Protocol(H11Protocol):
            """HTTP/1.1 that keeps its transport at hand, for the faults that break a connection."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
                super().connection_made(transport)
                if self.client:
                    transports[self.client] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                if self.client:
                    transports.pop(self.client, None)

        return uvicorn.Config(
            app,
            http=Protocol,
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=75,
        )

    def _break_off(self, peer: tuple[str, int], reset: bool) -> None:
        """Close a connection at once; a reset is a close that does not linger."""
        transport = self._transports[peer]
        if reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


def _check_faults(control: state.Control, wanted: scenario.Scenario) -> None:
    problems = []
    for index, fault in enumerate(wanted.faults):
        try:
            control.check(fault)
        except ValueError as error:
            problems.append(errors.Problem("scenario", 0, 0, f"faults.{index}", str(error)))
    if problems:
        raise errors.BadConfig(problems)


def _bind(ports: tuple[int, ...]) -> list[socket.socket]:
    """Listen on all four, or on none."""
    bound: list[socket.socket] = []
    for port in ports:
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.append(one)
        try:
            one.bind((_HOST, port))
            one.listen()
        except (OSError, OverflowError) as error:
            for other in bound:
                other.close()
            reason = getattr(error, "strerror", None) or error
            raise errors.ListenError(
                f"the emulated cloud cannot listen on {_HOST}:{port}: {reason}; choose another --port (0: free ones)"
            ) from error
    return bound

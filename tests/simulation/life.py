"""One life of the daemon: started on a store, and ended by SIGTERM or by a kill at any of its steps; or stopped there.

A kill is what `kill -9` leaves behind: from that moment nothing that the process does reaches the disk or the wire.
Its tasks are then thrown away; what their `finally` blocks still try meets a closed file and a dead wire.
"""

import asyncio
import contextvars
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from sqlalchemy import Engine, event

from autoscaler import configuration, daemon
from autoscaler.control.console import DaemonConsole
from autoscaler.storage import opening
from autoscaler.storage.database import DatabaseStore
from autoscaler.web import server
from tests.simulation.letterbox import Letterbox
from tests.simulation.served import Served
from tests.simulation.virtual_time import PROCESS, DaemonClock, Process, Timeline
from tests.simulation.wire import Network, Wire

_LIFE: contextvars.ContextVar["Life"] = contextvars.ContextVar("life")


class Killed(BaseException):  # no error: nobody may handle it
    """Thrown at the point of the kill."""


class _NoServer(server.Server):
    """No sockets in here."""

    url = "http://daemon.invalid"

    def __init__(self, app: Any, *, host: str, port: int) -> None:
        self.app = app

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


class Life(Process):
    """A daemon process. `steps` counts the times that one of its tasks went on after an await."""

    def __init__(
        self,
        setup: daemon.Setup,
        timeline: Timeline,
        network: Network,
        letterbox: Letterbox,
        *,
        name: str = "first",
        origin: configuration.Origin | None = None,
        store: Callable[..., DatabaseStore] = opening.open_store,
        committing: Callable[[sqlite3.Connection], None] = lambda _: None,
    ) -> None:
        """`committing` is told of each transaction that is about to be committed."""
        super().__init__()
        self.name = name
        self.alive = True
        self.steps = 0
        self.commits = 0
        self.kill_at_step: int | None = None
        self.kill_at_commit: int | None = None
        self.stop_at_step: int | None = None
        self.still_at_step: int | None = None
        self.error: BaseException | None = None
        self._setup = setup
        self._origin = origin
        self._store = store
        self._committing = committing
        self._timeline = timeline
        self._network = network
        self._letterbox = letterbox
        self._context = contextvars.copy_context()
        self._context.run(_LIFE.set, self)
        self._context.run(PROCESS.set, self)
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._files: list[sqlite3.Connection] = []
        self._ended = asyncio.Event()
        self._built: daemon.Daemon | None = None
        self.served = Served()

    # From outside

    async def run(self) -> None:
        """Until it ends, however it does.

        Raises:
            Exception: the daemon ended by itself, with this.
        """
        main = self.begin(self._main())
        await self._ended.wait()
        if not self.alive:
            await self._bury()
        else:
            self.alive = False
            await main
            await self._bury()
        if self.error is not None and not isinstance(self.error, Killed):
            raise self.error

    def begin(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Something that this process does, beside all else."""
        return asyncio.get_running_loop().create_task(work, context=self._context)

    def within(self, call: Callable[[], object]) -> None:
        """Something that this process does at once: what it begins by it is its own, and ends with it."""
        self._context.copy().run(call)

    @property
    def console(self) -> DaemonConsole | None:
        """What its API would ask; None while it starts."""
        return None if self._built is None else self._built.console

    @property
    def leads(self) -> bool:
        """Whether it thinks that it may act."""
        return self._built is not None and self._built._leadership.leads

    def kill(self) -> None:
        """Now: what is not on the disk or the wire never gets there."""
        if not self.alive:
            return
        self.alive = False
        self.go_on()  # to their end: nothing of it is left standing
        for file in self._files:
            file.close()
        self._ended.set()

    def stop(self) -> None:
        """SIGTERM."""
        self._stop.set()

    # Within

    async def _main(self) -> None:
        try:
            surroundings = daemon.Surroundings(
                wire=self._wire,
                serve=_NoServer,
                courier=lambda _: self._letterbox.courier(lambda: self.alive),
                store=self._store,
            )
            self._built = daemon.Daemon(self._setup, DaemonClock(self._timeline), surroundings, origin=self._origin)
            await self._built.run(self._stop)
        except asyncio.CancelledError:
            if self.alive:
                raise
        except BaseException as error:  # noqa: BLE001  # handed on by run
            if self.alive:
                self.error = error
        finally:
            if self.alive:
                self._ended.set()

    def _wire(self, *_: Any) -> httpx.AsyncBaseTransport:
        return Wire(self._network, lambda: self.alive, lambda body: self.served.take(self._timeline.elapsed, body))

    def adopt(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def open_file(self, file: sqlite3.Connection) -> None:
        self._files.append(file)

    def step(self) -> None:
        """One of its tasks is about to go on.

        Raises:
            Killed: it is not: the process was killed right here.
        """
        if not self.alive:
            return
        self.steps += 1
        if self.stop_at_step is not None and self.steps >= self.stop_at_step:
            self.stop()
        if self.still_at_step is not None and self.steps >= self.still_at_step:
            self.still_at_step = None
            self.stop_still()
        if self.kill_at_step is not None and self.steps >= self.kill_at_step:
            self.kill()
            raise Killed

    def commit(self, file: sqlite3.Connection) -> None:
        """A transaction is about to be committed.

        Raises:
            Killed: it is not.
        """
        if not self.alive:
            raise Killed
        self.commits += 1
        if self.kill_at_commit is not None and self.commits >= self.kill_at_commit:
            self.kill()
            raise Killed
        self._committing(file)

    async def _bury(self) -> None:
        """Nothing of it may go on."""
        loop: Any = asyncio.get_running_loop()
        for _ in range(1000):
            for timer in loop._scheduled:
                if timer._context is not None and timer._context.get(_LIFE, None) is self:
                    timer.cancel()
            if not self._tasks:
                if self._built is not None:
                    self._built._closing.close()  # the kernel would give up the lock on the store's file
                return
            for task in self._tasks:
                task.cancel()
            await asyncio.sleep(0)
        raise AssertionError(f"tasks of a dead process that do not end: {self._tasks}")


class _Stepped(Coroutine[Any, Any, Any]):
    """A coroutine of a life, whose every step is counted."""

    def __init__(self, inner: Coroutine[Any, Any, Any], life: Life) -> None:
        self._inner = inner
        self._life = life

    def send(self, value: Any) -> Any:
        try:
            self._life.step()
        except Killed as killed:
            return self._inner.throw(killed)
        return self._inner.send(value)

    def throw(self, *args: Any) -> Any:
        return self._inner.throw(*args)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()


def task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """Tasks that a life begins are its own."""
    context = kwargs.get("context")
    life = _LIFE.get(None) if context is None else context.get(_LIFE, None)
    if life is None:
        return asyncio.Task(coro, loop=loop, **kwargs)
    task: asyncio.Task[Any] = asyncio.Task(_Stepped(coro, life), loop=loop, **kwargs)
    life.adopt(task)
    return task


@contextmanager
def watched_files() -> Iterator[None]:
    """While it lasts, lives know their database connections and the moments of their commits."""
    event.listen(Engine, "connect", _note_file)
    event.listen(Engine, "commit", _note_commit)
    try:
        yield
    finally:
        event.remove(Engine, "connect", _note_file)
        event.remove(Engine, "commit", _note_commit)


def _note_file(connection: sqlite3.Connection, _record: Any) -> None:
    life = _LIFE.get(None)
    if life is not None:
        life.open_file(connection)


def _note_commit(connection: Any) -> None:
    current().commit(connection.connection.driver_connection)  # there is nobody else


def current() -> Life:
    """The process that asks."""
    return _LIFE.get()

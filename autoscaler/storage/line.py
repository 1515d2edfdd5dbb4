"""A connection to a server, as it is made and while it lasts, to be cut where the server never answers.

The server's own time-outs do not help where it hangs, nor TCP's where the kernel still acknowledges for it.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError
from threading import Event, Lock, Thread
from typing import Protocol, TypeVar


class Closable(Protocol):
    """A connection of any driver."""

    def close(self) -> None:
        """No more of it."""
        ...


C = TypeVar("C", bound=Closable)


class GivenUp(Exception):
    """The line has ended while a connection was being made."""


class Line:
    """Of one connection at a time. It keeps a descriptor of its own: the driver's may belong to another file by now."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._making: Future[Closable] | None = None
        self._over = Event()

    def ends_in(self, seconds: float) -> None:
        """The process ends: whoever waits for anything so many real seconds from now gets an error, then and later."""
        Thread(target=self._end_after, args=(seconds,), daemon=True).start()

    def end(self) -> None:
        """The same, now."""
        self._over.set()
        with self._lock:
            if self._making is not None:
                self._making.cancel()
        self.cut()

    def made(self, connect: Callable[[], C]) -> C:
        """What `connect` returns or raises, made in a thread of its own: no driver's call can be ended from outside.

        Raises:
            GivenUp: the line ended meanwhile; a connection that comes after that is closed.
        """
        making: Future[C] = Future()
        with self._lock:
            self._making = making  # type: ignore[assignment]  # which is only cancelled
            if self._over.is_set():
                making.cancel()
        Thread(target=_make, args=(making, connect), daemon=True).start()
        try:
            return making.result()
        except CancelledError as error:
            raise GivenUp from error

    def follow(self, descriptor: int) -> None:
        """There is a new connection."""
        self.forget()
        with self._lock:
            self._socket = socket.socket(fileno=os.dup(descriptor))
        if self._over.is_set():
            self.cut()

    def forget(self) -> None:
        """The connection is closed, or about to be."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None

    @contextlib.contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Cut the connection, again and again, while the block lasts longer than that; whoever waits gets an error."""
        ended = Event()
        watch = Thread(target=self._watch, args=(ended, seconds), daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()

    def _watch(self, ended: Event, seconds: float) -> None:
        while not ended.wait(seconds):
            self.cut()

    def _end_after(self, seconds: float) -> None:
        if not self._over.wait(seconds):
            self.end()

    def cut(self) -> None:
        """End the connection; whoever waits for an answer gets an error."""
        with self._lock, contextlib.suppress(OSError):  # it is cut already
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)


def _make(making: "Future[C]", connect: Callable[[], C]) -> None:
    """Settle it; where nobody waits any longer, what was made is closed."""
    try:
        connection = connect()
    except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
        with contextlib.suppress(InvalidStateError):  # given up
            making.set_exception(error)
        return
    try:
        making.set_result(connection)
    except InvalidStateError:
        connection.close()

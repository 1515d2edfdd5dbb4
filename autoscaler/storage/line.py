"""The socket of a connection to a server, to be cut where the server never answers.

The server's own time-outs do not help where it hangs, nor TCP's where the kernel still acknowledges for it.
"""

import contextlib
import math
import os
import socket
import time
from collections.abc import Iterator
from threading import Event, Lock, Thread


class Line:
    """Of one connection at a time. It keeps a descriptor of its own: the driver's may belong to another file by now."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._end = math.inf

    @property
    def left(self) -> float:
        """Real seconds until its end; infinite where that is not near."""
        return self._end - time.monotonic()

    def ends_in(self, seconds: float) -> None:
        """The process ends: whoever waits for an answer so many real seconds from now gets an error, then and later."""
        self._end = time.monotonic() + seconds
        Thread(target=self._at_the_end, daemon=True).start()

    def follow(self, descriptor: int) -> None:
        """There is a new connection."""
        self.forget()
        with self._lock:
            self._socket = socket.socket(fileno=os.dup(descriptor))
        if self.left <= 0:
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

    def _at_the_end(self) -> None:
        time.sleep(max(0.0, self.left))
        self.cut()

    def cut(self) -> None:
        """End the connection; whoever waits for an answer gets an error."""
        with self._lock, contextlib.suppress(OSError):  # it is cut already
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

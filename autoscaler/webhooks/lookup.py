"""Whether a name can be looked up now, asked in a thread of its own that nobody has to wait for.

asyncio looks names up in the threads that it shares with everything else, and at the end of the process waits for each
of them. A name server that hangs would hold them all: so a receiver's name is asked for here first, one lookup at a
time, and what hangs is one daemon thread for each webhook.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable


class Lookup:
    """Of one host."""

    def __init__(self, host: str, resolve: Callable[[str, None], object] = socket.getaddrinfo) -> None:
        self._host = host
        self._resolve = resolve
        self._under_way: asyncio.Future[None] | None = None

    async def succeeds(self) -> None:
        """Return once there is an answer; whoever is cancelled leaves the lookup to who asks next.

        Raises:
            OSError: there is no such name, or it cannot be asked for now.
        """
        if self._under_way is None or self._under_way.done():
            self._under_way = self._begin()
        await asyncio.shield(self._under_way)

    def _begin(self) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        answered = loop.create_future()
        answered.add_done_callback(lambda done: done.exception())  # perhaps nobody waits for it any more

        def settle(error: Exception | None) -> None:
            if error is None:
                answered.set_result(None)
            else:
                answered.set_exception(error)

        def ask() -> None:
            error: Exception | None = None
            try:
                self._resolve(self._host, None)
            except (OSError, UnicodeError) as failed:  # a name that is none is a UnicodeError
                error = failed if isinstance(failed, OSError) else OSError(str(failed))
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(settle, error)

        threading.Thread(target=ask, name="webhook lookup", daemon=True).start()
        return answered

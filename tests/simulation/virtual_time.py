"""Time that jumps: an event loop that never waits, and the clocks of the two worlds that live in it.

The loop's selector does not sleep until the next timer is due; it moves the time there. The wall clock of the process
(`datetime.now`, `time.time`: what APScheduler plans by) is moved together with it, so that nothing can tell.
"""

import asyncio
import contextvars
import heapq
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, cast

import time_machine


class StuckError(Exception):
    """Nothing is due any more, and somebody still waits."""


class Timeline:
    """Seconds since the start of one simulated history, and how wrong the daemon's wall clock is."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.elapsed = 0.0
        self.wall_off = 0.0  # seconds that the daemon's wall clock is ahead of the cloud's
        self._patched = time_machine.travel(start, tick=False)
        self._wall = self._patched.start()
        self._shown = start

    @property
    def now(self) -> datetime:
        """The true time, which is the cloud's."""
        return self.start + timedelta(seconds=self.elapsed)

    @property
    def wall(self) -> datetime:
        """What the daemon's machine says."""
        return self.start + timedelta(seconds=self.elapsed + self.wall_off)

    def advance(self, seconds: float) -> None:
        self.elapsed += seconds
        wall = self.wall
        self._wall.shift(wall - self._shown)  # `move_to` would set the time zone anew each time
        self._shown = wall

    def set_wall_off(self, seconds: float) -> None:
        """Somebody sets the clock of the daemon's machine."""
        self.wall_off = seconds
        self.advance(0.0)

    def close(self) -> None:
        self._patched.stop()


class CloudClock:
    """The emulator's clock: the truth."""

    speed = 1.0

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def now(self) -> datetime:
        return self._timeline.now

    def monotonic(self) -> float:
        return self._timeline.elapsed

    def boottime(self) -> float:
        return self._timeline.elapsed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class DaemonClock(CloudClock):
    """The daemon's clock, whose wall time may be off."""

    def now(self) -> datetime:
        return self._timeline.wall


class _JumpingSelector(selectors.BaseSelector):
    """There are no sockets in here: to wait is to move the time."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = selectors.SelectorKey(fileobj, fileobj, events, data)
        self._keys[fileobj] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckError(f"at {self._timeline.now} nothing is due, and somebody still waits")
        if timeout > 0:
            self._timeline.advance(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _Inline(ThreadPoolExecutor):
    """Threads would run in a time of their own: what is given to one is done at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # as a thread hands it on
            done.set_exception(error)
        return done


class Process:
    """Runs in a context of its own, and may be stopped as by SIGSTOP: then nothing of it runs, and time goes on."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Handle] | None = None  # while it is stopped: what would run

    def stop_still(self) -> None:
        """SIGSTOP: what runs just now goes on to its next await."""
        if self.waiting is None:
            self.waiting = []

    def go_on(self) -> None:
        """SIGCONT."""
        waiting, self.waiting = self.waiting, None
        loop: Any = asyncio.get_running_loop()
        loop._ready.extend(waiting or ())


PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process")


def _stands_still(handle: Any) -> bool:
    process = handle._context.get(PROCESS)
    if process is None or process.waiting is None:
        return False
    process.waiting.append(handle)
    return True


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in the time of a timeline."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(_JumpingSelector(timeline))
        self._timeline = timeline
        self.set_default_executor(_Inline())

    def time(self) -> float:
        return self._timeline.elapsed


class _Handle(asyncio.Handle):
    __slots__ = ()

    def _run(self) -> None:
        if not _stands_still(self):
            super()._run()


class _Timer(asyncio.TimerHandle):
    __slots__ = ()

    def _run(self) -> None:
        if not _stands_still(self):
            super()._run()


class StoppingLoop(JumpingLoop):
    """As `JumpingLoop`; its processes may be stopped."""

    def _call_soon(self, callback: Any, args: Any, context: Any) -> asyncio.Handle:
        """As the base class does it, with a handle of ours."""
        handle = _Handle(callback, args, self, context)
        ready: Any = self
        ready._ready.append(handle)
        return handle

    def call_at(  # type: ignore[override]  # the same, in fewer words
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """As the base class does it, with a handle of ours."""
        timer: Any = _Timer(when, callback, args, self, context)
        scheduled: Any = self
        heapq.heappush(scheduled._scheduled, timer)
        timer._scheduled = True
        return cast("asyncio.TimerHandle", timer)

"""One attempt for many callers: whoever asks while it is under way shares it and its outcome."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """An attempt that a caller's cancellation does not stop: the others still wait for it."""

    def __init__(self, attempt: Callable[[], Awaitable[T]]) -> None:
        self._attempt = attempt
        self._task: asyncio.Task[T] | None = None

    async def outcome(self) -> T:
        """Join the attempt under way, or begin one; raises what it raises."""
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._attempted())
            self._task.add_done_callback(_seen)
        return await asyncio.shield(self._task)

    async def aclose(self) -> None:
        """Give up an attempt that is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _attempted(self) -> T:
        return await self._attempt()


def _seen(task: "asyncio.Task[T]") -> None:
    """Look at the outcome: where every caller was cancelled, nobody else does, and asyncio would complain."""
    if not task.cancelled():
        task.exception()

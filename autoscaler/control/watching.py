"""Watches files by asking again and again what they hold: no kind of mount, link or editor is missed.

A change is obeyed when it has been the same for two looks in a row: who writes several files is not interrupted.
"""

import asyncio
from collections.abc import Awaitable, Callable

from autoscaler.clock import Clock
from autoscaler.ports import Monitor

EVERY = 1.0
"""Real seconds."""


class Watch:
    """`fingerprint` is another word where anything has changed; it is asked in a thread, as disks may be slow."""

    def __init__(
        self,
        *,
        fingerprint: Callable[[], str],
        known: Callable[[], str],
        reload: Callable[[], Awaitable[object]],
        clock: Clock,
        monitor: Monitor,
    ) -> None:
        """`known` is the fingerprint of what was last read, by whomever, and whether or not it was right."""
        self._fingerprint = fingerprint
        self._known = known
        self._reload = reload
        self._clock = clock
        self._monitor = monitor
        self._news = ""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._clock.sleep(EVERY)
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001  # one look's end: it is told, and the next one may be better
                self._monitor.event("error", "the files of the configuration could not be watched", error=repr(error))

    async def _look(self) -> None:
        now = await asyncio.to_thread(self._fingerprint)
        before, self._news = self._news, "" if now == self._known() else now
        if self._news and self._news == before:
            self._news = ""
            await self._reload()

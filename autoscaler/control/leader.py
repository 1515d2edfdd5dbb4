"""Which of the daemons that share a store may act: who holds the lease there, and for how long that is sure.

    stands by ── the lease is free, given up or run out ──> leads ── renewed in time ──> leads
        ^                                                     │
        └── another holds it, or it was not renewed in time ──┘

Who stands by polls and decides all the same (with a veto), and writes nothing: its windows are full when it takes over.
A store that only one process can have open has no lease: that process leads from its start to its end.
"""

import asyncio
import math
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from autoscaler.clock import Clock
from autoscaler.errors import StoreError
from autoscaler.ports import Lease, Monitor

LASTS = timedelta(seconds=15)
"""Real time from a claim to its end: after a kill the other takes over within this and one beat."""

EVERY = 2.0
"""Real seconds between claims: several may fail before the lease ends, and one that was given up is taken at once."""

MARGIN = 2.0
"""Real seconds by which we stop before the lease ends by the store's clock: no two clocks run equally fast."""


def name_of_this_process() -> str:
    """As others read it in their records: `ddm-autoscaler-0 (17)`."""
    return f"{socket.gethostname()} ({os.getpid()})"


class Leadership:
    """Whether this process may act; without a lease it always may."""

    def __init__(self, lease: Lease | None, *, clock: Clock, monitor: Monitor, holder: str = "") -> None:
        self._lease = lease
        self._clock = clock
        self._monitor = monitor
        self._holder = holder or name_of_this_process()
        self._until = math.inf if lease is None else -math.inf  # by the clock that counts a machine's sleep
        self._other = ""  # who leads instead, where that is known
        self._told: bool | None = None
        self._told_error = ""

    @property
    def shared(self) -> bool:
        """Whether there may be other daemons on the store."""
        return self._lease is not None

    @property
    def leads(self) -> bool:
        """Whether this process may act now."""
        return self._clock.boottime() < self._until

    @property
    def led_by(self) -> str | None:
        """Who may act instead ("" where that is not known); None: we may."""
        return None if self.leads else self._other

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Claim the lease now and again and again, to the end of the block; then give it up."""
        await self.claim()
        keeping = asyncio.create_task(self._keep(), name="lease")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._release()

    async def _keep(self) -> None:
        while self._lease is not None:
            await self._clock.sleep(EVERY)
            await self.claim()

    async def claim(self) -> None:
        """Take the lease, or renew it. Where the store cannot be asked, what we have ends by itself."""
        if self._lease is not None:
            await self._claim(self._lease)
        self._tell()

    async def _claim(self, lease: Lease) -> None:
        asked = self._clock.boottime()  # before the question: the store counts from a later moment
        try:
            fence = await lease.claim(self._holder, LASTS)
            other = "" if fence is not None else await lease.holder()
        except Exception as error:  # noqa: BLE001  # one claim's end: whatever it was, the next one may be better
            why = str(error) if isinstance(error, StoreError) else repr(error)
            if why != self._told_error:
                self._told_error = why
                self._monitor.event("error", "the lease could not be claimed; trying again", error=why)
            return
        self._told_error = ""
        self._other = other
        self._until = -math.inf if fence is None else asked + LASTS.total_seconds() - MARGIN

    def lost(self) -> None:
        """The store refused an intent, because another daemon leads by now."""
        self._until = -math.inf
        self._tell()

    async def _release(self) -> None:
        """So that another can lead at once."""
        if self._lease is None or not self.leads:
            return
        self._until = -math.inf
        try:
            await self._lease.release()
        except StoreError as error:
            self._monitor.event("warning", "the lease could not be given up; it runs out by itself", error=str(error))

    def _tell(self) -> None:
        leads = self.leads
        if leads is not self._told:
            self._told = leads
            self._monitor.leads(leader=leads)
            if self._lease is not None:
                words = "this daemon leads" if leads else "this daemon stands by"
                self._monitor.event("info", words, holder=self._holder, leader=self._holder if leads else self._other)

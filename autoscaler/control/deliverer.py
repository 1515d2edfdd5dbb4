"""Delivers letters to webhooks, beside all else: a receiver that is slow or gone delays neither a cycle nor another.

    beat ─┬─ what the announcer was told is written down
          └─ for each webhook that letters wait for, a task of its own: one letter after the other
                delivered ──> the next one        failed ──> later; mostly the receiver rests, and all its letters wait

A letter is in the store until its receiver took it. Between that and its being written down the process may die: then
it is sent once more, with the same id and body. So a receiver hears of everything at least once, and can tell what it
knows. Of daemons that share a store the one that leads delivers.
"""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from autoscaler.clock import Clock, after_real
from autoscaler.control.announcer import Announcer
from autoscaler.control.correspondence import Correspondent
from autoscaler.control.leader import Leadership
from autoscaler.core import letter as letters
from autoscaler.core.letter import LONGEST_WAIT, Letter, State
from autoscaler.errors import StoreError, Undelivered
from autoscaler.ports import Courier, Monitor, Store

BEAT = 2.0
"""Real seconds between two looks at what waits, where anything may wait."""

LOOK_AGAIN = 30.0
"""Real seconds between two looks where nothing of ours does: another daemon on a shared store may leave something."""

AT_ONCE = 20
"""Letters that are read at a time."""

_STORE_FAILED = "letters to webhooks cannot be read or stored; trying again"

LONGEST_RETRY_AFTER = timedelta(hours=1)
"""Real time for which a receiver may ask to be left alone."""

LAST_WORD = 2.0
"""Real seconds that a stop gives the store to take what was told last."""


@dataclass
class _Line:
    """One receiver."""

    name: str
    courier: Courier
    task: asyncio.Task[None] | None = None
    failures: int = 0  # in a row
    rests_until: float = -math.inf  # by the monotonic clock

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()

    def rest(self, monotonic: float, retry_after: timedelta | None = None) -> None:
        self.failures += 1
        asked = timedelta(0) if retry_after is None else min(retry_after, LONGEST_RETRY_AFTER)
        self.rests_until = monotonic + max(letters.wait(self.failures), asked).total_seconds()


class Deliverer:
    """Owns the couriers: those that a reload takes out are closed."""

    def __init__(
        self,
        couriers: Mapping[str, Courier],
        *,
        store: Store,
        correspondent: Correspondent,
        announcer: Announcer,
        leadership: Leadership,
        clock: Clock,
        monitor: Monitor,
    ) -> None:
        self._store = store
        self._correspondent = correspondent
        self._announcer = announcer
        self._leadership = leadership
        self._clock = clock
        self._monitor = monitor
        self._lines = {name: _Line(name, courier) for name, courier in couriers.items()}
        self._leaving: list[_Line] = []
        self._there_are_some = asyncio.Event()
        self._told_error = ""
        self._told_unknown: set[str] = set()
        self._looked = (-1, -math.inf)  # letters that were written until then, and when
        self._wake()

    def replace(self, couriers: Mapping[str, Courier]) -> None:
        """These there are from now on; a webhook whose courier is the same goes on as if nothing had happened."""
        before = self._lines
        self._lines = {
            name: before[name] if name in before and before[name].courier is courier else _Line(name, courier)
            for name, courier in couriers.items()
        }
        self._leaving += [line for name, line in before.items() if self._lines.get(name) is not line]
        self._looked = (-1, -math.inf)
        self._wake()

    async def run(self) -> None:
        """To the end of the process: by cancellation, which leaves what is under way to the next one."""
        try:
            while True:
                await self._there_are_some.wait()
                await self._beat()
                await self._clock.sleep(BEAT)
        finally:
            for line in self._lines.values():
                await _end(line)

    async def write_down(self) -> None:
        """What was told last goes to the store, and not only with the next beat."""
        try:
            async with asyncio.timeout(LAST_WORD):
                await self._announcer.write_down(self._store)
        except (StoreError, TimeoutError) as error:
            self._monitor.event("warning", _STORE_FAILED, error=str(error) or "no answer")

    async def aclose(self) -> None:
        """Close every courier; nothing is delivered any more."""
        await self.write_down()
        for line in (*self._lines.values(), *self._leaving):
            await _end(line)
            await line.courier.aclose()
        self._lines, self._leaving = {}, []

    async def _beat(self) -> None:
        """Raises nothing: a store that takes or gives none now does so later."""
        try:
            await self._close_leaving()
            await self._announcer.write_down(self._store)
            if not self._leaving:  # replaced meanwhile: the old ones are ended first, in the next beat
                await self._begin_what_waits()
        except Exception as error:  # noqa: BLE001  # a beat's end: whatever it was, the next one may be better
            why = str(error) if isinstance(error, StoreError) else repr(error)
            if why != self._told_error:
                self._monitor.event("warning", _STORE_FAILED, error=why)
            self._told_error = why
        else:
            self._told_error = ""

    async def _close_leaving(self) -> None:
        """Those that a reload took out."""
        leaving, self._leaving = self._leaving, []
        for line in leaving:
            await _end(line)
            await line.courier.aclose()
        self._wake()

    async def _begin_what_waits(self) -> None:
        if not self._leadership.leads:
            self._looked = (-1, -math.inf)
            self._monitor.backlogs({})
            return
        written, now = self._correspondent.written, self._clock.monotonic()
        again = LOOK_AGAIN if self._leadership.shared else math.inf
        if written == self._looked[0] and now - self._looked[1] < again:
            return
        backlogs = await self._store.backlogs()
        if self._leaving:
            return
        self._looked = (-1 if backlogs else written, now)
        self._monitor.backlogs({name: backlogs.get(name) for name in self._lines})
        self._tell_unknown({name: backlog.waiting for name, backlog in backlogs.items() if name not in self._lines})
        for name, line in self._lines.items():
            if name in backlogs and not line.busy and self._clock.monotonic() >= line.rests_until:
                line.task = asyncio.create_task(self._deliver(line), name=f"webhook {name}")

    async def _deliver(self, line: _Line) -> None:
        """All that is due, until nothing is or the receiver has to rest."""
        try:
            while due := await self._due(line):
                for letter in due:
                    if not self._leadership.leads or not await self._attempt(line, letter):
                        return
        except StoreError as error:  # perhaps delivered and not written down: not the same again at each beat
            line.rest(self._clock.monotonic())
            if line.failures == 1:
                self._monitor.event("warning", _STORE_FAILED, webhook=line.name, error=str(error))
        except Exception as error:  # noqa: BLE001  # a task's end: it is reported, and the receiver rests
            line.rest(self._clock.monotonic())
            self._monitor.event("error", "a webhook failed unexpectedly", webhook=line.name, error=repr(error))

    async def _due(self, line: _Line) -> tuple[Letter, ...]:
        if not self._leadership.leads:
            return ()
        longest = LONGEST_WAIT * self._clock.speed
        return await self._store.due_letters(line.name, at=self._clock.now(), longest=longest, limit=AT_ONCE)

    async def _attempt(self, line: _Line, letter: Letter) -> bool:
        """Try one; whether the next one may be tried at once."""
        begun = self._clock.monotonic()
        try:
            code = await _delivered(line.courier, letter)
        except Undelivered as error:
            after, goes_on = self._failed(line, letter, error), error.of_letter or error.gone
            code = error.code
        else:
            after, goes_on = letter.delivered(), True
        gone = after.state is State.GIVEN_UP
        self._monitor.delivery(line.name, code, self._clock.monotonic() - begun, given_up=gone)
        await self._store.settle(after)
        if after.state is State.DELIVERED:  # and known to be: else it is sent again, ever more seldom
            self._succeeded(line)
        return goes_on

    def _succeeded(self, line: _Line) -> None:
        if line.failures:
            self._monitor.event("info", "a webhook takes letters again", webhook=line.name, failures=line.failures)
        line.failures = 0

    def _failed(self, line: _Line, letter: Letter, error: Undelivered) -> Letter:
        due = after_real(self._clock, self._clock.now(), letters.wait(letter.attempts + 1).total_seconds())
        after = letter.given_up(str(error)) if error.gone else letter.failed(due, str(error))
        if not error.of_letter and not error.gone:
            line.rest(self._clock.monotonic(), error.retry_after)
        fields: dict[str, object] = {"webhook": line.name, "event": letter.id, "error": str(error)}
        if after.state is State.GIVEN_UP:
            words = (
                "a letter is given up; take the webhook out of the settings" if error.gone else "a letter is given up"
            )
            self._monitor.event("warning", words, attempts=after.attempts, **fields)
        elif (error.of_letter and after.attempts == 1) or line.failures == 1:
            self._monitor.event("warning", "a webhook took no letter; it is tried again", **fields)
        return after

    def _tell_unknown(self, waiting: Mapping[str, int]) -> None:
        for name in waiting.keys() - self._told_unknown:
            self._monitor.event(
                "warning",
                "letters wait for a webhook that is not in the settings; they are kept for 30 days",
                webhook=name,
                letters=waiting[name],
            )
        self._told_unknown = set(waiting)

    def _wake(self) -> None:
        """Without webhooks there is nothing to look at."""
        if self._lines or self._leaving:
            self._there_are_some.set()
        else:
            self._there_are_some.clear()
            self._monitor.backlogs({})


async def _delivered(courier: Courier, letter: Letter) -> str:
    """As the courier says; a bug of it is an attempt that failed, like any other.

    Raises:
        Undelivered: it was not, or that is not known.
    """
    try:
        return await courier.deliver(letter)
    except Undelivered:
        raise
    except Exception as error:
        raise Undelivered(f"an attempt failed unexpectedly ({error!r})", code=type(error).__name__) from error


async def _end(line: _Line) -> None:
    """What is under way is cut off: it is sent again, by whoever goes on."""
    if line.task is not None:
        line.task.cancel()
        await asyncio.gather(line.task, return_exceptions=True)

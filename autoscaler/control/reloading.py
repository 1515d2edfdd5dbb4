"""A reload: the configuration is read anew and holds as a whole, or nothing of it does.

    read (in a thread) ──> wrong: all problems are told, the last good one goes on
                     └───> right: under the lock under which intents are committed, everything is replaced at once

So each intent was decided by the policy that held when it was committed; what was committed before is followed to its
end, whatever became of its target.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from autoscaler.clock import Clock
from autoscaler.control import changes
from autoscaler.control.cycle import Cycle
from autoscaler.control.memory import Memory
from autoscaler.control.poller import under
from autoscaler.control.roster import Roster
from autoscaler.control.scheduler import Scheduler
from autoscaler.control.windows import Windows
from autoscaler.core import reload_words
from autoscaler.core.by_hand import Intervention, Kind
from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode
from autoscaler.errors import BadConfig, NotLeader, Problem, StoreError
from autoscaler.ports import Cause, Change, ChangeRefusedError, Monitor, Reload, Store


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """What was read, and is right; nothing of it holds yet."""

    policies: tuple[Policy, ...]
    ceiling: Mode
    shown: Mapping[str, Any]  # the settings, secrets masked
    settings: tuple[Change, ...] = ()  # what of them is other than before, and can hold
    needs_restart: tuple[str, ...] = ()
    other_sources: frozenset[str] = frozenset()  # metric sources that are another server now
    warnings: tuple[str, ...] = ()
    put_in_place: Callable[[], None] = lambda: None  # what holds beside the policies; never raises


WHO = {Cause.FILES: "changed files", Cause.SIGNAL: "SIGHUP", Cause.REQUEST: ""}
"""As the history names who had the configuration read anew, where nobody says."""


def in_history(done: Reload, now: datetime, reason: str = "") -> Intervention | None:
    """A reload as what operators did; None of files that were written without a change, which nobody asked for."""
    outcome = reload_words.outcome(done.as_json())
    if not outcome and done.cause is Cause.FILES:
        return None
    told = outcome or "nothing changed"
    return Intervention(
        uuid.uuid4().hex,
        Kind.RELOAD,
        None,
        now,
        until=now,
        reason=f"{reason}: {told}" if reason else told,
        who=done.by or WHO[done.cause],
    )


@dataclass(frozen=True, kw_only=True)
class Reloader:
    """Replaces what holds; one reload at a time."""

    read: Callable[[], Fresh] | None  # for a thread; raises BadConfig. None: there are no files
    roster: Roster
    cycle: Cycle
    scheduler: Scheduler
    memory: Memory
    windows: Windows
    store: Store
    clock: Clock
    monitor: Monitor
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def reload(self, cause: Cause, *, by: str = "", reason: str = "") -> Reload:
        """Read, and obey it or leave all as it is; what came of it is in the history, and was told to the monitor.

        Raises:
            ChangeRefusedError: there are no files to read.
        """
        if self.read is None:
            raise ChangeRefusedError("this daemon was started without files: there is nothing to read anew")
        async with self.turn:
            done = await self._attempt(self.read, cause, by)
            self.roster.read(done.problems, self.clock.now())
            await self._write_down(done, reason)
            self.monitor.reloaded(done)
        return done

    async def _write_down(self, done: Reload, reason: str) -> None:
        """Into the history of what operators did. It holds, or does not, whether or not that can be written."""
        one = in_history(done, self.clock.now(), reason)
        if one is None:
            return
        try:
            await self.store.intervene([one])
        except NotLeader:
            return  # whoever leads reads the same files, and writes it down
        except StoreError as error:
            self.monitor.event("warning", "a reload could not be written into the history", error=str(error))

    async def _attempt(self, read: Callable[[], Fresh], cause: Cause, by: str) -> Reload:
        try:
            fresh = await asyncio.to_thread(read)
        except BadConfig as bad:
            return Reload(cause=cause, by=by, problems=tuple(bad.problems))
        except Exception as error:  # noqa: BLE001  # a reload's end: whatever it was, the last good one goes on
            return Reload(cause=cause, by=by, problems=(Problem("", 0, 0, "", f"it could not be read: {error!r}"),))
        async with self.cycle.last_word:
            was, now_is = self.roster.policies, {policy.name: policy for policy in fresh.policies}
            left = await self._left_behind(was.keys() - now_is.keys())
            self._put_in_place(fresh)
        return Reload(
            cause=cause,
            by=by,
            added=tuple(name for name in now_is if name not in was),
            removed=tuple(name for name in was if name not in now_is),
            changed=changes.of_targets(was, now_is),
            fleet=changes.of_fleet(was, now_is),
            settings=fresh.settings,
            needs_restart=fresh.needs_restart,
            warnings=(*fresh.warnings, *left),
        )

    def _put_in_place(self, fresh: Fresh) -> None:
        """All at once: nothing in here lets anybody else go on."""
        was, ceiling, now = dict(self.roster.policies), self.roster.ceiling, self.clock.now()
        self.roster.replace(fresh.policies, ceiling=fresh.ceiling, settings=fresh.shown)
        for policy in fresh.policies:
            self._adopt(was.get(policy.name), policy, ceiling, now)
        self.memory.keep(self.roster.policies)
        self.windows.keep(fresh.policies)
        self.windows.forget(sources=fresh.other_sources)
        fresh.put_in_place()
        self.monitor.targets(fresh.policies)
        self.scheduler.replan(fresh.policies)

    def _adopt(self, was: Policy | None, now_is: Policy, ceiling: Mode, now: datetime) -> None:
        """Go on with what is remembered of a target, unless it is another group now."""
        if was is None:
            return
        share = self.memory.of(now_is.name)
        if share.is_of(was, now_is):
            same_mode = under(was.mode, ceiling) is under(now_is.mode, self.roster.ceiling)
            share.adopt(was, now_is, at=now, same_mode=same_mode)
        else:
            self.memory.forget(now_is.name)
            self.windows.forget(targets=[now_is.name])

    async def _left_behind(self, removed: set[str]) -> list[str]:
        """What somebody should know of the targets that go."""
        if not removed:
            return []
        try:
            opened = [op for op in await self.store.open_operations() if op.target in removed]
            standing = [one for one in await self.store.standing(at=self.clock.now()) if one.target in removed]
        except StoreError as error:
            return [f"whether removed targets leave something open cannot be read: {error}"]
        now = self.clock.now()
        held = [one for one in standing if one.kind is not Kind.BREAKER_RESET and not one.over(now)]
        return [
            *(f"{op.target} is removed; its open operation {op.id} is followed to its end" for op in opened),
            *(f"{one.target} is removed; its {one.kind} is kept, and holds if it comes back" for one in held),
        ]

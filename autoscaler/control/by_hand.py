"""The operator's hand: pauses, overrides and closed breakers are stored first, then told to log and metrics.

Several pauses may stand beside each other, so that a short one ends no longer one. Of overrides a target has one: a new
one takes the place of the earlier. What a cycle is about to begin while something is set here obeys it: it reads what
stands once more before it commits an intent, and from that reading to the commit nothing is set.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from autoscaler.clock import Clock
from autoscaler.control.feed import Feed
from autoscaler.control.poller import under
from autoscaler.core import by_hand, permissible
from autoscaler.core.by_hand import ByHand, Intervention, Kind
from autoscaler.core.decision import rfc3339
from autoscaler.core.observation import Override, Pause
from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode
from autoscaler.ports import ChangeInvalidError, ChangeRefusedError, EventKind, History, Monitor, Store

NO_TARGET = ""
"""A name that no target has: for it holds what holds for all."""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class OperatorsHand:
    """What an operator does to targets, for the console."""

    policies: Mapping[str, Policy]
    ceiling: Mode
    store: Store
    last_word: asyncio.Lock  # held from the last reading before an intent to its commit
    history: History
    clock: Clock
    monitor: Monitor
    feed: Feed

    async def pause(self, target: str | None, *, lasts: timedelta | None, reason: str, who: str) -> Json:
        now = self.clock.now()
        _check(ChangeInvalidError, permissible.against_span(lasts))
        until = None if lasts is None else now + lasts
        one = _new(Kind.PAUSE, target, now, until=until, reason=reason, who=who)
        async with self.last_word:
            await self.store.intervene([one])
        self._log("paused by hand", target, who, until=_words(until), reason=reason)
        return await self._answer(target, [one])

    async def override(self, target: str, *, nodes: int, lasts: timedelta, reason: str, who: str) -> Json:
        policy, now = self.policies[target], self.clock.now()
        low, high = policy.bounds.min, policy.bounds.max
        _check(ChangeInvalidError, permissible.against_override(target, nodes, lasts, low=low, high=high))
        _check(ChangeRefusedError, permissible.against_overriding(target, policy.mode))
        until = now + lasts
        one = _new(Kind.OVERRIDE, target, now, until=until, nodes=nodes, reason=reason, who=who)
        async with self.last_word:
            earlier = await self._standing({Kind.OVERRIDE}, target)
            await self.store.intervene([one], ended=[old.ended(now, who, reason) for old in earlier])
        self._log("nodes set by hand", target, who, nodes=nodes, until=_words(until), reason=reason)
        return await self._answer(target, [one])

    async def resume(self, target: str | None, *, breaker: bool, override: bool, who: str, reason: str = "") -> Json:
        now = self.clock.now()
        kinds = {Kind.PAUSE, Kind.OVERRIDE} if override else {Kind.PAUSE}
        begun = []
        if breaker:
            moment = await self._moment_of_reset(target, now)
            begun.append(_new(Kind.BREAKER_RESET, target, moment, until=moment, reason=reason, who=who))
        async with self.last_word:
            if target is not None:
                await self._refuse_while_all_are_paused(target)
            ended = [one.ended(now, who, reason) for one in await self._standing(kinds, target)]
            await self.store.intervene(begun, ended=ended)
        self._log("resumed by hand", target, who, ended=len(ended), breaker_closed=breaker, reason=reason)
        return await self._answer(target, [*ended, *begun])

    async def _refuse_while_all_are_paused(self, target: str) -> None:
        for one in await self._standing({Kind.PAUSE}, None):
            if one.target is None:
                words = permissible.against_resuming(target, who=one.who, until=_words(one.until))
                raise ChangeRefusedError(words)

    async def _standing(self, kinds: set[Kind], target: str | None) -> list[Intervention]:
        """What holds now of a target's own; of everything without a name."""
        now = self.clock.now()
        held = [one for one in await self.store.standing(at=now) if one.kind in kinds and not one.over(now)]
        return held if target is None else [one for one in held if one.target == target]

    async def _moment_of_reset(self, target: str | None, now: datetime) -> datetime:
        """Now, or the end of the last operation, where a clock was set back since: none that is known counts."""
        known = await asyncio.to_thread(self.history.operations, target, limit=1000)  # a database may be slow to answer
        return max([now, *(op.ended_at for op in known if op.ended_at is not None)])

    def _log(self, words: str, target: str | None, who: str, **fields: object) -> None:
        self.monitor.event("warning", words, target=target or "all", by=who, **fields)

    async def _answer(self, target: str | None, changed: Sequence[Intervention]) -> Json:
        """What was changed, what holds now, and what somebody should know beside it."""
        now = self.clock.now()
        for one in changed:
            self.feed.publish(EventKind.INTERVENTION, one.target, one.as_json)
        standing = await self.store.standing(at=now)
        held = by_hand.of_targets(standing, [*self.policies, NO_TARGET], now)
        for name in self.policies:
            self.monitor.by_hand(name, held[name])
        return {
            "target": target,
            "now": rfc3339(now),
            "changed": [one.as_json() for one in changed],
            **shown(held[NO_TARGET if target is None else target]),
            "notes": [] if target is None else [note async for note in self._notes(target, held[target])],
        }

    async def _notes(self, target: str, held: ByHand) -> AsyncIterator[str]:
        mode = under(self.policies[target].mode, self.ceiling)
        if mode is Mode.OBSERVE:
            yield f"{target} is in observe: nothing is sent, the records show what would be done"
        if held.pauses and held.overrides:
            yield f"{target} is paused: the override waits until it is resumed"
        if held.pauses and any(op.target == target for op in await self.store.open_operations()):
            yield f"{target} has an operation under way: what was begun goes on"


def shown(held: ByHand) -> Json:
    """The pauses and the override that hold for a target, as its state shows them."""
    return {
        "pauses": [_pause_json(pause) for pause in held.pauses],
        "override": _override_json(held.overrides[-1]) if held.overrides else None,
    }


def _pause_json(pause: Pause) -> Json:
    return {"all": pause.all, **_span_json(pause)}


def _override_json(override: Override) -> Json:
    return {"nodes": override.nodes, **_span_json(override)}


def _span_json(one: Pause | Override) -> Json:
    return {"from": rfc3339(one.from_), "until": _words(one.until), "reason": one.reason, "who": one.who}


def _words(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _new(kind: Kind, target: str | None, now: datetime, **fields: Any) -> Intervention:
    return Intervention(uuid.uuid4().hex, kind, target, now, **fields)


def _check(error: type[Exception], words: str) -> None:
    """Raises the error where there are words against it."""
    if words:
        raise error(words)

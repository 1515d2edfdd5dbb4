"""One cycle: all targets of one interval are polled, decided on, recorded; what would move is checked and sent.

Every evaluation ends in exactly one record or one counted error, and one bad target never stops another.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from autoscaler.clock import Clock
from autoscaler.control import preflight
from autoscaler.control.executor import Executor
from autoscaler.control.fleet_watch import FleetWatch
from autoscaler.control.memory import Memory
from autoscaler.control.poller import Poll, Poller, Seen
from autoscaler.control.roster import Roster
from autoscaler.core import engine, history, outcome, remembered
from autoscaler.core.by_hand import ByHand
from autoscaler.core.checks import Checks
from autoscaler.core.decision import Decision, Reason, StageRecord, Verdict, rfc3339
from autoscaler.core.fleet import Use
from autoscaler.core.history import NO_TIME
from autoscaler.core.observation import Observation
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import InstanceKey
from autoscaler.errors import NotLeader, PolicyReplaced
from autoscaler.ports import Cloud, Monitor, OperationOpenError, Store

CALL_SHOWS = timedelta(minutes=3)
"""From the intent: 20 s to begin the call, 60 s to arrive, 100 s for its job to be listed and the status to show."""


@dataclass(frozen=True)
class Evaluated:
    """What became of one target in a cycle."""

    seen: Seen
    observation: Observation
    decision: Decision

    @property
    def moves(self) -> bool:
        """Whether nodes are to be added or removed."""
        return self.decision.decision is not Verdict.HOLD


class _End(Enum):
    """How an evaluation may end other than in a record that is still to be stored."""

    COMMITTED = "committed"  # the record went in with the intent
    FAILED = "failed"  # a counted error


class Cycle:
    """Polls, decides, records, and hands what moves to the executor."""

    def __init__(
        self,
        *,
        cloud: Cloud,
        store: Store,
        clock: Clock,
        monitor: Monitor,
        memory: Memory,
        poller: Poller,
        executor: Executor,
        roster: Roster,
    ) -> None:
        self._cloud = cloud
        self._store = store
        self._clock = clock
        self._monitor = monitor
        self._memory = memory
        self._poller = poller
        self._executor = executor
        self._roster = roster
        self._fleet = FleetWatch(cloud=cloud, store=store, monitor=monitor)
        # Over all targets: from counting what the fleet has to the intent; policies are replaced under it, too.
        self.last_word = asyncio.Lock()
        self._turns: defaultdict[InstanceKey, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.acting: set[asyncio.Task[None]] = set()

    def targets(self, policies: Sequence[Policy]) -> None:
        """These are all targets from now on, whichever of them a round is over.

        A round under way ends by the policies that it began with, but for what would move: that is dropped.
        """
        self._roster.replace(policies)
        self._fleet.targets(policies)

    async def run_once(self, policies: Sequence[Policy]) -> int:
        """One round over these targets; how many errors it had. Calls that change something go on after it."""
        now = self._clock.now()
        try:
            by_hand = await self._poller.by_hand(policies, now)
            for name, hand in by_hand.items():
                self._monitor.by_hand(name, hand)
            poll = await self._poller.poll(policies, now)
            self._fleet.saw(poll, policies)
            use = await self._fleet.look(now)
        except Exception as error:  # noqa: BLE001  # the round's end: nothing is known of any target, each is counted
            return self._all_failed([policy.name for policy in policies], error)
        self._tell_errors(policies, poll, now)
        ended = await asyncio.gather(*(self._one(seen, by_hand[seen.policy.name], use, now) for seen in poll.seen))
        failed = await self._record([one for one in ended if isinstance(one, Evaluated)])
        if any(policy.name not in self._roster.policies for policy in policies):
            self._memory.keep(self._roster.policies)  # removed while they were decided on
        return len(poll.errors) + ended.count(_End.FAILED) + failed

    def _tell_errors(self, policies: Sequence[Policy], poll: Poll, now: datetime) -> None:
        for policy in policies:
            if policy.name in poll.errors:
                self._monitor.observed(policy, None, now)
                self._failed(policy.name, poll.errors[policy.name])
        for (name, metric), reason in poll.metric_errors.items():
            self._monitor.event(
                "warning", "a metric could not be read", target=name, metric=metric.name, error=str(reason)
            )

    async def _one(self, seen: Seen, hand: ByHand, use: Use | None, now: datetime) -> Evaluated | _End:
        """One target from its decision to the commit of its intent. Errors end here, counted."""
        try:
            self._monitor.observed(seen.policy, seen.snapshot, now)
            observation = await self._poller.observe(seen, now, self._roster.ceiling, hand)
            observation = replace(observation, fleet=self._as_seen_by(seen.policy, use, now))
            first = Evaluated(seen, observation, engine.decide(seen.policy, observation))
            if not _would_move(first.decision):
                return first
            async with self._turns[seen.instance]:  # what is read is newer than the instance's last intent
                return await self._act(first)
        except Exception as error:  # noqa: BLE001  # one target's end: whatever it was, the others go on
            self._failed(seen.policy.name, error)
            return _End.FAILED

    async def _act(self, first: Evaluated) -> Evaluated | _End:
        """Read what is read before acting, decide once more, and commit.

        An override may have turned the direction meanwhile: then what that needs is read first.
        """
        policy, direction = first.seen.policy, _direction(first.decision)
        checks = await preflight.read(self._cloud, policy, direction, first.observation.now)
        self._tell_blind(policy.name, direction, checks)
        async with self.last_word:  # nothing in here waits for a network, so whoever holds it is soon done
            second = await self._decide_again(first, checks)
            if not self._roster.holds(policy, second.observation.mode):
                raise PolicyReplaced("its policy was changed while this was being decided; the next cycle decides anew")
            if not _would_move(second.decision) or _direction(second.decision) is direction:
                second = _waiting_to_learn(_waiting_for_calls(second))
                return await self._commit(second) if second.moves else second
        return await self._act(second)

    def _as_seen_by(self, policy: Policy, use: Use | None, now: datetime) -> Use | None:
        return None if use is None else use.with_shadows(self._memory.of(policy.name).shadows, now)

    async def _decide_again(self, first: Evaluated, checks: Checks) -> Evaluated:
        """With all that was read before acting, what operators did and what others began meanwhile: the one record."""
        policy, now = first.seen.policy, first.observation.now
        operations = await self._poller.operations(first.seen.instance, policy, now)
        shadows = self._memory.of(policy.name).shadows
        hand = (await self._poller.by_hand([policy], now))[policy.name]
        observation = replace(
            first.observation,
            checks=checks,
            operations=(*operations, *shadows),
            pauses=hand.pauses,
            overrides=hand.overrides,
            breaker_reset=hand.breaker_reset,
            led_by=self._poller.led_by(first.seen),
            fleet=self._as_seen_by(policy, await self._fleet.use(now), now),
        )
        return Evaluated(first.seen, observation, engine.decide(policy, observation))

    def _tell_blind(self, name: str, direction: Direction, checks: Checks) -> None:
        """Once, until it is known again: where the CPU of a data node is not known, its guard cannot veto."""
        share = self._memory.of(name)
        if direction is Direction.OUT:
            share.blind, before = bool(checks.cpu_unknown), share.blind
            if share.blind and not before:
                self._monitor.event(
                    "warning",
                    "the CPU of a data node is not known, so max_cpu stops nothing",
                    target=name,
                    reason=checks.cpu_unknown,
                )

    async def _commit(self, one: Evaluated) -> Evaluated | _End:
        """Commit the intent and begin its call in a task of its own: a slow answer delays nobody.

        Gives back what is still to be recorded: a hold where another operation was begun on the instance meanwhile.
        """
        policy, checks = one.seen.policy, one.observation.checks
        if checks is None:
            raise AssertionError("a decision to move without its pre-flight")
        try:
            intent = await self._executor.commit(policy, one.decision, one.seen.instance, checks)
        except NotLeader:
            return replace(one, decision=_held(one.decision, Reason.NOT_LEADER, "another daemon has just taken over"))
        except OperationOpenError:
            return replace(one, decision=_held(one.decision, Reason.IN_PROGRESS, "another operation was just begun"))
        task = asyncio.create_task(self._send(one, intent), name=f"{one.decision.decision} {policy.name}")
        self.acting.add(task)  # first of all: an intent without its task would stay open
        task.add_done_callback(self.acting.discard)
        self._decided(one)
        return _End.COMMITTED

    async def _send(self, one: Evaluated, intent: Operation) -> None:
        """The call of an evaluation that has its record already: what goes wrong now is no error of the evaluation."""
        try:
            await self._executor.send(one.seen.policy, intent, one.decision.nodes.current)
        except Exception as error:  # noqa: BLE001  # the task ends here: what was sent is written down or looked for
            self._memory.of(one.seen.policy.name).error = _sentence(error)
            self._monitor.event(
                "error", "a call ended without being written down", operation=intent.id, error=_sentence(error)
            )

    async def _record(self, evaluated: Sequence[Evaluated]) -> int:
        """Store the records of what holds, all in one transaction; how many could not be stored.

        Those of a daemon that stands by are shown, not stored: the history has one record a time.
        """
        try:
            if self._executor.may_commit:
                await self._store.record([one.decision for one in evaluated])
        except Exception as error:  # noqa: BLE001  # without its record an evaluation is a counted error
            return self._all_failed([one.seen.policy.name for one in evaluated], error)
        for one in evaluated:
            self._decided(one)
        return 0

    def _decided(self, one: Evaluated) -> None:
        policy, observation = one.seen.policy, one.observation
        share = self._memory.of(policy.name)
        cooldowns = {
            direction: history.cooldown_left(observation.of_group, observation.now, direction, policy.cooldown)
            for direction in Direction
        }
        share.decided(one.decision, policy.scale_in_stabilization, cooldowns)
        if one.decision.vetoes == (Reason.OBSERVE_ONLY,) and self._roster.holds(policy, observation.mode):
            share.shadow(remembered.shadow_of(one.decision, one.seen.instance, one.seen.snapshot.group_id))
        self._monitor.decided(policy, one.decision, cooldowns)
        standing = history.breakers(observation.of_group, policy.breaker.failures, reset=observation.breaker_reset)
        share.refused = {direction: one.refused for direction, one in standing.items()}
        self._monitor.breakers(policy.name, standing)

    def _all_failed(self, names: Sequence[str], error: Exception) -> int:
        for name in names:
            self._failed(name, error)
        return len(names)

    def _failed(self, name: str, error: Exception) -> None:
        self._memory.of(name).error = _sentence(error)
        self._monitor.failed(name, error)


def _waiting_for_calls(one: Evaluated) -> Evaluated:
    """Held where the call of an operation that has ended may still arrive, or its job still show.

    An unclear call is closed as soon as its nodes, or a job, are seen; they may be somebody else's. Found by the model
    of the protocol (tests/core/protocol.py).
    """
    now = one.observation.now
    skew = None if one.observation.checks is None else one.observation.checks.skew
    ours = (op for op in one.observation.operations if not op.foreign and not op.shadow)
    waits = {op: CALL_SHOWS - outcome.elapsed(op, now, skew) for op in ours if op.state is not State.REJECTED}
    last = max(waits, key=lambda op: waits[op], default=None)
    if not one.moves or last is None or waits[last] <= NO_TIME:
        return one
    sentence = f"the call of operation {last.id} may still arrive, until {rfc3339(now + waits[last])}"
    return replace(one, decision=_held(one.decision, Reason.IN_PROGRESS, sentence))


def _waiting_to_learn(one: Evaluated) -> Evaluated:
    """Held where a change to its nodes may have ended since the group was looked at, and nothing tells of it yet."""
    sentence = one.seen.unlearned
    if not one.moves or sentence is None:
        return one
    return replace(one, decision=_held(one.decision, Reason.IN_PROGRESS, sentence))


def _sentence(error: Exception) -> str:
    return str(error) or type(error).__name__


def _would_move(decision: Decision) -> bool:
    """Whether it moves nodes, or would if the mode let it: in observe the same path is gone."""
    return decision.decision is not Verdict.HOLD or decision.vetoes == (Reason.OBSERVE_ONLY,)


def _direction(decision: Decision) -> Direction:
    """Which way a decision that would move goes."""
    return Direction.OUT if decision.desired > decision.nodes.current else Direction.IN


def _held(decision: Decision, veto: Reason, sentence: str) -> Decision:
    """The same decision, vetoed after all."""
    return decision._replace(
        decision=Verdict.HOLD,
        change=0,
        reason=veto,
        vetoes=(veto,),
        details={veto.value: sentence},
        wanted_reason=decision.reason,
        stages=(*decision.stages[:-1], StageRecord("guards", decision.nodes.current, veto.value)),
    )

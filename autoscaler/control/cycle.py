"""One cycle: all targets of one interval are polled, decided on, recorded; what would move is checked and sent.

Every evaluation ends in exactly one record or one counted error, and one bad target never stops another.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from autoscaler.clock import Clock
from autoscaler.control import preflight
from autoscaler.control.executor import Executor
from autoscaler.control.memory import Memory
from autoscaler.control.poller import Poller, Seen
from autoscaler.core import engine, history
from autoscaler.core.decision import Decision, Reason, StageRecord, Verdict
from autoscaler.core.observation import Observation
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import Mode
from autoscaler.errors import AutoscalerError
from autoscaler.ports import Cloud, Monitor, OperationOpenError, Store


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
        ceiling: Mode = Mode.ENFORCE,
    ) -> None:
        self._cloud = cloud
        self._store = store
        self._clock = clock
        self._monitor = monitor
        self._memory = memory
        self._poller = poller
        self._executor = executor
        self._ceiling = ceiling
        self.acting: set[asyncio.Task[None]] = set()
        self.errors = 0  # evaluations that ended in one, since the start

    async def run_once(self, policies: Sequence[Policy]) -> int:
        """One round over these targets; how many errors it had. Calls that change something go on after it."""
        before, now = self.errors, self._clock.now()
        await self._round(policies, now)
        return self.errors - before

    async def _round(self, policies: Sequence[Policy], now: datetime) -> None:
        try:
            poll = await self._poller.poll(policies, now)
        except AutoscalerError as error:
            self._all_failed([policy.name for policy in policies], error)
            return
        for name, failure in poll.errors.items():
            self._failed(name, failure)
        for (name, metric), reason in poll.metric_errors.items():
            self._monitor.event(
                "warning", "a metric could not be read", target=name, metric=metric.name, error=str(reason)
            )
        evaluated = await asyncio.gather(*(self._evaluate(seen, now) for seen in poll.seen))
        done = [one for one in evaluated if one is not None]
        committed = [await self._commit(one) for one in done if one.moves]
        await self._record([one for one in done if not one.moves] + [one for one in committed if one is not None])

    async def _evaluate(self, seen: Seen, now: datetime) -> Evaluated | None:
        """One target: decide, and once more with everything that was read before acting. Errors end here, counted."""
        try:
            self._monitor.observed(seen.policy, seen.snapshot, now)
            observation = await self._poller.observe(seen, now, self._ceiling)
            decision = engine.decide(seen.policy, observation)
            if _would_move(decision):
                direction = Direction.OUT if decision.desired > decision.nodes.current else Direction.IN
                checks = await preflight.read(self._cloud, seen.policy, direction, now)
                operations = await self._poller.operations(seen.instance, seen.policy, now)
                shadows = self._memory.of(seen.policy.name).shadows
                observation = replace(observation, checks=checks, operations=(*operations, *shadows))
                decision = engine.decide(seen.policy, observation)
        except Exception as error:  # noqa: BLE001  # one target's end: whatever it was, the others go on
            self._failed(seen.policy.name, error)
            return None
        return Evaluated(seen, observation, decision)

    async def _commit(self, one: Evaluated) -> Evaluated | None:
        """Commit the intent and begin its call in a task of its own: a slow answer delays nobody.

        Gives back what is still to be recorded: nothing where the record went in with the intent, a hold where another
        operation was begun on the instance meanwhile.
        """
        policy, checks = one.seen.policy, one.observation.checks
        if checks is None:
            raise AssertionError("a decision to move without its pre-flight")
        try:
            intent = await self._executor.commit(policy, one.decision, one.seen.instance, checks)
        except OperationOpenError:
            return replace(one, decision=_held(one.decision, Reason.IN_PROGRESS, "another operation was just begun"))
        except AutoscalerError as error:
            self._failed(policy.name, error)
            return None
        self._decided(one)
        task = asyncio.create_task(self._send(one, intent), name=f"{one.decision.decision} {policy.name}")
        self.acting.add(task)
        task.add_done_callback(self.acting.discard)
        return None

    async def _send(self, one: Evaluated, intent: Operation) -> None:
        try:
            await self._executor.send(one.seen.policy, intent, one.decision.nodes.current)
        except Exception as error:  # noqa: BLE001  # the task ends here: what was sent is written down or looked for
            self._failed(one.seen.policy.name, error)

    async def _record(self, evaluated: Sequence[Evaluated]) -> None:
        """Store the records of what holds, all in one transaction."""
        try:
            await self._store.record([one.decision for one in evaluated])
        except AutoscalerError as error:
            self._all_failed([one.seen.policy.name for one in evaluated], error)
            return
        for one in evaluated:
            self._decided(one)

    def _decided(self, one: Evaluated) -> None:
        policy, observation = one.seen.policy, one.observation
        share = self._memory.of(policy.name)
        cooldowns = {
            direction: history.cooldown_left(observation.of_group, observation.now, direction, policy.cooldown)
            for direction in Direction
        }
        share.decided(one.decision, policy.scale_in_stabilization, cooldowns)
        if one.decision.vetoes == (Reason.OBSERVE_ONLY,):
            share.shadows = (*share.shadows[-99:], _shadow(one))
        self._monitor.decided(policy, one.decision, cooldowns)

    def _all_failed(self, names: Sequence[str], error: Exception) -> None:
        for name in names:
            self._failed(name, error)

    def _failed(self, name: str, error: Exception) -> None:
        self.errors += 1
        self._memory.of(name).error = str(error) or type(error).__name__
        self._monitor.failed(name, error)


def _would_move(decision: Decision) -> bool:
    """Whether it moves nodes, or would if the mode let it: in observe the same path is gone."""
    return decision.decision is not Verdict.HOLD or decision.vetoes == (Reason.OBSERVE_ONLY,)


def _held(decision: Decision, veto: Reason, sentence: str) -> Decision:
    """The same decision, vetoed after all."""
    return replace(
        decision,
        decision=Verdict.HOLD,
        change=0,
        reason=veto,
        vetoes=(veto,),
        details={veto.value: sentence},
        wanted_reason=decision.reason,
        stages=(*decision.stages[:-1], StageRecord("guards", decision.nodes.current, veto.value)),
    )


def _shadow(one: Evaluated) -> Operation:
    """What enforce would have begun now."""
    decision, now = one.decision, one.observation.now
    change = decision.desired - decision.nodes.current
    return Operation(
        id=f"shadow-{decision.target}-{now.isoformat()}",
        target=decision.target,
        instance=one.seen.instance,
        group_id=one.seen.snapshot.group_id,
        direction=Direction.OUT if change > 0 else Direction.IN,
        change=abs(change),
        reason=decision.wanted_reason or decision.reason,
        state=State.SUBMITTED,
        committed_at=now,
        send_before=now,
        submitted_at=now,
        shadow=True,
    )

"""The executor: commits the intent, calls once, writes down what the answer means.

    decision ──> commit PLANNED ──> one call ──> SUBMITTED   a job or an order
                                            ├──> REJECTED    refused, or surely unsent
                                            └──> UNKNOWN     every other end; never resent

If the process dies after the commit, the operation is found PLANNED at start-up and treated as UNKNOWN.
"""

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime

from autoscaler.clock import Clock, after_real
from autoscaler.control.leader import Leadership
from autoscaler.control.memory import Memory
from autoscaler.core import placement
from autoscaler.core.checks import Checks
from autoscaler.core.decision import Decision, Verdict
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import InstanceKey
from autoscaler.errors import NotLeader, Refused, StoreError, Unsent
from autoscaler.ports import Accepted, Cloud, Monitor, Store

SEND_WITHIN = 20.0
"""Real seconds after the commit in which the call may begin; later it is not begun any more."""


class Executor:
    """Turns decisions into operations, in two steps: commit the intent, then send it once."""

    def __init__(
        self, *, cloud: Cloud, store: Store, clock: Clock, monitor: Monitor, memory: Memory, leadership: Leadership
    ) -> None:
        self._cloud = cloud
        self._store = store
        self._clock = clock
        self._monitor = monitor
        self._memory = memory
        self._leadership = leadership
        self._give_up: dict[str, float] = {}

    @property
    def may_commit(self) -> bool:
        """Whether this daemon leads."""
        return self._leadership.leads

    def in_flight(self, operation_id: str) -> bool:
        """Whether somebody here is still waiting for the answer of that operation's call."""
        return operation_id in self._give_up

    async def commit(self, policy: Policy, decision: Decision, instance: InstanceKey, checks: Checks) -> Operation:
        """Make the intent durable, together with its decision; nothing is sent yet.

        Raises:
            StoreError: it could not be committed, so nothing may be sent.
            OperationOpenError: another operation is open on the instance.
            NotLeader: another daemon leads by now.
        """
        intent = self._intent(policy, decision, instance, checks)
        self._give_up[intent.id] = self._clock.boottime() + SEND_WITHIN
        try:
            await self._store.commit_intent(intent, decision)
        except NotLeader:
            del self._give_up[intent.id]
            self._leadership.lost()
            raise
        except BaseException:
            del self._give_up[intent.id]
            raise
        self._monitor.operation(intent)
        return intent

    async def send(self, policy: Policy, intent: Operation, current: int) -> Operation:
        """Make the one call of a committed intent and write down what its answer means.

        Raises:
            StoreError: the answer could not be written down; the operation stays PLANNED and will be looked for.
        """
        try:
            operation = await self._call(policy, intent)
        finally:
            self._give_up.pop(intent.id, None)
        if operation.state is not State.REJECTED:
            self._memory.of(policy.name).enter(self._clock.now(), current)
        return operation

    def _intent(self, policy: Policy, decision: Decision, instance: InstanceKey, checks: Checks) -> Operation:
        now = max(
            self._clock.now(), decision.at
        )  # jobs were listed at `at`: a clock set back makes no old job a new one
        count = abs(decision.change)
        out = decision.decision is Verdict.OUT
        return Operation(
            id=uuid.uuid4().hex,
            target=policy.name,
            instance=instance,
            group_id=checks.snapshot.group_id,
            direction=Direction.OUT if out else Direction.IN,
            change=count,
            reason=decision.reason,
            state=State.PLANNED,
            committed_at=now,
            send_before=after_real(self._clock, now, SEND_WITHIN),
            node_ids=checks.snapshot.node_ids,
            removing=() if out else self._removing(checks, count),
            zones=self._zones(checks, count) if out else (),
            known_jobs=frozenset(job.id for job in checks.jobs),
            skew_seconds=checks.skew.total_seconds(),
            prepaid=checks.snapshot.prepaid,
        )

    def _zones(self, checks: Checks, count: int) -> tuple[str, ...]:
        if not self._cloud.names_nodes or checks.offer is None:
            return ()
        zones_now = [node.zone for node in checks.snapshot.nodes]
        return placement.zones_for_new_nodes(zones_now, checks.offer.sellable_zones, count)

    def _removing(self, checks: Checks, count: int) -> tuple[str, ...]:
        if not self._cloud.names_nodes:
            return ()
        zones = {node.id: node.zone for node in checks.snapshot.nodes}
        return placement.nodes_to_remove(checks.snapshot.nodes, zones, count)

    async def _call(self, policy: Policy, intent: Operation) -> Operation:
        """One call, whatever comes of it; a cancelled one is written down before the cancellation goes on."""
        call = self._cloud.add_nodes if intent.direction is Direction.OUT else self._cloud.remove_nodes
        try:
            accepted = await call(policy.target, intent, self._deadline(intent))
        except (Unsent, Refused) as error:
            return await self._write(intent, State.REJECTED, str(error))
        except asyncio.CancelledError:
            await self._write(intent, State.UNKNOWN, "the call was cut off while the daemon stopped")
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the call may have been carried out: look, never resend
            return await self._write(intent, State.UNKNOWN, str(error) or type(error).__name__)
        if accepted.job_id is None and accepted.order_id is None:
            return await self._write(intent, State.UNKNOWN, "the answer names neither a job nor an order")
        return await self._submitted(intent, accepted)

    def _deadline(self, intent: Operation) -> Callable[[], None]:
        """The check just before the request is written, by two clocks: one may jump, the other may not be shown.

        Who does not lead any more sends nothing: whoever does may take the operation for dead.
        """
        give_up = self._give_up[intent.id]

        def check() -> None:
            if self._clock.boottime() > give_up or self._clock.now() > intent.send_before:
                raise Unsent(f"not sent: more than {SEND_WITHIN:g} s passed since the intent was committed")
            if not self._leadership.leads:
                raise Unsent("not sent: this daemon does not lead any more")

        return check

    async def _submitted(self, intent: Operation, accepted: Accepted) -> Operation:
        name = f"job {accepted.job_id}" if accepted.job_id else f"order {accepted.order_id}"
        return await self._write(
            intent, State.SUBMITTED, f"accepted as {name}", job_id=accepted.job_id, order_id=accepted.order_id
        )

    async def _write(self, intent: Operation, state: State, detail: str, **fields: object) -> Operation:
        operation = intent.step(state, at=self._at(intent), detail=detail, **fields)
        try:
            await self._store.update(operation, was=intent)
        except StoreError as error:
            self._memory.unsure[intent.id] = intent
            self._monitor.event("error", "an answer could not be stored; it will be looked for", error=str(error))
            raise
        self._monitor.operation(operation)
        return operation

    def _at(self, intent: Operation) -> datetime:
        """Now, but never before the intent, even where the clock was set back meanwhile."""
        return max(self._clock.now(), intent.committed_at)

"""The reconciler: looks what became of every open operation; it never sends anything that changes something.

PLANNED    nobody is waiting for its answer: the process died in between                  -> UNKNOWN
SUBMITTED  job Completed (or forgotten), RUNNING, the nodes are there                     -> SUCCEEDED
           job Failed and the group at rest                                               -> FAILED
UNKNOWN    a job that was not known before, same instance, same direction                 -> SUBMITTED
           the nodes are as asked                                                         -> SUCCEEDED
           long and often looked, and nothing is other than before                        -> NEVER_HAPPENED
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoscaler.clock import Clock, real_seconds
from autoscaler.control import group_watch
from autoscaler.control.leader import Leadership
from autoscaler.control.memory import Memory
from autoscaler.core import figures, outcome
from autoscaler.core.checks import Job, apart
from autoscaler.core.history import DAY
from autoscaler.core.operation import Operation, State
from autoscaler.core.outcome import Told
from autoscaler.core.policy import Direction
from autoscaler.core.target import Snapshot, Target
from autoscaler.errors import AutoscalerError, CloudError, StoreError, Unreadable
from autoscaler.ports import Cloud, Monitor, Store

SETTLE_TIME = timedelta(minutes=10)
SETTLE_READINGS = 10
"""How long, and how often in a row, nothing must be seen before we believe that nothing happened."""

CALL_SECONDS = 60.0
"""Real seconds after `send_before` in which a call that has begun may still reach the cloud."""

OVERDUE = timedelta(minutes=60)
"""As long as the vendor's own Terraform provider waits for a change of the number of nodes."""

HOUR = timedelta(hours=1)
"""Around an operation in which its job is listed: more than the clocks may differ."""


@dataclass
class _Quiet:
    """Successful readings in a row in which nothing had happened."""

    since: float  # real monotonic seconds: a wall clock that jumps makes no time pass
    readings: int = 0


@dataclass
class _Looking:
    """What this process has seen of open operations; a restart counts anew."""

    quiet: dict[str, _Quiet] = field(default_factory=dict)
    overdue: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)  # of another project: told once
    known: set[str] = field(default_factory=set)  # those that monitoring has been told of
    undated: set[str] = field(default_factory=set)  # over, at a time that the clocks do not agree on: told once

    def settled(self, op: Operation, clock: Clock) -> bool:
        """One more quiet reading; whether they are enough."""
        now = clock.monotonic()
        quiet = self.quiet.setdefault(op.id, _Quiet(now))
        quiet.readings += 1
        return quiet.readings >= SETTLE_READINGS and now - quiet.since >= real_seconds(clock, SETTLE_TIME)

    def disturbed(self, op: Operation) -> None:
        """Something happened, or a reading failed: the count starts again."""
        self.quiet.pop(op.id, None)

    def keep(self, ids: set[str]) -> None:
        self.quiet = {key: value for key, value in self.quiet.items() if key in ids}
        self.overdue &= ids
        self.elsewhere &= ids
        self.known &= ids
        self.undated &= ids


class Reconciler:
    """Follows open operations to their end; first thing at start-up, then on its own beat."""

    def __init__(
        self,
        *,
        cloud: Cloud,
        store: Store,
        clock: Clock,
        monitor: Monitor,
        memory: Memory,
        in_flight: Callable[[str], bool],
        leadership: Leadership,
    ) -> None:
        self._cloud = cloud
        self._store = store
        self._clock = clock
        self._monitor = monitor
        self._memory = memory
        self.in_flight = in_flight
        self._leadership = leadership
        self._looking = _Looking()

    def is_overdue(self, operation_id: str) -> bool:
        """Whether an open operation has taken longer than any should."""
        return operation_id in self._looking.overdue

    async def run_once(self) -> None:
        """Look at every open operation once. What cannot be asked, or stored, is an event; the others are looked at.

        Who stands by follows none; the quiet that it saw before counts for nothing when it leads again.

        Raises:
            StoreError: the open operations cannot be read.
        """
        if not self._leadership.leads:
            self._looking = _Looking()
            return
        operations = await self._store.open_operations()
        self._looking.keep({op.id for op in operations})
        await self._tell_unsure()
        for op in [op for op in operations if not self.in_flight(op.id)]:  # asked now: later their state may be another
            if self._is_here(op):
                await self._reconcile(op)

    async def _tell_unsure(self) -> None:
        """A step that the store answered with an error may be stored all the same: whatever stands is told."""
        for before in tuple(self._memory.unsure.values()):
            try:
                stored = await self._store.operations(before.instance, since=before.committed_at)
            except StoreError:  # told where its target is decided
                continue
            self._memory.unsure.pop(before.id, None)
            for op in stored:
                if op.id == before.id and op.state is not before.state:
                    self._monitor.operation(op, overdue=op.open and self.is_overdue(op.id))

    def _is_here(self, op: Operation) -> bool:
        """Whether the present credentials see the operation's instance: elsewhere its jobs would seem never to be."""
        scope, key = self._cloud.scope, op.instance
        if scope is not None and (scope.region, scope.project_id) == (key.region, key.project_id):
            return True
        if scope is not None and op.id not in self._looking.elsewhere:
            self._looking.elsewhere.add(op.id)
            where = f"{key.region}/{key.project_id}"
            self._monitor.event(
                "warning", "an open operation is of another project; it is left alone", operation=op.id, project=where
            )
        return False

    def _tell_once(self, op: Operation, now: datetime) -> None:
        """An operation that an earlier process left open is news to this one's metrics, told once, overdue or not."""
        if op.id not in self._looking.known:
            self._looking.known.add(op.id)
            if now - op.committed_at > OVERDUE:
                self._looking.overdue.add(op.id)
            self._monitor.operation(op, overdue=self.is_overdue(op.id))

    async def _reconcile(self, op: Operation) -> None:
        now = self._clock.now()
        self._tell_once(op, now)
        self._note_overdue(op, now)
        try:
            if self._may_be_answered(op, now):
                return
            if op.state is State.PLANNED:
                op = await self._step(op, State.UNKNOWN, now, "the daemon ended before the answer was known")
            if op.state is State.SUBMITTED:
                await self._follow(op)
            else:
                await self._look(op)
        except Exception as error:  # noqa: BLE001  # one operation's end: whatever it was, the others are followed
            self._looking.disturbed(op)
            why = str(error) if isinstance(error, AutoscalerError) else repr(error)
            self._monitor.event("warning", "an operation could not be followed", operation=op.id, error=why)

    def _may_be_answered(self, op: Operation, now: datetime) -> bool:
        """Whether another daemon, which led until just now, may still be waiting for the answer of its call."""
        inherited = op.state is State.PLANNED and self._leadership.shared
        return inherited and self._may_arrive(op, now)

    def _may_arrive(self, op: Operation, now: datetime) -> bool:
        """Whether its call may still reach the cloud: a clock that is set makes no time pass for a call under way."""
        return outcome.may_arrive(op, now, self._cloud.skew, timedelta(seconds=CALL_SECONDS * self._clock.speed))

    def _note_overdue(self, op: Operation, now: datetime) -> None:
        if now - op.committed_at > OVERDUE and op.id not in self._looking.overdue:
            self._looking.overdue.add(op.id)
            self._monitor.operation(op, overdue=True)

    async def _follow(self, op: Operation) -> None:
        """A job or an order was given: wait for it and for the nodes."""
        job = await self._cloud.job(op.job_id) if op.job_id else None
        if job is not None and not job.finished:
            self._looking.disturbed(op)
            return
        snapshot = await self._describe(op)
        told = outcome.followed(op, job, snapshot)
        if told is Told.FAILED and job is not None:
            why = await self._fail_reason(op, job)
            detail = f"job {job.id} {job.status}: {why}".rstrip(": ")
            await self._end(op, State.FAILED, snapshot, self._clock.now(), detail)
            return
        came = f"{'its job' if job is None else f'job {job.id}'} Completed, but {outcome.moved(op, snapshot)}"
        await self._conclude(op, told, snapshot, f"{came} of {op.change} nodes came")

    async def _fail_reason(self, op: Operation, job: Job) -> str:
        """The answer on a single job does not say it (DDM API reference, "Querying a Task"), the list does."""
        if job.fail_reason:
            return job.fail_reason
        try:
            listed = await self._cloud.jobs(op.committed_at - HOUR, self._clock.now() + HOUR)
        except CloudError as error:
            self._monitor.event("warning", "why a job failed could not be read", operation=op.id, error=str(error))
            return ""
        return next((one.fail_reason for one in listed if one.id == job.id), "")

    async def _look(self, op: Operation) -> None:
        """No clear answer was given: a new job, the nodes, or long quiet tell what happened. Never by time."""
        jobs = await self._agreed_jobs(op)
        others = await self._store.operations(op.instance, since=op.committed_at - DAY)
        found = outcome.new_job(op, jobs, {other.job_id for other in others})
        if found is not None:
            self._looking.disturbed(op)
            await self._step(op, State.SUBMITTED, self._clock.now(), f"found as job {found.id}", job_id=found.id)
            return
        snapshot = await self._describe(op)
        told = outcome.looked(op, snapshot, may_arrive=self._may_arrive(op, self._clock.now()))
        quiet = f"nothing had changed in {SETTLE_READINGS} readings over {SETTLE_TIME}"
        await self._conclude(op, told, snapshot, quiet)

    async def _conclude(self, op: Operation, told: Told, snapshot: Snapshot, quiet: str) -> None:
        """End it where the nodes are there, or where it has been quiet for long enough."""
        now = self._clock.now()
        if told is Told.BUSY:
            self._looking.disturbed(op)
        elif told is Told.SEEN:
            await self._end(op, State.SUCCEEDED, snapshot, now, _seen(op, now))
        elif self._looking.settled(op, self._clock):
            await self._end(op, outcome.QUIET_MEANS[op.state], snapshot, now, quiet)

    async def _agreed_jobs(self, op: Operation) -> tuple[Job, ...]:
        """Read from a day before the intent to a day ahead, until two readings agree: the list may change."""
        start = op.committed_at - DAY
        last: tuple[Job, ...] | None = None
        for _ in range(4):
            jobs = await self._cloud.jobs(start, self._clock.now() + DAY)
            if last is not None and {job.id for job in jobs} == {job.id for job in last}:
                return jobs
            last = jobs
        raise Unreadable("the list of jobs was different each time it was read")

    async def _describe(self, op: Operation) -> Snapshot:
        target = target_of(op)
        answer = (await self._cloud.describe([target]))[target.name]
        if isinstance(answer, CloudError):
            raise answer
        return answer

    async def _end(self, op: Operation, state: State, snapshot: Snapshot, now: datetime, detail: str) -> None:
        """Remember the nodes first: after a crash in between the operation is still open and explains them.

        What somebody else did meanwhile is stored with the end: from then on nothing would tell of it any more. Where
        the clocks are too far apart to date the end, it stays open until they are not.
        """
        if apart(self._cloud.skew):
            self._tell_undated(op)
            return
        self._looking.undated.discard(op.id)
        arrived = op.change if state is State.SUCCEEDED else max(0, min(outcome.moved(op, snapshot), op.change))
        foreign = group_watch.done_by_others(op, snapshot, now, ours=op.change)
        await group_watch.remember(self._store, op.instance, snapshot, now)
        await self._step(op, state, now, detail, beside=foreign, arrived=arrived)
        self._memory.of(op.target).enter(now, snapshot.current)
        for one in foreign:
            self._monitor.operation(one)

    def _tell_undated(self, op: Operation) -> None:
        if op.id not in self._looking.undated:
            self._looking.undated.add(op.id)
            why = "an operation has ended, which is written down when this clock and the cloud's agree"
            self._monitor.event("warning", why, operation=op.id)

    async def _step(
        self,
        op: Operation,
        state: State,
        at: datetime,
        detail: str,
        *,
        beside: Sequence[Operation] = (),
        **fields: object,
    ) -> Operation:
        operation = op.step(state, at=max(at, op.committed_at), detail=detail, **fields)
        try:
            await self._store.update(operation, was=op, beside=beside)
        except StoreError:
            self._memory.unsure[op.id] = op
            raise
        self._monitor.operation(operation, overdue=operation.open and self.is_overdue(op.id))
        return operation


def target_of(op: Operation) -> Target:
    """Enough of a target to ask for: its policy may be gone by now."""
    return Target(name=op.target, instance_id=op.instance.instance_id, group_id=op.group_id)


def _seen(op: Operation, now: datetime) -> str:
    """`1 node more after 5 min 3 s, job 42`: what an operation that succeeded brought, and when that was seen."""
    more = "more" if op.direction is Direction.OUT else "fewer"
    name = f"job {op.job_id}" if op.job_id else f"order {op.order_id}" if op.order_id else "its answer was lost"
    return f"{figures.nodes(op.change)} {more} after {figures.lasting(now - op.committed_at)}, {name}"

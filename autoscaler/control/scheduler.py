"""The scheduler: a handful of beats, not one per target, and the watch that keeps a jumping clock from stopping them.

a cycle per distinct interval     reconcile     heartbeat     prune            (APScheduler, by wall time)
clock watch                                                                    (our own task, by monotonic time)
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from autoscaler.clock import Clock, real_seconds
from autoscaler.control.cycle import Cycle
from autoscaler.control.leader import Leadership
from autoscaler.control.reconciler import Reconciler
from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode
from autoscaler.errors import AutoscalerError
from autoscaler.ports import Monitor, Store

RECONCILE_EVERY = timedelta(seconds=10)
HEARTBEAT_SECONDS = 5.0
KEEP = timedelta(days=30)
HEARTBEAT_OLD = 60.0
JUMP_SECONDS = 2.0
SHORTEST_BEAT = 0.05
"""Real seconds: however fast the clock runs, beats do not crowd each other out."""


@dataclass
class Beat:
    """One repeating job and when it last ran, in real monotonic seconds."""

    name: str
    every: float  # real seconds
    due: float
    running: bool = False
    runs: int = 0
    lateness: float = 0.0  # of the run that began last
    ended: float = float("-inf")  # the run before

    def begin(self, monotonic: float) -> None:
        """A run begins; the next is due one interval after this one was, or after now where beats were missed."""
        self.running = True
        self.lateness = max(0.0, monotonic - self.due)
        self.due = (self.due if self.lateness < self.every else monotonic) + self.every

    def late(self, monotonic: float) -> float:
        """Real seconds it is behind; one that is running, or just ended, is not, however slow the cloud is."""
        return 0.0 if self.running else max(0.0, monotonic - max(self.due, self.ended))


@dataclass
class Pulse:
    """Whether the scheduler is alive: what /-/healthy is answered from."""

    beats: dict[str, Beat] = field(default_factory=dict)
    last_heartbeat: float | None = None

    def healthy(self, monotonic: float) -> tuple[bool, str]:
        """False when the heartbeat is older than 60 s or a due cycle is late by three of its intervals."""
        if self.last_heartbeat is not None and monotonic - self.last_heartbeat > HEARTBEAT_OLD:
            return False, f"the scheduler's last beat was {monotonic - self.last_heartbeat:.0f} s ago"
        for beat in self.beats.values():
            if beat.late(monotonic) > max(3 * beat.every, 2 * HEARTBEAT_SECONDS):
                return False, f"{beat.name} is {beat.late(monotonic):.0f} s late"
        return True, "the scheduler is on time"


class Scheduler:
    """Starts the beats, keeps them, and drains what they began."""

    def __init__(
        self,
        *,
        cycle: Cycle,
        reconciler: Reconciler,
        store: Store,
        clock: Clock,
        monitor: Monitor,
        publish: Callable[[], None],
        leadership: Leadership,
    ) -> None:
        """`publish` renders what monitoring reads: called in a thread after each cycle and at each heartbeat."""
        self._cycle = cycle
        self._reconciler = reconciler
        self._store = store
        self._clock = clock
        self._monitor = monitor
        self._publish = publish
        self._leadership = leadership
        self._apscheduler = AsyncIOScheduler(
            # At once, in the loop: its own executor makes tasks, and tells of one cancelled at a stop as an error.
            executors={"default": DebugExecutor()},
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._groups: dict[timedelta, tuple[Policy, ...]] = {}
        self._looked_at_first: set[str] = set()
        self._beating = False
        self._under_way: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self.pulse = Pulse()

    def start(self, policies: Sequence[Policy]) -> None:
        """Begin: each beat's first run is now."""
        self._cycle.targets(policies)
        self._add("heartbeat", HEARTBEAT_SECONDS, self._heartbeat)
        self._add("reconcile", max(0.2, real_seconds(self._clock, RECONCILE_EVERY)), self._reconciler.run_once)
        self._add("prune", 3600.0, self._prune)
        self._groups = by_interval(policies)
        for interval in self._groups:
            self._add_cycle(interval)
        self.pulse.last_heartbeat = self._clock.monotonic()
        self._beating = True
        self._apscheduler.start()
        self._watch = asyncio.create_task(self._watch_clock(), name="clock watch")

    def replan(self, policies: Sequence[Policy]) -> None:
        """These are the targets from now on: beats of other intervals end, new ones begin now, all others go on.

        Targets that were not there (or off) are evaluated at once, then on the beat of their interval.
        """
        self._cycle.targets(policies)
        if not self._beating:
            return  # before the start, which is given them; or after the end
        before, self._groups = self._groups, by_interval(policies)
        for interval in before.keys() - self._groups.keys():
            self._apscheduler.remove_job(_name(interval))
            del self.pulse.beats[_name(interval)]
        for interval in self._groups.keys() - before.keys():
            self._add_cycle(interval)
        known = {policy.name for group in before.values() for policy in group}
        for interval in self._groups.keys() & before.keys():
            self._look_first(interval, [one for one in self._groups[interval] if one.name not in known])

    def _look_first(self, interval: timedelta, added: Sequence[Policy]) -> None:
        """Evaluate them now, in a round of their own; the beat leaves them out until that has ended."""
        if added:
            self._looked_at_first |= {one.name for one in added}
            beat = Beat(f"first look of {interval}", 0.0, self._clock.monotonic())
            self._begin(beat, lambda: self._first_look(interval, added))

    async def stop(self, seconds: float) -> None:
        """Begin nothing more; wait that many real seconds for what is under way, then cut it off and let it write down.

        A call that changes something is waited for first: cut off, its outcome would be unknown.
        """
        self._beating = False
        if self._apscheduler.running:
            self._apscheduler.shutdown(wait=False)
        if self._watch is not None:
            await _cut_off([self._watch])
        until = self._clock.monotonic() + seconds
        while self._busy and (left := until - self._clock.monotonic()) > 0:
            await asyncio.wait(self._busy, timeout=left)  # a cycle that is waited for may begin one more call
        await _cut_off(self._under_way)
        await _cut_off(self._cycle.acting)

    @property
    def _busy(self) -> set[asyncio.Task[None]]:
        return self._cycle.acting | self._under_way

    def _add_cycle(self, interval: timedelta) -> None:
        every = max(SHORTEST_BEAT, real_seconds(self._clock, interval))
        self._add(_name(interval), every, lambda: self._cycle_of(interval))

    def _add(self, name: str, every: float, work: Callable[[], Awaitable[object]]) -> None:
        self.pulse.beats[name] = Beat(name, every, self._clock.monotonic())
        self._apscheduler.add_job(
            self._run,
            IntervalTrigger(seconds=every, timezone=UTC),
            args=(name, work),
            id=name,
            next_run_time=datetime.now(UTC),
        )

    def _run(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Begin one beat, in a task of our own: APScheduler would cancel it at shutdown, ours are drained.

        A beat that is still running is not begun again; how late the next one is then is in the metrics.
        """
        beat = self.pulse.beats.get(name)  # none where a reload has just ended it
        if self._beating and beat is not None and not beat.running:  # APScheduler hears of a stop a step later
            self._begin(beat, work)

    def _begin(self, beat: Beat, work: Callable[[], Awaitable[object]]) -> None:
        beat.begin(self._clock.monotonic())
        task = asyncio.create_task(self._beat(beat, work), name=beat.name)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _beat(self, beat: Beat, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except AutoscalerError as error:
            self._monitor.event("error", f"{beat.name} failed", error=str(error))
        except Exception as error:  # noqa: BLE001  # a beat's end: it is reported, and the next one runs
            self._monitor.event("error", f"{beat.name} failed unexpectedly", error=repr(error))
        finally:
            beat.running = False
            beat.ended = self._clock.monotonic()
            beat.runs += 1

    async def _cycle_of(self, interval: timedelta) -> None:
        """A round over the targets of an interval as they are now."""
        if interval in self._groups:  # else the beat ended just as this began
            lateness = self.pulse.beats[_name(interval)].lateness
            mine = [one for one in self._groups[interval] if one.name not in self._looked_at_first]
            await self._round(interval, mine, lateness=lateness)

    async def _first_look(self, interval: timedelta, added: Sequence[Policy]) -> None:
        try:
            await self._round(interval, added, lateness=0.0)
        finally:
            self._looked_at_first -= {one.name for one in added}

    async def _round(self, interval: timedelta, policies: Sequence[Policy], *, lateness: float) -> None:
        begun = self._clock.monotonic()
        errors = await self._cycle.run_once(policies)
        seconds = self._clock.monotonic() - begun
        self._monitor.cycle(interval=interval, seconds=seconds, lateness=lateness, targets=len(policies), errors=errors)
        await asyncio.to_thread(self._publish)

    async def _heartbeat(self) -> None:
        self.pulse.last_heartbeat = self._clock.monotonic()
        await asyncio.to_thread(self._publish)

    async def _prune(self) -> None:
        if not self._leadership.leads:
            return
        gone = await self._store.prune(before=self._clock.now() - KEEP)
        if gone:
            self._monitor.event("info", "old history was pruned", rows=gone)

    async def _watch_clock(self) -> None:
        """APScheduler plans by wall time, so a jump would stop or flood it: plan anew when wall and monotonic part."""
        apart = _wall() - self._clock.monotonic()
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            now_apart = _wall() - self._clock.monotonic()
            if abs(now_apart - apart) > JUMP_SECONDS:
                self._monitor.event(
                    "warning", "the wall clock jumped; beats are planned anew", seconds=now_apart - apart
                )
                self._plan_anew()
            apart = now_apart

    def _plan_anew(self) -> None:
        for job in self._apscheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))


def by_interval(policies: Sequence[Policy]) -> dict[timedelta, tuple[Policy, ...]]:
    """The targets that are polled, by how often; `off` ones are not."""
    groups: dict[timedelta, list[Policy]] = {}
    for policy in policies:
        if policy.mode is not Mode.OFF:
            groups.setdefault(policy.interval, []).append(policy)
    return {interval: tuple(group) for interval, group in groups.items()}


def _name(interval: timedelta) -> str:
    return f"cycle {interval}"


def _wall() -> float:
    return datetime.now(UTC).timestamp()


async def _cut_off(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel, and wait until each has written down where it stood."""
    late = tuple(tasks)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)

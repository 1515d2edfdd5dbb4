"""The whole shell on fakes: one instance of two nodes, a hot rule, a store, and hands to move time and start anew."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any, ClassVar

from autoscaler.control.console import DaemonConsole, Readiness
from autoscaler.control.cycle import Cycle
from autoscaler.control.executor import Executor
from autoscaler.control.feed import Feed
from autoscaler.control.leader import Leadership
from autoscaler.control.memory import Memory
from autoscaler.control.poller import Poller
from autoscaler.control.reconciler import Reconciler
from autoscaler.control.reloading import Fresh, Reloader
from autoscaler.control.roster import Roster
from autoscaler.control.scheduler import Pulse, Scheduler
from autoscaler.core.decision import Decision
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Policy
from autoscaler.core.target import InstanceKey, Mode, Target
from autoscaler.errors import Ambiguous
from autoscaler.ports import Cloud, Store
from tests.core.given import MINUTE, policy, step, threshold
from tests.fakes import FakeClock, FakeCloud, FakeMetrics, MemoryStore, RecordingMonitor

INSTANCE = InstanceKey("eu-de", "project", "instance")
BEAT = timedelta(seconds=10)
HOT_OR_COLD = threshold(out=[step("75")], in_=[step("30")])


def target(name: str = "orders", *, instance: str = "instance", group: str | None = None, **more: Any) -> Target:
    """A target; its instance has to be there, too."""
    return Target(name, instance, group, "flavor", **more)


def orders(**more: Any) -> Policy:
    """Out above 75, in below 30, between 2 and 16 nodes, in enforce."""
    fields: dict[str, Any] = {"target": target(), **more}
    return policy(HOT_OR_COLD, **fields)


@dataclass
class House:
    """Everything that a process holds, over a cloud and a store that outlive it."""

    clock: FakeClock = field(default_factory=FakeClock)
    cloud: FakeCloud = field(init=False)
    metrics: FakeMetrics = field(init=False)
    store: MemoryStore = field(default_factory=MemoryStore)
    monitor: RecordingMonitor = field(default_factory=RecordingMonitor)
    policies: Sequence[Policy] = field(default_factory=lambda: (orders(),))
    ceiling: Mode = Mode.ENFORCE
    name: str = "this"  # of the process, where several share the store
    broken: ClassVar[dict[str, ModuleType]] = {}  # copies of modules, by name, instead of the real ones

    def __post_init__(self) -> None:
        self.cloud = FakeCloud(self.clock)
        self.cloud.have(2)
        self.metrics = FakeMetrics(self.clock)
        self.start()

    def start(self, *, store: Store | None = None, cloud: Cloud | None = None) -> None:
        """Begin a process: nothing of an earlier one is left but the store and the cloud."""
        used_store, used_cloud = store or self.store, cloud or self.cloud
        self.memory = Memory()
        self.roster = Roster(ceiling=self.ceiling)
        self.leadership = Leadership(used_store.lease, clock=self.clock, monitor=self.monitor, holder=self.name)
        outside: dict[str, Any] = {"cloud": used_cloud, "store": used_store}
        parts: dict[str, Any] = {**outside, "clock": self.clock, "monitor": self.monitor}
        ours: dict[str, Any] = {"memory": self.memory, "leadership": self.leadership}
        self.executor = self._made("executor", Executor)(**ours, **parts)
        self.poller = self._made("poller", Poller)(metrics=self.metrics, monitor=self.monitor, **ours, **outside)
        self.reconciler = self._made("reconciler", Reconciler)(in_flight=self.executor.in_flight, **ours, **parts)
        self.cycle = self._made("cycle", Cycle)(
            memory=self.memory, poller=self.poller, executor=self.executor, roster=self.roster, **parts
        )
        self.tell()

    def tell(self) -> None:
        """These are all targets; what a reload does beside that is left out."""
        self.cycle.targets(self.policies)

    def _made(self, module: str, part: Any) -> Any:
        return getattr(self.broken.get(module), part.__name__, part)

    def scheduler(self) -> Scheduler:
        """The beats, on real time: the clock has to be a real one."""
        self.roster.replace(self.policies)
        made: Scheduler = self._made("scheduler", Scheduler)(
            cycle=self.cycle,
            reconciler=self.reconciler,
            store=self.store,
            clock=self.clock,
            monitor=self.monitor,
            publish=self.publish,
            leadership=self.leadership,
        )
        return made

    def publish(self) -> None:
        """What monitoring reads is made: nothing here."""

    def console(self) -> DaemonConsole:
        """The operator's hand."""
        self.roster.replace(self.policies)
        return DaemonConsole(
            roster=self.roster,
            reloader=self.reloader(),
            cloud=self.cloud,
            store=self.store,
            history=self.store.history,
            memory=self.memory,
            reconciler=self.reconciler,
            pulse=Pulse(),
            readiness=Readiness(),
            clock=self.clock,
            monitor=self.monitor,
            feed=Feed(self.clock),
            leadership=self.leadership,
        )

    def reloader(self, read: Callable[[], Fresh] | None = None, scheduler: Scheduler | None = None) -> Reloader:
        """What replaces policies; without something to read it refuses."""
        return Reloader(
            read=read,
            roster=self.roster,
            cycle=self.cycle,
            scheduler=scheduler or self.scheduler(),
            memory=self.memory,
            windows=self.poller.windows,
            store=self.store,
            clock=self.clock,
            monitor=self.monitor,
        )

    async def evaluate(self, *, wait: bool = True) -> list[Decision]:
        """One cycle, with the calls that it began; the records that it left."""
        before = len(self.store.decisions)
        if tuple(self.roster.policies.values()) != tuple(self.policies):
            self.tell()
        await self.cycle.run_once(self.policies)
        if wait:
            await self.calls_end()
        return self.store.decisions[before:]

    async def decision(self) -> Decision:
        """The record of a cycle over one target."""
        (only,) = await self.evaluate()
        return only

    async def calls_end(self) -> None:
        """Every call under way has its answer."""
        while self.cycle.acting:
            await asyncio.gather(*self.cycle.acting, return_exceptions=True)

    async def look(self, times: int = 1, *, every: timedelta = BEAT) -> None:
        """The reconciler's beat, so many times."""
        for _ in range(times):
            await self.reconciler.run_once()
            self.clock.pass_time(every)

    def minutes(self, count: float = 1) -> None:
        """That many minutes pass."""
        self.clock.pass_time(count * MINUTE)

    @property
    def operation(self) -> Operation:
        """The only operation of ours in the store."""
        (only,) = self.ours
        return only

    def state(self) -> State:
        """Where the only operation of ours stands now."""
        return self.operation.state

    @property
    def ours(self) -> list[Operation]:
        """Operations that we began, oldest first."""
        return [op for op in self.store.stored.values() if not op.foreign]

    @property
    def foreign(self) -> list[Operation]:
        """Operations that somebody else carried out."""
        return [op for op in self.store.stored.values() if op.foreign]

    async def hot(self) -> Operation:
        """Load is high, and the cycle acts on it."""
        self.metrics.stand_at(90)
        await self.evaluate()
        return self.ours[-1]

    async def unknown(self) -> Operation:
        """An operation whose answer was lost before it was carried out."""
        self.cloud.answers.append(Ambiguous("read time-out"))
        op = await self.hot()
        assert op.state is State.UNKNOWN
        return op

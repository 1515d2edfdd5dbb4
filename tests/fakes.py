"""One fake for each port, kept honest by the suite that the real adapter passes."""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from autoscaler.core.by_hand import ByHand, Intervention, Kind
from autoscaler.core.checks import DataNode, Job, Offer
from autoscaler.core.decision import Decision
from autoscaler.core.fleet import Use
from autoscaler.core.history import Standing
from autoscaler.core.letter import Letter
from autoscaler.core.letter import State as LetterState
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Fleet, Policy
from autoscaler.core.target import InstanceKey, Node, Scope, Snapshot, Target
from autoscaler.errors import Ambiguous, CloudError, NotFound, NotLeader, StoreError
from autoscaler.ports import (
    NOBODY,
    Accepted,
    Backlog,
    BeforeSend,
    Correspondence,
    MetricQuery,
    OperationOpenError,
    Points,
    Reload,
    SeenNode,
)

# ---------------------------------------------------------------------------------------------------------------------
# Store and History: tests/storage/test_store_contract.py
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class MemoryDatabase:
    """What several MemoryStores may share, as several processes share one PostgreSQL."""

    stored: dict[str, Operation] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    by_hand: dict[str, Intervention] = field(default_factory=dict)
    seen: dict[tuple[InstanceKey, str], tuple[SeenNode, ...]] = field(default_factory=dict)
    letters: dict[tuple[str, str], Letter] = field(default_factory=dict)  # by webhook and id
    holder: str = ""
    fence: int = 0
    until: datetime = datetime(1, 1, 1, tzinfo=UTC)


class MemoryLease:
    """The port Lease over a shared database and its clock; `broken` is raised instead, until it is taken out again."""

    def __init__(self, database: MemoryDatabase, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._mine: tuple[str, int] | None = None
        self.broken: Exception | None = None

    @property
    def ours(self) -> bool:
        return self._held_by_us and self._database.until > self._now()

    @property
    def _held_by_us(self) -> bool:
        return self._mine == (self._database.holder, self._database.fence)

    async def claim(self, holder: str, lasts: timedelta) -> int | None:
        self._check()
        row = self._database
        if self._mine != (holder, row.fence) or not self._held_by_us:
            if row.until > self._now():
                self._mine = None
                return None
            row.holder, row.fence = holder, row.fence + 1
        row.until = self._now() + lasts
        self._mine = (holder, row.fence)
        return row.fence

    async def holder(self) -> str:
        self._check()
        return self._database.holder if self._database.until > self._now() else ""

    async def release(self) -> None:
        self._check()
        if self._held_by_us:
            self._database.until = self._now()
        self._mine = None

    def _check(self) -> None:
        if self.broken is not None:
            raise self.broken


class MemoryStore:
    """The ports Store and History in lists and dictionaries, in the order in which things were stored.

    With `now`, the database's clock, it has a lease: others may have the same `database`.
    """

    def __init__(
        self,
        database: MemoryDatabase | None = None,
        now: Callable[[], datetime] | None = None,
        correspondence: Correspondence = NOBODY,
    ) -> None:
        self.correspondence = correspondence
        self.database = database or MemoryDatabase()
        self.lease = None if now is None else MemoryLease(self.database, now)
        self.history = MemoryHistory(self)
        self._closed = False

    @property
    def stored(self) -> dict[str, Operation]:
        return self.database.stored

    @stored.setter
    def stored(self, operations: dict[str, Operation]) -> None:
        self.database.stored = operations

    @property
    def decisions(self) -> list[Decision]:
        return self.database.decisions

    @property
    def by_hand(self) -> dict[str, Intervention]:
        return self.database.by_hand

    async def commit_intent(self, operation: Operation, decision: Decision) -> None:
        self._check_may_write()
        if operation.state is not State.PLANNED or operation.foreign or operation.shadow:
            raise ValueError(f"operation {operation.id} is no intent")
        if operation.id in self.stored:
            raise StoreError(f"operation {operation.id} is there already")
        for other in self.stored.values():
            if other.open and other.instance == operation.instance:
                raise OperationOpenError(f"operation {other.id} is open")
        self.stored[operation.id] = operation
        self.decisions.append(decision)
        self._post(self.correspondence.of_intent(operation, decision))

    async def update(self, operation: Operation, *, was: Operation, beside: Sequence[Operation] = ()) -> None:
        self._check_open()
        found = self.stored.get(was.id)
        if found is None or found.state is not was.state or operation.id != was.id:
            raise StoreError(f"operation {was.id} is not {was.state}")
        self.stored[was.id] = _without_jobs_once_ended(operation)
        self._import(beside)
        self._post(self.correspondence.of_step(operation))

    async def import_operations(self, operations: Sequence[Operation]) -> None:
        self._check_may_write()
        self._import(operations)

    def _import(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            self.stored.setdefault(operation.id, _without_jobs_once_ended(operation))

    async def open_operations(self) -> tuple[Operation, ...]:
        self._check_open()
        return _oldest_first(operation for operation in self.stored.values() if operation.open)

    async def operations(self, instance: InstanceKey, *, since: datetime) -> tuple[Operation, ...]:
        self._check_open()
        last = self._last_of_each_kind()
        return _oldest_first(
            operation
            for operation in self.stored.values()
            if operation.instance == instance and (operation.open or _ended(operation) >= since or operation.id in last)
        )

    async def record(self, decisions: Sequence[Decision]) -> None:
        self._check_may_write()
        self.decisions.extend(decisions)

    async def seen_nodes(self, instance: InstanceKey, group_id: str) -> tuple[SeenNode, ...] | None:
        self._check_open()
        return self.database.seen.get((instance, group_id))

    async def save_seen_nodes(
        self, instance: InstanceKey, group_id: str, nodes: Sequence[SeenNode], *, beside: Sequence[Operation] = ()
    ) -> None:
        self._check_may_write()
        self._import(beside)
        self.database.seen[instance, group_id] = tuple(nodes)

    async def intervene(self, begun: Sequence[Intervention], *, ended: Sequence[Intervention] = ()) -> None:
        self._check_may_write()
        if any(one.id in self.by_hand for one in begun):
            raise StoreError("an id is there already")
        for one in ended:
            was = self.by_hand.get(one.id)
            if was is not None and was.ended_at is None and one.ended_at is not None:
                self.by_hand[one.id] = was.ended(one.ended_at, one.ended_by, one.ended_reason)
        self.database.by_hand |= {one.id: one for one in begun}
        self._post(self.correspondence.of_interventions(begun, ended))

    async def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        self._check_open()
        return self.history.standing(at=at)

    async def post(self, letters: Sequence[Letter]) -> None:
        self._check_open()
        self._post(letters)

    async def due_letters(self, webhook: str, *, at: datetime, longest: timedelta, limit: int) -> tuple[Letter, ...]:
        self._check_open()
        mine = sorted((one for one in self._waiting() if one.webhook == webhook), key=lambda one: one.attempts)
        return tuple(one for one in mine if one.due <= at or one.due > at + longest)[:limit]

    async def settle(self, letter: Letter) -> None:
        self._check_open()
        found = self.database.letters.get((letter.webhook, letter.id))
        if found is not None and found.state is LetterState.WAITING:
            self.database.letters[letter.webhook, letter.id] = letter

    async def backlogs(self) -> Mapping[str, Backlog]:
        self._check_open()
        waiting: dict[str, list[datetime]] = {}
        for one in self._waiting():
            waiting.setdefault(one.webhook, []).append(one.at)
        return {webhook: Backlog(len(ats), min(ats)) for webhook, ats in waiting.items()}

    def _waiting(self) -> list[Letter]:
        return [one for one in self.database.letters.values() if one.state is LetterState.WAITING]

    def _post(self, letters: Sequence[Letter]) -> None:
        for one in letters:
            self.database.letters.setdefault((one.webhook, one.id), one)

    async def prune(self, *, before: datetime) -> int:
        self._check_open()
        letters = {key: one for key, one in self.database.letters.items() if one.at >= before}
        rows = len(self.decisions) + len(self.stored) + len(self.by_hand) + len(self.database.letters) - len(letters)
        self.database.letters = letters
        resets = self.last_resets()
        self.database.by_hand = {
            one.id: one
            for one in self.by_hand.values()
            if (over := one.ended_at or one.until) is None or over >= before or one.id in resets
        }
        last = self._last_of_each_kind()
        self.database.decisions = [decision for decision in self.decisions if decision.at >= before]
        self.stored = {
            operation.id: operation
            for operation in self.stored.values()
            if operation.open or _ended(operation) >= before or operation.id in last
        }
        return rows - len(self.decisions) - len(self.stored) - len(self.by_hand)

    def close(self) -> None:
        self._closed = True

    def last_resets(self) -> set[str]:
        """The ids of the last closed breaker of each target, and of all."""
        return set({one.target: one.id for one in self.by_hand.values() if one.kind is Kind.BREAKER_RESET}.values())

    def _check_may_write(self) -> None:
        self._check_open()
        if self.lease is not None and not self.lease.ours:
            raise NotLeader("another daemon leads")

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _last_of_each_kind(self) -> set[str]:
        last: dict[tuple[object, ...], Operation] = {}
        for new in self.stored.values():
            kind = (new.instance, new.target, new.direction, new.state, new.arrived > 0)
            if kind not in last or _ended(new) >= _ended(last[kind]):
                last[kind] = new
        return {operation.id for operation in last.values()}


T = TypeVar("T")


class MemoryHistory:
    """What MemoryStore holds, as the API reads it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def decisions(
        self,
        target: str,
        *,
        before: datetime | None = None,
        since: datetime | None = None,
        limit: int = 100,
        oldest_first: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        found = [
            decision
            for decision in self._store.decisions
            if decision.target == target
            and (before is None or decision.at < before)
            and (since is None or decision.at >= since)
        ]
        ordered = sorted(found, key=lambda decision: decision.at)  # of the same time: as stored
        return tuple(decision.as_json() for decision in _either_way(ordered, oldest_first=oldest_first))[
            : max(limit, 0)
        ]

    def records(self, target: str, *, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        everything = len(self._store.decisions)
        return iter(self.decisions(target, before=until, since=since, limit=everything, oldest_first=True))

    def operations(
        self,
        target: str | None = None,
        *,
        before: datetime | None = None,
        since: datetime | None = None,
        limit: int = 100,
        oldest_first: bool = False,
    ) -> tuple[Operation, ...]:
        found = _oldest_first(
            operation
            for operation in self._store.stored.values()
            if (target is None or operation.target == target)
            and (before is None or operation.committed_at < before)
            and (since is None or operation.committed_at >= since)
        )
        return tuple(_either_way(found, oldest_first=oldest_first))[: max(limit, 0)]

    def open_operations(self) -> tuple[Operation, ...]:
        return _oldest_first(operation for operation in self._store.stored.values() if operation.open)

    def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        resets = self._store.last_resets()
        return tuple(one for one in self._store.by_hand.values() if not one.over(at) or one.id in resets)

    def interventions(self, target: str | None = None, *, limit: int = 100) -> tuple[Intervention, ...]:
        found = [one for one in self._store.by_hand.values() if target is None or one.target in (None, target)]
        return tuple(reversed(found))[: max(limit, 0)]


def _either_way(oldest_first_ones: Sequence[T], *, oldest_first: bool) -> Sequence[T]:
    return oldest_first_ones if oldest_first else oldest_first_ones[::-1]


def _without_jobs_once_ended(operation: Operation) -> Operation:
    return operation if operation.open else replace(operation, known_jobs=frozenset())


def _ended(operation: Operation) -> datetime:
    return operation.ended_at or operation.committed_at


def _oldest_first(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    return tuple(sorted(operations, key=lambda operation: operation.committed_at))


# ---------------------------------------------------------------------------------------------------------------------
# Clock
# ---------------------------------------------------------------------------------------------------------------------


class FakeClock:
    """Three hands that a test moves: the wall clock, the monotonic one, and that which counts sleep too."""

    def __init__(self, now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC), speed: float = 1.0) -> None:
        self.speed = speed
        self.wall = now
        self.seconds = 1000.0
        self.boot = 5000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def boottime(self) -> float:
        return self.boot

    async def sleep(self, seconds: float) -> None:
        self.pass_time(timedelta(seconds=seconds * self.speed))
        await asyncio.sleep(0)

    def pass_time(self, span: timedelta) -> None:
        """That much of t passes, on all three."""
        self.wall += span
        self.seconds += span.total_seconds() / self.speed
        self.boot += span.total_seconds() / self.speed


# ---------------------------------------------------------------------------------------------------------------------
# Cloud: what is true there is set by the test; what is asked of it is written down
# ---------------------------------------------------------------------------------------------------------------------

LOST = object()
"""An answer to a mutation: it is carried out, and nobody hears of it."""

HANG = object()
"""An answer to a mutation: it is carried out, and the answer never comes."""

SCOPE = Scope("eu-de", "project")


def _nothing(name: str) -> None:
    """What is done at a call unless a test says otherwise."""


@dataclass
class FakeInstance:
    """One DDM instance as it really is."""

    groups: dict[str, list[Node]]
    status: str = "RUNNING"
    prepaid: bool = False


class FakeCloud:
    """The port Cloud over a truth that a test sets.

    `answers` are those of the next mutations: an exception (nothing is carried out), LOST, HANG, an Accepted that is
    given without anything being carried out; without one a mutation is accepted. `broken` makes reads fail: call name
    or (call name, target) → error, until it is taken out again. `on_call` is told of every call before it acts.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.scope: Scope | None = SCOPE
        self.skew: timedelta | None = timedelta(0)
        self.names_nodes = False
        self.instances: dict[str, FakeInstance] = {}
        self.job_list: dict[str, Job] = {}
        self.hidden_jobs: set[str] = set()  # accepted, and not in any list yet
        self.data: tuple[DataNode, ...] = (DataNode("rds", "orders-db", "normal", "ACTIVE"),)
        self.data_cpu: dict[str, Decimal] = {}  # of its newest minute, percent; without one it is not listed
        self.on_sale = Offer("flavor", ("az1", "az2"), sold_out=False)
        self.answers: deque[object] = deque()
        self.broken: dict[object, Exception] = {}
        self.mutations: list[Operation] = []  # every mutating call that arrived, with the intent it carried
        self.accepted: dict[str, Operation] = {}  # job (or order) → what it will carry out
        self.sent = asyncio.Event()  # a mutation arrived
        self.released = asyncio.Event()  # lets calls that hang end
        self.calls: list[str] = []
        self.on_call: Callable[[str], None] = _nothing
        self._numbers = itertools.count(1)

    # What the port asks.

    async def sign_in(self, *, good_for: timedelta = timedelta(0)) -> None:
        await self._called("sign_in")

    async def describe(self, targets: Sequence[Target]) -> Mapping[str, Snapshot | CloudError]:
        await self._called("describe")
        return {target.name: self._described(target) for target in targets}

    async def jobs(self, start: datetime, end: datetime) -> tuple[Job, ...]:
        await self._called("jobs")
        return tuple(
            job
            for job in self.job_list.values()
            if job.id not in self.hidden_jobs and (job.created_at is None or start <= job.created_at <= end)
        )

    async def job(self, job_id: str) -> Job | None:
        await self._called("job")
        return self.job_list.get(job_id)

    async def data_nodes(self, target: Target) -> tuple[DataNode, ...]:
        await self._called("data_nodes")
        return self.data

    async def data_node_cpu(
        self, data_node_ids: Collection[str], start: datetime, end: datetime
    ) -> Mapping[str, Points]:
        await self._called("data_node_cpu")
        last = self.clock.now() - timedelta(minutes=1)
        return {
            one: {last: self.data_cpu[one]} if start <= last < end else {}
            for one in data_node_ids
            if one in self.data_cpu
        }

    async def offer(self, target: Target, snapshot: Snapshot) -> Offer:
        await self._called("offer")
        return self.on_sale

    async def node_zones(self, target: Target, snapshot: Snapshot) -> Mapping[str, str]:
        await self._called("node_zones")
        return {node.id: node.zone for node in self.instances[target.instance_id].groups[snapshot.group_id]}

    async def add_nodes(self, target: Target, operation: Operation, before_send: BeforeSend) -> Accepted:
        return await self._mutate("add_nodes", operation, before_send)

    async def remove_nodes(self, target: Target, operation: Operation, before_send: BeforeSend) -> Accepted:
        return await self._mutate("remove_nodes", operation, before_send)

    # What a test does to it.

    def have(self, nodes: int = 2, *, instance: str = "instance", group: str = "group") -> FakeInstance:
        """There is an instance with a group of so many nodes (n1, n2, …)."""
        made = [Node(f"n{number}", "normal", f"az{number % 2 + 1}") for number in range(1, nodes + 1)]
        self.instances[instance] = FakeInstance({group: made})
        return self.instances[instance]

    def add(self, nodes: int = 1, *, instance: str = "instance", group: str = "group", status: str = "normal") -> None:
        """That many nodes more, whoever did it."""
        self.instances[instance].groups[group] += [Node(f"x{next(self._numbers)}", status) for _ in range(nodes)]

    def remove(self, nodes: int = 1, *, instance: str = "instance", group: str = "group") -> None:
        """That many nodes fewer, whoever did it."""
        del self.instances[instance].groups[group][-nodes:]

    def serve(self, *, instance: str = "instance", group: str = "group") -> None:
        """The nodes that were being made are there."""
        nodes = self.instances[instance].groups[group]
        nodes[:] = [replace(node, status="normal") if node.status == "creating" else node for node in nodes]

    def begin_job(self, job_id: str, name: str = "EnlargeNode", status: str = "Running", **fields: Any) -> Job:
        """A job that somebody else began."""
        given: dict[str, Any] = {"instance_id": "instance", "created_at": self.clock.now(), **fields}
        self.job_list[job_id] = Job(job_id, name, status, **given)
        return self.job_list[job_id]

    def finish(self, job_id: str, status: str = "Completed", *, nodes: int | None = None, word: str = "normal") -> None:
        """The job ends; of its nodes so many came or went (all of a completed one, none of another)."""
        self.job_list[job_id] = replace(self.job_list[job_id], status=status, ended_at=self.clock.now())
        operation = self.accepted.get(job_id)
        if operation is not None:
            count = operation.change if nodes is None and status == "Completed" else nodes or 0
            self._carry_out(operation, count, word)

    def finish_all(self) -> None:
        """Every job that runs ends well."""
        for job in list(self.job_list.values()):
            if not job.finished:
                self.finish(job.id)

    def pay(self, order_id: str) -> None:
        """An order is paid and carried out."""
        self._carry_out(self.accepted[order_id], self.accepted[order_id].change, "normal")

    def nodes(self, instance: str = "instance", group: str = "group") -> int:
        """How many there are."""
        return len(self.instances[instance].groups[group])

    # How it works.

    async def _called(self, name: str) -> None:
        self.calls.append(name)
        await asyncio.sleep(0)  # as over a network: others go on meanwhile
        self.on_call(name)
        if name in self.broken:
            raise self.broken[name]

    def _described(self, target: Target) -> Snapshot | CloudError:
        broken = self.broken.get(("describe", target.name))
        if isinstance(broken, CloudError):
            return broken
        if broken is not None:
            raise broken
        found = self.instances.get(target.instance_id)
        group = target.group_id or next(iter(found.groups), "") if found else ""
        if found is None or group not in found.groups:
            return NotFound(f"{target.name}: no such instance or group", status=404)
        everyone = sum(map(len, found.groups.values()))
        return Snapshot(self.clock.now(), found.status, tuple(found.groups[group]), everyone, group, found.prepaid)

    async def _mutate(self, name: str, operation: Operation, before_send: BeforeSend) -> Accepted:
        self.calls.append(name)
        await asyncio.sleep(0)
        self.on_call(name)
        before_send()
        self.mutations.append(operation)
        self.sent.set()
        answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Accepted):
            return answer
        accepted = self._accept(operation)
        self.on_call(f"{name} accepted")
        if answer is HANG:
            await self.released.wait()
        if answer is LOST:
            raise Ambiguous("reset after the request was read")
        return accepted

    def _accept(self, operation: Operation) -> Accepted:
        number = next(self._numbers)
        if self.instances[operation.instance.instance_id].prepaid:
            self.accepted[f"order-{number}"] = operation
            return Accepted(order_id=f"order-{number}")
        name = "EnlargeNode" if operation.direction is Direction.OUT else "ReduceNode"
        self.begin_job(f"job-{number}", name, instance_id=operation.instance.instance_id)
        self.accepted[f"job-{number}"] = operation
        return Accepted(job_id=f"job-{number}")

    def _carry_out(self, operation: Operation, count: int, word: str) -> None:
        where = {"instance": operation.instance.instance_id, "group": operation.group_id}
        if operation.direction is Direction.OUT:
            self.add(count, status=word, **where)
        elif operation.removing:
            group = self.instances[where["instance"]].groups[where["group"]]
            group[:] = [node for node in group if node.id not in operation.removing[:count]]
        elif count:
            self.remove(count, **where)


# ---------------------------------------------------------------------------------------------------------------------
# MetricSource
# ---------------------------------------------------------------------------------------------------------------------


def _constant(value: Decimal | None) -> Callable[[MetricQuery, str, datetime], Decimal | None]:
    def anywhere(query: MetricQuery, node: str, time: datetime) -> Decimal | None:
        return value

    return anywhere


@dataclass
class FakeMetrics:
    """The port MetricSource: `value` tells each node's value in each minute, None for a gap; the last `lag` is missing.

    `errors`: metric name or instance id → what its queries become. `raises`: what the whole source breaks with.
    """

    clock: FakeClock
    value: Callable[[MetricQuery, str, datetime], Decimal | None] = field(
        default_factory=lambda: _constant(Decimal(50))
    )
    lag: timedelta = timedelta(0)
    errors: dict[str, CloudError] = field(default_factory=dict)
    raises: Exception | None = None
    asked: list[tuple[tuple[MetricQuery, ...], datetime, datetime]] = field(default_factory=list)

    def stand_at(self, value: float | str | None) -> None:
        """Every node has this value from now on (and had it ever)."""
        self.value = _constant(None if value is None else Decimal(str(value)))

    async def fetch(
        self, queries: Sequence[MetricQuery], start: datetime, end: datetime
    ) -> Mapping[MetricQuery, Mapping[str, Points] | CloudError]:
        self.asked.append((tuple(queries), start, end))
        if self.raises is not None:
            raise self.raises
        return {query: self._answer(query, start, end) for query in queries}

    def _answer(self, query: MetricQuery, start: datetime, end: datetime) -> Mapping[str, Points] | CloudError:
        error = self.errors.get(query.name) or self.errors.get(query.instance_id)
        return error or {node: self._points(query, node, start, end) for node in query.node_ids}

    def _points(self, query: MetricQuery, node: str, start: datetime, end: datetime) -> Points:
        last = min(end, self.clock.now() - self.lag)
        count = max(0, int((last - start) / query.period))
        times = [start + place * query.period for place in range(count)]
        found = {time: self.value(query, node, time) for time in times}
        return {time: value for time, value in found.items() if value is not None}


# ---------------------------------------------------------------------------------------------------------------------
# Monitor
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class RecordingMonitor:
    """The port Monitor: everything it was told, in order."""

    cycles: list[dict[str, Any]] = field(default_factory=list)
    seen: list[tuple[str, Snapshot | None]] = field(default_factory=list)
    held: dict[str, ByHand] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    failures: list[tuple[str, Exception]] = field(default_factory=list)
    operations: list[tuple[Operation, bool]] = field(default_factory=list)
    events: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    reloads: list[Reload] = field(default_factory=list)
    fleets: list[tuple[Fleet, Use]] = field(default_factory=list)
    standing: dict[str, Mapping[Direction, Standing]] = field(default_factory=dict)
    led: list[bool] = field(default_factory=list)
    deliveries: list[tuple[str, str, bool]] = field(default_factory=list)  # webhook, code, given up
    waiting: Mapping[str, Backlog | None] = field(default_factory=dict)

    def cycle(self, *, interval: timedelta, seconds: float, lateness: float, targets: int, errors: int) -> None:
        self.cycles.append(
            {"interval": interval, "seconds": seconds, "lateness": lateness, "targets": targets, "errors": errors}
        )

    def observed(self, policy: Policy, snapshot: Snapshot | None, now: datetime) -> None:
        self.seen.append((policy.name, snapshot))

    def by_hand(self, target: str, held: ByHand) -> None:
        self.held[target] = held

    def decided(self, policy: Policy, decision: Decision, cooldowns: Mapping[Direction, timedelta]) -> None:
        self.decisions.append(decision)

    def breakers(self, target: str, standing: Mapping[Direction, Standing]) -> None:
        self.standing[target] = standing

    def fleet(self, fleet: Fleet, use: Use) -> None:
        self.fleets.append((fleet, use))

    def failed(self, target: str, error: Exception) -> None:
        self.failures.append((target, error))

    def operation(self, operation: Operation, *, overdue: bool = False) -> None:
        self.operations.append((operation, overdue))

    def call(self, service: str, name: str, code: str, seconds: float) -> None:
        pass

    def skew(self, seconds: float) -> None:
        pass

    def targets(self, policies: Sequence[Policy]) -> None:
        pass

    def reloaded(self, reload: Reload) -> None:
        self.reloads.append(reload)

    def leads(self, *, leader: bool) -> None:
        self.led.append(leader)

    def delivery(self, webhook: str, code: str, seconds: float, *, given_up: bool) -> None:
        self.deliveries.append((webhook, code, given_up))

    def backlogs(self, backlogs: Mapping[str, Backlog | None]) -> None:
        self.waiting = dict(backlogs)

    def event(self, level: str, message: str, **fields: object) -> None:
        self.events.append((level, message, fields))

    def said(self, part: str) -> int:
        """How many events had this in their message."""
        return sum(part in message for _, message, _ in self.events)

"""A model of the whole protocol, small enough to visit every state: daemon, wire and cloud, and every order of events.

The daemon's part is the code itself: the table of legal steps, and what a reading tells (`core/outcome.py`), over real
operations, jobs and snapshots. The rest is written here, as adversarial as the cloud's documentation lets it be:

- a call that was written may be lost, refused, or accepted, until CALL_SECONDS after its `send_before`, and its answer
  may be anything but a false one;
- a job, and what it does, shows late, but within the time in which an operation must be quiet; once ended, the list may
  forget it; a status may lag;
- the process may die and begin again between any two events; somebody else may begin a job whenever the cloud is idle.

Time is an age: 0, the call may be begun; 1, it may still arrive, or its job show; 2, neither.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from autoscaler.core import operation, outcome
from autoscaler.core.checks import Job
from autoscaler.core.decision import Reason
from autoscaler.core.operation import Operation, State
from autoscaler.core.outcome import Told
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey, Node, Snapshot

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = InstanceKey("region", "project", "instance")
LAST_AGE = 2
ENOUGH = 2
"""Quiet readings that end an operation: between the first and this one lies the settle time."""


class Ours(NamedTuple):
    """One intent: what the store holds of it, and what truly became of its call."""

    state: State
    known: frozenset[int]  # jobs listed when the intent was made
    there: frozenset[int]  # nodes that there were
    age: int = 0
    job: int | None = None  # as the store has it
    waits: bool = True  # somebody in this process waits for the answer
    wrote: int = 0  # how often its call was begun
    call: str = "none"  # none, flying, lost, refused, accepted
    truly: int | None = None  # the job that its call began
    quiet: int = 0  # readings in a row, in this process


class Theirs(NamedTuple):
    """One job of the cloud; its node has its number."""

    ours: int | None  # the intent that began it; None: somebody else
    status: str = "Running"
    shown: bool = False
    forgotten: bool = False
    fresh: bool = False  # accepted after an operation began to be quiet: it need not show before that ends


class World(NamedTuple):
    """One state of everything."""

    alive: bool = True
    ours: tuple[Ours, ...] = ()
    jobs: tuple[Theirs, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What the daemon goes by: the code's own, or a broken copy."""

    steps: Mapping[State, Collection[State]] = field(default_factory=lambda: operation.LEGAL_STEPS)
    quiet_means: Mapping[State, State] = field(default_factory=lambda: outcome.QUIET_MEANS)
    counts_from: int = LAST_AGE  # the age from which quiet readings count
    new_job: Callable[[Operation, Iterable[Job], Collection[str | None]], Job | None] = outcome.new_job
    waits_for_calls: bool = True  # a call without a clear answer may arrive after its operation was closed
    intents: int = 2
    strangers: int = 1

    @property
    def open(self) -> frozenset[State]:
        return frozenset(state for state, steps in self.steps.items() if steps)


class BrokenPromiseError(AssertionError):
    """What must never be, is."""


def explore(rules: Rules) -> int:
    """Visit every state that can be reached; how many there are.

    Raises:
        BrokenPromiseError: with the shortest way there.
    """
    begin = World()
    came: dict[World, tuple[World, str] | None] = {begin: None}
    edge = [begin]
    while edge:
        further = []
        for world in edge:
            for name, there in _events(world, rules):
                if there not in came:
                    came[there] = (world, name)
                    wrong = _broken(there)
                    if wrong:
                        raise BrokenPromiseError(f"{wrong}: {' > '.join(_way(came, there))}")
                    further.append(there)
        edge = further
    return len(came)


def _way(came: Mapping[World, tuple[World, str] | None], world: World) -> list[str]:
    way: list[str] = []
    step = came[world]
    while step is not None:
        way.insert(0, step[1])
        step = came[step[0]]
    return way


# What must hold


def _broken(world: World) -> str:
    for number, op in enumerate(world.ours, start=1):
        if op.wrote > 1:
            return f"intent {number} was sent twice"
        truly = None if op.truly is None else world.jobs[op.truly]
        harmless = truly is not None and truly.status == "Failed"  # forgotten since, it left nothing to be seen
        told_as_nothing = op.state in (State.REJECTED, State.NEVER_HAPPENED)
        if told_as_nothing and op.call in ("flying", "accepted") and not harmless:
            return f"intent {number} is told as {op.state}, and its call is {op.call}"
        strangers = any(job.ours is None for job in world.jobs)
        if truly is not None and op.state is State.FAILED and truly.status != "Failed" and not strangers:
            return f"intent {number} is told as failed, and its job is {truly.status}"
        if op.state is State.SUCCEEDED and not any(job.status == "Completed" for job in world.jobs):
            return f"intent {number} is told as succeeded, and nothing was"
    flying = [op for op in world.ours if op.call == "flying"]
    running = [job for job in world.jobs if job.ours is not None and job.status == "Running"]
    if len(flying) + len(running) > 1:
        return "two of ours are under way"
    if len([op for op in world.ours if op.state in operation.OPEN_STATES]) > 1:
        return "two operations are open"
    return ""


# What may happen


def _events(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _of_the_process(world)
    yield from _of_the_cloud(world, rules)
    for index, op in enumerate(world.ours):
        yield from _of_the_wire(world, index, op)
        if world.alive:
            for name, changed in _of_the_daemon(world, index, op, rules):
                yield name, _with(world, index, changed)
        if op.age < LAST_AGE and not (op.age == LAST_AGE - 1 and _still_hidden(world, op)):
            yield f"time passes for {index + 1}", _with(world, index, op._replace(age=op.age + 1))
    if world.alive:
        yield from _commit(world, rules)


def _still_hidden(world: World, op: Ours) -> bool:
    return op.call == "flying" or (op.truly is not None and not world.jobs[op.truly].shown)


def _of_the_process(world: World) -> Iterator[tuple[str, World]]:
    if world.alive:
        forgotten = tuple(op._replace(waits=False, quiet=0) for op in world.ours)
        yield "the process dies", world._replace(alive=False, ours=forgotten, jobs=_stale(world.jobs))
    else:
        yield "it begins again", world._replace(alive=True)


def _commit(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """The pre-flight: no operation open, no call that may still arrive, the instance RUNNING, no unfinished job."""
    snapshot = _snapshot(world)
    unfinished = any(job.shown and job.status == "Running" for job in world.jobs)
    held = any(op.state in rules.open or _may_arrive(op, rules) for op in world.ours)
    if len(world.ours) < rules.intents and not unfinished and not held and outcome.at_rest(snapshot):
        known = frozenset(_listed(world))
        there = frozenset(_number(node) for node in snapshot.node_ids)
        yield "an intent is committed", world._replace(ours=(*world.ours, Ours(State.PLANNED, known, there)))


def _may_arrive(op: Ours, rules: Rules) -> bool:
    return rules.waits_for_calls and op.state is not State.REJECTED and op.age < LAST_AGE


def _of_the_wire(world: World, index: int, op: Ours) -> Iterator[tuple[str, World]]:
    number = index + 1
    if op.call == "flying":
        yield f"call {number} is lost", _with(world, index, op._replace(call="lost"))
        yield f"call {number} is refused", _with(world, index, op._replace(call="refused"))
        if not any(job.status == "Running" for job in world.jobs):
            fresh = any(one.quiet for one in world.ours)
            accepted = op._replace(call="accepted", truly=len(world.jobs))
            there = _with(world, index, accepted)
            yield f"call {number} is accepted", there._replace(jobs=(*world.jobs, Theirs(index, fresh=fresh)))


def _of_the_cloud(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    idle = not any(job.status == "Running" for job in world.jobs)
    if idle and sum(job.ours is None for job in world.jobs) < rules.strangers:
        fresh = any(one.quiet for one in world.ours)
        yield "somebody else begins a job", world._replace(jobs=(*world.jobs, Theirs(None, fresh=fresh)))
    for index, job in enumerate(world.jobs):
        changes = {
            "shows": not job.shown and {"shown": True},
            "completes": job.status == "Running" and {"status": "Completed", "shown": True},
            "fails": job.status == "Running" and {"status": "Failed", "shown": True},
            "is forgotten": job.status != "Running" and not job.forgotten and {"forgotten": True},
        }
        for name, change in changes.items():
            if change:
                changed = job._replace(**change)
                yield f"job {index} {name}", world._replace(jobs=_put(world.jobs, index, changed))


def _of_the_daemon(world: World, index: int, op: Ours, rules: Rules) -> Iterator[tuple[str, Ours]]:
    number = index + 1
    if op.state is State.PLANNED and op.waits and op.call == "none":
        if op.age == 0:
            yield f"call {number} is begun", op._replace(call="flying", wrote=op.wrote + 1)
        else:
            yield f"call {number} is too late", _step(op, State.REJECTED, rules, waits=False)
    elif op.state is State.PLANNED and op.waits:
        yield from _answers(number, op, rules)
    elif op.state in rules.open and not op.waits:
        yield from _readings(world, number, op, rules)


def _answers(number: int, op: Ours, rules: Rules) -> Iterator[tuple[str, Ours]]:
    """No answer is always possible."""
    yield f"{number} gets no clear answer", _step(op, State.UNKNOWN, rules, waits=False)
    if op.call == "accepted":
        yield f"{number} is told its job", _step(op, State.SUBMITTED, rules, waits=False, job=op.truly)
    if op.call == "refused":
        yield f"{number} is told that it was refused", _step(op, State.REJECTED, rules, waits=False)


def _readings(world: World, number: int, op: Ours, rules: Rules) -> Iterator[tuple[str, Ours]]:
    if op.state is State.PLANNED:
        yield f"{number} is found planned", _step(op, State.UNKNOWN, rules)
        return
    if State.PLANNED in rules.steps[op.state]:
        yield f"{number} is sent again", _step(op, State.PLANNED, rules, waits=True, call="none", age=0)
    real, snapshot = operation_of(op), _snapshot(world)
    if op.state is State.SUBMITTED:
        listed = _listed(world, also_running=True)
        told = outcome.followed(real, None if op.job is None else listed.get(op.job), snapshot)
    else:
        taken = {f"job {one.job}" for one in world.ours if one.job is not None}
        found = rules.new_job(real, _listed(world).values(), taken)
        if found is not None:
            yield f"{number} finds {found.id}", _step(op, State.SUBMITTED, rules, job=_number(found.id), quiet=0)
            return
        told = outcome.looked(real, snapshot, may_arrive=op.age < rules.counts_from)
    yield from _conclusions(world, number, op, told, rules)


def _conclusions(world: World, number: int, op: Ours, told: Told, rules: Rules) -> Iterator[tuple[str, Ours]]:
    if told is Told.SEEN:
        yield f"{number} is seen", _step(op, State.SUCCEEDED, rules)
    elif told is Told.FAILED:
        yield f"{number} has a failed job", _step(op, State.FAILED, rules)
    elif told is Told.BUSY:
        yield f"{number} is busy", op._replace(quiet=0)
    elif op.quiet + 1 < ENOUGH:
        yield f"{number} is quiet", op._replace(quiet=op.quiet + 1)
    elif all(job.shown or job.fresh for job in world.jobs):  # what was there when it began to be quiet shows by now
        yield f"{number} was quiet for long", _step(op, rules.quiet_means[op.state], rules)


# The daemon's view, in the code's own types


def _step(op: Ours, state: State, rules: Rules, **more: Any) -> Ours:
    if state not in rules.steps[op.state]:
        raise BrokenPromiseError(f"the table has no step from {op.state} to {state}")
    return op._replace(state=state, **more)


def operation_of(op: Ours) -> Operation:
    return Operation(
        id="op",
        target="orders",
        instance=KEY,
        group_id="group",
        direction=Direction.OUT,
        change=1,
        reason=Reason.ABOVE_THRESHOLD,
        state=op.state,
        committed_at=NOW,
        send_before=NOW + timedelta(seconds=20),
        node_ids=frozenset(f"node {number}" for number in op.there),
        known_jobs=frozenset(f"job {number}" for number in op.known),
    )


def _snapshot(world: World) -> Snapshot:
    """What the instance shows: nodes of a job when it shows, its status likewise."""
    nodes = [Node("node -1", "normal")]
    growing = False
    for number, job in enumerate(world.jobs):
        if job.status == "Completed":
            nodes.append(Node(f"node {number}", "normal"))
        elif job.shown and job.status == "Running":
            nodes.append(Node(f"node {number}", "creating"))
            growing = True
    return Snapshot(NOW, "GROWING" if growing else "RUNNING", tuple(nodes), len(nodes), "group")


def _listed(world: World, *, also_running: bool = False) -> dict[int, Job]:
    """The job list: what shows and is not forgotten; a single job can be asked for before it is listed."""
    return {
        number: Job(f"job {number}", "EnlargeNode", job.status, KEY.instance_id, NOW + timedelta(minutes=number))
        for number, job in enumerate(world.jobs)
        if (job.shown or also_running) and not job.forgotten
    }


def _number(name: str) -> int:
    return int(name.rsplit(" ", 1)[1])


def _stale(jobs: tuple[Theirs, ...]) -> tuple[Theirs, ...]:
    return tuple(job._replace(fresh=False) for job in jobs)


def _with(world: World, index: int, op: Ours) -> World:
    quiet = op.quiet or any(one.quiet for number, one in enumerate(world.ours) if number != index)
    jobs = world.jobs if quiet else _stale(world.jobs)
    return world._replace(ours=_put(world.ours, index, op), jobs=jobs)


def _put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    return (*items[:index], item, *items[index + 1 :])

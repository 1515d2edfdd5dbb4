"""A model of the whole protocol, small enough to visit every state: daemon, wire and cloud, and every order of events.

The daemon's part is the code itself: the table of legal steps, and what a reading tells (`core/outcome.py`), over real
operations, jobs and snapshots. The rest is written here, as adversarial as the cloud's documentation lets it be:

- a call that was written may be lost, refused, or accepted, until CALL_SECONDS after its `send_before`, and its answer
  may be anything but a false one;
- a job, and what it does, shows late, but within the time in which an operation must be quiet; once ended, the list may
  forget it; a status may lag;
- a job may end well and bring fewer nodes than were asked for;
- the process may die and begin again between any two events; somebody else may begin a job, of either direction,
  whenever the cloud is idle;
- our wall clock may be set at any time, or the cloud's: not both in one search, for then nothing tells the time.

Time is an age: 0, the call may be begun; 1, it may still arrive; 2, its job may still be hidden; 3, neither. What the
clocks make of it is read off by the code itself.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from autoscaler.control.cycle import CALL_SHOWS
from autoscaler.control.executor import SEND_WITHIN
from autoscaler.control.reconciler import CALL_SECONDS
from autoscaler.core import operation, outcome
from autoscaler.core.checks import MAX_SKEW, Job
from autoscaler.core.decision import Reason
from autoscaler.core.history import DAY
from autoscaler.core.operation import Operation, State
from autoscaler.core.outcome import Told
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey, Node, Snapshot

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = InstanceKey("region", "project", "instance")
LAST_AGE = 3
AGES = (timedelta(0), timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4))
"""How long ago an intent of an age is."""

ENOUGH = 2
"""Quiet readings that end an operation: between the first and this one lies the settle time."""

OFF = (0, 4, -120)
"""Minutes that a clock that is set may be wrong by: too few to stop the daemon, or hours."""

OUT, IN = Direction.OUT, Direction.IN


class Ours(NamedTuple):
    """One intent: what the store holds of it, and what truly became of its call."""

    state: State
    known: frozenset[int]  # jobs listed when the intent was made
    there: frozenset[int]  # nodes that there were
    direction: Direction = OUT
    clock: int = 0  # how wrong our clock was when it was made
    theirs: int = 0  # and the cloud's
    age: int = 0
    job: int | None = None  # as the store has it
    waits: bool = True  # somebody in this process waits for the answer
    wrote: int = 0  # how often its call was begun
    call: str = "none"  # none, flying, lost, refused, accepted
    truly: int | None = None  # the job that its call began
    quiet: int = 0  # readings in a row, in this process
    quiet_clock: int = 0  # how wrong our clock was at the first of them, where that is gone by


class Theirs(NamedTuple):
    """One job of the cloud; a node that it adds has its number."""

    ours: int | None  # the intent that began it; None: somebody else
    direction: Direction = OUT
    clock: int = 0  # how wrong the cloud's clock was when it began
    status: str = "Running"
    node: int | None = None  # that came, or went; None: none
    shown: bool = False
    forgotten: bool = False
    fresh: bool = False  # accepted after an operation began to be quiet: it need not show before that ends


class World(NamedTuple):
    """One state of everything."""

    alive: bool = True
    clock: int = 0  # how wrong our clock is
    theirs: int = 0  # and the cloud's
    ours: tuple[Ours, ...] = ()
    jobs: tuple[Theirs, ...] = ()


Clocks = Callable[[Operation, datetime, timedelta | None], bool]
"""Whether something still may be, by the operation, our time, and how far the cloud's clock is from ours."""


def may_arrive(op: Operation, now: datetime, skew: timedelta | None) -> bool:
    """As the reconciler asks."""
    return outcome.may_arrive(op, now, skew, timedelta(seconds=CALL_SECONDS))


def may_show(op: Operation, now: datetime, skew: timedelta | None) -> bool:
    """As the cycle asks before an intent."""
    return outcome.elapsed(op, now, skew) < CALL_SHOWS


@dataclass(frozen=True)
class Rules:
    """What the daemon goes by: the code's own, or a broken copy; and what may happen to it."""

    steps: Mapping[State, Collection[State]] = field(default_factory=lambda: operation.LEGAL_STEPS)
    quiet_means: Mapping[State, State] = field(default_factory=lambda: outcome.QUIET_MEANS)
    may_arrive: Clocks = may_arrive  # until when quiet readings do not count
    may_show: Clocks = may_show  # until when the next intent waits
    new_job: Callable[[Operation, Iterable[Job], Collection[str | None]], Job | None] = outcome.new_job
    begins_by_wall: bool = False  # the last moment to send is told by the wall clock alone
    settles_by_wall: bool = False  # how long it has been quiet is told by the wall clock
    back: timedelta = DAY  # the list of jobs is asked from so long before the intent
    ahead: timedelta = DAY  # to so long after now
    directions: tuple[Direction, ...] = (OUT, OUT)  # of the intents
    strangers: tuple[Direction, ...] = (OUT,)  # of somebody else's job
    clocks: tuple[int, ...] = (0,)  # how wrong our clock may be
    their_clocks: tuple[int, ...] = (0,)  # and the cloud's
    sets_again: bool = True  # our clock is set more than once

    @cached_property
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
    one: dict[Any, Any] = {}  # of equal parts one is kept: a million states fit
    edge = [begin]
    while edge:
        further = []
        for world in edge:
            for name, there in _events(world, rules):
                plain = _plain(there, one)
                new = plain not in came
                wrong = _wrongly_told(world, there) or (new and _broken(plain))
                if wrong:
                    raise BrokenPromiseError(f"{wrong}: {' > '.join((*_way(came, world), name))}")
                if new:
                    came[plain] = (world, sys.intern(name))
                    further.append(plain)
        edge = further
    return len(came)


def _way(came: Mapping[World, tuple[World, str] | None], world: World) -> list[str]:
    way: list[str] = []
    step = came[world]
    while step is not None:
        way.insert(0, step[1])
        step = came[step[0]]
    return way


def _plain(world: World, one: dict[Any, Any]) -> World:
    """The same without what can matter no more, so that no two states differ by that alone."""
    ours = tuple(_past(op, world.jobs) if _is_past(op) else op for op in world.ours)
    jobs = _plain_jobs(world.jobs)
    return world._replace(ours=one.setdefault(ours, ours), jobs=one.setdefault(jobs, jobs))


@lru_cache(maxsize=100_000)
def _plain_jobs(jobs: tuple[Theirs, ...]) -> tuple[Theirs, ...]:
    forgotten = Theirs(None, status="Completed", shown=True, forgotten=True)
    return tuple(
        forgotten._replace(ours=job.ours, direction=job.direction, node=job.node)
        if job.forgotten
        else job._replace(fresh=job.fresh and not job.shown)
        for job in jobs
    )


def _is_past(op: Ours) -> bool:
    return op.age == LAST_AGE and op.state not in operation.OPEN_STATES and op.call != "flying"


@lru_cache(maxsize=100_000)
def _past(op: Ours, jobs: tuple[Theirs, ...]) -> Ours:
    """Of what has ended only its job is asked for: that it is taken."""
    job = None if op.job is None or jobs[op.job].forgotten else op.job
    return Ours(State.SUCCEEDED, frozenset(), frozenset(), age=LAST_AGE, job=job, waits=False, wrote=op.wrote)


# What must hold


def _broken(world: World) -> str:
    for number, op in enumerate(world.ours, start=1):
        if op.wrote > 1:
            return f"intent {number} was sent twice"
    flying = [op for op in world.ours if op.call == "flying"]
    running = [job for job in world.jobs if job.ours is not None and job.status == "Running"]
    if len(flying) + len(running) > 1:
        return "two of ours are under way"
    if len([op for op in world.ours if op.state in operation.OPEN_STATES]) > 1:
        return "two operations are open"
    return ""


def _wrongly_told(before: World, world: World) -> str:
    """What an operation ends in, at that moment, is what truly became of its call."""
    for number, (was, op) in enumerate(zip(before.ours, world.ours, strict=False), start=1):
        wrong = op.state is not was.state and _falsehood(world, op)
        if wrong:
            return f"intent {number} is told as {op.state}, and {wrong}"
    return ""


def _falsehood(world: World, op: Ours) -> str:
    truly = None if op.truly is None else world.jobs[op.truly]
    if op.state in (State.REJECTED, State.NEVER_HAPPENED):
        return _not_nothing(world, op, truly)
    strangers = [job for job in world.jobs if job.ours is None]  # one of theirs may have been taken for ours
    if op.state is State.SUCCEEDED and not any(_brought(job, op.direction) for job in (truly, *strangers)):
        return "nothing was"
    if op.state is not State.FAILED:
        return ""
    told = None if op.job is None else world.jobs[op.job]
    if told is None:
        return "it has no job"
    return f"its job is {told.status}" if not strangers and (told is not truly or _brought(told, op.direction)) else ""


def _not_nothing(world: World, op: Ours, truly: Theirs | None) -> str:
    """Why a call may not be told as nothing. A job that is forgotten, and nodes as before, leave nothing to be seen."""
    if truly is None:
        return "its call is flying" if op.call == "flying" else ""
    if truly.status == "Running" or (truly.node is not None and _nodes(world.jobs) != op.there):
        return "its call is accepted"
    return "" if truly.forgotten else "its job is there to be seen"


def _brought(job: Theirs | None, direction: Direction) -> bool:
    return job is not None and job.direction is direction and job.node is not None


# What may happen


def _events(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    yield from _of_the_process(world)
    yield from _of_the_clocks(world, rules)
    yield from _of_the_cloud(world, rules)
    for index, op in enumerate(world.ours):
        yield from _of_the_wire(world, index, op)
        if world.alive:
            for name, changed in _of_the_daemon(world, index, op, rules):
                yield name, _with(world, index, changed)
        if op.age < LAST_AGE and not _keeps_time(world, op):
            yield f"time passes for {index + 1}", _with(world, index, op._replace(age=op.age + 1))
    if world.alive:
        yield from _commit(world, rules)


def _keeps_time(world: World, op: Ours) -> bool:
    """Whether something must happen before it is older: a call arrives, a job shows."""
    if op.call == "flying":
        return op.age == LAST_AGE - 2
    return op.age == LAST_AGE - 1 and op.truly is not None and not world.jobs[op.truly].shown


def _of_the_process(world: World) -> Iterator[tuple[str, World]]:
    if world.alive:
        forgotten = tuple(op._replace(waits=False, quiet=0, quiet_clock=0) for op in world.ours)
        yield "the process dies", world._replace(alive=False, ours=forgotten, jobs=_stale(world.jobs))
    else:
        yield "it begins again", world._replace(alive=True)


def _of_the_clocks(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    for off in rules.clocks:
        if off != world.clock and (rules.sets_again or not world.clock):
            yield f"our clock is set to be {off} min off", world._replace(clock=off)
    for off in rules.their_clocks:
        if off != world.theirs:
            yield f"the cloud's clock is set to be {off} min off", world._replace(theirs=off)


def _commit(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """The pre-flight: no operation open, no call that may still arrive, clocks that agree, the instance RUNNING, no
    unfinished job.
    """
    if len(world.ours) == len(rules.directions):
        return
    snapshot = _snapshot(world.jobs)
    unfinished = any(job.shown and job.status == "Running" for job in world.jobs)
    held = any(op.state in rules.open or _is_waited_for(world, op, rules) for op in world.ours)
    agree = abs(_skew(world)) <= MAX_SKEW
    if agree and not unfinished and not held and outcome.at_rest(snapshot):
        known = frozenset(_listed(world))
        there = frozenset(_number(node) for node in snapshot.node_ids)
        direction = rules.directions[len(world.ours)]
        intent = Ours(State.PLANNED, known, there, direction, clock=world.clock, theirs=world.theirs)
        yield "an intent is committed", world._replace(ours=(*world.ours, intent))


def _is_waited_for(world: World, op: Ours, rules: Rules) -> bool:
    return op.state is not State.REJECTED and rules.may_show(operation_of(op), _now(world, op), _skew(world))


def _of_the_wire(world: World, index: int, op: Ours) -> Iterator[tuple[str, World]]:
    number = index + 1
    if op.call == "flying":
        yield f"call {number} is lost", _with(world, index, op._replace(call="lost"))
        yield f"call {number} is refused", _with(world, index, op._replace(call="refused"))
        if not any(job.status == "Running" for job in world.jobs):
            fresh = any(one.quiet for one in world.ours)
            accepted = op._replace(call="accepted", truly=len(world.jobs))
            job = Theirs(index, op.direction, world.theirs, fresh=fresh)
            yield (
                f"call {number} is accepted",
                _with(world, index, accepted)._replace(jobs=(*world.jobs, job)),
            )


def _of_the_cloud(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    idle = not any(job.status == "Running" for job in world.jobs)
    if idle and not any(job.ours is None for job in world.jobs):
        fresh = any(one.quiet for one in world.ours)
        for direction in rules.strangers:
            job = Theirs(None, direction, world.theirs, fresh=fresh)
            yield f"somebody else begins a job ({direction})", world._replace(jobs=(*world.jobs, job))
    for index, job in enumerate(world.jobs):
        for name, change in _of_a_job(world, index, job):
            yield f"job {index} {name}", world._replace(jobs=_put(world.jobs, index, job._replace(**change)))


def _of_a_job(world: World, index: int, job: Theirs) -> Iterator[tuple[str, dict[str, Any]]]:
    if not job.shown:
        yield "shows", {"shown": True}
    if job.status == "Running":
        nodes = _nodes(world.jobs)
        for node in {index} if job.direction is OUT else {min(nodes), max(nodes)}:
            yield f"completes with node {node}", {"status": "Completed", "shown": True, "node": node}
        yield "completes, but with fewer nodes", {"status": "Completed", "shown": True}
        yield "fails", {"status": "Failed", "shown": True}
    elif not job.forgotten:
        yield "is forgotten", {"forgotten": True}


def _of_the_daemon(world: World, index: int, op: Ours, rules: Rules) -> Iterator[tuple[str, Ours]]:
    number = index + 1
    if op.state is State.PLANNED and op.waits and op.call == "none":
        if op.age == 0 or (rules.begins_by_wall and world.clock < op.clock):
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
    real, snapshot = operation_of(op), _snapshot(world.jobs)
    if op.state is State.SUBMITTED:
        job = None if op.job is None or world.jobs[op.job].forgotten else _job(world, op.job)
        told = outcome.followed(real, job, snapshot)
    else:
        taken = {f"job {one.job}" for one in world.ours if one.job is not None}
        listed = [job for number, job in _listed(world).items() if _in_the_window(world, op, number, rules)]
        found = rules.new_job(real, listed, taken)
        if found is not None:
            there = _step(op, State.SUBMITTED, rules, job=_number(found.id), quiet=0, quiet_clock=0)
            yield f"{number} finds {found.id}", there
            return
        told = outcome.looked(real, snapshot, may_arrive=rules.may_arrive(real, _now(world, op), _skew(world)))
    yield from _conclusions(world, number, op, told, rules)


def _conclusions(world: World, number: int, op: Ours, told: Told, rules: Rules) -> Iterator[tuple[str, Ours]]:
    if told is Told.SEEN:
        yield f"{number} is seen", _step(op, State.SUCCEEDED, rules)
    elif told is Told.FAILED:
        yield f"{number} has a failed job", _step(op, State.FAILED, rules)
    elif told is Told.BUSY:
        yield f"{number} is busy", op._replace(quiet=0, quiet_clock=0)
    elif op.quiet + 1 < ENOUGH:
        clock = world.clock if rules.settles_by_wall else 0
        yield f"{number} is quiet", op._replace(quiet=op.quiet + 1, quiet_clock=clock)
    elif _was_quiet_for_long(world, op, rules):
        yield f"{number} was quiet for long", _step(op, rules.quiet_means[op.state], rules)


def _was_quiet_for_long(world: World, op: Ours, rules: Rules) -> bool:
    """What was there when it began to be quiet shows by then, unless only the clock says how long it was."""
    shows = all(job.shown or job.fresh for job in world.jobs)
    return shows or (rules.settles_by_wall and world.clock > op.quiet_clock)


# The daemon's view, in the code's own types


def _step(op: Ours, state: State, rules: Rules, **more: Any) -> Ours:
    if state not in rules.steps[op.state]:
        raise BrokenPromiseError(f"the table has no step from {op.state} to {state}")
    return op._replace(state=state, **more)


@lru_cache(maxsize=100_000)
def operation_of(op: Ours) -> Operation:
    committed_at = NOW + timedelta(minutes=op.clock)
    return Operation(
        id="op",
        target="orders",
        instance=KEY,
        group_id="group",
        direction=op.direction,
        change=1,
        reason=Reason.ABOVE_THRESHOLD,
        state=op.state,
        committed_at=committed_at,
        send_before=committed_at + timedelta(seconds=SEND_WITHIN),
        node_ids=frozenset(f"node {number}" for number in op.there),
        known_jobs=frozenset(f"job {number}" for number in op.known),
        skew_seconds=60.0 * (op.theirs - op.clock),
    )


def _now(world: World, op: Ours) -> datetime:
    """What our clock shows, that long after the intent; the intent's true time is NOW."""
    return NOW + AGES[op.age] + timedelta(minutes=world.clock)


def _skew(world: World) -> timedelta:
    return timedelta(minutes=world.theirs - world.clock)


def _nodes(jobs: tuple[Theirs, ...]) -> set[int]:
    """What serves: there are two at first."""
    came = {job.node for job in jobs if job.direction is OUT}
    gone = {job.node for job in jobs if job.direction is IN}
    return {-2, -1, *(node for node in came if node is not None)} - gone


@lru_cache(maxsize=100_000)
def _snapshot(jobs: tuple[Theirs, ...]) -> Snapshot:
    """What the instance shows: nodes of a job when it shows, its status likewise."""
    nodes = [Node(f"node {number}", "normal") for number in sorted(_nodes(jobs))]
    status = "RUNNING"
    for number, job in enumerate(jobs):
        if job.shown and job.status == "Running":
            status = "GROWING" if job.direction is OUT else "REDUCING"
            if job.direction is OUT:
                nodes.append(Node(f"node {number}", "creating"))
    return Snapshot(NOW, status, tuple(nodes), len(nodes), "group")


def _listed(world: World) -> dict[int, Job]:
    """The job list: what shows and is not forgotten; a single job can be asked for before it is listed."""
    return {number: _job(world, number) for number, job in enumerate(world.jobs) if job.shown and not job.forgotten}


def _job(world: World, number: int) -> Job:
    job = world.jobs[number]
    name = "EnlargeNode" if job.direction is OUT else "ReduceNode"
    return Job(f"job {number}", name, job.status, KEY.instance_id, _began(job) + timedelta(seconds=number))


def _began(job: Theirs) -> datetime:
    """By the cloud's clock; what lies between intent and job is nothing beside what clocks are off by."""
    return NOW + timedelta(minutes=job.clock)


def _in_the_window(world: World, op: Ours, number: int, rules: Rules) -> bool:
    """Whether the list is asked for the time at which a job began."""
    intent, now = NOW + timedelta(minutes=op.clock), NOW + timedelta(minutes=world.clock)
    return intent - rules.back <= _began(world.jobs[number]) <= now + rules.ahead


def _number(name: str) -> int:
    return int(name.rsplit(" ", 1)[1])


def _stale(jobs: tuple[Theirs, ...]) -> tuple[Theirs, ...]:
    return tuple(job._replace(fresh=False) if job.fresh else job for job in jobs)


def _with(world: World, index: int, op: Ours) -> World:
    quiet = op.quiet or any(one.quiet for number, one in enumerate(world.ours) if number != index)
    jobs = world.jobs if quiet else _stale(world.jobs)
    return world._replace(ours=_put(world.ours, index, op), jobs=jobs)


def _put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    return (*items[:index], item, *items[index + 1 :])

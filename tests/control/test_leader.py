"""Several daemons on one store: one leads, the others look on; nobody acts twice, whoever is killed or stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from autoscaler.control.leader import EVERY, LASTS, MARGIN, Leadership
from autoscaler.core.decision import Reason
from autoscaler.core.operation import OPEN_STATES, State
from autoscaler.errors import Ambiguous, NotLeader, StoreError
from autoscaler.ports import ChangeRefusedError, Cloud, Store
from tests.control.house import House, orders
from tests.fakes import (
    LOST,
    FakeClock,
    FakeCloud,
    FakeMetrics,
    MemoryDatabase,
    MemoryLease,
    MemoryStore,
    RecordingMonitor,
)

SURE = LASTS.total_seconds() - MARGIN


class Pair:
    """Two daemons on one database, under one cloud."""

    def __init__(self, **more: Any) -> None:
        self.clock = FakeClock()
        self.database = MemoryDatabase()
        self.first = self._house("first", **more)
        self.second = self._house("second", **more)
        self.second.cloud, self.second.metrics = self.first.cloud, self.first.metrics
        self.second.start()

    def _house(self, name: str, **more: Any) -> House:
        store = MemoryStore(self.database, self.clock.now)
        return House(clock=self.clock, store=store, name=name, **more)

    @property
    def cloud(self) -> FakeCloud:
        return self.first.cloud

    @property
    def metrics(self) -> FakeMetrics:
        return self.first.metrics

    async def claims(self) -> None:
        for house in (self.first, self.second):
            await house.leadership.claim()

    def passes(self, seconds: float) -> None:
        self.clock.pass_time(timedelta(seconds=seconds))


class Stops:
    """At one of the points where it waits, the process stands still while something else happens."""

    def __init__(self, at: int | None, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self.at = at
        self.passed = 0
        self._meanwhile = meanwhile

    async def __call__(self) -> None:
        self.passed += 1
        if self.passed - 1 == self.at:
            await self._meanwhile()


class Stoppable:
    """A port before and after whose every call the process may be stopped."""

    def __init__(self, real: Any, stops: Stops) -> None:
        self._real = real
        self._stops = stops

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*given: Any, **more: Any) -> Any:
            await self._stops()
            answer = await found(*given, **more)
            await self._stops()
            return answer

        return call


def lease(clock: FakeClock, database: MemoryDatabase | None = None) -> MemoryLease:
    return MemoryLease(database or MemoryDatabase(), clock.now)


def leads(leadership: Leadership) -> bool:
    """Asked of a function, mypy does not believe that the answer stays the same."""
    return leadership.leads


def led(house: House) -> bool:
    return house.leadership.leads


async def test_without_a_lease_this_process_always_leads():
    clock, monitor = FakeClock(), RecordingMonitor()
    alone = Leadership(None, clock=clock, monitor=monitor)
    assert (alone.leads, alone.led_by, alone.shared) == (True, None, False)
    async with alone.kept():
        clock.pass_time(timedelta(days=400))
    assert (alone.leads, monitor.led) == (True, [True])


async def test_a_claim_is_good_until_a_margin_before_its_end():
    clock = FakeClock()
    ours = Leadership(lease(clock), clock=clock, monitor=RecordingMonitor())
    assert not leads(ours)
    await ours.claim()
    clock.pass_time(timedelta(seconds=SURE - 0.1))
    assert leads(ours)
    clock.pass_time(timedelta(seconds=0.1))
    assert not leads(ours)


async def test_it_counts_from_before_the_question():
    """A process that was stopped between its claim and the answer must not think that it has all the time left."""
    clock = FakeClock()

    class Slow(MemoryLease):
        async def claim(self, holder: str, lasts: timedelta) -> int | None:
            fence = await super().claim(holder, lasts)
            clock.pass_time(timedelta(seconds=SURE))
            return fence

    ours = Leadership(Slow(MemoryDatabase(), clock.now), clock=clock, monitor=RecordingMonitor())
    await ours.claim()
    assert not leads(ours)


async def test_time_in_which_the_machine_sleeps_counts():
    clock = FakeClock()
    ours = Leadership(lease(clock), clock=clock, monitor=RecordingMonitor())
    await ours.claim()
    clock.boot += SURE  # the monotonic clock stood still
    assert not leads(ours)


@pytest.mark.parametrize(
    "error", [StoreError("the database is gone"), OSError("too many open files"), RuntimeError("no thread")], ids=repr
)
async def test_a_store_that_does_not_answer_ends_nothing_before_its_time_and_is_told_once(error):
    clock, monitor = FakeClock(), RecordingMonitor()
    kept = lease(clock)
    ours = Leadership(kept, clock=clock, monitor=monitor)
    await ours.claim()
    kept.broken = error
    for _ in range(3):
        clock.pass_time(timedelta(seconds=EVERY))
        await ours.claim()
    assert leads(ours)
    clock.pass_time(timedelta(seconds=SURE))
    await ours.claim()
    assert not leads(ours)
    assert monitor.said("could not be claimed") == 1
    kept.broken = None
    await ours.claim()
    assert leads(ours)
    assert monitor.led == [True, False, True]


async def test_the_standby_knows_who_leads_and_takes_over_once_the_lease_has_run_out():
    pair = Pair()
    await pair.claims()
    assert (led(pair.first), led(pair.second), pair.second.leadership.led_by) == (True, False, "first")
    waited = 0.0
    while not led(pair.second):
        pair.passes(EVERY)
        waited += EVERY
        await pair.second.leadership.claim()
    assert waited <= 30
    await pair.first.leadership.claim()
    assert (led(pair.first), pair.first.leadership.led_by) == (False, "second")


async def test_what_was_given_up_is_taken_at_once():
    pair = Pair()
    async with pair.first.leadership.kept():
        await pair.second.leadership.claim()
        assert not led(pair.second)
    assert not led(pair.first)
    await pair.second.leadership.claim()
    assert led(pair.second)


async def test_it_is_renewed_for_as_long_as_it_is_kept():
    pair = Pair()
    async with pair.first.leadership.kept():
        for _ in range(60):
            await asyncio.sleep(0)  # its beat moves the clock
            await pair.second.leadership.claim()
            assert not led(pair.second)
        assert led(pair.first)


async def test_i11_who_stands_by_decides_with_a_veto_and_writes_nothing():
    pair = Pair()
    await pair.claims()
    pair.metrics.stand_at(90)
    await pair.second.cycle.run_once(pair.second.policies)
    (decision,) = pair.second.monitor.decisions
    assert (decision.reason, decision.vetoes, decision.desired) == (Reason.NOT_LEADER, (Reason.NOT_LEADER,), 3)
    assert decision.details["not_leader"] == "first leads, this one stands by"
    assert (pair.database.stored, pair.database.decisions, pair.database.seen) == ({}, [], {})
    assert pair.cloud.mutations == []


async def test_somebody_elses_change_is_noted_by_the_leader_alone_and_once():
    pair = Pair()
    await pair.claims()
    for house in (pair.first, pair.second):
        await house.cycle.run_once(house.policies)
    pair.cloud.add()
    pair.first.minutes()
    for house in (pair.second, pair.first, pair.second):
        await pair.claims()
        await house.cycle.run_once(house.policies)
    assert [(op.change, op.foreign) for op in pair.database.stored.values()] == [(1, True)]


async def test_what_changed_before_a_take_over_is_noted_after_it():
    pair = Pair()
    await pair.claims()
    for house in (pair.first, pair.second):
        await house.cycle.run_once(house.policies)
    pair.cloud.add()
    await pair.second.cycle.run_once(pair.second.policies)  # seen, and not for it to write down
    pair.passes(LASTS.total_seconds())
    await pair.second.leadership.claim()
    await pair.second.cycle.run_once(pair.second.policies)
    assert [(op.change, op.foreign) for op in pair.database.stored.values()] == [(1, True)]


async def test_an_intent_of_who_lost_the_lease_is_a_hold():
    """Its own clock says that it leads; the store knows better."""
    pair = Pair()
    await pair.claims()
    await pair.first.evaluate()
    pair.metrics.stand_at(90)
    pair.database.holder, pair.database.fence = "second", pair.database.fence + 1
    await pair.first.cycle.run_once(pair.first.policies)
    assert pair.first.monitor.decisions[-1].reason is Reason.NOT_LEADER
    assert (led(pair.first), pair.database.stored, pair.cloud.mutations) == (False, {}, [])


async def test_the_operators_hand_is_for_the_leader():
    """It alone reads what was set last before it commits: an answer from another would promise too much."""
    pair = Pair()
    await pair.claims()
    console = pair.second.console()
    changes: dict[str, Callable[[], Awaitable[object]]] = {
        "pause": lambda: console.pause("orders", lasts=None, reason="", who="me"),
        "resume": lambda: console.resume("orders", breaker=False, override=False, who="me"),
        "override": lambda: console.override("orders", nodes=4, lasts=timedelta(hours=1), reason="", who="me"),
        "resolve": lambda: console.resolve("orders", outcome="failed", reason="", who="me"),
    }
    for change in changes.values():
        with pytest.raises(ChangeRefusedError, match="ask the one that leads: first"):
            await change()
    assert console.ready() == (True, "ready, standing by: first leads")
    assert pair.first.console().ready() == (True, "ready")
    assert (console.led_by(), pair.first.console().led_by()) == ("first", None)


class Gated(Stoppable):
    """A cloud that is not reached before the gate is open."""

    def __init__(self, real: FakeCloud) -> None:
        self.gate = asyncio.Event()
        super().__init__(real, Stops(None, self._nothing))

    async def _nothing(self) -> None:
        pass

    async def add_nodes(self, *given: Any) -> Any:
        await self.gate.wait()
        return await self._real.add_nodes(*given)


async def committed(pair: Pair) -> asyncio.Event:
    """The first daemon has an intent, and its call has not begun; what lets it go on."""
    cloud = Gated(pair.cloud)
    pair.first.start(cloud=cast("Cloud", cloud))
    await pair.claims()
    pair.metrics.stand_at(90)
    await pair.first.evaluate(wait=False)
    assert [op.state for op in pair.database.stored.values()] == [State.PLANNED]
    return cloud.gate


async def test_a_call_of_the_old_leader_is_left_to_it_while_it_may_be_answered():
    pair = Pair()
    gate = await committed(pair)
    pair.passes(LASTS.total_seconds())
    await pair.second.leadership.claim()
    await pair.second.reconciler.run_once()
    assert [op.state for op in pair.database.stored.values()] == [State.PLANNED]
    pair.passes(80)
    await pair.second.leadership.claim()
    await pair.second.reconciler.run_once()
    assert [op.state for op in pair.database.stored.values()] == [State.UNKNOWN]
    gate.set()
    await pair.first.calls_end()
    assert pair.cloud.mutations == []  # it was too late, and it knew


async def test_an_intent_whose_lease_ran_out_before_its_call_is_not_sent():
    pair = Pair()
    gate = await committed(pair)
    pair.passes(SURE)
    gate.set()
    await pair.first.calls_end()
    (operation,) = pair.database.stored.values()
    assert (operation.state, operation.detail) == (State.REJECTED, "not sent: this daemon does not lead any more")
    assert pair.cloud.mutations == []


# Stopped (as by SIGSTOP, a suspended machine, a long garbage collection) at every point, while the other goes on.


async def works(house: House, rounds: int) -> None:
    """Beats of one daemon, a minute apart; what the cloud began is done in between."""
    for _ in range(rounds):
        await house.leadership.claim()
        await house.reconciler.run_once()
        await house.cycle.run_once(house.policies)
        await house.calls_end()
        house.cloud.finish_all()
        house.minutes()


def stopped(pair: Pair, at: int | None, seconds: float) -> Stops:
    """The first daemon, to be stopped at that point for so long, while the second one works."""

    async def meanwhile() -> None:
        pair.passes(seconds)
        await works(pair.second, 3)

    stops = Stops(at, meanwhile)
    store, cloud = cast("Store", Stoppable(pair.first.store, stops)), cast("Cloud", Stoppable(pair.cloud, stops))
    pair.first.start(store=store, cloud=cloud)
    return stops


async def history(at: int | None, seconds: float, answer: object) -> tuple[Pair, int]:
    pair = Pair(policies=(orders(nodes=(2, 3)),))
    if answer is not None:
        pair.cloud.answers.append(answer)
    pair.metrics.stand_at(90)
    stops = stopped(pair, at, seconds)
    await pair.first.leadership.claim()
    await works(pair.first, 3)
    for _ in range(80):  # and then both, for as long as it takes
        leader, other = (pair.second, pair.first) if led(pair.second) else (pair.first, pair.second)
        await works(leader, 1)
        await other.cycle.run_once(other.policies)
        if pair.cloud.nodes() == 3 and not any(op.open for op in pair.database.stored.values()):
            break
    return pair, stops.passed


def wrong(pair: Pair) -> list[str]:
    sent = [op.id for op in pair.cloud.mutations]
    stored = pair.database.stored
    accepted = {op.id for op in pair.cloud.accepted.values()}
    complaints = {
        "two calls for one intent": len(sent) != len(set(sent)),
        "a call without an intent": not set(sent) <= set(stored),
        "not as many nodes as max": pair.cloud.nodes() != 3,
        "an operation still open": any(op.state in OPEN_STATES for op in stored.values()),
        "accepted, and not a success": any(stored[name].state is not State.SUCCEEDED for name in accepted),
        "our own change counted as somebody else's": any(op.foreign for op in stored.values()),
    }
    return [name for name, so in complaints.items() if so]


ANSWERS = {"accepted": None, "accepted and lost": LOST, "time-out before it was read": Ambiguous("time-out")}


@pytest.mark.parametrize("seconds", [1, SURE, 16, 60, 1500])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_i11_a_leader_stopped_at_any_point_cannot_act_after_another_took_over(answer, seconds):
    whole, points = await history(None, seconds, answer)
    assert wrong(whole) == []
    assert points > 60
    found = {}
    for at in range(0, points, 1 if points < 200 else 7):
        pair, _ = await history(at, seconds, answer)
        if complaints := wrong(pair):
            found[at] = complaints
    assert found == {}


@pytest.mark.parametrize("write", ["import_operations", "record", "save_seen_nodes", "intervene"])
async def test_who_stands_by_cannot_write(write):
    pair = Pair()
    await pair.claims()
    given: dict[str, tuple[Any, ...]] = {"save_seen_nodes": (None, "group", ())}
    with pytest.raises(NotLeader):
        await getattr(pair.second.store, write)(*given.get(write, ((),)))

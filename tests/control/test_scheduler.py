"""The scheduler: beats that begin on time, never twice at once, survive errors and clock jumps, and are drained."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autoscaler.control.scheduler import Beat, Pulse, Scheduler, by_interval
from autoscaler.core.operation import State
from autoscaler.core.target import Mode
from autoscaler.errors import StoreError, Unavailable
from tests.control.house import House, orders, target
from tests.fakes import HANG, FakeClock

DEADLINE = 20.0
"""Real seconds for what takes milliseconds on a machine that is not busy."""


class RealClock(FakeClock):
    """The machine's own time, whose monotonic hand a test can put apart; what only waits is not waited for long."""

    apart = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic() + self.apart

    def boottime(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.02))


async def until(true: Callable[[], object]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(DEADLINE):
        while not true():  # noqa: ASYNC110  # what is waited for knows no event
            await asyncio.sleep(0.005)


def busy_house(**more: Any) -> House:
    """A target that is evaluated every tenth of a second; the reconciler looks five times a second."""
    policy = orders(interval=timedelta(seconds=10), **more)
    return House(clock=RealClock(speed=100.0), policies=(policy,))


@asynccontextmanager
async def running(house: House) -> AsyncIterator[Scheduler]:
    scheduler = house.scheduler()
    scheduler.start(house.policies)
    yield scheduler
    await scheduler.stop(DRAIN)


DRAIN = 5.0
CYCLE = "cycle 0:00:10"


# Beats ----------------------------------------------------------------------------------------------------------------


async def test_every_beat_begins_at_once_and_goes_on():
    house = busy_house()
    async with running(house) as scheduler:
        beats = scheduler.pulse.beats
        await until(lambda: beats[CYCLE].runs >= 4 and beats["reconcile"].runs >= 2)
        assert set(beats) == {"heartbeat", "reconcile", "prune", CYCLE}
        assert (beats["prune"].runs, beats["heartbeat"].runs) == (1, 1)
    assert {cycle["errors"] for cycle in house.monitor.cycles} == {0}


def test_there_is_one_cycle_for_each_distinct_interval_and_none_for_targets_that_are_off():
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    policies = (
        orders(target=target("a"), interval=minute),
        orders(target=target("b"), interval=hour),
        orders(target=target("c"), interval=minute),
        orders(target=target("d"), interval=hour, mode=Mode.OFF),
    )
    groups = by_interval(policies)
    assert {every: [one.name for one in group] for every, group in groups.items()} == {minute: ["a", "c"], hour: ["b"]}


async def test_a_beat_that_is_still_running_is_not_begun_again_and_the_next_is_late():
    house = busy_house()
    held = asyncio.Event()
    under_way: list[int] = []
    real = house.cloud.describe

    async def slow(targets):
        under_way.append(len(under_way))
        await held.wait()
        return await real(targets)

    house.cloud.describe = slow  # type: ignore[method-assign]  # as slow a cloud as the test wants
    async with running(house) as scheduler:
        beat = scheduler.pulse.beats[CYCLE]
        await until(lambda: under_way)
        await asyncio.sleep(0.5)  # five beats that must not begin
        assert (under_way, beat.runs, scheduler.pulse.healthy(house.clock.monotonic())[0]) == ([0], 0, True)
        held.set()
        await until(lambda: beat.runs >= 3)
    assert len(under_way) <= beat.runs + 1
    lateness = [cycle["lateness"] for cycle in house.monitor.cycles]
    assert max(lateness[1:3]) >= 0.3


@pytest.mark.parametrize("error", [StoreError("disk"), Unavailable("503"), KeyError("bug")], ids=repr)
async def test_an_error_in_a_beat_is_told_and_the_beat_goes_on(error):
    house = busy_house()

    async def failing():
        raise error

    house.store.open_operations = failing  # type: ignore[method-assign]  # a store that fails
    async with running(house) as scheduler:
        await until(lambda: scheduler.pulse.beats["reconcile"].runs >= 3)
    assert house.monitor.said("reconcile failed") >= 3


async def test_what_fails_to_be_published_does_not_end_the_cycle():
    house = busy_house()

    def failing() -> None:
        raise RuntimeError("no thread")

    house.publish = failing  # type: ignore[method-assign]  # monitoring that breaks
    async with running(house) as scheduler:
        await until(lambda: scheduler.pulse.beats[CYCLE].runs >= 3)
    assert len(house.store.decisions) >= 3


async def test_a_wall_clock_that_jumps_has_every_beat_planned_anew():
    clock = RealClock(speed=100.0)
    house = busy_house()
    house.clock = clock
    house.start()
    async with running(house) as scheduler:
        prune = scheduler.pulse.beats["prune"]
        await until(lambda: prune.runs == 1)
        clock.apart -= 3600.0  # the same as a wall clock that is set an hour ahead
        await until(lambda: prune.runs == 2)
        assert house.monitor.said("jumped") == 1


async def test_old_history_is_pruned_and_said():
    house = busy_house()
    gone = []

    async def prune(*, before):
        gone.append(before)
        return 7

    house.store.prune = prune  # type: ignore[method-assign]  # counted, not carried out
    async with running(house) as scheduler:
        await until(lambda: scheduler.pulse.beats["prune"].runs)
    assert house.monitor.said("pruned") == 1
    assert timedelta(days=29) < datetime.now(UTC) - gone[0] < timedelta(days=31)


# Health ---------------------------------------------------------------------------------------------------------------


def beat(**more: Any) -> Beat:
    return Beat("cycle", every=60.0, due=1000.0, **more)


HEALTH = {
    "nothing began yet": (Pulse(), True),
    "on time": (Pulse({"cycle": beat()}, 999.0), True),
    "late by three intervals": (Pulse({"cycle": Beat("cycle", 60.0, 820.0)}, 999.0), True),
    "late by more than three intervals": (Pulse({"cycle": Beat("cycle", 60.0, 819.0)}, 999.0), False),
    "a short one is given ten seconds": (Pulse({"cycle": Beat("cycle", 0.1, 990.0)}, 999.0), True),
    "a short one later than that": (Pulse({"cycle": Beat("cycle", 0.1, 989.0)}, 999.0), False),
    "running for very long": (Pulse({"cycle": Beat("cycle", 60.0, 100.0, running=True)}, 999.0), True),
    "just ended after very long": (Pulse({"cycle": Beat("cycle", 60.0, 100.0, ended=995.0)}, 999.0), True),
    "no beat for 60 s": (Pulse({}, 940.0), True),
    "no beat for more than 60 s": (Pulse({}, 939.0), False),
}


@pytest.mark.parametrize(("pulse", "healthy"), HEALTH.values(), ids=HEALTH)
def test_health_is_the_scheduler_s_own_beat_and_no_due_cycle_late_by_three_intervals(pulse, healthy):
    answer, sentence = pulse.healthy(1000.0)
    assert answer is healthy
    assert sentence


# Stopping -------------------------------------------------------------------------------------------------------------


async def test_i9_stopping_waits_for_a_call_under_way():
    house = busy_house()
    house.cloud.answers.append(HANG)
    house.metrics.stand_at(90)
    async with running(house):
        await house.cloud.sent.wait()
        asyncio.get_running_loop().call_later(0.3, house.cloud.released.set)
    assert house.state() is State.SUBMITTED


async def test_i9_a_call_that_is_cut_off_is_recorded_as_unknown():
    house = busy_house()
    house.cloud.answers.append(HANG)
    house.metrics.stand_at(90)
    scheduler = house.scheduler()
    scheduler.start(house.policies)
    await house.cloud.sent.wait()
    await scheduler.stop(0.05)
    assert (house.state(), house.cycle.acting) == (State.UNKNOWN, set())


async def test_i9_a_call_begun_by_a_cycle_that_is_waited_for_has_the_rest_of_the_time():
    house = busy_house()
    await house.evaluate()
    loop = asyncio.get_running_loop()
    reading, go_on = asyncio.Event(), asyncio.Event()
    real = house.cloud.offer

    async def slow(*given):
        reading.set()
        await go_on.wait()
        return await real(*given)

    house.cloud.offer = slow  # type: ignore[method-assign]  # a pre-flight that takes its time
    house.cloud.answers.append(HANG)
    house.metrics.stand_at(90)
    async with running(house):
        await reading.wait()
        loop.call_later(0.1, go_on.set)
        loop.call_later(1.6, house.cloud.released.set)
    assert house.state() is State.SUBMITTED


async def test_a_read_that_hangs_is_cut_off_and_nothing_is_left_running():
    house = busy_house()

    async def hanging(targets):
        await asyncio.Event().wait()

    house.cloud.describe = hanging  # type: ignore[method-assign]  # a cloud that never answers
    before = asyncio.all_tasks()
    scheduler = house.scheduler()
    scheduler.start(house.policies)
    await until(lambda: scheduler.pulse.beats[CYCLE].running)
    await scheduler.stop(0.05)
    await until(lambda: asyncio.all_tasks() <= before)


async def test_after_the_stop_no_beat_begins():
    house = busy_house()
    async with running(house) as scheduler:
        await until(lambda: scheduler.pulse.beats[CYCLE].runs)
    runs = {name: each.runs for name, each in scheduler.pulse.beats.items()}
    await asyncio.sleep(0.4)
    assert {name: each.runs for name, each in scheduler.pulse.beats.items()} == runs


@pytest.mark.parametrize("steps", range(6))
async def test_a_stop_at_any_step_of_a_beat_s_beginning_is_no_error(steps, caplog):
    house = busy_house()
    scheduler = house.scheduler()
    scheduler.start(house.policies)
    for _ in range(steps):
        await asyncio.sleep(0)
    await scheduler.stop(DRAIN)
    await asyncio.sleep(0.01)
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []
    assert not any(beat.running for beat in scheduler.pulse.beats.values())


async def test_what_never_started_can_be_stopped():
    await busy_house().scheduler().stop(1.0)

"""Killed at any moment and started again: never two calls for one intent, and every accepted call ends as it did."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

import pytest

from autoscaler.core.operation import OPEN_STATES, State
from autoscaler.core.policy import Direction
from autoscaler.errors import Ambiguous, Busy, Unsent
from autoscaler.ports import Accepted, Cloud, Store
from tests.control.house import House, orders
from tests.fakes import LOST


class Killed(BaseException):
    """The process is gone: nothing that it holds runs on."""


class Deadline:
    """Counts the moments at which a process can die, and lets it die at one; from then on it does nothing more."""

    def __init__(self, moment: int | None) -> None:
        self.moment = moment
        self.passed = 0

    def __call__(self) -> None:
        self.passed += 1
        if self.moment is not None and self.passed > self.moment:
            raise Killed


class Mortal:
    """A port whose every call can be the process's last, before it acts or after."""

    def __init__(self, real: Any, dies: Callable[[], None]) -> None:
        self._real = real
        self._dies = dies

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*given: Any, **more: Any) -> Any:
            self._dies()
            answer = await found(*given, **more)
            self._dies()
            return answer

        return call


async def live(house: House, dies: Callable[[], None]) -> None:
    """A process: a hot group is enlarged to its max, and the operation followed to its end."""
    house.start(store=cast("Store", Mortal(house.store, dies)), cloud=cast("Cloud", Mortal(house.cloud, dies)))
    house.metrics.stand_at(90)
    acting = house.cycle.acting
    for _ in range(4):
        try:
            await house.reconciler.run_once()
            await house.cycle.run_once(house.policies)
        finally:
            ended = await asyncio.gather(*acting, return_exceptions=True)
        if any(isinstance(one, Killed) for one in ended):
            raise Killed
        house.cloud.finish_all()
        house.minutes()


async def settle(house: House) -> None:
    """The next process, for as long as it takes until the group has its size and nothing is open."""
    house.start()
    for _ in range(80):
        await house.look()
        await house.evaluate()
        house.cloud.finish_all()
        house.minutes()
        if house.cloud.nodes() == 3 and not any(op.open for op in house.store.stored.values()):
            return


def wrong(house: House) -> list[str]:
    """What the fake cloud and the store say that must not be."""
    sent = [op.id for op in house.cloud.mutations]
    accepted = {op.id for op in house.cloud.accepted.values()}
    stored = house.store.stored
    complaints = {
        "two calls for one intent": len(sent) != len(set(sent)),
        "a call without an intent": not set(sent) <= set(stored),
        "more nodes than max": house.cloud.nodes() != 3,
        "an operation still open": any(op.state in OPEN_STATES for op in stored.values()),
        "accepted, and not a success": any(stored[id_].state is not State.SUCCEEDED for id_ in accepted),
        "a success that was not accepted": any(
            op.state is State.SUCCEEDED and op.id not in accepted for op in house.ours
        ),
        "our own change counted as somebody else's": bool(house.foreign),
    }
    return [name for name, so in complaints.items() if so]


ANSWERS = {
    "accepted": None,
    "accepted and lost": LOST,
    "time-out before it was read": Ambiguous("time-out"),
    "surely unsent": Unsent("refused"),
    "busy": Busy("409"),
    "2xx without a job": Accepted(),
}


def fresh(answer: object) -> House:
    """Two nodes and a max of three; the first call gets that answer."""
    house = House(policies=(orders(nodes=(2, 3)),))
    if answer is not None:
        house.cloud.answers.append(answer)
    return house


@pytest.mark.parametrize("names_nodes", [False, True], ids=["v2", "v3"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_a_process_killed_at_any_moment_leaves_nothing_twice_and_nothing_open(answer, names_nodes):
    whole = Deadline(None)
    house = fresh(answer)
    house.cloud.names_nodes = names_nodes
    await live(house, whole)
    assert whole.passed > 60
    found = {}
    for moment in range(whole.passed):
        house = fresh(answer)
        house.cloud.names_nodes = names_nodes
        with pytest.raises(Killed):
            await live(house, Deadline(moment))
        await settle(house)
        if complaints := wrong(house):
            found[moment] = complaints
    assert found == {}


@pytest.mark.parametrize("second", range(0, 60, 6))
async def test_killed_twice_it_is_no_different(second):
    for first in range(10, 80, 5):
        house = fresh(LOST)
        with pytest.raises(Killed):
            await live(house, Deadline(first))
        with contextlib.suppress(Killed):  # it may be done before that
            await live(house, Deadline(second))
        await settle(house)
        assert wrong(house) == [], f"killed at {first}, then at {second}"


async def alone(house: House) -> None:
    """Somebody else adds a node while nothing of ours is under way."""
    await house.evaluate()
    house.cloud.add()


async def beside_ours(house: House) -> None:
    """Somebody else removes a node while an operation of ours is under way, which then ends."""
    await house.hot()
    house.cloud.remove()
    house.cloud.finish_all()


async def beyond_ours(house: House) -> None:
    """Somebody else adds a node while an operation of ours is under way."""
    await house.hot()
    house.cloud.add()
    house.cloud.finish_all()


STRANGERS = {
    "alone": (alone, [(Direction.OUT, 1)]),
    "beside ours": (beside_ours, [(Direction.IN, 1)]),
    "beyond ours": (beyond_ours, [(Direction.OUT, 1)]),
}


@pytest.mark.parametrize(("happens", "noted"), STRANGERS.values(), ids=STRANGERS)
async def test_a_process_killed_at_any_moment_notes_once_what_somebody_else_did(happens, noted):
    found, moment = {}, 0
    while moment not in found:
        house = House()
        house.metrics.stand_at(50)
        await happens(house)
        house.metrics.stand_at(50)
        try:
            house.start(store=cast("Store", Mortal(house.store, dies := Deadline(moment))))
            await house.reconciler.run_once()
            await house.cycle.run_once(house.policies)
        except Killed:
            moment += 1
        else:
            found[moment] = ["lived through all of it"]
        house.minutes()
        house.start()
        for _ in range(3):
            await house.look()
            await house.evaluate()
        if [(op.direction, op.change) for op in house.foreign] != noted:
            found[dies.passed - 1] = [f"noted {[(op.direction, op.change) for op in house.foreign]}"]
    assert found == {moment: ["lived through all of it"]}
    assert moment > 10

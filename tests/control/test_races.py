"""Cycle, reconciler and calls at the same time, in many orders: one operation, and nothing of ours is foreign."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from autoscaler.core.operation import State
from autoscaler.core.target import Node
from autoscaler.errors import Ambiguous, Busy
from autoscaler.ports import Cloud, Store
from tests.control.house import House, orders, target
from tests.core.given import MINUTE
from tests.fakes import LOST, FakeInstance


class Slow:
    """A port that lets the others go on for a while before and after each call."""

    def __init__(self, real: Any, dice: random.Random, longest: int = 5) -> None:
        self._real = real
        self._dice = dice
        self._longest = longest

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not asyncio.iscoroutinefunction(found):
            return found

        async def call(*given: Any, **more: Any) -> Any:
            await self._others()
            answer = await found(*given, **more)
            await self._others()
            return answer

        return call

    async def _others(self) -> None:
        for _ in range(self._dice.randint(0, self._longest)):
            await asyncio.sleep(0)


async def some_minutes(house: House, dice: random.Random) -> None:
    """Two intervals and the reconciler beat at once, while jobs end and calls are answered in between."""
    first, second = house.policies
    for _ in range(14):
        rounds = [house.cycle.run_once([first]), house.cycle.run_once([second])]
        beats = [house.reconciler.run_once(), house.reconciler.run_once()]
        work = [asyncio.ensure_future(each) for each in (*rounds, *beats)]
        for _ in range(dice.randrange(40)):
            await asyncio.sleep(0)
        if dice.random() < 0.5:
            house.cloud.finish_all()
        await asyncio.gather(*work)
        house.clock.pass_time(dice.choice([MINUTE / 6, MINUTE, 11 * MINUTE]))
    await house.calls_end()


@pytest.mark.parametrize("seed", range(60))
async def test_in_any_order_there_is_one_operation_and_nothing_of_ours_is_foreign(seed):
    dice = random.Random(seed)  # noqa: S311  # an order of events, not a secret
    policies = tuple(orders(target=target(name, group=name), nodes=(2, 5)) for name in ("reads", "writes"))
    house = House(policies=policies)
    groups = {name: [Node(f"{name}{n}", "normal") for n in range(2)] for name in ("reads", "writes")}
    house.cloud.instances = {"instance": FakeInstance(groups)}
    house.cloud.answers.extend(dice.choices([None, LOST, Ambiguous("time-out"), Busy("409")], k=8))
    house.start(store=cast("Store", Slow(house.store, dice)), cloud=cast("Cloud", Slow(house.cloud, dice)))
    house.metrics.stand_at(90)
    await some_minutes(house, dice)

    sent = [op.id for op in house.cloud.mutations]
    accepted = {op.id for op in house.cloud.accepted.values()}
    assert len(sent) == len(set(sent)) > 0
    assert house.foreign == []
    assert sum(op.open for op in house.ours) <= 1
    assert {house.store.stored[op_id].state for op_id in accepted} <= {
        State.SUBMITTED,
        State.SUCCEEDED,
        State.UNKNOWN,
    }
    assert {op.id for op in house.ours if op.state is State.SUCCEEDED} <= accepted
    assert max(house.cloud.nodes(group="reads"), house.cloud.nodes(group="writes")) <= 5
    assert [error for _, error in house.monitor.failures] == []


# What an operator was answered ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(100))
async def test_after_the_answer_to_a_pause_no_intent_is_committed(seed):
    dice = random.Random(seed)  # noqa: S311  # an order of events, not a secret
    house = House()
    house.start(store=cast("Store", Slow(house.store, dice, longest=20)))
    house.metrics.stand_at(90)
    console = replace(house.console(), store=cast("Store", Slow(house.store, dice, longest=1)))
    cycle = asyncio.create_task(house.cycle.run_once(house.policies))
    for _ in range(dice.randrange(300)):
        await asyncio.sleep(0)
    await console.pause("orders", lasts=None, reason="a move", who="ann")
    committed = len(house.ours)
    await cycle
    await house.calls_end()
    assert len(house.ours) == committed


@pytest.mark.parametrize("seed", range(10))
async def test_of_overrides_set_at_the_same_time_one_stands(seed):
    dice = random.Random(seed)  # noqa: S311  # an order of events, not a secret
    house = House()
    console = replace(house.console(), store=cast("Store", Slow(house.store, dice)))
    lasts = {nodes: timedelta(hours=nodes) for nodes in (3, 4, 5)}
    sets = [console.override("orders", nodes=nodes, lasts=lasts[nodes], reason="a sale", who="ann") for nodes in lasts]
    await asyncio.gather(*sets)
    assert len([one for one in house.store.by_hand.values() if not one.over(house.clock.now())]) == 1

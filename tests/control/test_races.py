"""Cycle, reconciler and calls at the same time, in many orders: one operation, and nothing of ours is foreign."""

import asyncio
import random
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

    def __init__(self, real: Any, dice: random.Random) -> None:
        self._real = real
        self._dice = dice

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
        for _ in range(self._dice.randrange(6)):
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

"""All targets together: what one takes is gone for the others, however their cycles, calls and restarts fall."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from autoscaler.core.decision import Decision, Reason
from autoscaler.core.policy import Budget, Fleet, FleetLimits, Policy
from autoscaler.core.target import InstanceKey, Mode
from autoscaler.errors import Ambiguous, Busy, NotFound, StoreError, Unavailable
from autoscaler.ports import Cloud, Store
from tests.control.house import House, orders, target
from tests.control.test_races import Slow
from tests.core.given import MINUTE, NO_COOLDOWN, limits, step, threshold
from tests.fakes import LOST, MemoryStore

NAMES = ("a", "b", "c", "d")


def member(name: str, whole: Fleet | None, *, add: str = "3", **more: Any) -> Policy:
    """A target with an instance of its own, of one to sixteen nodes."""
    rule = threshold(out=[step("75", add)], in_=[step("30")])
    fields: dict[str, Any] = {"target": target(name, instance=name), "cooldown": NO_COOLDOWN, **more}
    made = orders(**{"nodes": (1, 16), **fields})
    return replace(made, rules=(rule,), fleet=whole)


def fleet(nodes: int | None = None, per_hour: int | None = None, budget: Budget | None = None) -> Fleet:
    return Fleet(FleetLimits(nodes, per_hour), budget)


class Many(House):
    """A house whose targets have an instance each, of two nodes."""

    def __init__(self, *policies: Policy) -> None:
        super().__init__(policies=policies)
        for policy in policies:
            self.cloud.have(2, instance=policy.name)
        self.begin()

    def begin(self, **more: Any) -> None:
        """A process that was told its targets, as the scheduler tells them."""
        self.start(**more)
        self.cycle.targets(self.policies)

    def total(self) -> int:
        return sum(self.cloud.nodes(policy.name) for policy in self.policies)

    def to_come(self) -> int:
        """Nodes that open operations have still to bring."""
        there = {name: {node.id for node in one.groups["group"]} for name, one in self.cloud.instances.items()}
        opened = [op for op in self.ours if op.open]
        return sum(max(0, op.change - len(there[op.instance.instance_id] - op.node_ids)) for op in opened)

    async def over(self, *names: str) -> dict[str, Decision]:
        """One cycle over these targets, and its records by target."""
        before = len(self.store.decisions)
        await self.cycle.run_once([one for one in self.policies if one.name in names])
        await self.calls_end()
        return {one.target: one for one in self.store.decisions[before:]}


async def test_two_targets_that_both_see_room_for_one_do_not_both_take_it():
    house = Many(*(member(name, fleet(nodes=5)) for name in "ab"))
    house.metrics.stand_at(90)
    told = await house.over("a", "b")

    assert sorted(one.change for one in told.values()) == [0, 1]
    (held,) = [one for one in told.values() if not one.change]
    assert (held.reason, held.details["fleet_limit"]) == (Reason.FLEET_LIMIT, "the fleet has 5 of 5 nodes")
    assert len(house.cloud.mutations) == 1


async def test_what_one_adds_within_the_hour_is_gone_for_the_others():
    house = Many(*(member(name, fleet(per_hour=4)) for name in "ab"))
    house.metrics.stand_at(90)
    told = await house.over("a", "b")

    assert sorted(one.change for one in told.values()) == [1, 3]


async def test_a_target_whose_own_cycle_has_not_come_yet_has_nodes_too():
    house = Many(member("a", fleet(nodes=4)), member("b", fleet(nodes=4), interval=10 * MINUTE))
    house.metrics.stand_at(90)

    assert (await house.over("a"))["a"].reason is Reason.FLEET_LIMIT


async def test_a_target_that_was_never_read_lets_nothing_be_added():
    house = Many(member("a", fleet(nodes=99)), member("b", fleet(nodes=99)))
    house.metrics.stand_at(90)
    house.cloud.broken["describe", "b"] = Unavailable("503")
    held = (await house.over("a"))["a"]
    assert (held.reason, held.desired) == (Reason.FLEET_LIMIT, 5)
    assert held.details["fleet_limit"] == "not known yet: the nodes of b, which count for the fleet"

    del house.cloud.broken["describe", "b"]
    assert (await house.over("a"))["a"].change == 3


async def test_once_read_a_target_counts_by_its_last_reading():
    house = Many(member("a", fleet(nodes=5)), member("b", fleet(nodes=5)))
    await house.over("a", "b")
    house.cloud.broken["describe", "b"] = Unavailable("503")
    house.metrics.stand_at(90)

    assert (await house.over("a", "b"))["a"].change == 1


async def test_a_group_that_does_not_exist_has_no_nodes_and_stops_nobody():
    house = Many(member("a", fleet(nodes=5)), member("b", fleet(nodes=5)))
    house.cloud.broken["describe", "b"] = NotFound("no such group")
    house.metrics.stand_at(90)

    assert (await house.over("a"))["a"].change == 3


async def test_a_group_that_is_gone_has_no_nodes_any_more():
    house = Many(member("a", fleet(nodes=5)), member("b", fleet(nodes=5)))
    await house.over("a", "b")
    house.cloud.broken["describe", "b"] = NotFound("no such group")
    house.metrics.stand_at(90)

    assert (await house.over("a", "b"))["a"].change == 3


async def test_a_target_that_is_off_is_neither_read_nor_counted():
    house = Many(member("a", fleet(nodes=5)), member("b", fleet(nodes=5), mode=Mode.OFF))
    house.metrics.stand_at(90)

    assert (await house.over("a"))["a"].change == 3
    assert {name for name, _ in house.monitor.seen} == {"a"}


async def test_a_target_that_is_no_longer_there_counts_no_more():
    house = Many(member("a", fleet(nodes=5)), member("b", fleet(nodes=5)))
    await house.over("a", "b")
    house.cycle.targets(house.policies[:1])
    house.metrics.stand_at(90)

    assert (await house.over("a"))["a"].change == 3


class HalfStore(MemoryStore):
    """Cannot read the operations of one instance."""

    async def operations(self, instance: InstanceKey, **more: Any) -> Any:
        if instance.instance_id == "b":
            raise StoreError("row 7 cannot be read")
        return await super().operations(instance, **more)


async def test_where_one_instances_operations_cannot_be_read_nothing_is_added_and_the_others_go_on():
    house = Many(member("a", fleet(nodes=99)), member("b", fleet(nodes=99)))
    house.begin(store=HalfStore())
    house.metrics.stand_at(90)
    await house.over("a", "b")

    assert [(one.target, one.reason) for one in house.monitor.decisions] == [("a", Reason.FLEET_LIMIT)]
    assert [name for name, _ in house.monitor.failures] == ["b"]


async def test_the_shadows_of_one_target_limit_no_other():
    whole = fleet(per_hour=4)
    house = Many(member("a", whole, mode=Mode.OBSERVE), member("b", whole))
    house.metrics.stand_at(90)
    await house.over("a")
    assert (await house.over("b"))["b"].change == 3

    house.minutes(11)
    assert (await house.over("a"))["a"].vetoes == (Reason.FLEET_LIMIT, Reason.OBSERVE_ONLY)  # its own 3, and those of b


async def test_the_fleet_is_the_same_after_a_restart():
    house = Many(member("a", fleet(per_hour=3, budget=Budget(200))))
    house.metrics.stand_at(90)
    await house.over("a")
    house.minutes(30)
    house.cloud.finish_all()
    await house.look()
    await house.over("a")
    house.begin()
    await house.over("a")

    before, after = (use for _, use in house.monitor.fleets[-2:])
    assert before == after
    assert (after.nodes, after.added) == (5, 3)
    assert after.node_time == timedelta(hours=48) + 3 * timedelta(minutes=30, seconds=10)
    house.minutes()
    assert (await house.over("a"))["a"].reason is Reason.FLEET_LIMIT


async def test_an_operation_that_ended_after_a_reading_still_counts():
    slow = member("b", fleet(nodes=8), interval=30 * MINUTE)
    house = Many(member("a", fleet(nodes=8)), slow)
    house.metrics.stand_at(90)
    assert (await house.over("b"))["b"].change == 3
    house.minutes()
    house.cloud.finish_all()
    await house.look()

    assert (await house.over("a"))["a"].change == 1  # 2 and 2, and the 3 that no cycle has read yet


async def test_the_budget_is_told_once_when_it_gets_scarce_and_again_only_after_it_was_not():
    def known(hours: int) -> list[Policy]:
        return [member("a", fleet(budget=Budget(hours)), mode=Mode.OBSERVE)]

    budget = replace(Budget(50), warn_at=limits(add="96%").add.amount / 100)  # type: ignore[union-attr]  # it is there
    house = Many(member("a", fleet(budget=budget)))
    for policies in (house.policies, house.policies, known(100), house.policies):
        house.cycle.targets(policies)
        await house.over("a")

    words = "the fleet's budget gets scarce: 48 of 50 node-hours of the last 24 h are used (warn_at 96 %)"
    assert [message for _, message, _ in house.monitor.events] == [words, words]


async def test_without_a_fleet_nothing_is_counted():
    house = Many(member("a", None))
    house.metrics.stand_at(90)

    assert (await house.over("a"))["a"].change == 3
    assert house.monitor.fleets == []


async def test_nothing_is_asked_of_the_cloud_between_counting_and_the_intent():
    house = Many(*(member(name, fleet(nodes=99)) for name in "ab"))
    house.metrics.stand_at(90)
    await house.over("a", "b")
    house.cloud.on_call = lambda name: asked.append((name, house.cycle.last_word.locked()))  # no other way to see it
    asked: list[tuple[str, bool]] = []
    house.cloud.finish_all()
    await house.look()
    await house.over("a", "b")

    assert asked
    assert not any(locked for name, locked in asked if name not in {"add_nodes", "add_nodes accepted"})


async def some_hours(house: Many, dice: random.Random, most: int) -> None:
    """Cycles of single targets, the reconciler, ends of jobs and restarts in between, in any order."""
    for _ in range(12):
        rounds = [house.cycle.run_once([one]) for one in house.policies if dice.random() < 0.8]
        work = [asyncio.ensure_future(each) for each in (*rounds, house.reconciler.run_once())]
        for _ in range(dice.randrange(40)):
            await asyncio.sleep(0)
        if dice.random() < 0.6:
            house.cloud.finish_all()
        await asyncio.gather(*work)
        assert house.total() + house.to_come() <= most
        house.clock.pass_time(dice.choice([timedelta(0), MINUTE / 6, MINUTE, 40 * MINUTE]))
        if dice.random() < 0.1:
            await house.calls_end()
            house.begin(store=cast("Store", Slow(house.store, dice)), cloud=cast("Cloud", Slow(house.cloud, dice)))
    await house.calls_end()


@pytest.mark.parametrize("seed", range(60))
async def test_in_any_order_the_fleet_never_passes_its_nodes_nor_its_hour(seed):
    dice = random.Random(seed)  # noqa: S311  # an order of events, not a secret
    names = NAMES[: dice.choice([2, 3, 4])]
    most, per_hour = 2 * len(names) + dice.choice([1, 2, 3, 5, 9]), dice.choice([None, 2, 5])
    whole = fleet(most, per_hour)
    house = Many(*(member(name, whole, add=dice.choice("124")) for name in names))
    house.cloud.answers.extend(dice.choices([None, None, LOST, Ambiguous("time-out"), Busy("409")], k=8))
    house.begin(store=cast("Store", Slow(house.store, dice)), cloud=cast("Cloud", Slow(house.cloud, dice)))
    house.metrics.stand_at(90)
    await some_hours(house, dice, most)

    assert house.cloud.mutations
    assert house.foreign == []
    assert [error for _, error in house.monitor.failures] == []
    if per_hour is not None:
        assert max(_added_around(house)) <= per_hour


def _added_around(house: Many) -> list[int]:
    """At each intent: what was added by those that had ended within the hour before it, were open, and itself."""
    outs = [op for op in house.ours if op.open or op.changed_nodes]
    return [
        sum(
            other.change
            for other in outs
            if other.committed_at <= op.committed_at
            and (other.ended_at is None or other.ended_at > op.committed_at - 60 * MINUTE)
        )
        for op in outs
    ]

"""A reload: all or nothing, and whatever it falls into, no node is bought by a policy that holds no longer."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from autoscaler.control.reloading import Fresh, Reloader
from autoscaler.core.by_hand import Kind
from autoscaler.core.decision import Decision, Reason
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import CLOUD_EYE, Fleet, FleetLimits, OnMissing, Policy
from autoscaler.core.target import Mode
from autoscaler.errors import BadConfig, NotLeader, PolicyReplaced, Problem, StoreError
from autoscaler.ports import Cause, Change, ChangeRefusedError, Cloud, Store
from tests.control.house import HOT_OR_COLD, House, orders, target
from tests.control.test_fleet import Many, fleet, member
from tests.control.test_races import Slow
from tests.control.test_scheduler import CYCLE, busy_house, running, until
from tests.core.given import CONNECTIONS, MINUTE, NO_COOLDOWN, step, threshold
from tests.fakes import LOST, MemoryStore

WRONG = Problem("p.yaml", 3, 5, "targets.orders", "is wrong")


def fresh(*policies: Policy, ceiling: Mode = Mode.ENFORCE, **more: Any) -> Fresh:
    return Fresh(policies=policies, ceiling=ceiling, shown={}, **more)


def reloader(house: House, *policies: Policy, **more: Any) -> Reloader:
    return house.reloader(lambda: fresh(*policies, **more))


async def reload(house: House, *policies: Policy, **more: Any):
    return await reloader(house, *policies, **more).reload(Cause.REQUEST, by="ann")


# All or nothing -------------------------------------------------------------------------------------------------------


def wrong() -> Fresh:
    raise BadConfig([WRONG])


def broken() -> Fresh:
    raise RuntimeError("a bug")


@pytest.mark.parametrize(
    ("read", "words"), [(wrong, "p.yaml:3:5: targets.orders: is wrong"), (broken, "a bug")], ids=["wrong", "broken"]
)
async def test_what_cannot_be_obeyed_changes_nothing_and_is_told(read, words):
    house = House()
    before = dict(house.roster.policies)
    done = await house.reloader(read).reload(Cause.FILES)

    assert (done.obeyed, dict(house.roster.policies)) == (False, before)
    assert words in str(done.problems[0])
    assert house.monitor.reloads == [done]


async def test_what_is_not_obeyed_is_told_until_it_is():
    house = House()
    console = house.console()
    assert (console.unobeyed(), console.ready()) == (None, (True, "ready"))

    await house.reloader(broken).reload(Cause.FILES)
    house.minutes()
    await house.reloader(wrong).reload(Cause.SIGNAL)

    first = "p.yaml:3:5: targets.orders: is wrong"
    assert console.unobeyed() == {"since": "2026-11-23T12:00:00Z", "problems": 1, "first": first}
    good, words = console.ready()
    assert good
    assert words.startswith("ready; what was changed in the configuration is not obeyed")
    assert words.endswith(f"1 problem, {first}")

    await reload(house, orders())
    assert (console.unobeyed(), console.ready()) == (None, (True, "ready"))


# In the history -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "by", "who"),
    [(Cause.FILES, "", "changed files"), (Cause.SIGNAL, "", "SIGHUP"), (Cause.REQUEST, "ann", "ann")],
    ids=["files", "signal", "request"],
)
async def test_who_asked_and_what_came_of_it_is_written_down(cause, by, who):
    house = House()
    await reloader(house, orders(nodes=(2, 20))).reload(cause, by=by)
    await house.reloader(wrong).reload(cause, by=by)

    wrong_one, right = house.store.history.interventions()
    assert {(one.kind, one.target, one.who) for one in (wrong_one, right)} == {(Kind.RELOAD, None, who)}
    assert (right.reason, right.from_, right.until) == (
        "orders: nodes.max was 16, is 20",
        house.clock.now(),
        house.clock.now(),
    )
    assert wrong_one.reason == "refused: p.yaml:3:5: targets.orders: is wrong"


@pytest.mark.parametrize(
    ("cause", "written"),
    [(Cause.FILES, []), (Cause.SIGNAL, ["a check: nothing changed"]), (Cause.REQUEST, ["a check: nothing changed"])],
    ids=["files", "signal", "request"],
)
async def test_what_changed_nothing_is_written_down_where_somebody_asked_for_it(cause, written):
    house = House()
    await reloader(house, orders()).reload(cause, reason="a check")
    assert [one.reason for one in house.store.history.interventions()] == written


async def test_a_reload_holds_nothing_by_hand():
    house = House()
    await reload(house, orders(nodes=(2, 20)))
    assert await house.store.standing(at=house.clock.now()) == ()
    assert next(house.console().targets())["pauses"] == []


class Unwritable(MemoryStore):
    """No intervention can be stored."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def intervene(self, *_: Any, **__: Any) -> None:
        raise self._error


@pytest.mark.parametrize("error", [StoreError("the disk is full"), NotLeader("first leads")], ids=["store", "lease"])
async def test_what_cannot_be_written_down_holds_all_the_same(error):
    house = House(store=Unwritable(error))
    done = await reload(house, orders(nodes=(2, 20)))

    assert (done.obeyed, house.roster.policies["orders"].bounds.max) == (True, 20)
    told = [text for level, text, _ in house.monitor.events if level == "warning"]
    assert told == ["a reload could not be written into the history"] * isinstance(error, StoreError)


async def test_without_files_there_is_nothing_to_reload():
    with pytest.raises(ChangeRefusedError, match="without files"):
        await House().reloader().reload(Cause.SIGNAL)


async def test_what_changed_is_told_key_by_key():
    house = House(policies=(orders(), orders(target=target("old", instance="other"))))
    house.cloud.have(2, instance="other")
    rule = replace(HOT_OR_COLD, out=(step("80"),))
    done = await reload(
        house,
        replace(orders(nodes=(2, 20), interval=2 * MINUTE), rules=(rule,)),
        orders(target=target("new", instance="third")),
        settings=(Change("mode_ceiling", "observe", "enforce"),),
        needs_restart=("store",),
        warnings=("odd",),
    )

    assert (done.obeyed, done.by, done.added, done.removed) == (True, "ann", ("new",), ("old",))
    changes = {one.key: (one.was, one.now) for one in done.changed["orders"]}
    assert changes.keys() == {"nodes.max", "interval", "rules.cpu"}
    assert (changes["nodes.max"], changes["interval"]) == ((16, 20), ("1m", "2m"))
    assert [one["out"][0]["above"] for one in changes["rules.cpu"]] == [75, 80]
    assert (done.needs_restart, done.warnings) == (("store",), ("odd",))
    assert [one.key for one in done.settings] == ["mode_ceiling"]


async def test_another_fleet_is_told_once_and_not_of_every_target():
    house = Many(member("a", fleet(nodes=5)), member("b", fleet(nodes=5)))
    done = await reload(house, member("a", fleet(nodes=9)), member("b", fleet(nodes=9)))

    assert (done.changed, done.fleet) == ({}, (Change("limits.nodes", 5, 9),))


async def test_files_that_read_as_before_change_nothing():
    house = House()
    done = await reload(house, replace(orders(), place="p.yaml:99"))
    assert (done.added, done.removed, done.changed, done.fleet) == ((), (), {}, ())


async def test_what_a_removed_target_leaves_is_said_and_kept():
    house = House()
    op = await house.hot()
    await house.console().pause("orders", lasts=None, reason="", who="ann")
    done = await reload(house)

    assert done.warnings == (
        f"orders is removed; its open operation {op.id} is followed to its end",
        "orders is removed; its pause is kept, and holds if it comes back",
    )
    house.cloud.finish_all()
    house.minutes()
    await house.look()
    assert house.state() is State.SUCCEEDED
    await reload(house, orders())
    house.minutes(60)
    assert (await house.decision()).reason == "paused"


async def test_a_store_that_cannot_be_read_does_not_keep_a_reload_from_being_obeyed():
    house = House()

    async def failing():
        raise StoreError("disk")

    house.store.open_operations = failing  # type: ignore[method-assign]  # a store that fails
    done = await reload(house)
    assert (done.obeyed, dict(house.roster.policies)) == (True, {})
    assert "disk" in done.warnings[0]


# In the middle of a decision ------------------------------------------------------------------------------------------

INSTEAD: dict[str, tuple[Sequence[Policy], Mode]] = {
    "removed": ((), Mode.ENFORCE),
    "in observe": ((orders(mode=Mode.OBSERVE),), Mode.ENFORCE),
    "off": ((orders(mode=Mode.OFF),), Mode.ENFORCE),
    "under a ceiling of observe": ((orders(),), Mode.OBSERVE),
    "another instance": ((orders(target=target(instance="other")),), Mode.ENFORCE),
    "a lower max": ((orders(nodes=(1, 2)),), Mode.ENFORCE),
    "a fleet without room": ((replace(orders(), fleet=Fleet(FleetLimits(2))),), Mode.ENFORCE),
    "another threshold": ((replace(orders(), rules=(threshold(out=[step("95")]),)),), Mode.ENFORCE),
}
CALLS = ("describe", "sign_in", "jobs", "data_nodes", "offer")
"""What is asked of the cloud in a round, down to the last reading before the commit."""


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("policies", "ceiling"), INSTEAD.values(), ids=INSTEAD)
async def test_a_reload_between_decision_and_commit_has_nothing_bought_by_the_old_policy(policies, ceiling, call):
    house = House()
    house.metrics.stand_at(90)
    hands = reloader(house, *policies, ceiling=ceiling)
    real = getattr(house.cloud, call)
    reloaded: list[Any] = []

    async def and_then_reload(*given: Any, **more: Any) -> Any:
        answer = await real(*given, **more)
        if not reloaded:
            reloaded.append(None)
            reloaded[0] = await hands.reload(Cause.REQUEST)
        return answer

    setattr(house.cloud, call, and_then_reload)
    await house.cycle.run_once((orders(),))
    await house.calls_end()

    assert reloaded[0].obeyed
    assert (house.cloud.mutations, house.ours) == ([], [])
    ends = [type(error) for _, error in house.monitor.failures] + [one.reason for one in house.store.decisions]
    early = ceiling is Mode.OBSERVE and call in {"describe", "jobs"}  # then it is decided under the ceiling already
    assert ends == ([Reason.OBSERVE_ONLY] if early else [PolicyReplaced])
    assert set(house.memory.targets) <= set(house.roster.policies)


async def test_a_reload_between_decision_and_commit_that_changes_only_lines_stops_nothing():
    house = House()
    house.metrics.stand_at(90)
    hands = reloader(house, replace(orders(), place="p.yaml:99"))
    _at(house, "offer", hands)
    await house.cycle.run_once((orders(),))
    await house.calls_end()
    assert (len(house.cloud.mutations), house.state()) == (1, State.SUBMITTED)


def _at(house: House, call: str, hands: Reloader) -> None:
    real = getattr(house.cloud, call)

    async def and_then_reload(*given: Any, **more: Any) -> Any:
        answer = await real(*given, **more)
        await hands.reload(Cause.REQUEST)
        return answer

    setattr(house.cloud, call, and_then_reload)


@pytest.mark.parametrize("policies", [(), (orders(mode=Mode.OBSERVE),)], ids=["removed", "in observe"])
async def test_a_reload_waits_for_an_intent_that_is_being_committed(policies):
    """After the answer to a reload no intent of the old policy is committed; before it, one may be."""
    house = House()
    house.metrics.stand_at(90)
    order: list[str] = []
    committing, go_on = asyncio.Event(), asyncio.Event()
    real = house.store.commit_intent

    async def slow(operation, decision):
        committing.set()
        await go_on.wait()
        await real(operation, decision)
        order.append("committed")

    house.store.commit_intent = slow  # type: ignore[method-assign]  # a database that takes its time
    cycle = asyncio.create_task(house.cycle.run_once((orders(),)))
    await committing.wait()
    reloading = asyncio.create_task(reload(house, *policies))
    reloading.add_done_callback(lambda _: order.append("reloaded"))
    await asyncio.sleep(0.1)
    assert (order, set(house.roster.policies)) == ([], {"orders"})
    go_on.set()
    await cycle
    done = await reloading
    await house.calls_end()

    assert order == ["committed", "reloaded"]
    assert len(house.cloud.mutations) == 1
    assert bool(done.warnings) == (policies == ())


class Witness(MemoryStore):
    """Keeps what held of the target at the moment of each intent's commit."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Policy | None] = []
        self.house: House

    async def commit_intent(self, operation: Operation, decision: Decision) -> None:
        self.held.append(self.house.roster.policies.get(operation.target))
        await super().commit_intent(operation, decision)


@pytest.mark.parametrize("seed", range(60))
async def test_i10_in_any_order_of_reloads_and_rounds_every_intent_is_of_a_policy_that_acts(seed):
    dice = random.Random(seed)  # noqa: S311  # an order of events, not a secret
    store = Witness()
    house = House(store=store, policies=(orders(cooldown=NO_COOLDOWN),))
    store.house = house
    house.start(store=cast("Store", Slow(store, dice)), cloud=cast("Cloud", Slow(house.cloud, dice)))
    house.metrics.stand_at(90)
    kinds = [(), (orders(mode=Mode.OBSERVE),), (orders(cooldown=NO_COOLDOWN),), (orders(nodes=(2, 20)),)]
    for _ in range(12):
        round_ = asyncio.ensure_future(house.cycle.run_once(tuple(house.roster.policies.values())))
        for _ in range(dice.randrange(60)):
            await asyncio.sleep(0)
        await reload(house, *dice.choice(kinds))
        await round_
        house.cloud.finish_all()
        house.minutes(2)
        await house.look()
    await house.calls_end()

    assert all(one is not None and one.mode is Mode.ENFORCE for one in store.held)
    assert len(store.held) == len({op.id for op in house.ours}) >= len(house.cloud.mutations)
    assert {type(error) for _, error in house.monitor.failures} <= {PolicyReplaced}


async def test_a_hold_that_is_recorded_after_its_target_was_removed_leaves_nothing_in_memory():
    house = House()
    _at(house, "describe", reloader(house))
    await house.cycle.run_once((orders(),))

    assert [one.reason for one in house.store.decisions] == ["within_bounds"]
    assert house.memory.targets == {}
    assert house.cloud.mutations == []


async def test_what_observe_imagines_is_not_kept_by_a_target_that_has_begun_to_act():
    house = House(policies=(orders(mode=Mode.OBSERVE),))
    house.metrics.stand_at(90)
    await house.evaluate()
    house.minutes()
    assert (await house.decision()).vetoes[0] == "in_progress"
    await reload(house, orders())
    house.policies = (orders(),)
    house.minutes()
    assert (await house.decision()).change == 1


# What goes on ---------------------------------------------------------------------------------------------------------


async def test_cooldown_and_stabilisation_go_on_under_another_policy():
    house = House(policies=(orders(scale_in_stabilization=30 * MINUTE),))
    await house.hot()
    house.cloud.finish_all()
    await house.look()
    other = orders(scale_in_stabilization=30 * MINUTE, nodes=(2, 20))
    await reload(house, other)
    house.policies = (other,)
    house.minutes()
    assert (await house.decision()).reason == "cooldown"


async def test_a_window_that_looks_further_back_is_filled_at_once():
    def waiting(minutes: int) -> Policy:
        return replace(orders(), rules=(threshold(out=[step("75", for_=minutes * MINUTE)]),))

    house = House(policies=(waiting(3),))
    house.metrics.stand_at(70)
    await house.evaluate()
    house.minutes()
    house.metrics.stand_at(90)
    await reload(house, waiting(120))
    house.policies = (waiting(120),)
    assert (await house.decision()).change == 1


async def test_windows_are_kept_where_the_metric_is_the_same():
    house = House()
    await house.evaluate()
    other = orders(nodes=(2, 20))
    await reload(house, other)
    house.policies = (other,)
    house.minutes()
    await house.evaluate()
    (_, first, _), (_, second, _) = house.metrics.asked
    assert second > first + timedelta(minutes=5)


@pytest.mark.parametrize(
    "more", [{"target": target(instance="other")}, {"target": target(group="other")}], ids=["instance", "group"]
)
async def test_a_target_that_is_another_group_begins_anew(more):
    house = House()
    house.cloud.have(2, instance="other")
    await house.evaluate()
    assert house.memory.targets["orders"].first_evaluated_at is not None
    await reload(house, orders(**more))
    assert "orders" not in house.memory.targets
    assert house.poller.windows.points(orders(), orders().metrics[0]) == {}


async def test_a_target_whose_group_is_named_is_no_other_one():
    house = House()
    await house.evaluate()
    await reload(house, orders(target=target(group="group")))
    assert house.memory.targets["orders"].first_evaluated_at is not None


async def test_a_metric_that_is_new_and_missing_buys_no_node_at_once():
    """The target was evaluated for an hour, the metric is looked at for the first time."""
    house = House(policies=(orders(cooldown=NO_COOLDOWN),))
    for _ in range(3):
        await house.evaluate()
        house.minutes(30)
    missing = threshold(out=[step("75")], name="connections", metric=CONNECTIONS, on_missing_metric=OnMissing.OUT)
    other = replace(orders(cooldown=NO_COOLDOWN), rules=(HOT_OR_COLD, missing))
    real = house.metrics.value
    house.metrics.value = lambda query, node, time: None if query.name == CONNECTIONS.name else real(query, node, time)
    await reload(house, other)
    house.policies = (other,)
    assert (await house.decision()).decision == "hold"
    house.minutes(15)
    assert (await house.decision()).decision == "hold"
    house.minutes(1)
    assert (await house.decision()).reason == "no_data"


async def test_values_of_a_source_that_is_another_server_are_forgotten():
    house = House()
    await house.evaluate()
    metric = orders().metrics[0]
    assert house.poller.windows.points(orders(), metric)
    await reload(house, orders(), other_sources=frozenset({"prom"}))
    assert house.poller.windows.points(orders(), metric)
    await reload(house, orders(), other_sources=frozenset({CLOUD_EYE}))
    assert not house.poller.windows.points(orders(), metric)


async def test_a_reload_while_metrics_are_asked_for_breaks_no_round():
    house = House(policies=(orders(), orders(target=target("stock", instance="stock"))))
    house.cloud.have(2, instance="stock")
    real, hands = house.metrics.fetch, reloader(house, orders(target=target("stock", instance="stock")))

    async def and_then_reload(*given: Any) -> Any:
        answer = await real(*given)
        await hands.reload(Cause.REQUEST)
        return answer

    house.metrics.fetch = and_then_reload  # type: ignore[method-assign, assignment]
    assert await house.cycle.run_once(house.policies) == 0
    assert {one.target: one.reason for one in house.store.decisions} == {"orders": "no_data", "stock": "within_bounds"}


# The fleet ------------------------------------------------------------------------------------------------------------


async def test_a_round_that_began_before_tells_the_fleet_nothing_of_targets_that_are_gone():
    house = Many(member("a", fleet(nodes=9)), member("b", fleet(nodes=9)))
    _at(house, "describe", reloader(house, member("a", fleet(nodes=4))))
    await house.cycle.run_once(house.policies)
    house.policies = (member("a", fleet(nodes=4)),)
    house.metrics.stand_at(90)
    assert (await house.over("a"))["a"].change == 2


# The scheduler --------------------------------------------------------------------------------------------------------


def rounds(house: House) -> Callable[[timedelta], int]:
    return lambda interval: sum(one["interval"] == interval for one in house.monitor.cycles)


TEN, HOUR = timedelta(seconds=10), timedelta(hours=1)


async def test_another_interval_is_another_beat_at_once():
    house = busy_house()
    async with running(house) as scheduler:
        await until(lambda: scheduler.pulse.beats[CYCLE].runs >= 2)
        hands = house.reloader(lambda: fresh(orders(interval=20 * TEN)), scheduler)
        await hands.reload(Cause.FILES)
        assert CYCLE not in scheduler.pulse.beats
        await until(lambda: scheduler.pulse.beats["cycle 0:03:20"].runs >= 2)
        before = rounds(house)(TEN)
        await asyncio.sleep(0.3)
        assert rounds(house)(TEN) == before
        assert scheduler.pulse.healthy(house.clock.monotonic())[0]


async def test_an_added_target_is_evaluated_at_once_and_then_on_its_beat():
    slow = [orders(interval=HOUR), orders(interval=HOUR, target=target("stock", instance="stock"))]
    house = busy_house()
    house.policies = (slow[0],)
    house.cloud.have(2, instance="stock")
    async with running(house) as scheduler:
        beat = scheduler.pulse.beats["cycle 1:00:00"]
        await until(lambda: beat.runs == 1)
        due = beat.due
        await house.reloader(lambda: fresh(*slow), scheduler).reload(Cause.FILES)
        await until(lambda: any(one.target == "stock" for one in house.store.decisions))
        assert (beat.runs, beat.due) == (1, due)
        assert sum(one.target == "orders" for one in house.store.decisions) == 1


async def test_a_reload_before_the_start_holds_from_the_start():
    house = busy_house()
    scheduler = house.scheduler()
    await house.reloader(lambda: fresh(orders(mode=Mode.OFF)), scheduler).reload(Cause.SIGNAL)
    assert (scheduler.pulse.beats, house.roster.policies["orders"].mode) == ({}, Mode.OFF)


async def test_a_call_under_way_is_untouched_by_a_reload():
    house = House()
    house.cloud.answers.append(LOST)
    house.metrics.stand_at(90)
    await house.cycle.run_once(house.policies)
    await reload(house)
    await house.calls_end()
    assert house.state() is State.UNKNOWN
    await house.look(2)
    assert house.state() is State.SUBMITTED

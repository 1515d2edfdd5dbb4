"""The operator's hand on the whole shell: what holds, for how long, what ends it, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.core.decision import Verdict
from autoscaler.core.operation import State
from autoscaler.core.policy import Breaker, Cooldown, Direction
from autoscaler.core.target import Mode
from autoscaler.errors import Refused, StoreError, Unavailable
from autoscaler.ports import ChangeInvalidError, ChangeRefusedError
from tests.control.house import House, orders, target
from tests.core.given import MINUTE
from tests.fakes import FakeInstance

HOUR = timedelta(hours=1)


async def pause(house: House, name: str | None = "orders", lasts: timedelta | None = HOUR, **more: Any) -> dict:
    return await house.console().pause(name, lasts=lasts, **{"reason": "a move", "who": "ann", **more})


async def resume(house: House, name: str | None = "orders", **more: Any) -> dict:
    return await house.console().resume(name, **{"breaker": False, "override": False, "who": "bob", **more})


async def override(house: House, nodes: int = 4, lasts: timedelta = HOUR, **more: Any) -> dict:
    return await house.console().override(
        "orders", nodes=nodes, lasts=lasts, **{"reason": "a sale", "who": "ann", **more}
    )


async def is_held(house: House) -> bool:
    """Under load, whether a pause is all that keeps it from growing."""
    house.metrics.stand_at(90)
    decision = await house.decision()
    assert decision.reason in {"paused", "above_threshold"}
    return decision.decision is Verdict.HOLD


def shown(house: House) -> dict:
    return next(house.console().targets())


# Pauses --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["orders", None], ids=["of the target", "of all"])
async def test_a_pause_holds_until_its_end_and_over_a_restart(house, name):
    answer = await pause(house, name)
    house.start()
    house.minutes(59.99)
    assert await is_held(house)
    assert house.cloud.mutations == []
    house.minutes(0.01)
    assert not await is_held(house)
    assert (answer["target"], answer["pauses"][0]["until"]) == (name, "2026-11-23T13:00:00Z")


async def test_a_pause_without_an_end_holds_until_it_is_resumed(house):
    await pause(house, lasts=None)
    house.minutes(60 * 24 * 300)
    assert await is_held(house)
    answer = await resume(house)
    assert not await is_held(house)
    assert [(one["kind"], one["ended_by"]) for one in answer["changed"]] == [("pause", "bob")]
    assert answer["pauses"] == []


async def test_a_paused_record_tells_by_whom_until_when_and_why(house):
    await pause(house)
    house.metrics.stand_at(90)
    assert (await house.decision()).details == {"paused": "paused by ann until 2026-11-23T13:00:00Z: a move"}


async def test_a_pause_is_seen_where_nothing_is_wanted(house):
    await pause(house)
    assert (await house.decision()).vetoes == ()
    assert shown(house)["pauses"] == [
        {
            "all": False,
            "from": "2026-11-23T12:00:00Z",
            "until": "2026-11-23T13:00:00Z",
            "reason": "a move",
            "who": "ann",
        }
    ]
    assert house.console().target("orders")["pauses"] == shown(house)["pauses"]
    house.clock.pass_time(HOUR)
    assert shown(house)["pauses"] == []


async def test_a_short_pause_ends_no_longer_one(house):
    await pause(house, lasts=2 * HOUR)
    await pause(house, lasts=HOUR / 60, who="a script")
    house.minutes(30)
    assert await is_held(house)


async def test_a_pause_of_another_target_is_not_meant():
    house = House(policies=(orders(), orders(target=target("stock", instance="other"))))
    house.cloud.instances["other"] = FakeInstance({"group": [*house.cloud.instances["instance"].groups["group"]]})
    await pause(house, "stock")
    house.metrics.stand_at(90)
    assert {one.target: one.reason.value for one in await house.evaluate()} == {
        "orders": "above_threshold",
        "stock": "paused",
    }


@pytest.mark.parametrize("lasts", [timedelta(0), -HOUR])
async def test_a_span_that_is_over_at_once_is_refused(house, lasts):
    with pytest.raises(ChangeInvalidError, match="longer than 0s"):
        await pause(house, lasts=lasts)
    with pytest.raises(ChangeInvalidError, match="longer than 0s"):
        await override(house, lasts=lasts)
    assert house.store.by_hand == {}


async def test_a_pause_that_comes_while_a_scale_out_is_being_checked_stops_it(house):
    """Between the decision and the commit of its intent lie several calls: what came meanwhile counts."""
    real = house.cloud.offer

    async def offer(*arguments):
        house.minutes(0.1)  # so that it begins later than the cycle's own moment
        await pause(house)
        return await real(*arguments)

    house.cloud.offer = offer
    house.metrics.stand_at(90)
    decision = await house.decision()
    assert (decision.decision, decision.reason) == ("hold", "paused")
    assert (house.ours, house.cloud.mutations) == ([], [])


async def test_what_has_begun_goes_on_and_the_answer_says_so(house):
    await house.hot()
    answer = await pause(house)
    assert answer["notes"] == ["orders has an operation under way: what was begun goes on"]
    house.cloud.finish_all()
    await house.look()
    assert house.state() is State.SUCCEEDED


async def test_a_store_that_cannot_tell_what_stands_lets_nothing_be_decided(house):
    async def failing(*, at):
        raise StoreError("row 'h1' cannot be read")

    house.store.standing = failing
    house.metrics.stand_at(90)
    assert await house.cycle.run_once(house.policies) == 1
    assert (house.cloud.mutations, house.store.decisions) == ([], [])


# Resuming ------------------------------------------------------------------------------------------------------------


async def test_a_target_cannot_be_resumed_while_all_are_paused(house):
    await pause(house)
    await pause(house, None, None)
    with pytest.raises(ChangeRefusedError, match=r"all targets are paused \(by ann\).*autoscaler resume --all"):
        await resume(house, breaker=True)
    assert len(shown(house)["pauses"]) == 2


async def test_resuming_all_ends_every_pause(house):
    await pause(house)
    await pause(house, None, None)
    answer = await resume(house, None)
    assert ([one["target"] for one in answer["changed"]], answer["pauses"]) == (["orders", None], [])
    assert not await is_held(house)


async def test_resuming_what_is_not_paused_changes_nothing(house):
    assert (await resume(house))["changed"] == []
    assert (await resume(house, None))["changed"] == []


async def test_resuming_leaves_an_override_unless_it_is_meant_too(house):
    await override(house)
    await pause(house)
    assert (await resume(house))["override"]["nodes"] == 4
    assert (await resume(house, override=True))["override"] is None


# The breaker ---------------------------------------------------------------------------------------------------------


async def broken(house: House) -> None:
    """The next two scale-outs fail."""
    for _ in range(2):
        job = (await house.hot()).job_id
        house.cloud.finish(job or "", "Failed")
        await house.look(every=timedelta(0))
        house.minutes(4)


def impatient() -> House:
    return House(policies=(orders(cooldown=Cooldown(failed=timedelta(0)), breaker=Breaker(2)),))


@pytest.mark.parametrize("name", ["orders", None], ids=["of the target", "of all"])
async def test_a_breaker_that_is_closed_by_hand_lets_the_next_try_through(name):
    house = impatient()
    await broken(house)
    assert (await house.decision()).reason == "breaker_open"
    await resume(house, name)
    assert (await house.decision()).reason == "breaker_open"
    told = house.monitor.standing["orders"][Direction.OUT]
    assert (told.failures, told.open_until is not None) == (2, True)
    answer = await resume(house, name, breaker=True)
    assert [one["kind"] for one in answer["changed"]] == ["breaker_reset"]
    house.start()
    assert (await house.hot()).state is State.SUBMITTED


async def test_it_opens_again_after_as_many_failures_more():
    house = impatient()
    await broken(house)
    await resume(house, breaker=True)
    house.minutes()
    await broken(house)
    assert (await house.decision()).reason == "breaker_open"


async def test_a_breaker_is_closed_though_the_clock_was_set_back_since():
    house = impatient()
    await broken(house)
    house.clock.wall -= MINUTE * 5
    assert (await house.decision()).reason == "breaker_open"
    await resume(house, breaker=True)
    assert (await house.decision()).reason == "cooldown"  # until the clock has caught up with the failure


# Overrides -----------------------------------------------------------------------------------------------------------


async def test_an_override_is_reached_kept_and_ends_by_itself(house):
    house.metrics.stand_at(20)
    answer = await override(house)
    assert (answer["override"]["nodes"], answer["override"]["who"]) == (4, "ann")
    decision = await house.decision()
    assert (decision.change, decision.reason) == (2, "override")
    assert decision.details["override"] == "4 nodes set by hand by ann until 2026-11-23T13:00:00Z: a sale"
    house.cloud.finish_all()
    await house.look(every=timedelta(0))
    house.start()
    house.minutes(50)
    assert (await house.decision()).reason == "within_bounds"
    assert shown(house)["override"]["until"] == "2026-11-23T13:00:00Z"
    house.minutes(10)
    assert (await house.decision()).reason == "below_threshold"
    assert (shown(house)["override"], len(house.cloud.mutations)) == (None, 2)


async def test_a_new_override_takes_the_place_of_the_earlier_one(house):
    await override(house, 16, 24 * HOUR)
    await override(house, 3, HOUR, who="bob")
    ended = [(one["ended_by"], one["ended_reason"]) for one in house.console().interventions(limit=5)]
    assert ended == [("", ""), ("bob", "a sale")]
    house.minutes(61)
    assert shown(house)["override"] is None


@pytest.mark.parametrize("nodes", [-1, 0, 1, 17])
async def test_an_override_outside_the_bounds_is_refused_and_told_what_is_allowed(house, nodes):
    with pytest.raises(ChangeInvalidError, match=f"{nodes} nodes are outside the policy of orders; it allows 2 to 16"):
        await override(house, nodes)
    assert house.store.by_hand == {}


async def test_an_override_for_more_than_a_month_is_refused(house):
    await override(house, lasts=timedelta(days=30))
    with pytest.raises(ChangeInvalidError, match="at most 30d"):
        await override(house, lasts=timedelta(days=30, seconds=1))


async def test_of_a_target_that_is_off_an_override_is_refused():
    with pytest.raises(ChangeRefusedError, match="off"):
        await override(House(policies=(orders(mode=Mode.OFF),)))


NOTED: dict[str, tuple[dict[str, Any], Mode]] = {
    "a target in observe": ({"mode": Mode.OBSERVE}, Mode.ENFORCE),
    "a ceiling of observe": ({}, Mode.OBSERVE),
}


@pytest.mark.parametrize(("keys", "ceiling"), NOTED.values(), ids=NOTED)
async def test_in_observe_an_override_is_accepted_and_sends_nothing(keys, ceiling):
    house = House(policies=(orders(**keys),), ceiling=ceiling)
    assert (await override(house))["notes"] == [
        "orders is in observe: nothing is sent, the records show what would be done"
    ]
    decision = await house.decision()
    assert (decision.reason, decision.desired, house.cloud.mutations) == ("observe_only", 4, [])


async def test_an_override_under_a_pause_waits_and_the_answer_says_so(house):
    await pause(house)
    assert (await override(house))["notes"] == ["orders is paused: the override waits until it is resumed"]
    assert (await house.decision()).reason == "paused"
    await resume(house)
    assert (await house.decision()).reason == "override"


async def test_an_override_that_turns_the_direction_meanwhile_is_checked_for_that_direction(house):
    """A scale-in was being checked, which reads no offer: going out without one would go to no zone."""
    house.cloud.names_nodes = True
    house.cloud.add(1)
    house.metrics.stand_at(20)
    real = house.cloud.data_nodes
    given: list[dict] = []

    async def data_nodes(*arguments):
        if not given:
            given.append(await override(house, 5))
        return await real(*arguments)

    house.cloud.data_nodes = data_nodes
    (last,) = await house.evaluate()
    assert (last.decision, last.desired, last.reason) == ("out", 5, "override")
    assert (len(house.cloud.mutations), len(house.cloud.mutations[0].zones)) == (1, last.change)


# Audit ---------------------------------------------------------------------------------------------------------------


async def test_everything_is_in_the_history_the_log_and_the_metrics(house):
    await pause(house)
    await override(house)
    assert house.monitor.held["orders"].pauses[0].who == "ann"
    await resume(house, override=True, breaker=True, reason="it moved")
    told = ("kind", "who", "reason", "ended_by", "ended_reason")
    assert [tuple(one[key] for key in told) for one in house.console().interventions(limit=9)] == [
        ("breaker_reset", "bob", "it moved", "", ""),
        ("override", "ann", "a sale", "bob", "it moved"),
        ("pause", "ann", "a move", "bob", "it moved"),
    ]
    assert house.monitor.events[-1][2]["reason"] == "it moved"
    assert [(words, fields["target"], fields["by"]) for _, words, fields in house.monitor.events] == [
        ("paused by hand", "orders", "ann"),
        ("nodes set by hand", "orders", "ann"),
        ("resumed by hand", "orders", "bob"),
    ]
    assert house.monitor.held["orders"].pauses == ()


async def test_what_holds_is_told_in_each_cycle_also_while_the_cloud_is_away(house):
    await pause(house)
    house.monitor.held.clear()
    house.cloud.broken["describe"] = Unavailable("503")
    await house.evaluate()
    assert len(house.monitor.held["orders"].pauses) == 1


async def test_a_refused_call_leaves_an_override_to_be_tried_again(house):
    house.cloud.answers.append(Refused("400"))
    await override(house)
    await house.evaluate()
    house.minutes()
    assert (await house.decision()).reason == "override"
    assert len(house.cloud.mutations) == 2

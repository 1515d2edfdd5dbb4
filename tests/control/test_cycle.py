"""A cycle: every evaluation ends in one record or one counted error; what would move is checked before it is sent."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.core.checks import DataNode, Offer
from autoscaler.core.operation import State
from autoscaler.core.policy import Cooldown, Direction
from autoscaler.core.target import Mode, Node
from autoscaler.errors import (
    AccessRefused,
    Ambiguous,
    Busy,
    DataNodeBusy,
    NotFound,
    StoreError,
    Throttled,
    Unavailable,
    Unreadable,
)
from tests.control.house import HOT_OR_COLD, INSTANCE, House, orders, target
from tests.core.given import MINUTE, NO_COOLDOWN, operation, policy, step, threshold
from tests.fakes import HANG, LOST, FakeInstance

NAMES = ("bad", "orders", "stock")


def fleet(**more) -> Any:
    """Three targets, each on an instance of its own; `bad` is the one that things happen to."""
    house = House(policies=tuple(orders(target=target(name, instance=name)) for name in NAMES), **more)
    house.cloud.instances = {
        name: FakeInstance({"group": [Node(f"{name}1", "normal"), Node(f"{name}2", "normal")]}) for name in NAMES
    }
    return house


def ends(house: House) -> dict[str, list[str]]:
    """By target: the reasons of its records and the names of its counted errors."""
    found: dict[str, list[str]] = {name: [] for name in NAMES}
    for record in house.store.decisions:
        found[record.target].append(record.reason.value)
    for name, error in house.monitor.failures:
        found[name].append(type(error).__name__)
    return found


# One bad target ------------------------------------------------------------------------------------------------------

BAD = {
    "no such group": (NotFound("no such group"), "NotFound"),
    "unavailable": (Unavailable("503"), "Unavailable"),
    "unreadable": (Unreadable("not JSON"), "Unreadable"),
    "refused": (AccessRefused("403"), "AccessRefused"),
}


@pytest.mark.parametrize(("error", "name"), BAD.values(), ids=BAD)
async def test_i8_a_target_that_cannot_be_described_is_one_error_and_the_others_go_on(error, name):
    house = fleet()
    house.cloud.broken["describe", "bad"] = error
    assert await house.cycle.run_once(house.policies) == 1
    assert ends(house) == {"bad": [name], "orders": ["within_bounds"], "stock": ["within_bounds"]}
    assert ("bad", None) in house.monitor.seen


async def test_i8_a_target_that_the_answer_forgets_is_one_error_and_the_others_go_on():
    house = fleet()
    real = house.cloud.describe

    async def forgetful(targets):
        return {name: found for name, found in (await real(targets)).items() if name != "bad"}

    house.cloud.describe = forgetful
    assert await house.cycle.run_once(house.policies) == 1
    assert ends(house) == {"bad": ["KeyError"], "orders": ["within_bounds"], "stock": ["within_bounds"]}


@pytest.mark.parametrize("error", [Unavailable("down"), KeyError("instances"), RuntimeError("bug")], ids=repr)
async def test_i8_a_cloud_that_cannot_be_asked_is_one_error_for_each_target(error):
    house = fleet()
    house.cloud.broken["describe"] = error
    assert await house.cycle.run_once(house.policies) == 3
    assert ends(house) == {name: [type(error).__name__] for name in NAMES}


async def test_i8_before_the_sign_in_each_target_is_an_error():
    house = fleet()
    house.cloud.scope = None
    assert await house.cycle.run_once(house.policies) == 3


@pytest.mark.parametrize("method", ["seen_nodes", "operations", "save_seen_nodes", "import_operations"])
@pytest.mark.parametrize("error", [StoreError("disk full"), KeyError("row")], ids=repr)
async def test_i8_a_store_that_fails_for_one_instance_is_one_error(method, error):
    house = fleet()
    real = getattr(house.store, method)
    if method == "import_operations":
        house.cloud.begin_job("done", instance_id="bad", status="Completed")

    async def failing(first, *rest, **more):
        instance = first[0].instance if isinstance(first, list) and first else first
        if getattr(instance, "instance_id", "") == "bad":
            raise error
        return await real(first, *rest, **more)

    setattr(house.store, method, failing)
    assert await house.cycle.run_once(house.policies) == 1
    assert ends(house) == {"bad": [type(error).__name__], "orders": ["within_bounds"], "stock": ["within_bounds"]}


@pytest.mark.parametrize("error", [StoreError("disk full"), KeyError("row")], ids=repr)
async def test_i8_records_that_cannot_be_stored_are_counted_errors(error):
    house = fleet()

    async def failing(decisions):
        raise error

    house.store.record = failing
    assert await house.cycle.run_once(house.policies) == 3
    assert ends(house) == {name: [type(error).__name__] for name in NAMES}
    assert house.monitor.decisions == []


@pytest.mark.parametrize("call", ["sign_in", "jobs", "data_nodes", "offer"])
@pytest.mark.parametrize("error", [Unavailable("503"), KeyError("jobs")], ids=repr)
async def test_i8_a_pre_flight_that_cannot_be_read_is_an_error_and_nothing_is_sent(house, call, error):
    await house.evaluate()  # the group is known from now on, so that no job list is read before the pre-flight
    house.cloud.broken[call] = error
    house.metrics.stand_at(90)
    assert await house.evaluate() == []
    assert [type(each) for _, each in house.monitor.failures] == [type(error)]
    assert house.cloud.mutations == []


async def test_i8_an_intent_that_breaks_is_one_error_and_the_others_move():
    house = fleet()
    real = house.store.commit_intent

    async def failing(operation, decision):
        if operation.target == "bad":
            raise KeyError("column")
        await real(operation, decision)

    house.store.commit_intent = failing
    house.metrics.stand_at(90)
    await house.evaluate()
    assert ends(house) == {"bad": ["KeyError"], "orders": ["above_threshold"], "stock": ["above_threshold"]}
    assert {op.target for op in house.cloud.mutations} == {"orders", "stock"}


async def test_i8_errors_are_counted_for_their_own_round_only():
    house = fleet()
    house.cloud.broken["describe", "bad"] = NotFound("gone")
    assert [await house.cycle.run_once(house.policies) for _ in range(2)] == [1, 1]
    assert await house.cycle.run_once(house.policies[1:]) == 0


async def test_i8_an_error_of_a_target_is_shown_until_it_is_evaluated_again():
    house = fleet()
    house.cloud.broken["describe", "bad"] = NotFound("no such group")
    await house.evaluate()
    assert house.memory.of("bad").error == "no such group"
    house.cloud.broken.clear()
    await house.evaluate()
    assert house.memory.of("bad").error is None


async def test_i7_one_now_for_all_records_of_a_round():
    house = fleet()
    started = house.clock.now()
    house.cloud.on_call = lambda _: house.clock.pass_time(timedelta(seconds=3))
    await house.evaluate()
    assert {record.at for record in house.store.decisions} == {started}


# Before acting -------------------------------------------------------------------------------------------------------


async def test_everything_is_read_again_before_the_call(house):
    await house.evaluate()
    house.cloud.calls.clear()
    await house.hot()
    assert house.cloud.calls == ["describe", "sign_in", "describe", "jobs", "data_nodes", "offer", "add_nodes"]


async def test_a_hold_reads_nothing_more(house):
    await house.evaluate()
    house.cloud.calls.clear()
    await house.evaluate()
    assert house.cloud.calls == ["describe"]


def _restarting(house):
    house.cloud.instances["instance"].status = "RESTARTING"


GUARDED = orders(data_node_max_cpu=Decimal(85), cooldown=NO_COOLDOWN)


async def test_a_data_node_at_its_limit_holds_a_scale_out_until_it_cools():
    house = House(policies=(GUARDED,))
    house.cloud.data_cpu["rds"] = Decimal("93.5")
    house.metrics.stand_at(90)
    held = await house.decision()
    assert (held.decision.value, held.desired, held.reason.value) == ("hold", 3, "data_node_bottleneck")
    assert held.details == {
        "data_node_bottleneck": "data node orders-db is at 93.5 % CPU, above max_cpu 85 %: more DDM nodes cannot help"
    }
    assert house.cloud.mutations == []
    house.cloud.data_cpu["rds"] = Decimal(85)
    house.minutes()
    assert (await house.decision()).decision.value == "out"


async def test_the_cpu_of_the_data_nodes_is_read_only_before_nodes_are_added():
    house = House(policies=(GUARDED,))
    house.cloud.have(4)
    house.cloud.data_cpu["rds"] = Decimal(99)
    house.metrics.stand_at(10)
    assert (await house.decision()).decision.value == "in"
    assert "data_node_cpu" not in house.cloud.calls


@pytest.mark.parametrize("why", ["not listed", "cannot be asked"])
async def test_a_cpu_that_is_not_known_stops_nobody_and_is_told_once_until_it_is_known_again(why):
    house = House(policies=(replace(GUARDED, mode=Mode.OBSERVE),))
    house.metrics.stand_at(90)
    reason = "Cloud Eye has no value of orders-db that is new enough"
    if why == "cannot be asked":
        house.cloud.broken["data_node_cpu"], reason = Unavailable("down"), "down"

    async def told() -> list[dict[str, object]]:
        house.minutes(20)  # each time the shadow of the last is over
        assert (await house.decision()).vetoes == ("observe_only",)
        return [fields for _, message, fields in house.monitor.events if "max_cpu stops nothing" in message]

    assert [len(await told()) for _ in range(3)] == [1, 1, 1]
    assert await told() == [{"target": "orders", "reason": reason}]
    house.cloud.broken.clear()
    house.cloud.data_cpu["rds"] = Decimal(20)
    await told()
    house.cloud.data_cpu.clear()
    assert len(await told()) == 2


async def test_without_a_look_at_their_state_a_list_of_data_nodes_that_cannot_be_read_stops_nobody():
    house = House(policies=(replace(GUARDED, check_data_nodes=False),))
    house.cloud.broken["data_nodes"] = Unavailable("down")
    house.metrics.stand_at(90)
    assert (await house.decision()).decision.value == "out"


CHANGED = {
    "somebody's job runs": (lambda house: house.cloud.begin_job("theirs", "RestartInstance"), "in_progress"),
    "an unknown job state": (lambda house: house.cloud.begin_job("theirs", status="Expanding"), "in_progress"),
    "a data node is busy": (
        lambda house: setattr(house.cloud, "data", (DataNode("rds", "db", "normal", "BACKING UP"),)),
        "data_node_busy",
    ),
    "a data node is unknown to RDS": (
        lambda house: setattr(house.cloud, "data", (DataNode("rds", "db", "normal", ""),)),
        "data_node_busy",
    ),
    "sold out": (lambda house: setattr(house.cloud, "on_sale", Offer("f", (), sold_out=True)), "sold_out"),
    "clocks apart": (lambda house: setattr(house.cloud, "skew", timedelta(minutes=-6)), "not_ready"),
    "the instance restarts": (_restarting, "not_ready"),
    "a node came": (lambda house: house.cloud.add(), "not_ready"),
    "a node went": (lambda house: house.cloud.remove(), "not_ready"),
}


@pytest.mark.parametrize(("change", "reason"), CHANGED.values(), ids=CHANGED)
async def test_what_changed_between_the_decision_and_the_pre_flight_holds_it(house, change, reason):
    await house.evaluate()
    house.cloud.on_call = lambda name: change(house) if name == "sign_in" else None
    house.metrics.stand_at(90)
    record = await house.decision()
    assert (record.decision.value, record.reason.value, record.desired) == ("hold", reason, 3)
    assert house.cloud.mutations == []


async def test_another_instances_job_is_no_hindrance(house):
    house.cloud.begin_job("theirs", instance_id="another")
    assert (await house.hot()).state is State.SUBMITTED


async def test_a_prepaid_order_that_nobody_would_pay_is_not_made(house):
    house.cloud.instances["instance"].prepaid = True
    house.metrics.stand_at(90)
    assert (await house.decision()).reason == "payment_required"
    assert house.cloud.mutations == []


REFUSED = {"409": Busy("busy", status=409), "an RDS is busy": DataNodeBusy("rds"), "429": Throttled("slow down")}


@pytest.mark.parametrize("error", REFUSED.values(), ids=REFUSED)
async def test_after_a_refusal_the_next_cycle_decides_anew_with_a_new_intent(house, error):
    house.cloud.answers.append(error)
    first = await house.hot()
    house.minutes()
    second = await house.hot()
    assert (first.state, second.state) == (State.REJECTED, State.SUBMITTED)
    assert first.id != second.id


async def test_while_a_call_hangs_the_others_go_on_and_the_instance_holds(house):
    house.cloud.answers.append(HANG)
    house.metrics.stand_at(90)
    await house.evaluate(wait=False)
    await house.cloud.sent.wait()
    (record,) = await house.evaluate(wait=False)
    assert record.reason == "in_progress"
    house.cloud.released.set()
    await house.calls_end()
    assert house.state() is State.SUBMITTED


# One operation per instance ------------------------------------------------------------------------------------------


def two_groups(**more) -> Any:
    """One instance with two groups, each a target."""
    house = House(
        policies=tuple(orders(target=target(name, group=name), **more) for name in ("reads", "writes")),
    )
    nodes = {name: [Node(f"{name}{n}", "normal") for n in range(2)] for name in ("reads", "writes")}
    house.cloud.instances = {"instance": FakeInstance(nodes)}
    return house


async def test_i1_two_targets_of_an_instance_move_in_one_cycle_one_operation_and_one_hold():
    house = two_groups()
    house.metrics.stand_at(90)
    records = await house.evaluate()
    assert sorted((record.decision.value, record.reason.value) for record in records) == [
        ("hold", "in_progress"),
        ("out", "above_threshold"),
    ]
    assert len(house.cloud.mutations) == len(house.ours) == 1


async def test_i1_an_operation_begun_at_the_last_moment_makes_a_hold(house):
    """As another process would: the store refuses the second intent."""
    await house.evaluate()
    other = House()
    other.store, other.cloud = house.store, house.cloud
    other.metrics.stand_at(90)
    other.start()
    real = house.store.commit_intent

    async def late(operation, decision):
        house.store.commit_intent = real
        await other.evaluate()
        await real(operation, decision)

    house.store.commit_intent = late
    house.metrics.stand_at(90)
    await house.evaluate()
    assert [record.reason.value for record in house.store.decisions[1:]] == ["above_threshold", "in_progress"]
    assert house.store.decisions[-1].stages[-1].desired == 2
    assert len(house.cloud.mutations) == 1


def order_of(house: Any, *names: str) -> list[str]:
    """These calls and the commits of intents, as they will come."""
    order: list[str] = []
    house.cloud.on_call = lambda name: order.append(name) if name in names else None
    real = house.store.commit_intent

    async def noted(operation, decision):
        order.append("commit")
        await real(operation, decision)

    house.store.commit_intent = noted
    return order


async def test_what_an_instances_second_target_reads_is_newer_than_the_firsts_intent():
    """Else it could act on a reading from before the cloud said that the instance is busy."""
    house = two_groups()
    await house.evaluate()
    order = order_of(house, "jobs")
    house.metrics.stand_at(90)
    await house.evaluate()
    assert order == ["jobs", "commit", "jobs"]


async def test_a_slow_target_does_not_make_anothers_pre_flight_old():
    """An intent is committed right after its own pre-flight, not when the whole round has read."""
    house = fleet()
    order = order_of(house, "offer")
    house.metrics.stand_at(90)
    await house.evaluate()
    assert order[:2] == ["offer", "commit"]


# Modes ---------------------------------------------------------------------------------------------------------------

OBSERVING = {"the policy says so": (Mode.OBSERVE, Mode.ENFORCE), "the ceiling says so": (Mode.ENFORCE, Mode.OBSERVE)}


@pytest.mark.parametrize(("mode", "ceiling"), OBSERVING.values(), ids=OBSERVING)
async def test_i10_observe_sends_nothing_whatever_happens(mode, ceiling):
    house = House(policies=(orders(mode=mode),), ceiling=ceiling)
    for load in (90, 10, None, 90, 99, 5):
        house.metrics.stand_at(load)
        for _ in range(20):
            await house.evaluate()
            await house.look()
            house.minutes(2)
    house.cloud.remove()  # below min
    await house.evaluate()
    house.cloud.add(20)  # above max
    await house.evaluate()
    assert {record.reason.value for record in house.store.decisions} >= {"observe_only", "in_progress", "cooldown"}
    assert (house.cloud.mutations, house.ours) == ([], [])


async def test_a_ceiling_of_observe_reads_before_acting_all_the_same():
    house = House(ceiling=Mode.OBSERVE)
    house.cloud.data = (DataNode("rds", "db", "normal", "BACKING UP"),)
    house.metrics.stand_at(90)
    record = await house.decision()
    assert (record.reason.value, record.vetoes, record.mode) == (
        "data_node_busy",
        ("data_node_busy", "observe_only"),
        "observe",
    )


async def test_a_shadow_operation_is_open_for_ten_minutes_then_cools_down():
    house = House(policies=(orders(mode=Mode.OBSERVE),))
    house.metrics.stand_at(90)
    reasons = []
    for _ in range(22):
        reasons.append((await house.decision()).reason.value)
        house.minutes()
    assert reasons == ["observe_only", *["in_progress"] * 9, *["cooldown"] * 10, "observe_only", "in_progress"]


async def test_a_shadow_begins_only_where_observe_is_the_sole_veto():
    house = House(policies=(orders(mode=Mode.OBSERVE),))
    house.cloud.on_sale = Offer("f", (), sold_out=True)
    house.metrics.stand_at(90)
    reasons = []
    for _ in range(3):
        reasons.append((await house.decision()).reason.value)
        house.minutes()
    assert reasons == ["sold_out"] * 3
    assert house.memory.of("orders").shadows == ()


async def test_out_only_never_scales_in():
    house = House(policies=(orders(mode=Mode.OUT_ONLY),))
    house.cloud.have(4)
    house.metrics.stand_at(10)
    assert (await house.decision()).reason == "direction_locked"
    assert (await house.hot()).direction is Direction.OUT


# Metrics -------------------------------------------------------------------------------------------------------------

MISSING = {
    "empty": (lambda metrics: metrics.stand_at(None), "no_data"),
    "429": (lambda metrics: metrics.errors.update(ddm_cpu_util=Throttled("429")), "no_data"),
    "5xx": (lambda metrics: metrics.errors.update(ddm_cpu_util=Unavailable("503")), "no_data"),
    "half a page": (lambda metrics: metrics.errors.update(ddm_cpu_util=Unreadable("half a page")), "no_data"),
    "late by 16 min": (lambda metrics: setattr(metrics, "lag", timedelta(minutes=16)), "stale_data"),
    "late by 14 min": (lambda metrics: setattr(metrics, "lag", timedelta(minutes=14)), "within_bounds"),
    "only a third of the nodes": (
        lambda metrics: setattr(metrics, "value", lambda _, node, __: Decimal(10) if node == "n1" else None),
        "no_data",
    ),
    "not a number": (lambda metrics: metrics.stand_at("NaN"), "no_data"),
    "infinite": (lambda metrics: metrics.stand_at("Infinity"), "no_data"),
}


@pytest.mark.parametrize(("loss", "reason"), MISSING.values(), ids=MISSING)
async def test_i5_missing_data_holds_with_its_reason(loss, reason):
    house = House()
    house.cloud.have(3)
    loss(house.metrics)
    record = await house.decision()
    assert (record.decision.value, record.reason.value) == ("hold", reason)


async def test_i8_a_source_that_breaks_is_missing_data_for_every_target_not_the_end_of_the_round():
    house = fleet()
    house.metrics.raises = KeyError("metrics")
    assert await house.cycle.run_once(house.policies) == 0
    assert ends(house) == {name: ["no_data"] for name in NAMES}
    assert house.monitor.said("a metric could not be read") == 3


async def test_i8_metrics_of_one_target_that_fail_hold_that_one_only():
    house = fleet()
    house.metrics.stand_at(90)
    house.metrics.errors["bad"] = Throttled("429")
    await house.evaluate()
    assert ends(house) == {"bad": ["no_data"], "orders": ["above_threshold"], "stock": ["above_threshold"]}


async def test_below_min_goes_out_without_any_data():
    house = House(policies=(orders(nodes=(3, 16)),))
    house.metrics.raises = KeyError("metrics")
    record = await house.decision()
    assert (record.reason.value, record.change, house.state()) == ("below_min", 1, State.SUBMITTED)


async def test_after_an_outage_of_the_metrics_the_decision_is_made_on_what_came_since(house):
    await house.evaluate()
    house.metrics.raises = Unavailable("down")
    house.minutes(16)
    assert (await house.decision()).reason == "stale_data"
    house.metrics.raises = None
    house.metrics.stand_at(90)
    house.minutes()
    assert (await house.decision()).reason == "above_threshold"


# Windows -------------------------------------------------------------------------------------------------------------


def spans(house: House) -> list[tuple[float, float]]:
    """What was asked, in minutes before now."""
    now = house.clock.now()
    return [((now - start) / MINUTE, (now - end) / MINUTE) for _, start, end in house.metrics.asked]


LONG = threshold(in_=[step("30", for_=timedelta(minutes=30))])


async def test_windows_are_filled_once_and_then_only_asked_for_what_is_new():
    house = House(policies=(policy(LONG, target=target()),))
    await house.evaluate()
    assert spans(house) == [(48.0, 0.0)]  # window, max_metric_age and three periods
    house.minutes()
    house.metrics.asked.clear()
    await house.evaluate()
    assert spans(house) == [(13.0, 0.0)]  # one minute, the lag of the cloud and two periods


async def test_a_gap_left_by_an_outage_is_filled_again():
    house = House(policies=(policy(LONG, target=target(), nodes=(1, 16)),))
    house.metrics.stand_at(10)
    await house.evaluate()
    house.metrics.raises = Unavailable("down")
    for _ in range(25):
        house.minutes()
        await house.evaluate()
    house.metrics.raises = None
    house.metrics.asked.clear()
    house.minutes()
    record = (await house.evaluate())[-1]
    assert spans(house) == [(38.0, 0.0)]
    assert record.rules[0].samples == 30


async def test_a_clock_set_back_fills_the_windows_anew():
    house = House(policies=(policy(LONG, target=target()),))
    await house.evaluate()
    house.clock.wall -= timedelta(hours=1)
    house.metrics.asked.clear()
    await house.evaluate()
    assert spans(house) == [(48.0, 0.0)]


async def test_two_rules_on_one_metric_ask_once():
    house = House(policies=(policy(HOT_OR_COLD, threshold(out=[step("90")], name="very hot"), target=target()),))
    await house.evaluate()
    (queries,) = [queries for queries, _, _ in house.metrics.asked]
    assert [(query.name, query.node_ids) for query in queries] == [("ddm_cpu_util", ("n1", "n2"))]


async def test_targets_of_one_round_are_asked_together():
    house = fleet()
    await house.evaluate()
    assert [len(queries) for queries, _, _ in house.metrics.asked] == [3]


async def test_windows_of_targets_that_went_are_forgotten():
    house = fleet()
    await house.evaluate()
    house.poller.windows.keep(house.policies[:1])
    gone, kept = house.policies[1], house.policies[0]
    assert not house.poller.windows.points(gone, gone.metrics[0])
    assert house.poller.windows.points(kept, kept.metrics[0])


# Nodes ---------------------------------------------------------------------------------------------------------------


async def test_a_new_nodes_metrics_count_when_it_has_been_ready_for_the_warm_up():
    house = House(policies=(orders(warm_up=timedelta(minutes=5), cooldown=Cooldown(timedelta(0))),))
    await house.evaluate()
    house.cloud.add()
    new = house.cloud.instances["instance"].groups["group"][-1].id
    house.metrics.value = lambda _, node, __: Decimal(50 if node != new else 110)
    shown = []
    for _ in range(8):
        record = await house.decision()
        shown.append((record.rules[0].warming, record.rules[0].value))
        house.minutes()
    assert shown == [(1, Decimal(50))] * 6 + [(0, Decimal(70))] * 2


async def test_a_node_counts_from_when_it_was_ready_not_from_when_it_was_there(house):
    await house.evaluate()
    house.cloud.add(status="creating")
    await house.evaluate()
    house.minutes(30)
    group = house.cloud.instances["instance"].groups["group"]
    group[-1] = Node(group[-1].id, "normal")
    assert (await house.decision()).rules[0].warming == 1


async def test_nodes_found_with_an_empty_store_are_warm(house):
    assert (await house.decision()).rules[0].warming == 0


# Somebody else -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "direction"), [(2, Direction.OUT), (-1, Direction.IN)], ids=["out", "in"])
async def test_a_change_by_somebody_else_is_found_once_and_starts_the_cooldown(house, change, direction):
    house.cloud.have(4)
    await house.evaluate()
    house.cloud.add(change) if change > 0 else house.cloud.remove(-change)
    house.minutes()
    found = house.clock.now()
    for _ in range(3):
        await house.evaluate()
    (operation,) = house.foreign
    assert (operation.direction, operation.change, operation.ended_at, operation.state) == (
        direction,
        abs(change),
        found,
        State.SUCCEEDED,
    )
    assert [op for op, _ in house.monitor.operations if op.foreign] == [operation]
    house.minutes(5)
    house.metrics.stand_at(10)
    assert (await house.decision()).reason == "cooldown"


async def test_a_node_that_somebody_else_adds_counts_from_when_it_serves(house):
    await house.evaluate()
    house.cloud.add(status="creating")
    house.minutes()
    await house.evaluate()
    assert house.foreign == []
    house.cloud.serve()
    house.minutes()
    await house.evaluate()

    (operation,) = house.foreign
    assert (operation.direction, operation.change, operation.ended_at) == (Direction.OUT, 1, house.clock.now())


async def test_an_empty_store_that_finds_a_node_being_made_waits_after_it_serves(house):
    """A store that was lost while our own call was carried out: its job is no operation of ours any more."""
    house.cloud.add(status="creating")
    await house.evaluate()
    house.cloud.serve()
    house.metrics.stand_at(95)
    house.minutes()

    assert (await house.decision()).reason in ("cooldown", "within_bounds")
    assert (len(house.foreign), house.cloud.mutations) == (1, [])


async def test_a_node_that_never_served_goes_without_a_trace(house):
    await house.evaluate()
    house.cloud.add(status="creating")
    await house.evaluate()
    house.cloud.remove()
    await house.evaluate()
    assert house.foreign == []


async def test_a_change_by_somebody_else_survives_a_store_that_fails_in_between(house):
    await house.evaluate()
    house.cloud.add()
    real = house.store.save_seen_nodes

    async def failing(*_, **__):
        raise StoreError("disk full")

    house.store.save_seen_nodes = failing
    await house.evaluate()
    house.store.save_seen_nodes = real
    await house.evaluate()
    assert len(house.foreign) == 1


async def test_a_group_in_which_nothing_has_changed_is_looked_up_once(house):
    await house.evaluate()
    asked: list[str] = []
    for name in ("seen_nodes", "save_seen_nodes"):
        real = getattr(house.store, name)

        async def counted(*args, real=real, name=name, **more):
            asked.append(name)
            return await real(*args, **more)

        setattr(house.store, name, counted)
    await house.evaluate()
    assert asked == ["seen_nodes"]
    house.cloud.add()
    await house.evaluate()
    assert asked[1:] == ["seen_nodes", "seen_nodes", "save_seen_nodes"]


async def test_our_own_change_is_never_counted_as_foreign(house):
    await house.hot()
    for _ in range(3):
        await house.evaluate()
    house.cloud.finish_all()
    await house.evaluate()  # the nodes are there, the operation is still open
    await house.look()
    await house.evaluate()
    assert (house.state(), house.foreign) == (State.SUCCEEDED, [])


async def test_a_snapshot_from_before_the_end_of_our_operation_is_no_foreign_change(house):
    await house.hot()
    house.cloud.finish_all()
    real = house.cloud.describe

    async def old(targets):
        """Read while the node was not shown yet; processed after the reconciler has closed the operation."""
        house.cloud.describe = real
        answer = await real(targets)
        kept = house.cloud.instances["instance"].groups["group"]
        stale = {
            name: type(shown)(shown.taken_at, shown.instance_status, tuple(kept[:2]), 2, shown.group_id, shown.prepaid)
            for name, shown in answer.items()
        }
        house.clock.pass_time(timedelta(seconds=1))
        await house.reconciler.run_once()
        assert house.state() is State.SUCCEEDED
        return stale

    house.cloud.describe = old
    await house.evaluate()
    await house.evaluate()
    assert house.foreign == []


async def test_a_rejected_call_hides_no_foreign_change(house):
    house.cloud.answers.append(Busy("409"))
    await house.hot()
    house.cloud.add()
    house.minutes()
    house.metrics.stand_at(50)
    await house.evaluate()
    assert len(house.foreign) == 1


# An empty store ------------------------------------------------------------------------------------------------------


async def test_an_empty_store_learns_of_the_last_days_jobs_before_it_decides(house):
    house.cloud.begin_job(
        "theirs", status="Completed", created_at=house.clock.now() - 9 * MINUTE, ended_at=house.clock.now() - 4 * MINUTE
    )
    house.metrics.stand_at(90)
    record = await house.decision()
    assert record.reason == "cooldown"
    assert record.details["cooldown"] == "until 2026-11-23T12:06:00Z"


NO_CHANGE = {
    "a job that failed": {"status": "Failed"},
    "a job of another kind": {"name": "RestartInstance", "status": "Completed"},
    "another instance's job": {"status": "Completed", "instance_id": "another"},
    "a job older than a day": {"status": "Completed", "days": 25 * 60},
}


@pytest.mark.parametrize("job", NO_CHANGE.values(), ids=NO_CHANGE)
async def test_an_empty_store_imports_only_jobs_that_changed_nodes(house, job):
    minutes = job.get("days", 5)
    house.cloud.begin_job(
        "theirs",
        **{key: value for key, value in job.items() if key != "days"},
        created_at=house.clock.now() - minutes * MINUTE,
    )
    house.metrics.stand_at(90)
    await house.evaluate()
    assert house.foreign == []
    assert len(house.cloud.mutations) == 1


async def test_an_empty_store_imports_a_job_for_each_group_of_the_instance():
    """The list of jobs does not tell the group."""
    house = two_groups()
    house.cloud.begin_job("theirs", status="Completed", ended_at=house.clock.now() - 4 * MINUTE)
    house.metrics.stand_at(90)
    assert [record.reason.value for record in await house.evaluate()] == ["cooldown", "cooldown"]


async def test_an_empty_store_reads_the_jobs_once_a_round():
    house = fleet()
    await house.evaluate()
    assert house.cloud.calls == ["describe", "jobs"]


async def test_a_group_seen_before_is_not_asked_for_old_jobs(house):
    await house.evaluate()
    house.start()
    house.cloud.calls.clear()
    await house.evaluate()
    assert house.cloud.calls == ["describe"]


async def test_an_empty_store_learns_of_a_job_whose_nodes_serve_already_when_it_ends(house):
    """The cloud does not say how long nodes serve before their job ends: they would pass for ones always there."""
    house.cloud.begin_job("theirs", created_at=house.clock.now() - 4 * MINUTE)
    house.metrics.stand_at(90)
    assert (await house.decision()).reason == "in_progress"
    house.start()
    house.minutes()
    house.cloud.finish("theirs")
    await house.evaluate()
    house.minutes(4)
    record = await house.decision()
    assert (record.reason, record.details["cooldown"]) == ("cooldown", "until 2026-11-23T12:11:00Z")
    assert len(house.foreign) == 1


async def test_a_job_that_ends_just_before_acting_does_not_let_a_new_group_act(house):
    house.cloud.begin_job("theirs", created_at=house.clock.now() - 4 * MINUTE)
    house.metrics.stand_at(90)

    def ends(call: str) -> None:
        if call == "jobs" and house.cloud.calls.count("jobs") == 2:
            house.cloud.finish("theirs")

    house.cloud.on_call = ends
    record = await house.decision()
    assert (record.reason, house.cloud.mutations) == ("in_progress", [])
    assert "theirs (EnlargeNode) was under way" in record.details["in_progress"]


async def test_an_empty_store_sees_a_node_that_does_not_serve_yet_when_it_does(house):
    house.cloud.begin_job("theirs", created_at=house.clock.now() - 4 * MINUTE)
    house.cloud.add(status="creating")
    await house.evaluate()
    house.cloud.serve()
    await house.evaluate()
    (operation,) = house.foreign
    assert (operation.direction, operation.job_id) == (Direction.OUT, None)


async def test_a_job_list_that_cannot_be_read_lets_a_new_group_wait(house):
    house.cloud.broken["jobs"] = Unavailable("503")
    assert await house.evaluate() == []
    house.cloud.broken.clear()
    house.cloud.begin_job("theirs", status="Completed", ended_at=house.clock.now())
    await house.evaluate()
    assert len(house.foreign) == 1


# Memory --------------------------------------------------------------------------------------------------------------


async def test_a_restart_never_scales_in_at_once():
    house = House(policies=(orders(scale_in_stabilization=timedelta(minutes=15), nodes=(1, 16)),))
    house.metrics.stand_at(10)
    reasons = []
    for _ in range(16):
        reasons.append((await house.decision()).reason.value)
        house.minutes()
    assert reasons == [*["stabilizing"] * 15, "below_threshold"]


async def test_a_clock_set_back_does_not_hide_what_was_wanted_a_moment_ago():
    house = House(policies=(orders(scale_in_stabilization=timedelta(minutes=15), nodes=(1, 16)),))
    await house.evaluate()
    house.clock.wall -= timedelta(hours=1)
    house.metrics.stand_at(10)
    assert (await house.decision()).reason == "stabilizing"


async def test_cooldown_survives_a_restart(house):
    await house.hot()
    house.cloud.finish_all()
    await house.look()
    house.start()
    house.minutes(2)
    house.metrics.stand_at(90)
    assert (await house.decision()).reason == "cooldown"


async def test_cooldown_that_ended_lets_the_next_operation_begin(house):
    await house.hot()
    house.cloud.finish_all()
    await house.look()
    house.minutes(10)
    await house.hot()
    assert [op.state for op in house.ours] == [State.SUCCEEDED, State.SUBMITTED]


async def test_the_breaker_counts_failures_of_any_age_since_the_last_success(house):
    """Two of them are older than the day that is read for limits, and not the last of their kind."""
    ends = {"a": timedelta(days=9), "b": timedelta(days=3), "c": timedelta(minutes=5)}
    failures = [
        operation(id=name, ended=house.clock.now() - age, state=State.FAILED, instance=INSTANCE)
        for name, age in ends.items()
    ]
    house.store.stored |= {one.id: one for one in failures}
    found = await house.poller.operations(INSTANCE, house.policies[0], house.clock.now())
    assert [one.id for one in found] == ["a", "b", "c"]


async def test_memory_of_targets_that_went_is_forgotten():
    house = fleet()
    await house.evaluate()
    house.memory.keep(["orders"])
    assert list(house.memory.targets) == ["orders"]


async def test_an_unknown_outcome_holds_the_instances_other_targets_too():
    house = two_groups()
    house.cloud.answers.append(LOST)
    house.metrics.stand_at(90)
    await house.evaluate()
    house.minutes()
    assert [record.reason.value for record in await house.evaluate()] == ["unknown_outcome"] * 2


async def test_a_call_cut_off_by_a_bug_is_unknown_and_held(house):
    house.cloud.answers.append(Ambiguous("?"))
    await house.hot()
    house.minutes()
    assert (await house.decision()).vetoes[:1] == ("unknown_outcome",)

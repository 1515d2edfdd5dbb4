"""The reconciler: what became of an operation is seen, never assumed, and nothing is ever sent again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control.reconciler import SETTLE_READINGS
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Cooldown, Direction
from autoscaler.core.target import InstanceKey, Node, Scope
from autoscaler.errors import Busy, NotFound, StoreError, Unavailable, Unreadable
from tests.control.house import BEAT, House, orders, target
from tests.fakes import LOST

SETTLED = 61 + 6  # beats of 10 s: ten minutes after the 80 s in which a call may arrive


@pytest.fixture(autouse=True)
def never_twice(house):
    """Whatever a test does, no intent reached the cloud twice."""
    yield
    ids = [op.id for op in house.cloud.mutations]
    assert len(ids) == len(set(ids))


def job_of(house: House) -> str:
    (job_id,) = house.cloud.accepted
    return job_id


# Success -------------------------------------------------------------------------------------------------------------


async def test_completed_running_and_the_nodes_there_is_success(house):
    await house.hot()
    house.cloud.finish(job_of(house))
    await house.look()
    assert (house.state(), house.operation.arrived) == (State.SUCCEEDED, 1)


async def test_running_just_after_the_call_proves_nothing(house):
    await house.hot()
    await house.look(200)
    assert (house.cloud.instances["instance"].status, house.state()) == ("RUNNING", State.SUBMITTED)


NOT_YET = {
    "the instance still grows": ("GROWING", "normal"),
    "a node is being created": ("RUNNING", "creating"),
    "the instance restarts": ("RESTARTING", "normal"),
}


@pytest.mark.parametrize(("instance", "node"), NOT_YET.values(), ids=NOT_YET)
async def test_a_completed_job_waits_for_the_instance_and_its_nodes(house, instance, node):
    await house.hot()
    house.cloud.instances["instance"].status = instance
    house.cloud.finish(job_of(house), word=node)
    await house.look(SETTLED)
    assert house.state() is State.SUBMITTED
    house.cloud.instances["instance"].status = "RUNNING"
    group = house.cloud.instances["instance"].groups["group"]
    group[-1] = Node(group[-1].id, "normal")
    await house.look()
    assert house.state() is State.SUCCEEDED


async def test_a_forgotten_job_ends_by_its_nodes(house):
    await house.hot()
    job = job_of(house)
    house.cloud.finish(job)
    del house.cloud.job_list[job]
    await house.look()
    assert house.state() is State.SUCCEEDED


async def test_a_forgotten_job_without_its_nodes_stays_open(house):
    await house.hot()
    del house.cloud.job_list[job_of(house)]
    await house.look(2 * SETTLED)
    assert house.state() is State.SUBMITTED


async def test_more_nodes_than_asked_are_somebody_elses(house):
    await house.hot()
    house.cloud.add(2)
    house.cloud.finish(job_of(house))
    await house.look()
    await house.evaluate()
    assert (house.state(), house.operation.arrived) == (State.SUCCEEDED, 1)
    assert [(op.direction, op.change) for op in house.foreign] == [(Direction.OUT, 2)]


async def test_nodes_that_somebody_else_took_away_meanwhile_are_noted_too(house):
    """They used to be taken for having always been gone: a flaky test of real processes showed it."""
    house.cloud.have(4)
    await house.hot()
    house.cloud.remove(2)
    house.cloud.finish(job_of(house))
    await house.look()
    await house.evaluate()
    assert (house.state(), house.operation.arrived) == (State.SUCCEEDED, 1)
    assert [(op.direction, op.change) for op in house.foreign] == [(Direction.IN, 2)]


async def test_a_scale_in_succeeds_when_as_many_are_gone(house):
    house.cloud.have(4)
    house.metrics.stand_at(10)
    await house.evaluate()
    await house.look(3)
    assert house.state() is State.SUBMITTED
    house.cloud.finish(job_of(house))
    await house.look()
    assert (house.state(), house.operation.direction, house.cloud.nodes()) == (State.SUCCEEDED, Direction.IN, 3)


# Failure -------------------------------------------------------------------------------------------------------------

FAILED = {
    "nothing came": ("Failed", 0, "normal", 0),
    "a node came all the same": ("Failed", 1, "normal", 1),
    "a node came that does not serve": ("Failed", 1, "enlargefail", 0),
    "rolled back": ("RollbackSuccess", 0, "normal", 0),
    "cancelled": ("CancelSuccess", 0, "normal", 0),
}


@pytest.mark.parametrize(("status", "nodes", "word", "arrived"), FAILED.values(), ids=FAILED)
async def test_a_job_that_failed_ends_with_what_arrived(house, status, nodes, word, arrived):
    await house.hot()
    house.cloud.finish(job_of(house), status, nodes=nodes, word=word)
    await house.look()
    assert (house.state(), house.operation.arrived) == (State.FAILED, arrived)
    await house.evaluate()
    assert house.foreign == []


async def test_a_failed_job_waits_until_the_group_is_at_rest(house):
    await house.hot()
    house.cloud.instances["instance"].status = "GROWING"
    house.cloud.finish(job_of(house), "Failed")
    await house.look(3)
    assert house.state() is State.SUBMITTED
    house.cloud.instances["instance"].status = "ERROR"
    await house.look()
    assert house.state() is State.FAILED


async def test_completed_without_its_nodes_is_failed_after_settling_and_not_before(house):
    await house.hot()
    house.cloud.finish(job_of(house), nodes=0)
    await house.look(60)
    assert house.state() is State.SUBMITTED
    await house.look()
    assert (house.state(), house.operation.arrived) == (State.FAILED, 0)


async def test_settling_begins_again_where_the_instance_left_running(house):
    await house.hot()
    house.cloud.finish(job_of(house), nodes=0)
    await house.look(60)
    house.cloud.instances["instance"].status = "BACKUP"
    await house.look()
    house.cloud.instances["instance"].status = "RUNNING"
    await house.look(60)
    assert house.state() is State.SUBMITTED


# Unknown: a job ------------------------------------------------------------------------------------------------------


async def test_unknown_with_a_new_job_is_adopted_and_followed(house):
    house.cloud.answers.append(LOST)
    await house.hot()
    await house.look()
    assert (house.state(), house.operation.job_id) == (State.SUBMITTED, job_of(house))
    house.cloud.finish(job_of(house))
    await house.look()
    assert house.state() is State.SUCCEEDED


OTHERS = {
    "another instance's": {"instance_id": "another"},
    "of the other direction": {"name": "ReduceNode"},
    "of another kind": {"name": "RestartInstance"},
}


@pytest.mark.parametrize("job", OTHERS.values(), ids=OTHERS)
async def test_a_job_that_cannot_be_ours_is_not_adopted(house, job):
    await house.unknown()
    house.cloud.begin_job("theirs", **job)
    await house.look(3)
    assert house.state() is State.UNKNOWN


async def test_a_job_known_before_is_not_adopted_whatever_its_time(house):
    house.cloud.begin_job("before", status="Completed", ended_at=house.clock.now() - timedelta(hours=2))
    await house.unknown()
    house.cloud.begin_job("before", status="Completed", created_at=house.clock.now() + timedelta(minutes=1))
    await house.look(3)
    assert house.state() is State.UNKNOWN


@pytest.mark.parametrize("hours", [-23, -1, 0, 1, 23])
async def test_a_new_job_is_adopted_by_its_id_whatever_its_time(house, hours):
    await house.unknown()
    house.cloud.begin_job("ours", created_at=house.clock.now() + timedelta(hours=hours))
    await house.look()
    assert house.operation.job_id == "ours"


async def test_a_job_that_is_another_operations_is_not_adopted(house):
    """The list read before acting may be older than the end of the other one."""
    first = await house.hot()
    job = job_of(house)
    house.cloud.finish(job)
    await house.look()
    house.minutes(15)
    second = await house.unknown()
    house.store.stored[second.id] = replace(second, known_jobs=frozenset())
    await house.look()
    assert house.store.stored[first.id].job_id == job
    assert house.store.stored[second.id].state is State.UNKNOWN


async def test_the_list_of_jobs_has_to_agree_in_two_readings(house):
    await house.unknown()
    numbers = iter(range(100))
    house.cloud.on_call = lambda name: (
        house.cloud.begin_job(f"fresh-{next(numbers)}", instance_id="another") and None if name == "jobs" else None
    )
    await house.look()
    assert house.state() is State.UNKNOWN
    assert house.monitor.said("could not be followed") == 1


async def test_a_job_that_shows_late_is_adopted_then(house):
    house.cloud.answers.append(LOST)
    await house.hot()
    house.cloud.hidden_jobs.add(job_of(house))
    await house.look(30)
    assert house.state() is State.UNKNOWN
    house.cloud.hidden_jobs.clear()
    await house.look()
    assert house.state() is State.SUBMITTED


# Unknown: nodes ------------------------------------------------------------------------------------------------------


async def test_unknown_with_the_nodes_seen_and_no_job_is_success(house):
    await house.unknown()
    house.cloud.add()
    await house.look()
    assert house.state() is State.SUCCEEDED
    await house.evaluate()
    assert house.foreign == []


async def test_unknown_waits_while_the_instance_is_not_running(house):
    await house.unknown()
    house.cloud.add()
    house.cloud.instances["instance"].status = "GROWING"
    await house.look(SETTLED)
    assert house.state() is State.UNKNOWN


# Unknown: nothing ----------------------------------------------------------------------------------------------------


async def test_never_happened_needs_ten_minutes_of_quiet_after_the_last_moment_it_may_have_arrived(house):
    operation = await house.unknown()
    await house.look(SETTLED + 1)
    assert house.state() is State.UNKNOWN
    await house.look(2)
    assert house.state() is State.NEVER_HAPPENED
    assert house.operation.ended_at - operation.send_before >= timedelta(minutes=11)


async def test_never_happened_needs_ten_readings(house):
    await house.unknown()
    house.minutes(5)
    await house.look(SETTLE_READINGS - 1, every=timedelta(minutes=10))
    assert house.state() is State.UNKNOWN
    await house.look()
    assert house.state() is State.NEVER_HAPPENED


async def test_never_happened_starts_the_failed_cooldown(house):
    await house.unknown()
    await house.look(SETTLED + 3)
    record = await house.decision()
    assert (house.state(), record.reason) == (State.NEVER_HAPPENED, "cooldown")


def _error(house):
    house.cloud.broken["jobs"] = Unreadable("half a page")


def _no_instance(house):
    house.cloud.broken["describe", "orders"] = Unavailable("503")


def _bug(house):
    house.cloud.broken["describe"] = KeyError("instances")


def _busy(house):
    house.cloud.instances["instance"].status = "BACKUP"


DISTURBED = {
    "a page of the jobs failed": _error,
    "the instance could not be read": _no_instance,
    "an answer broke our reading": _bug,
    "the instance was busy": _busy,
}


@pytest.mark.parametrize("disturb", DISTURBED.values(), ids=DISTURBED)
async def test_one_reading_that_fails_or_is_not_quiet_starts_the_count_again(house, disturb):
    await house.unknown()
    await house.look(SETTLED)
    disturb(house)
    await house.look()
    house.cloud.broken.clear()
    house.cloud.instances["instance"].status = "RUNNING"
    await house.look(60)
    assert house.state() is State.UNKNOWN
    await house.look()
    assert house.state() is State.NEVER_HAPPENED


async def test_a_restart_starts_the_count_again(house):
    await house.unknown()
    await house.look(SETTLED)
    house.start()
    await house.look(60)
    assert house.state() is State.UNKNOWN
    await house.look()
    assert house.state() is State.NEVER_HAPPENED


async def test_a_wall_clock_that_jumps_ahead_makes_no_time_pass(house):
    await house.unknown()
    await house.look(12)
    house.clock.wall += timedelta(days=1)
    await house.look(SETTLED - 12)
    assert house.state() is State.UNKNOWN


async def test_a_wall_clock_that_is_set_back_does_not_keep_it_open_for_ever(house):
    await house.unknown()
    await house.look(12)
    house.clock.wall -= timedelta(minutes=5)
    await house.look(SETTLED + 40)
    assert house.state() is State.NEVER_HAPPENED


async def test_a_prepaid_order_may_wait_for_days_and_never_ends_by_quiet():
    house = House(policies=(orders(target=target(auto_pay=True)),))
    house.cloud.instances["instance"].prepaid = True
    await house.unknown()
    await house.look(5 * SETTLED)
    assert house.state() is State.UNKNOWN
    house.cloud.add()
    await house.look()
    assert house.state() is State.SUCCEEDED


async def test_a_prepaid_order_that_was_given_ends_when_its_nodes_are_seen():
    house = House(policies=(orders(target=target(auto_pay=True)),))
    house.cloud.instances["instance"].prepaid = True
    operation = await house.hot()
    await house.look(5 * SETTLED)
    assert (house.state(), operation.order_id) == (State.SUBMITTED, next(iter(house.cloud.accepted)))
    house.cloud.pay(next(iter(house.cloud.accepted)))
    await house.look()
    assert house.state() is State.SUCCEEDED


async def test_a_group_that_somebody_changed_meanwhile_is_not_called_never_happened(house):
    await house.unknown()
    house.cloud.remove()
    await house.look(3 * SETTLED)
    assert house.state() is State.UNKNOWN


# Start-up, and what is not ours --------------------------------------------------------------------------------------


async def test_planned_at_start_is_unknown_and_looked_for(house):
    operation = await house.hot()
    planned = replace(operation, state=State.PLANNED, job_id=None, submitted_at=None)
    house.store.stored[operation.id] = planned
    house.start()
    await house.look()
    steps = [told.state for told, _ in house.monitor.operations if told.id == operation.id]
    assert steps[-2:] == [State.UNKNOWN, State.SUBMITTED]


async def test_a_call_under_way_is_left_to_the_executor(house):
    operation = await house.hot()
    house.store.stored[operation.id] = replace(operation, state=State.PLANNED)
    house.executor._give_up[operation.id] = 0.0
    await house.look(5)
    assert house.state() is State.PLANNED


ELSEWHERE = {"another project": Scope("eu-de", "other"), "another region": Scope("eu-nl", "project")}


@pytest.mark.parametrize("scope", ELSEWHERE.values(), ids=ELSEWHERE)
@pytest.mark.parametrize("state", [State.PLANNED, State.UNKNOWN, State.SUBMITTED])
async def test_an_operation_of_another_scope_is_left_alone_and_told_once(house, scope, state):
    operation = await house.hot()
    there = replace(operation, instance=InstanceKey(scope.region, scope.project_id, "instance"), state=state)
    house.store.stored = {there.id: there}
    house.cloud.calls.clear()
    house.start()
    await house.look(2 * SETTLED)
    assert (house.operation, house.cloud.calls) == (there, [])
    assert house.monitor.said("another project") == 1


async def test_before_the_sign_in_nothing_is_looked_up(house):
    operation = await house.hot()
    house.cloud.scope = None
    house.cloud.calls.clear()
    await house.look()
    assert (house.operation, house.cloud.calls) == (operation, [])


async def test_the_operation_of_a_target_that_was_removed_is_followed_to_its_end(house):
    await house.hot()
    house.policies = ()
    house.start()
    house.cloud.finish(job_of(house))
    await house.look()
    assert house.state() is State.SUCCEEDED


async def test_an_instance_that_is_gone_leaves_the_operation_open_and_told(house):
    await house.hot()
    house.cloud.finish(job_of(house))
    house.cloud.broken["describe", "orders"] = NotFound("no such instance")
    await house.look(2)
    assert house.state() is State.SUBMITTED
    assert house.monitor.said("could not be followed") == 2


async def test_overdue_is_told_once_and_never_resent(house):
    operation = await house.hot()
    house.minutes(60)
    await house.look()
    assert not house.reconciler.is_overdue(operation.id)
    await house.look(5)
    assert house.reconciler.is_overdue(operation.id)
    assert sum(overdue for _, overdue in house.monitor.operations) == 1
    assert (await house.decision()).reason == "in_progress"


async def test_an_overdue_operation_that_is_adopted_stays_overdue_and_one_that_ended_is_not(house):
    house.cloud.answers.append(LOST)
    await house.hot()
    house.cloud.hidden_jobs.add(job_of(house))
    house.cloud.instances["instance"].status = "GROWING"
    house.minutes(61)
    await house.look()
    house.cloud.hidden_jobs.clear()
    await house.look()
    assert house.monitor.operations[-1] == (house.operation, True)
    house.cloud.instances["instance"].status = "RUNNING"
    house.cloud.finish(job_of(house))
    await house.look(2)
    assert house.monitor.operations[-1] == (house.operation, False)
    assert not house.reconciler.is_overdue(house.operation.id)


# One bad operation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [StoreError("row is damaged"), KeyError("row"), Unavailable("503")], ids=repr)
async def test_an_operation_that_cannot_be_followed_does_not_stop_the_others(house, error):
    await house.hot()
    first = house.operation
    house.cloud.have(2, instance="second")
    second = replace(first, id="second", instance=InstanceKey("eu-de", "project", "second"), job_id="job-2nd")
    house.store.stored["second"] = second
    house.cloud.begin_job("job-2nd", instance_id="second", status="Completed")
    house.cloud.add(instance="second")
    house.cloud.finish(job_of(house))
    real = house.store.update

    async def failing(operation, **more):
        if operation.id == first.id:
            raise error
        await real(operation, **more)

    house.store.update = failing
    await house.look()
    assert house.store.stored["second"].state is State.SUCCEEDED
    assert house.store.stored[first.id].state is State.SUBMITTED
    house.store.update = real
    await house.look()
    assert house.store.stored[first.id].state is State.SUCCEEDED


async def test_an_answer_that_comes_while_another_operation_is_looked_at_is_not_overwritten(house):
    """The list of open operations was read while the call was under way."""
    planned = replace(await house.hot(), state=State.PLANNED)
    real = house.store.open_operations

    async def early():
        await real()
        return (planned,)

    house.store.open_operations = early
    await house.look()
    assert house.state() is State.SUBMITTED


async def test_open_operations_that_cannot_be_read_are_a_store_error(house):
    async def failing():
        raise StoreError("disk")

    house.store.open_operations = failing
    with pytest.raises(StoreError):
        await house.reconciler.run_once()


async def test_the_reconciler_never_changes_anything_in_the_cloud(house):
    await house.unknown()
    house.cloud.calls.clear()
    await house.look(SETTLED + 5)
    assert set(house.cloud.calls) == {"jobs", "describe"}


async def test_an_operation_that_an_earlier_process_left_open_is_told_once_to_this_ones_monitoring(house):
    await house.hot()
    house.start()
    told = len(house.monitor.operations)
    await house.look(3)
    assert [(op.state, overdue) for op, overdue in house.monitor.operations[told:]] == [(State.SUBMITTED, False)]


async def test_nothing_is_sent_while_an_earlier_call_may_still_arrive():
    """Somebody else's node closes an unclear operation; its call may be on its way all the same."""
    house = House(policies=(orders(cooldown=Cooldown(out=timedelta(0))),))
    await house.unknown()
    house.cloud.add()
    await house.look(every=timedelta(0))
    assert house.state() is State.SUCCEEDED

    house.minutes()
    house.metrics.stand_at(95)
    held = await house.decision()
    house.minutes(4)
    house.metrics.stand_at(95)
    moved = await house.decision()

    assert (held.reason, "may still arrive" in held.details["in_progress"]) == ("in_progress", True)
    assert moved.decision == "out"


# A step whose answer from the store was lost -------------------------------------------------------------------------


def lost_in_store(house: House) -> None:
    """The next update is carried out, and the store's answer is lost."""
    real = house.store.update

    async def update(operation: Operation, **more: Any) -> None:
        house.store.update = real  # type: ignore[method-assign]  # once
        await real(operation, **more)
        raise StoreError("the connection broke at the commit")

    house.store.update = update  # type: ignore[method-assign]  # for the next


def told(house: House) -> list[State]:
    return [op.state for op, _ in house.monitor.operations]


async def test_an_end_that_was_stored_without_our_knowing_is_told_with_the_next_look(house):
    await house.hot()
    await house.look()
    house.cloud.finish(job_of(house))
    lost_in_store(house)
    await house.look()
    assert (house.state(), told(house)[-1]) == (State.SUCCEEDED, State.SUBMITTED)
    await house.look(2)
    assert told(house).count(State.SUCCEEDED) == 1


async def test_a_step_that_was_stored_without_our_knowing_is_told_with_the_next_look(house):
    house.cloud.answers.append(LOST)
    await house.hot()
    lost_in_store(house)
    await house.look()
    assert (house.state(), told(house)[-1]) == (State.SUBMITTED, State.UNKNOWN)
    await house.look(2)
    assert told(house).count(State.SUBMITTED) == 1


async def test_a_refusal_that_was_stored_without_our_knowing_is_told_with_the_next_look(house):
    house.cloud.answers.append(Busy("409"))
    lost_in_store(house)
    await house.hot()
    assert (house.state(), told(house)[-1]) == (State.REJECTED, State.PLANNED)
    await house.look(2)
    assert told(house).count(State.REJECTED) == 1


async def test_a_step_that_was_not_stored_is_not_told(house):
    await house.hot()
    house.cloud.finish(job_of(house))
    real = house.store.update

    async def update(operation, **more):
        house.store.update = real
        raise StoreError("disk full")

    house.store.update = update
    await house.look()
    assert told(house)[-1] is State.SUBMITTED
    await house.look(2)
    assert told(house).count(State.SUCCEEDED) == 1


async def test_what_cannot_be_read_of_an_unsure_step_keeps_no_other_from_being_followed(house):
    house.cloud.answers.append(Busy("409"))
    lost_in_store(house)
    await house.hot()
    real = house.store.operations

    async def damaged(*_, **__):
        raise StoreError("row is damaged")

    house.store.operations = damaged
    await house.look()
    assert State.REJECTED not in told(house)
    house.store.operations = real
    await house.look()
    assert told(house).count(State.REJECTED) == 1


def set_our_clock(house: House, minutes: float) -> None:
    """No time passes by it, and the cloud's answers tell."""
    house.clock.wall += timedelta(minutes=minutes)
    house.cloud.skew = timedelta(minutes=-minutes)


async def test_a_clock_set_forward_makes_no_call_too_late_to_arrive(house):
    """Quiet readings counted while the call could still arrive, so that it might have been told as never happened."""
    await house.unknown()
    set_our_clock(house, 4)
    await house.look(SETTLED)
    before = house.state()
    await house.look(3)
    assert (before, house.state()) == (State.UNKNOWN, State.NEVER_HAPPENED)


async def test_a_clock_set_forward_lets_no_call_follow_one_that_may_still_arrive():
    """The next intent waited for 3 minutes of the machine's clock, and two calls could be under way at once."""
    house = House(policies=(orders(cooldown=Cooldown(out=timedelta(0))),))
    await house.unknown()
    house.cloud.add()
    await house.look(every=timedelta(0))
    set_our_clock(house, 4)
    house.metrics.stand_at(95)
    held = await house.decision()

    assert (held.reason, "may still arrive" in held.details["in_progress"]) == ("in_progress", True)


@pytest.mark.parametrize("minutes", [180, -180])
async def test_what_ends_while_the_clock_is_wrong_is_dated_when_it_is_right_again(house, minutes):
    """Its end lay in the future once the clock was right, and no scale-out came until then; or it was long ago."""
    op = await house.hot()
    house.cloud.finish(op.job_id)
    set_our_clock(house, minutes)
    await house.look(3)
    assert house.state() is State.SUBMITTED
    events = [text for _, text, _ in house.monitor.events if "when this clock and the cloud's agree" in text]
    assert len(events) == 1

    house.clock.wall -= timedelta(minutes=minutes)
    house.cloud.skew = timedelta(0)
    await house.look()
    assert (house.state(), house.operation.ended_at) == (State.SUCCEEDED, house.clock.now() - BEAT)


async def test_who_looks_while_the_clock_is_wrong_dates_no_change_by_others(house):
    await house.evaluate()
    house.cloud.add()
    set_our_clock(house, 180)
    await house.evaluate()
    assert house.foreign == []

    house.clock.wall -= timedelta(minutes=180)
    house.cloud.skew = timedelta(0)
    await house.evaluate()
    assert [op.ended_at for op in house.foreign] == [house.clock.now()]


async def test_a_clock_that_is_set_right_before_acting_does_not_hide_what_was_not_dated(house):
    await house.evaluate()
    house.cloud.add()
    set_our_clock(house, 6)
    house.metrics.stand_at(90)

    def mended(call: str) -> None:
        if call == "jobs":
            house.cloud.skew = timedelta(0)

    house.cloud.on_call = mended
    record = await house.decision()
    assert (record.reason, house.cloud.mutations) == ("in_progress", [])
    assert "too far from ours" in record.details["in_progress"]


async def test_a_job_of_a_clock_that_was_ahead_did_not_end_in_the_future(house):
    house.cloud.begin_job("theirs", status="Completed", ended_at=house.clock.now() + timedelta(hours=3))
    await house.evaluate()
    assert [op.ended_at for op in house.foreign] == [house.clock.now()]

"""The executor: the intent is durable before the one call, and every answer has one meaning."""

import asyncio
from datetime import timedelta

import pytest

from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction
from autoscaler.errors import (
    AccessRefused,
    Ambiguous,
    Busy,
    DataNodeBusy,
    NotFound,
    Refused,
    StoreError,
    Throttled,
    Unavailable,
    Unreadable,
    Unsent,
)
from autoscaler.ports import Accepted
from tests.control.house import House, orders
from tests.fakes import HANG, LOST, FakeClock

MEANINGS = {
    "surely unsent": (Unsent("connection refused"), State.REJECTED),
    "400": (Refused("parameter error", status=400), State.REJECTED),
    "401 or 403": (AccessRefused("no permission", status=403), State.REJECTED),
    "404": (NotFound("no such instance", status=404), State.REJECTED),
    "409": (Busy("another operation is under way", status=409), State.REJECTED),
    "an RDS is busy": (DataNodeBusy("RDS", status=400, code="DBS.300323"), State.REJECTED),
    "429": (Throttled("too many"), State.REJECTED),
    "reset after it was read": (LOST, State.UNKNOWN),
    "time-out": (Ambiguous("no answer in 30 s"), State.UNKNOWN),
    "5xx": (Ambiguous("500", status=500), State.UNKNOWN),
    "an error that only reads have": (Unavailable("503", status=503), State.UNKNOWN),
    "an unreadable body": (Unreadable("not JSON"), State.UNKNOWN),
    "a bug of ours": (KeyError("jobId"), State.UNKNOWN),
    "an operating system error": (OSError(104, "reset"), State.UNKNOWN),
    "a time-out of asyncio": (TimeoutError(), State.UNKNOWN),
    "cancelled by somebody else": (asyncio.CancelledError(), State.UNKNOWN),
    "2xx without job and order": (Accepted(), State.UNKNOWN),
    "2xx with a job": (Accepted(job_id="job-7"), State.SUBMITTED),
    "2xx with an order": (Accepted(order_id="order-7"), State.SUBMITTED),
}


@pytest.mark.parametrize(("answer", "state"), MEANINGS.values(), ids=MEANINGS)
async def test_every_answer_has_one_meaning_and_is_written_down(house, answer, state):
    house.cloud.answers.append(answer)
    operation = await house.hot()
    assert (operation.state, len(house.cloud.mutations)) == (state, 1)
    assert operation.detail


async def test_a_job_and_an_order_are_kept_with_the_operation(house):
    house.cloud.answers.append(Accepted(job_id="job-7", order_id="order-7"))
    operation = await house.hot()
    assert (operation.job_id, operation.order_id) == ("job-7", "order-7")


async def test_i2_the_intent_is_in_the_store_when_the_call_is_made(house):
    found: list[tuple[State, int]] = []

    def look(name: str) -> None:
        if name == "add_nodes":
            found.extend((op.state, op.change) for op in house.store.stored.values())

    house.cloud.on_call = look
    house.metrics.stand_at(90)
    await house.evaluate()
    assert found == [(State.PLANNED, 1)]


async def test_i2_an_intent_that_cannot_be_stored_is_not_sent(house):
    async def refuse(*_: object) -> None:
        raise StoreError("disk full")

    house.store.commit_intent = refuse
    house.metrics.stand_at(90)
    await house.evaluate()
    assert house.cloud.mutations == []
    assert [type(error) for _, error in house.monitor.failures] == [StoreError]


async def test_i3_an_unclear_answer_is_never_sent_again(house):
    house.cloud.answers.append(LOST)
    operation = await house.hot()
    for _ in range(30):
        await house.evaluate()
        house.minutes()
    assert [sent.id for sent in house.cloud.mutations] == [operation.id]
    assert house.store.decisions[-1].reason == "unknown_outcome"


LATE = {
    "both clocks": (timedelta(seconds=21), timedelta(seconds=21)),
    "the machine slept and the wall clock was not set yet": (timedelta(0), timedelta(seconds=21)),
    "only the wall clock moved": (timedelta(seconds=21), timedelta(0)),
}


@pytest.mark.parametrize(("wall", "boot"), LATE.values(), ids=LATE)
async def test_a_call_is_not_begun_more_than_20_s_after_its_intent(house, wall, boot):
    def wait(name: str) -> None:
        if name == "add_nodes":
            house.clock.wall += wall
            house.clock.boot += boot.total_seconds()

    house.cloud.on_call = wait
    operation = await house.hot()
    assert (operation.state, house.cloud.mutations) == (State.REJECTED, [])
    assert "not sent" in operation.detail


async def test_a_call_at_exactly_20_s_is_begun(house):
    def wait(name: str) -> None:
        if name == "add_nodes":
            house.clock.pass_time(timedelta(seconds=20))

    house.cloud.on_call = wait
    assert (await house.hot()).state is State.SUBMITTED


async def test_on_a_fast_clock_the_20_s_are_real_ones():
    operation = await House(clock=FakeClock(speed=60.0)).hot()
    assert operation.send_before - operation.committed_at == timedelta(minutes=20)


async def test_i9_a_cancelled_call_is_recorded_as_unknown_before_the_cancellation_goes_on(house):
    house.cloud.answers.append(HANG)
    house.metrics.stand_at(90)
    await house.evaluate(wait=False)
    (task,) = house.cycle.acting
    await house.cloud.sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.state() is State.UNKNOWN
    assert not house.executor.in_flight(house.operation.id)


async def test_an_answer_that_cannot_be_stored_leaves_it_planned_and_it_is_looked_for(house):
    real = house.store.update

    async def refuse(operation: Operation, *, was: Operation) -> None:
        raise StoreError("disk full")

    house.store.update = refuse
    assert (await house.hot()).state is State.PLANNED
    assert house.monitor.said("could not be stored") == 1
    house.store.update = real
    await house.look()
    assert house.state() is State.SUBMITTED
    house.cloud.finish_all()
    await house.look()
    assert (house.state(), len(house.cloud.mutations)) == (State.SUCCEEDED, 1)


async def test_what_fails_after_the_record_went_in_is_no_error_of_the_evaluation(house):
    async def refuse(operation: Operation, *, was: Operation) -> None:
        raise StoreError("disk full")

    house.store.update = refuse
    await house.hot()
    assert (len(house.store.decisions), house.monitor.failures) == (1, [])


async def test_the_intent_holds_what_recovery_needs(house):
    house.cloud.begin_job("old", status="Completed", instance_id="another")
    house.cloud.skew = timedelta(seconds=7)
    operation = await house.hot()
    assert operation.node_ids == {"n1", "n2"}
    assert operation.known_jobs == {"old"}
    assert (operation.skew_seconds, operation.prepaid, operation.removing, operation.zones) == (7.0, False, (), ())


async def test_where_nodes_have_names_an_enlarge_names_zones_and_a_reduce_names_nodes(house):
    house.cloud.names_nodes = True
    assert (await house.hot()).zones == ("az1",)
    house.cloud.finish_all()
    await house.look()
    house.minutes(60)
    house.metrics.stand_at(10)
    await house.evaluate()
    operation = house.ours[-1]
    assert (operation.direction, len(operation.removing), operation.zones) == (Direction.IN, 1, ())
    assert operation.removing[0] in operation.node_ids


async def test_a_clock_set_back_between_reading_the_jobs_and_the_commit_makes_no_old_job_look_new(house):
    house.cloud.begin_job("old", status="Completed", created_at=house.clock.now() - timedelta(hours=24, minutes=30))

    def jump(name: str) -> None:
        if name == "offer":
            house.clock.wall -= timedelta(hours=1)

    house.cloud.on_call = jump
    house.cloud.answers.append(Ambiguous("time-out"))
    operation = await house.hot()
    assert operation.committed_at == house.store.decisions[-1].at
    await house.look()
    assert house.state() is State.UNKNOWN


async def test_the_size_is_entered_for_stabilisation_after_an_operation_that_was_sent():
    house = House(policies=(orders(scale_in_stabilization=timedelta(minutes=30)),))
    await house.hot()
    assert [wish.desired for wish in house.memory.of("orders").wishes] == [2, 3, 2]

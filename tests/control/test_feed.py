"""The feed: everything in order and once, nothing kept for nobody, and a slow reader told what it is: too late."""

import asyncio
import json
from datetime import timedelta

import pytest

from autoscaler.control import feed as feeds
from autoscaler.control.announcer import Announcer
from autoscaler.control.broadcast import Broadcast
from autoscaler.control.correspondence import Correspondent
from autoscaler.control.feed import Feed, Follower
from autoscaler.ports import EventKind, FeedFullError, Monitor
from tests.control.house import House, orders
from tests.fakes import FakeClock, RecordingMonitor


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def feed(clock) -> Feed:
    return Feed(clock)


def tell(feed: Feed, count: int, *, start: int = 0) -> None:
    for number in range(start, start + count):
        feed.publish(EventKind.CYCLE, None, lambda number=number: {"n": number})  # type: ignore[misc]


def broadcast(monitor: Monitor, feed: Feed) -> Broadcast:
    """Nobody is told outside."""
    clock = FakeClock()
    return Broadcast(monitor, feed, Announcer(Correspondent(source="/", clock=clock), clock))


async def heard(follower: Follower) -> list[int | str]:
    """The numbers that are there now, and `lost` where that is said."""
    found: list[int | str] = []
    while events := await follower.take(0):
        found += ["lost" if one.kind is EventKind.LOST else json.loads(one.data)["n"] for one in events]
    return found


async def test_a_follower_hears_what_comes_in_order_and_once(feed):
    follower = feed.follow(None)
    tell(feed, 1000)
    assert await heard(follower) == list(range(1000))
    assert await heard(follower) == []


async def test_ids_increase_over_a_restart(feed, clock):
    follower = feed.follow(None)
    tell(feed, 3)
    ids = [event.id for event in await follower.take(0) or ()]
    clock.pass_time(timedelta(seconds=1))
    assert ids == sorted(set(ids))
    assert Feed(clock).last() > ids[-1]


async def test_a_waiting_follower_is_woken(feed):
    follower = feed.follow(None)
    waiting = asyncio.create_task(follower.take(20))
    await asyncio.sleep(0)
    tell(feed, 1)
    assert [event.kind for event in await waiting or ()] == [EventKind.CYCLE]


async def test_who_comes_back_hears_what_it_missed(feed):
    follower = feed.follow(None)
    tell(feed, 2)
    last = next(event.id for event in await follower.take(0) or ())
    follower.close()
    tell(feed, 2, start=2)
    assert await heard(feed.follow(last)) == [1, 2, 3]


async def test_who_read_the_state_hears_all_that_came_after_it(feed):
    last = feed.last()
    tell(feed, 2)
    assert await heard(feed.follow(last)) == [0, 1]


@pytest.mark.parametrize("away", [-1, +1_000], ids=["before the start", "of another process"])
async def test_an_id_that_was_never_told_is_lost_and_then_all_goes_on(feed, away):
    follower = feed.follow(feed.last() + away)
    assert await heard(follower) == ["lost"]
    tell(feed, 1)
    assert await heard(follower) == [0]


async def test_a_follower_that_is_too_slow_is_told_that_it_lost_something(feed):
    follower = feed.follow(None)
    tell(feed, feeds.KEPT + 1)
    assert await heard(follower) == ["lost"]
    tell(feed, 1)
    assert await heard(follower) == [0]


async def test_no_more_is_kept_than_a_bound_with_a_cycle_of_every_target(feed):
    broadcast(RecordingMonitor(), feed).targets([orders()] * 100)
    follower = feed.follow(None)
    tell(feed, feeds.KEPT + 100)
    assert len(await heard(follower)) == feeds.KEPT + 100


async def test_for_nobody_nothing_is_kept_nor_written(feed, clock):
    def unwanted() -> dict:
        raise AssertionError("nobody wants it")

    feed.publish(EventKind.CYCLE, None, unwanted)
    assert len(feed._kept) == 0
    last = feed.last()
    clock.pass_time(timedelta(seconds=feeds.KEPT_FOR - 1))
    tell(feed, 1)
    assert len(feed._kept) == 1
    clock.pass_time(timedelta(seconds=1))
    tell(feed, 1)
    assert len(feed._kept) == 0
    assert await heard(feed.follow(last)) == ["lost"]


async def test_no_more_than_so_many_follow(clock):
    feed = Feed(clock, followers=2)
    first = feed.follow(None)
    feed.follow(None)
    with pytest.raises(FeedFullError, match="2 others"):
        feed.follow(None)
    first.close()
    feed.follow(None)


async def test_at_the_end_everybody_is_let_go(feed):
    follower = feed.follow(None)
    waiting = asyncio.create_task(follower.take(20))
    await asyncio.sleep(0)
    feed.close()
    assert await waiting is None
    assert await follower.take(20) is None
    with pytest.raises(FeedFullError, match="stopping"):
        feed.follow(None)


async def test_a_cycle_that_moves_tells_its_operation_its_decision_and_itself():
    house = House()
    feed = Feed(house.clock)
    house.monitor = broadcast(house.monitor, feed)  # type: ignore[assignment]  # it passes everything on
    house.start()
    follower = feed.follow(None)

    await house.hot()

    told = [(event.kind, event.target, json.loads(event.data)) for event in await follower.take(0) or ()]
    decisions = [data for kind, _, data in told if kind is EventKind.DECISION]
    assert decisions == [house.store.decisions[0].as_json()]
    states = [(target, data["state"], data["overdue"]) for kind, target, data in told if kind is EventKind.OPERATION]
    assert states[0] == ("orders", "planned", False)
    assert states[-1] == ("orders", "submitted", False)


async def test_a_round_over_the_targets_is_told():
    house = House()
    feed = Feed(house.clock)
    follower = feed.follow(None)
    broadcast(house.monitor, feed).cycle(interval=timedelta(minutes=1), seconds=0.25, lateness=0.5, targets=3, errors=1)
    (event,) = await follower.take(0) or ()
    assert json.loads(event.data) == {
        "interval_seconds": 60.0,
        "seconds": 0.25,
        "lateness_seconds": 0.5,
        "targets": 3,
        "errors": 1,
    }
    assert house.monitor.cycles[0]["targets"] == 3


async def test_what_an_operator_does_is_told(house):
    console = house.console()
    follower = console.follow(console.last_event())

    await console.pause("orders", lasts=None, reason="a move", who="ann")
    await console.resume(None, breaker=False, override=False, who="ben")

    events = await follower.take(0)
    assert [(event.kind, event.target) for event in events or ()] == [(EventKind.INTERVENTION, "orders")] * 2
    assert [json.loads(event.data)["ended_by"] for event in events or ()] == ["", "ben"]

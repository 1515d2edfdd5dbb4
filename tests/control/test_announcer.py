"""What no change of the store tells of is told once, kept until the store has it, and told again after a restart."""

import json
from datetime import timedelta
from typing import Any

import pytest

from autoscaler.control import announcer as announcers
from autoscaler.control.announcer import Announcer
from autoscaler.control.correspondence import Correspondent
from autoscaler.core.announcement import Kind, Subscription
from autoscaler.core.history import Standing
from autoscaler.core.letter import Letter
from autoscaler.core.operation import State
from autoscaler.core.policy import Direction
from autoscaler.errors import Problem, StoreError
from autoscaler.ports import Cause, Reload
from tests.fakes import FakeClock, MemoryStore
from tests.storage import samples

CLOSED = Standing(0, None)
REFUSED = Reload(cause=Cause.FILES, problems=(Problem("p.yaml", 1, 2, "targets", "is no mapping"),))


class Desk:
    """An announcer, and the store that it writes to."""

    def __init__(self, *subscriptions: Subscription, store: MemoryStore | None = None) -> None:
        self.clock = FakeClock(samples.NOW)
        self.store = store or MemoryStore()
        correspondent = Correspondent(subscriptions, source="/test", clock=self.clock)
        self.announcer = Announcer(correspondent, self.clock)

    def open_for(self, minutes: int, failures: int = 3) -> Standing:
        return Standing(failures, self.clock.now() + timedelta(minutes=minutes))

    async def told(self) -> list[str]:
        await self.announcer.write_down(self.store)
        return [one.id for one in self.store.database.letters.values()]


@pytest.fixture
def desk() -> Desk:
    return Desk(Subscription("pager"))


async def test_an_operation_overdue_is_told_once_whoever_notices_it_how_often(desk):
    planned = samples.operation()
    desk.announcer.overdue(planned)
    assert await desk.told() == ["op1-overdue"]
    again = Desk(Subscription("pager"), store=desk.store)  # after a restart
    again.announcer.overdue(planned)
    assert await again.told() == ["op1-overdue"]


@pytest.mark.parametrize("fields", [{"state": State.SUCCEEDED}, {"foreign": True}], ids=["ended", "somebody else's"])
async def test_what_is_over_or_not_ours_is_not_overdue(desk, fields):
    desk.announcer.overdue(samples.operation(**fields))
    assert await desk.told() == []


async def test_a_breaker_is_told_when_it_opens_for_longer_and_when_it_closes(desk):
    first = desk.open_for(15)
    for standing in (CLOSED, first, first._replace(refused=(samples.operation(),))):
        desk.announcer.breakers("orders", {Direction.OUT: standing, Direction.IN: CLOSED})
    assert len(desk.announcer._kept) == 1
    until = int((samples.NOW + timedelta(minutes=15)).timestamp())
    assert await desk.told() == [f"breaker-orders-out-{until}-open"]

    desk.clock.pass_time(timedelta(minutes=20))  # it rests no longer, and one try is allowed: not closed yet
    desk.announcer.breakers("orders", {Direction.OUT: first, Direction.IN: CLOSED})
    assert len(await desk.told()) == 1
    desk.announcer.breakers("orders", {Direction.OUT: desk.open_for(30, 4), Direction.IN: CLOSED})
    assert len(await desk.told()) == 2

    for _ in range(2):
        desk.announcer.breakers("orders", {Direction.OUT: CLOSED, Direction.IN: CLOSED})
    assert [one.rpartition("-")[2] for one in await desk.told()] == ["open", "open", "closed"]


async def test_a_breaker_that_was_open_before_a_restart_is_told_once(desk):
    standing = {Direction.OUT: desk.open_for(15)}
    desk.announcer.breakers("orders", standing)
    await desk.told()
    again = Desk(Subscription("pager"), store=desk.store)
    again.announcer.breakers("orders", standing)
    assert len(await again.told()) == 1


async def test_a_breaker_whose_rest_is_over_at_a_restart_is_told_when_it_closes(desk):
    standing = {Direction.OUT: desk.open_for(15)}
    desk.clock.pass_time(timedelta(minutes=20))
    desk.announcer.breakers("orders", standing)
    assert await desk.told() == []
    desk.announcer.breakers("orders", {Direction.OUT: CLOSED})
    assert [one.rpartition("-")[2] for one in await desk.told()] == ["closed"]


async def test_breakers_of_targets_that_are_gone_are_forgotten(desk):
    for name in ("orders", "gone"):
        desk.announcer.breakers(name, {Direction.OUT: desk.open_for(15)})
    desk.announcer.keep({"orders"})
    assert {target for target, _ in desk.announcer._open} == {"orders"}


async def test_a_refused_reload_is_told_each_time_and_one_that_holds_is_not(desk):
    desk.announcer.reloaded(REFUSED)
    desk.announcer.reloaded(REFUSED)
    desk.announcer.reloaded(Reload(cause=Cause.FILES))
    assert len(await desk.told()) == 2
    (first, _) = desk.store.database.letters.values()
    assert json.loads(first.body)["data"]["reload"]["problems"][0]["text"] == "p.yaml:1:2: targets: is no mapping"


async def test_who_wants_none_of_it_is_told_nothing():
    desk = Desk(Subscription("pager", frozenset({Kind.DECISION})))
    desk.announcer.reloaded(REFUSED)
    assert await desk.told() == []


async def test_what_the_store_does_not_take_is_kept_until_it_does(desk):
    class Full(MemoryStore):
        full = True

        async def post(self, letters: Any) -> None:
            if self.full:
                raise StoreError("no room is left on its disk")
            await super().post(letters)

    store = desk.store = Full()
    for _ in range(250):
        desk.announcer.reloaded(REFUSED)
    with pytest.raises(StoreError):
        await desk.told()
    store.full = False
    assert len(await desk.told()) == 250
    assert len(desk.announcer._kept) == 0


async def test_what_comes_while_the_store_writes_is_neither_lost_nor_written_twice(desk):
    class Slow(MemoryStore):
        posted: list[str]

        async def post(self, letters: Any) -> None:
            self.posted += [one.id for one in letters]
            if len(self.posted) < 3:
                desk.announcer.reloaded(REFUSED)
            await super().post(letters)

    desk.store = store = Slow()
    store.posted = []
    desk.announcer.reloaded(REFUSED)
    assert len(await desk.told()) == 3
    assert len(store.posted) == len(set(store.posted)) == 3


async def test_no_more_is_kept_than_a_bound_and_the_oldest_go(desk):
    desk.announcer._kept.extend(
        Letter("pager", "old", "breaker", None, samples.NOW, "{}", samples.NOW) for _ in range(1)
    )
    for _ in range(announcers.MOST):
        desk.announcer.reloaded(REFUSED)
    assert len(desk.announcer._kept) == announcers.MOST
    assert "old" not in {one.id for one in desk.announcer._kept}

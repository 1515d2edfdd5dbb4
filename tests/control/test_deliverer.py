"""Letters on their way: at least once, in order, each webhook by itself, patiently where a receiver is not there."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autoscaler.control.announcer import Announcer
from autoscaler.control.correspondence import Correspondent
from autoscaler.control.deliverer import BEAT, Deliverer
from autoscaler.control.leader import Leadership
from autoscaler.core import letter as letters
from autoscaler.core.announcement import Subscription
from autoscaler.core.letter import Letter, State
from autoscaler.errors import Problem, StoreError, Undelivered
from autoscaler.ports import Cause, Reload
from tests.fakes import FakeClock, MemoryDatabase, MemoryStore, RecordingMonitor


@dataclass
class Receiver:
    """A courier whose receiver answers as it is told: an error for each letter, for all, or none; or never."""

    answers: Callable[[Letter], Undelivered | None] = lambda _: None
    hangs: bool = False
    got: list[str] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    closed: bool = False

    async def deliver(self, letter: Letter) -> str:
        self.tried.append(letter.id)
        if self.hangs:
            await asyncio.Event().wait()
        error = self.answers(letter)
        if error is not None:
            raise error
        self.got.append(letter.id)
        return "204"

    async def aclose(self) -> None:
        self.closed = True


def down(**fields: Any) -> Callable[[Letter], Undelivered | None]:
    return lambda _: Undelivered("no answer from the receiver (ConnectError)", code="ConnectError", **fields)


class Post:
    """A deliverer over a store in memory, and hands to let beats pass."""

    def __init__(self, store: MemoryStore | None = None, **receivers: Receiver) -> None:
        self.clock = FakeClock()
        self.monitor = RecordingMonitor()
        self.store = store or MemoryStore()
        self.receivers = receivers
        self.leadership = Leadership(self.store.lease, clock=self.clock, monitor=self.monitor)
        self.correspondent = Correspondent([Subscription(name) for name in receivers], source="/test", clock=self.clock)
        self.announcer = Announcer(self.correspondent, self.clock)
        self.deliverer = Deliverer(
            receivers,
            store=self.store,
            correspondent=self.correspondent,
            announcer=self.announcer,
            leadership=self.leadership,
            clock=self.clock,
            monitor=self.monitor,
        )

    def letter(self, identity: str, webhook: str = "pager", at: datetime | None = None) -> Letter:
        now = at or self.clock.now()
        return Letter(webhook, identity, "decision", "orders", now, "{}", now)

    async def write(self, *identities: str, webhook: str = "pager") -> None:
        """As our own changes are told."""
        await self.store.post([self.letter(identity, webhook) for identity in identities])
        self.correspondent.written += len(identities)

    async def beats(self, count: int = 1) -> None:
        """So many beats, and what each of them begins, until it waits for something."""
        for _ in range(count):
            await self.deliverer._beat()
            for _ in range(50):
                await asyncio.sleep(0)
            self.clock.pass_time(timedelta(seconds=BEAT))

    def kept(self, identity: str, webhook: str = "pager") -> Letter:
        return self.store.database.letters[webhook, identity]


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    made = Post(pager=Receiver(), chat=Receiver())
    yield made
    await made.deliverer.aclose()


async def test_letters_are_delivered_in_order_and_once(post):
    await post.write("a", "b", "c")
    await post.beats(5)
    assert post.receivers["pager"].tried == ["a", "b", "c"]
    assert post.kept("a").state is State.DELIVERED
    assert post.monitor.deliveries == [("pager", "204", False)] * 3


async def test_more_letters_than_are_read_at_a_time_go_in_one_beat(post):
    identities = [f"e{number}" for number in range(45)]
    await post.write(*identities)
    await post.beats()
    assert post.receivers["pager"].got == identities


class Counted(MemoryStore):
    """Counts how often it is asked what waits."""

    asked = 0

    async def backlogs(self) -> Any:
        self.asked += 1
        return await super().backlogs()


async def test_where_nothing_waits_a_shared_store_is_asked_every_half_minute_for_what_another_daemon_left():
    store = Counted(now=lambda: datetime(2026, 11, 23, tzinfo=UTC))
    shared = Post(store, pager=Receiver())
    shared.leadership._until = math.inf  # it leads all the time
    await shared.beats(151)  # five minutes
    assert store.asked == 11
    await store.post([shared.letter("left")])
    await shared.beats(16)
    assert shared.receivers["pager"].got == ["left"]
    await shared.deliverer.aclose()


async def test_where_nothing_waits_a_store_of_ours_alone_is_asked_once_and_again_when_something_was_written():
    store = Counted()
    alone = Post(store, pager=Receiver())
    await store.post([alone.letter("of the process before this one")])
    await alone.beats(5)
    before = store.asked
    await alone.beats(150)
    assert store.asked == before
    await alone.write("new")
    await alone.beats(2)
    assert alone.receivers["pager"].got == ["of the process before this one", "new"]
    await alone.deliverer.aclose()


async def test_each_webhook_gets_its_own(post):
    await post.write("a")
    await post.write("b", webhook="chat")
    await post.beats()
    assert (post.receivers["pager"].got, post.receivers["chat"].got) == (["a"], ["b"])


async def test_a_receiver_that_hangs_delays_no_other_and_no_beat(post):
    post.receivers["pager"].hangs = True
    await post.write("a")
    await post.beats()
    await post.write("b", webhook="chat")
    await post.beats(3)
    assert post.receivers["chat"].got == ["b"]
    assert post.receivers["pager"].tried == ["a"]  # one call at a time


async def test_a_receiver_that_is_not_there_is_tried_ever_more_seldom_and_told_of_once(post):
    post.receivers["pager"].answers = down()
    await post.write("a", "b")
    await post.beats(60)  # two minutes
    tried = len(post.receivers["pager"].tried)
    assert 5 <= tried <= 7  # after 0, 5, 15, 35, 75 s
    assert post.monitor.said("a webhook took no letter") == 1
    assert post.kept("b").attempts < post.kept("a").attempts + 2


async def test_a_receiver_rests_for_five_minutes_at_most_so_that_its_return_is_noticed(post):
    post.receivers["pager"].answers = down()
    await post.write(*(f"e{number}" for number in range(500)))
    post.deliverer._lines["pager"].failures = 1000
    await post.beats()
    before = len(post.receivers["pager"].tried)
    await post.beats(int(letters.LONGEST_WAIT.total_seconds() / BEAT) + 1)
    assert len(post.receivers["pager"].tried) == before + 1


async def test_once_a_receiver_is_back_it_gets_everything_within_five_minutes_each_once(post):
    post.receivers["pager"].answers = down()
    await post.write("a", "b", "c")
    await post.beats(3600)  # two hours
    post.receivers["pager"].answers = lambda _: None
    await post.beats(int(letters.LONGEST_WAIT.total_seconds() / BEAT) + 1)
    assert sorted(post.receivers["pager"].got) == ["a", "b", "c"]
    assert post.monitor.said("takes letters again") == 1


async def test_a_letter_that_is_not_liked_holds_up_no_other(post):
    def refuses(letter: Letter) -> Undelivered | None:
        return Undelivered("the receiver answered 400", code="400", of_letter=True) if letter.id == "a" else None

    post.receivers["pager"].answers = refuses
    await post.write("a", "b")
    await post.beats()
    assert post.receivers["pager"].got == ["b"]
    assert (post.kept("a").attempts, post.kept("a").error) == (1, "the receiver answered 400")
    await post.beats(4)
    assert post.receivers["pager"].tried.count("a") == 2


async def test_a_letter_that_a_receiver_always_fails_on_delays_others_by_seconds_and_is_tried_for_three_days(post):
    def fails(letter: Letter) -> Undelivered | None:
        return Undelivered("the receiver answered 500", code="500") if letter.id == "bad" else None

    post.receivers["pager"].answers = fails
    await post.write("bad")
    for number in range(100):
        await post.write(f"good{number}")
        await post.beats(15)  # half a minute
        assert f"good{number}" in post.receivers["pager"].got
    tried = post.receivers["pager"].tried.count("bad")
    assert 10 <= tried <= 20  # 50 minutes
    assert post.kept("bad").state is State.WAITING


async def test_a_receiver_that_wants_no_more_is_not_asked_again_for_a_letter(post):
    post.receivers["pager"].answers = lambda _: Undelivered("the receiver answered 410", code="410", gone=True)
    await post.write("a", "b")
    await post.beats(300)
    assert post.receivers["pager"].tried == ["a", "b"]
    assert post.kept("a").state is State.GIVEN_UP
    assert post.monitor.deliveries == [("pager", "410", True)] * 2
    assert post.monitor.said("take the webhook out of the settings") == 2


async def test_a_letter_is_given_up_after_so_many_attempts(post):
    post.receivers["pager"].answers = lambda _: Undelivered("the receiver answered 422", code="422", of_letter=True)
    await post.store.post([post.letter("a")])
    for _ in range(letters.MOST_ATTEMPTS + 5):
        await post.beats()
        post.clock.pass_time(letters.LONGEST_WAIT)
    assert post.monitor.said("took no letter") == 1
    assert len(post.receivers["pager"].tried) == letters.MOST_ATTEMPTS
    assert post.kept("a").state is State.GIVEN_UP
    assert post.monitor.deliveries[-1] == ("pager", "422", True)


@pytest.mark.parametrize(("asked", "waited"), [(60, 60), (7200, 3600)], ids=["as asked", "an hour at most"])
async def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long(post, asked, waited):
    post.receivers["pager"].answers = down(retry_after=timedelta(seconds=asked))
    await post.write("a", "b")
    await post.beats()
    await post.beats(int(waited / BEAT) - 2)
    assert post.receivers["pager"].tried == ["a"]
    await post.beats(2)
    assert len(post.receivers["pager"].tried) == 2


async def test_a_letter_that_was_taken_and_could_not_be_written_down_is_not_sent_at_every_beat(post):
    class Full(MemoryStore):
        async def settle(self, letter: Letter) -> None:
            raise StoreError("no room is left on its disk")

    full = Post(Full(post.store.database), pager=Receiver())
    await full.write("a")
    await full.beats(60)
    assert len(full.receivers["pager"].tried) <= 7
    assert full.monitor.said("cannot be read or stored") == 1
    await full.deliverer.aclose()


async def test_a_store_that_gives_nothing_is_told_once_and_asked_again(post):
    class Gone(MemoryStore):
        gone = True

        async def backlogs(self) -> Any:
            if self.gone:
                raise StoreError("the database is gone")
            return await super().backlogs()

    store = Gone(post.store.database)
    other = Post(store, pager=Receiver())
    await other.write("a")
    await other.beats(3)
    assert other.monitor.said("cannot be read or stored") == 1
    store.gone = False
    await other.beats()
    assert other.receivers["pager"].got == ["a"]
    await other.deliverer.aclose()


async def test_a_bug_in_a_courier_ends_neither_the_beat_nor_the_letter(post):
    def breaks(_: Letter) -> Undelivered | None:
        raise RuntimeError("a bug")

    post.receivers["pager"].answers = breaks
    await post.write("a")
    await post.beats(3)
    assert post.kept("a").error == "an attempt failed unexpectedly (RuntimeError('a bug'))"
    assert post.monitor.deliveries == [("pager", "RuntimeError", False)]
    post.receivers["pager"].answers = lambda _: None
    await post.beats(5)
    assert post.receivers["pager"].got == ["a"]


async def test_what_waits_is_told_to_monitoring(post):
    post.receivers["pager"].answers = down()
    await post.write("a", "b")
    await post.beats(2)
    assert {name: one and one.waiting for name, one in post.monitor.waiting.items()} == {"pager": 2, "chat": None}


async def test_letters_for_a_webhook_that_is_not_there_are_told_of_once_and_kept(post):
    await post.write("a", webhook="left")
    await post.beats(3)
    assert post.monitor.said("not in the settings") == 1
    assert post.kept("a", "left").state is State.WAITING


async def test_a_webhook_that_comes_back_gets_what_waited(post):
    await post.write("a", webhook="left")
    await post.beats()
    left = Receiver()
    post.deliverer.replace({**post.receivers, "left": left})
    await post.beats()
    assert left.got == ["a"]


async def test_a_webhook_that_a_reload_replaces_is_cut_off_and_closed_and_its_letter_goes_to_the_new_one(post):
    old, new = post.receivers["pager"], Receiver()
    old.hangs = True
    await post.write("a")
    await post.beats()
    post.deliverer.replace({"pager": new, "chat": post.receivers["chat"]})
    await post.beats(2)
    assert (old.closed, old.got, new.got) == (True, [], ["a"])
    assert not post.receivers["chat"].closed


async def test_a_reload_while_the_store_is_asked_never_has_the_old_and_the_new_one_send_the_same(post):
    class Slow(MemoryStore):
        now = asyncio.Event()

        async def backlogs(self) -> Any:
            await self.now.wait()
            return await super().backlogs()

    store, old, new = Slow(), Receiver(hangs=True), Receiver()
    made = Post(store, pager=old)
    await made.write("a")
    beating = asyncio.create_task(made.deliverer._beat())
    await asyncio.sleep(0)
    made.deliverer.replace({"pager": new})
    store.now.set()
    await beating
    await made.beats(2)
    assert (old.tried, new.got) == ([], ["a"])
    await made.deliverer.aclose()


async def test_a_webhook_that_comes_back_is_looked_for_at_once(post):
    await post.store.post([post.letter("a", "left")])
    await post.beats(2)
    left = Receiver()
    post.deliverer.replace({**post.receivers, "left": left})
    await post.beats()
    assert left.got == ["a"]


async def test_without_webhooks_no_series_of_theirs_is_left(post):
    post.receivers["pager"].answers = down()
    await post.write("a")
    await post.beats()
    assert post.monitor.waiting
    post.deliverer.replace({})
    await post.beats()
    assert post.monitor.waiting == {}


async def test_what_the_announcer_was_told_is_stored_at_each_beat_and_at_the_end(post):
    refused = Reload(cause=Cause.FILES, problems=(Problem("p.yaml", 1, 2, "targets", "is no mapping"),))
    post.announcer.reloaded(refused)
    await post.beats()
    assert len(post.receivers["pager"].got) == len(post.receivers["chat"].got) == 1
    post.announcer.reloaded(refused)
    await post.deliverer.aclose()
    assert len(post.store.database.letters) == 4


async def test_a_stop_waits_no_longer_than_seconds_for_the_last_word(post):
    class Stuck(MemoryStore):
        async def post(self, letters: Any) -> None:
            await asyncio.Event().wait()

    made = Post(Stuck(), pager=Receiver())
    made.announcer.reloaded(Reload(cause=Cause.FILES, problems=(Problem("p.yaml", 1, 2, "targets", "is bad"),)))
    async with asyncio.timeout(20):
        await made.deliverer.aclose()
    assert made.monitor.said("cannot be read or stored") == 1


async def test_who_leads_no_more_sends_no_further_letter():
    database, clock = MemoryDatabase(), FakeClock()
    pager = Receiver()
    post = Post(MemoryStore(database, clock.now), pager=pager)
    await post.leadership.claim()

    def lose(_: Letter) -> None:
        post.leadership.lost()

    pager.answers = lose
    await post.write("a", "b", "c")
    await post.beats()
    assert pager.got == ["a"]
    await post.deliverer.aclose()


async def test_a_webhook_that_stays_goes_on_with_its_rest(post):
    post.receivers["pager"].answers = down()
    await post.write("a")
    await post.beats()
    post.deliverer.replace(post.receivers)
    await post.beats(2)
    assert post.receivers["pager"].tried == ["a"]


async def test_only_the_leader_delivers():
    database = MemoryDatabase()
    clock = FakeClock()
    standby = Post(MemoryStore(database, clock.now), pager=Receiver())
    await standby.store.post([standby.letter("a")])
    await standby.beats(3)
    assert standby.receivers["pager"].tried == []
    assert standby.monitor.waiting == {}
    await standby.leadership.claim()
    await standby.beats()
    assert standby.receivers["pager"].got == ["a"]
    await standby.deliverer.aclose()


async def test_the_end_cuts_off_what_is_under_way_and_leaves_the_letter(post):
    post.receivers["pager"].hangs = True
    await post.write("a")
    running = asyncio.create_task(post.deliverer.run())
    for _ in range(50):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await post.deliverer.aclose()
    assert post.kept("a").state is State.WAITING
    assert post.receivers["pager"].closed
    assert post.receivers["chat"].closed


async def test_without_webhooks_nothing_is_asked_of_the_store():
    class Untouched(MemoryStore):
        async def backlogs(self) -> Any:
            raise AssertionError("nobody wants to know")

    quiet = Post(Untouched())
    running = asyncio.create_task(quiet.deliverer.run())
    for _ in range(50):
        await asyncio.sleep(0)
    assert quiet.monitor.events == []
    pager = Receiver()
    quiet.store = MemoryStore()
    quiet.deliverer._store = quiet.store
    await quiet.write("a")
    quiet.deliverer.replace({"pager": pager})
    for _ in range(50):
        await asyncio.sleep(0)
    assert pager.got == ["a"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await quiet.deliverer.aclose()

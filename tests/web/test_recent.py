"""An answer that many ask for is made beside the loop, once for all, for no more than a tenth of the time."""

import asyncio
import threading

import pytest

from autoscaler.web.recent import Recent


class Work:
    """Takes so many seconds of its own clock, and counts."""

    def __init__(self, seconds: float) -> None:
        self.now = 100.0
        self.takes = seconds
        self.times = 0

    def __call__(self) -> bytes:
        self.now += self.takes
        self.times += 1
        return str(self.times).encode()


async def test_it_is_made_again_when_a_tenth_of_the_time_allows_it():
    work = Work(0.5)
    recent = Recent(work, lambda: work.now)
    answers = []
    for _ in range(20):
        answers.append(await recent.answer())
        work.now += 0.5

    assert answers == [b"1"] * 9 + [b"2"] * 9 + [b"3"] * 2


async def test_what_takes_no_time_is_always_new():
    work = Work(0)
    recent = Recent(work, lambda: work.now)
    assert [await recent.answer(), await recent.answer()] == [b"1", b"2"]


async def test_what_is_forgotten_is_made_anew():
    work = Work(1)
    recent = Recent(work, lambda: work.now)
    assert [await recent.answer(), await recent.answer()] == [b"1", b"1"]
    recent.forget()
    assert await recent.answer() == b"2"


async def test_what_cannot_be_made_is_tried_again_by_the_next():
    work = Work(1)

    def broken() -> bytes:
        work()
        if work.times == 1:
            raise OSError("full")
        return b"good"

    recent = Recent(broken, lambda: work.now)
    with pytest.raises(OSError, match="full"):
        await recent.answer()
    assert await recent.answer() == b"good"


class Gate:
    """Work that waits, in its thread, until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.threads: list[int] = []

    def __call__(self) -> int:
        self.threads.append(threading.get_ident())
        self.begun.set()
        assert self.go.wait(10)
        return len(self.threads)


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.go.set()


async def test_all_who_ask_meanwhile_get_the_same_and_the_loop_goes_on(gate):
    recent = Recent(gate)
    asked = [asyncio.create_task(recent.answer()) for _ in range(5)]
    await asyncio.to_thread(gate.begun.wait, 10)  # the loop is free, or this would not come back
    gate.go.set()

    assert set(await asyncio.gather(*asked)) == {1}
    assert gate.threads != [threading.get_ident()]


async def test_who_asks_after_a_change_does_not_get_what_was_begun_before_it(gate):
    recent = Recent(gate)
    before = asyncio.create_task(recent.answer())
    await asyncio.to_thread(gate.begun.wait, 10)
    recent.forget()
    after = asyncio.create_task(recent.answer())
    gate.go.set()

    assert set(await asyncio.gather(before, after)) == {2}


async def test_who_no_longer_waits_leaves_it_to_the_others(gate):
    recent = Recent(gate)
    first, second = asyncio.create_task(recent.answer()), asyncio.create_task(recent.answer())
    await asyncio.to_thread(gate.begun.wait, 10)
    first.cancel()
    gate.go.set()

    assert await second in (1, 2)
    assert first.cancelled()

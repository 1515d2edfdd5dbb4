"""An answer that many ask for is made anew for no more than a tenth of the time."""

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


def test_it_is_made_again_when_a_tenth_of_the_time_allows_it():
    work = Work(0.5)
    recent = Recent(work, lambda: work.now)
    answers = []
    for _ in range(20):
        answers.append(recent.answer())
        work.now += 0.5

    assert answers == [b"1"] * 9 + [b"2"] * 9 + [b"3"] * 2


def test_what_takes_no_time_is_always_new():
    work = Work(0)
    recent = Recent(work, lambda: work.now)
    assert [recent.answer(), recent.answer()] == [b"1", b"2"]


def test_what_is_forgotten_is_made_anew():
    work = Work(1)
    recent = Recent(work, lambda: work.now)
    assert [recent.answer(), recent.answer()] == [b"1", b"1"]
    recent.forget()
    assert recent.answer() == b"2"


def test_what_cannot_be_made_is_tried_again_by_the_next():
    work = Work(1)

    def broken() -> bytes:
        work()
        if work.times == 1:
            raise OSError("full")
        return b"good"

    recent = Recent(broken, lambda: work.now)
    with pytest.raises(OSError, match="full"):
        recent.answer()
    assert recent.answer() == b"good"

"""How often and when a letter is tried, and when no more."""

from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.core import letter as letters
from autoscaler.core.letter import Letter, State

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LETTER = Letter("pager", "op1-decision", "decision", "orders", NOW, "{}", NOW)


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (869, 300), (10_000, 300)]
)
def test_the_waits_double_from_five_seconds_to_five_minutes(attempts, seconds):
    assert letters.wait(attempts) == timedelta(seconds=seconds)


def test_all_waits_together_are_some_three_days():
    waits = [letters.wait(attempt) for attempt in range(1, letters.MOST_ATTEMPTS)]
    assert timedelta(days=2.9) < sum(waits, timedelta(0)) < timedelta(days=3.1)


def test_a_letter_that_failed_waits_and_knows_why():
    later = NOW + timedelta(seconds=5)
    failed = LETTER.failed(later, "no answer")
    assert (failed.state, failed.attempts, failed.due, failed.error) == (State.WAITING, 1, later, "no answer")
    assert failed.body == LETTER.body


def test_after_so_many_failures_it_is_given_up():
    letter = LETTER
    for _ in range(letters.MOST_ATTEMPTS - 1):
        letter = letter.failed(NOW, "no answer")
    assert letter.state is State.WAITING
    assert letter.failed(NOW, "no answer").state is State.GIVEN_UP


def test_a_delivered_letter_has_no_error_and_one_given_up_has_its_last_attempt_counted():
    assert LETTER.failed(NOW, "no answer").delivered().error == ""
    assert LETTER.failed(NOW, "no answer").delivered().state is State.DELIVERED
    gone = LETTER.given_up("gone")
    assert (gone.state, gone.attempts, gone.error) == (State.GIVEN_UP, 1, "gone")

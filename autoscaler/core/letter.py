"""A letter: one announcement on its way to one webhook, and how often and when it is tried.

    WAITING ──> DELIVERED | GIVEN_UP

The waits double from 5 s to 5 min, so that a receiver's return is noticed; after some three days of attempts it is
given up. It counts attempts and not time, so that a wall clock that jumps gives nothing up.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=5)
"""Real time."""

MOST_ATTEMPTS = 870


class State(StrEnum):
    """Where a letter is."""

    WAITING = "waiting"  # it is still to be delivered
    DELIVERED = "delivered"  # the receiver said so
    GIVEN_UP = "given_up"  # too many attempts failed, or the receiver wants no more


@dataclass(frozen=True)
class Letter:
    """What is sent is `body`, the same bytes at each attempt; every time is UTC."""

    webhook: str
    id: str  # of the announcement: with `webhook` unique, for whoever keeps letters
    kind: str
    target: str | None
    at: datetime  # when it happened
    body: str
    due: datetime  # not tried before
    state: State = State.WAITING
    attempts: int = 0  # those that failed
    error: str = ""  # why the last one did

    def delivered(self) -> "Letter":
        """The receiver took it."""
        return replace(self, state=State.DELIVERED, error="")

    def failed(self, due: datetime, error: str) -> "Letter":
        """An attempt failed; the next one is `due` then, unless it was the last."""
        attempts = self.attempts + 1
        state = State.GIVEN_UP if attempts >= MOST_ATTEMPTS else State.WAITING
        return replace(self, state=state, attempts=attempts, due=due, error=error)

    def given_up(self, error: str) -> "Letter":
        """No further attempt is of use."""
        return replace(self, state=State.GIVEN_UP, attempts=self.attempts + 1, error=error)


def wait(attempts: int) -> timedelta:
    """Real time from the last of so many failed attempts to the next one: 5 s, doubling, 5 min at most."""
    return min(FIRST_WAIT * (1 << min(attempts - 1, 20)), LONGEST_WAIT)

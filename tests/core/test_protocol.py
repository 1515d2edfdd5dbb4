"""Every order of call, crash, answer, job and reading, with two intents and somebody else: nothing is sent twice."""

import pytest

from autoscaler.core.operation import LEGAL_STEPS, State
from tests.core import protocol
from tests.core.protocol import BrokenPromiseError, Rules


def test_no_order_of_events_breaks_the_promise():
    assert protocol.explore(Rules()) > 10_000


def by_time(op, jobs, taken):
    """The newest job there is, as one would who trusts clocks."""
    return max(jobs, key=lambda job: job.created_at, default=None)


def allowing(state: State, *more: State) -> dict:
    return {**LEGAL_STEPS, state: LEGAL_STEPS[state] | set(more)}


BROKEN = {
    "an unknown outcome is sent again": (Rules(steps=allowing(State.UNKNOWN, State.PLANNED)), "was sent twice"),
    "quiet counts from the intent": (Rules(counts_from=0), "is told as never_happened"),
    "quiet counts from the last moment to send": (Rules(counts_from=1), "is told as never_happened"),
    "a job is adopted by its time": (Rules(new_job=by_time, strangers=0), "is told as failed"),
    "an unknown outcome is closed": (
        Rules(steps={**LEGAL_STEPS, State.UNKNOWN: frozenset()}),
        "two operations are open",
    ),
    "a call that may still arrive is not waited for": (Rules(waits_for_calls=False), "two of ours are under way"),
}


@pytest.mark.parametrize(("rules", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_table_is_caught(rules, words):
    with pytest.raises(BrokenPromiseError, match=words):
        protocol.explore(rules)

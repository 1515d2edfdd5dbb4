"""Every order of call, crash, answer, job, reading and clock, with two intents and somebody else: none goes twice."""

from collections.abc import Iterator
from datetime import timedelta

import coverage
import pytest

from autoscaler.core.operation import LEGAL_STEPS, State
from autoscaler.core.outcome import QUIET_MEANS
from tests.core import protocol
from tests.core.protocol import IN, OFF, OUT, BrokenPromiseError, Clocks, Rules

SEARCHES = {
    "two scale-outs, somebody adds, our clock is set once": (Rules(clocks=OFF[:2], sets_again=False), 300_000),
    "two scale-outs, our clock is set by minutes and hours": (Rules(strangers=(), clocks=OFF), 20_000),
    "two scale-outs, somebody adds or removes": (Rules(strangers=(OUT, IN)), 250_000),
    "out, then in, and somebody adds": (Rules(directions=(OUT, IN)), 150_000),
    "in, then out, and somebody removes": (Rules(directions=(IN, OUT), strangers=(IN,)), 200_000),
    "one scale-in, somebody adds or removes, our clock is set": (
        Rules(directions=(IN,), strangers=(OUT, IN), clocks=OFF),
        100_000,
    ),
    "two scale-outs, the cloud's clock is set": (Rules(strangers=(), their_clocks=OFF), 100_000),
    "one scale-out, somebody adds, the cloud's clock is set": (
        Rules(directions=(OUT,), their_clocks=OFF[:2]),
        20_000,
    ),
}


@pytest.fixture
def unmeasured() -> Iterator[None]:
    """Measuring coverage makes a search several times as long, and finds nothing that examples do not reach."""
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.stop()
    yield
    if measuring is not None:
        measuring.start()


@pytest.mark.exhaustive
@pytest.mark.timeout(900)  # 20 s of a processor of its own
@pytest.mark.usefixtures("unmeasured")
@pytest.mark.parametrize(("rules", "states"), SEARCHES.values(), ids=SEARCHES)
def test_no_order_of_events_breaks_the_promise(rules, states):
    assert protocol.explore(rules) > states


def by_time(op, jobs, taken):
    """The newest job there is, as one would who trusts clocks."""
    return max(jobs, key=lambda job: job.created_at, default=None)


def never(op, now, skew):
    return False


def until_the_last_moment_to_send(op, now, skew):
    return now <= op.send_before


def by_our_clock_alone(ask: Clocks) -> Clocks:
    return lambda op, now, _: ask(op, now, None)


def by_the_clouds_clock_alone(ask: Clocks) -> Clocks:
    """As if ours showed what the cloud's does."""
    return lambda op, now, skew: ask(op, now + (skew or timedelta(0)) - timedelta(seconds=op.skew_seconds), None)


def allowing(state: State, *more: State) -> dict:
    return {**LEGAL_STEPS, state: LEGAL_STEPS[state] | set(more)}


BROKEN = {
    "an unknown outcome is sent again": (Rules(steps=allowing(State.UNKNOWN, State.PLANNED)), "was sent twice"),
    "quiet counts from the intent": (Rules(may_arrive=never), "is told as never_happened"),
    "quiet counts from the last moment to send": (
        Rules(may_arrive=until_the_last_moment_to_send),
        "is told as never_happened",
    ),
    "a job is adopted by its time": (Rules(new_job=by_time, strangers=()), "is told as failed"),
    "an unknown outcome is closed": (
        Rules(steps={**LEGAL_STEPS, State.UNKNOWN: frozenset()}),
        "two operations are open",
    ),
    "a call that may still arrive is not waited for": (Rules(may_show=never), "two of ours are under way"),
    "Completed is taken for done": (
        Rules(quiet_means={**QUIET_MEANS, State.SUBMITTED: State.SUCCEEDED}),
        "is told as succeeded, and nothing was",
    ),
    "what never happened is told as failed": (
        Rules(quiet_means={**QUIET_MEANS, State.UNKNOWN: State.FAILED}),
        "is told as failed, and it has no job",
    ),
    "a scale-in that brought less is taken for done": (
        Rules(directions=(IN,), quiet_means={**QUIET_MEANS, State.SUBMITTED: State.SUCCEEDED}),
        "is told as succeeded, and nothing was",
    ),
    "whether a call may arrive is told by our clock alone": (
        Rules(may_arrive=by_our_clock_alone(protocol.may_arrive), clocks=OFF),
        "is told as never_happened",
    ),
    "whether a call may arrive is told by the cloud's clock alone": (
        Rules(may_arrive=by_the_clouds_clock_alone(protocol.may_arrive), their_clocks=OFF),
        "is told as never_happened",
    ),
    "a call is waited for by our clock alone": (
        Rules(may_show=by_our_clock_alone(protocol.may_show), clocks=OFF),
        "two of ours are under way",
    ),
    "a call is waited for by the cloud's clock alone": (
        Rules(may_show=by_the_clouds_clock_alone(protocol.may_show), their_clocks=OFF),
        "two of ours are under way",
    ),
    "the last moment to send is told by the wall clock alone": (
        Rules(begins_by_wall=True, clocks=OFF),
        "is told as|two of ours are under way",
    ),
    "quiet is timed by the wall clock": (Rules(settles_by_wall=True, clocks=OFF), "is told as never_happened"),
    "jobs are listed from the intent on": (
        Rules(back=timedelta(0), strangers=(), clocks=OFF),
        "its job is there to be seen",
    ),
    "jobs are listed until now": (
        Rules(ahead=timedelta(0), strangers=(), their_clocks=OFF),
        "its job is there to be seen",
    ),
}


@pytest.mark.parametrize(("rules", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_table_is_caught(rules, words):
    with pytest.raises(BrokenPromiseError, match=words):
        protocol.explore(rules)

"""What one look at the cloud tells of an open operation, row by row."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.core import outcome
from autoscaler.core.checks import Job
from autoscaler.core.operation import State
from autoscaler.core.outcome import Told
from autoscaler.core.policy import Direction
from autoscaler.core.target import Node, Snapshot
from tests.core.protocol import KEY, NOW, Ours, operation_of

OUT = operation_of(Ours(State.UNKNOWN, frozenset(), frozenset({1, 2})))
IN = replace(OUT, direction=Direction.IN)
PREPAID = replace(OUT, prepaid=True)


def group(*nodes: int, creating: int | None = None, status: str = "RUNNING") -> Snapshot:
    made = [Node(f"node {number}", "creating" if number == creating else "normal") for number in nodes]
    return Snapshot(NOW, status, tuple(made), len(made), "group")


def job(status: str, name: str = "EnlargeNode", number: int = 7, instance: str = KEY.instance_id) -> Job:
    return Job(f"job {number}", name, status, instance, NOW)


FOLLOWED = {
    "its job runs": (OUT, job("Running"), group(1, 2, 3), Told.BUSY),
    "a word not known is a job that runs": (OUT, job("Pondering"), group(1, 2, 3), Told.BUSY),
    "the status shows work": (OUT, job("Completed"), group(1, 2, 3, status="growing"), Told.BUSY),
    "a node is being made": (OUT, job("Completed"), group(1, 2, 3, creating=3), Told.BUSY),
    "its job failed": (OUT, job("Failed"), group(1, 2), Told.FAILED),
    "its job failed, and the node came all the same": (OUT, job("Failed"), group(1, 2, 3), Told.FAILED),
    "its job failed, and the status still shows work": (OUT, job("Failed"), group(1, 2, status="growing"), Told.BUSY),
    "the node is there": (OUT, job("Completed"), group(1, 2, 3), Told.SEEN),
    "the node is there, and the job is forgotten": (OUT, None, group(1, 2, 3), Told.SEEN),
    "the job is forgotten, and no node is there": (OUT, None, group(1, 2), Told.BUSY),
    "Completed, and no node came": (OUT, job("Completed"), group(1, 2), Told.QUIET),
    "Completed, and the instance is frozen": (OUT, job("Completed"), group(1, 2, 3, status="FROZEN"), Told.BUSY),
    "another node took the place of one": (OUT, job("Completed"), group(2, 3), Told.SEEN),
    "the node is gone": (IN, job("Completed"), group(1), Told.SEEN),
    "Completed, and all nodes are still there": (IN, job("Completed"), group(1, 2), Told.QUIET),
}


@pytest.mark.parametrize(("op", "of_it", "snapshot", "told"), FOLLOWED.values(), ids=FOLLOWED)
def test_of_an_operation_with_a_job(op, of_it, snapshot, told):
    assert outcome.followed(op, of_it, snapshot) is told


LOOKED = {
    "the status shows work": (OUT, group(1, 2, status="REDUCING"), False, Told.BUSY),
    "the instance is frozen": (OUT, group(1, 2, 3, status="FROZEN"), False, Told.BUSY),
    "the node is there": (OUT, group(1, 2, 3), False, Told.SEEN),
    "the node is there before the call may be too late": (OUT, group(1, 2, 3), True, Told.SEEN),
    "all is as it was": (OUT, group(1, 2), False, Told.QUIET),
    "all is as it was, and the call may still arrive": (OUT, group(1, 2), True, Told.BUSY),
    "all is as it was, and an order may wait to be paid": (PREPAID, group(1, 2), False, Told.BUSY),
    "a node is gone": (OUT, group(1), False, Told.BUSY),
    "the node that was to go is gone": (IN, group(1), False, Told.SEEN),
    "a node came where one was to go": (IN, group(1, 2, 3), False, Told.BUSY),
}


@pytest.mark.parametrize(("op", "snapshot", "may_arrive", "told"), LOOKED.values(), ids=LOOKED)
def test_of_an_operation_without_a_clear_answer(op, snapshot, may_arrive, told):
    assert outcome.looked(op, snapshot, may_arrive=may_arrive) is told


MADE_AT_A_CLOCK_BEHIND = replace(OUT, skew_seconds=60.0)
ELAPSED = {
    "both clocks go on": (OUT, timedelta(minutes=3), timedelta(0), 3),
    "they were as far apart at the intent": (MADE_AT_A_CLOCK_BEHIND, timedelta(minutes=3), timedelta(minutes=1), 3),
    "ours was set forward": (OUT, timedelta(minutes=7), timedelta(minutes=-4), 3),
    "ours was set back": (OUT, timedelta(minutes=-1), timedelta(minutes=4), -1),
    "theirs was set forward": (OUT, timedelta(minutes=3), timedelta(minutes=4), 3),
    "theirs was set back": (OUT, timedelta(minutes=3), timedelta(minutes=-4), -1),
    "theirs is not known": (OUT, timedelta(minutes=3), None, 3),
}


@pytest.mark.parametrize(("op", "ours", "skew", "minutes"), ELAPSED.values(), ids=ELAPSED)
def test_how_long_ago_an_intent_is_at_the_least(op, ours, skew, minutes):
    assert outcome.elapsed(op, NOW + ours, skew) == timedelta(minutes=minutes)


@pytest.mark.parametrize(("seconds", "may"), [(0, True), (80, True), (81, False)])
def test_a_call_may_arrive_until_so_long_after_the_last_moment_to_begin_it(seconds, may):
    now = OUT.send_before + timedelta(seconds=seconds - 20)
    assert outcome.may_arrive(OUT, now, timedelta(0), timedelta(seconds=60)) is may


KNOWN = replace(OUT, known_jobs=frozenset({"job 7"}))
NEW_JOBS = {
    "a new one": (OUT, [job("Completed")], (), "job 7"),
    "of a known one nothing is taken": (KNOWN, [job("Completed")], (), None),
    "nor of another operation's": (OUT, [job("Completed")], ("job 7",), None),
    "nor of another instance's": (OUT, [job("Completed", instance="other")], (), None),
    "nor one of the other direction": (OUT, [job("Completed", "ReduceNode")], (), None),
    "nor one of another kind": (OUT, [job("Completed", "RestartInstance")], (), None),
    "the older of two": (
        OUT,
        [replace(job("Running", number=9), created_at=None), job("Running", number=8)],
        (),
        "job 8",
    ),
}


@pytest.mark.parametrize(("op", "jobs", "taken", "found"), NEW_JOBS.values(), ids=NEW_JOBS)
def test_a_job_that_may_be_the_operations(op, jobs, taken, found):
    new = outcome.new_job(op, jobs, taken)

    assert (new and new.id) == found


BY_OTHERS = {
    "nobody else": (OUT, group(1, 2, 3), 0),
    "nothing came": (OUT, group(1, 2), 0),
    "one more than was asked for": (OUT, group(1, 2, 3, 4), 1),
    "one that is not ready yet is nobody's": (OUT, group(1, 2, 3, 4, creating=4), 0),
    "one was taken away meanwhile": (OUT, group(2, 3), -1),
    "both at once": (OUT, group(2, 3, 4), 0),
    "in, and nobody else": (IN, group(1), 0),
    "in, and one more is gone": (IN, group(), -1),
    "in, and one was added meanwhile": (IN, group(1, 3), 1),
    "in, and none is gone": (IN, group(1, 2), 0),
}


@pytest.mark.parametrize(("op", "snapshot", "nodes"), BY_OTHERS.values(), ids=BY_OTHERS)
def test_what_somebody_else_did_while_an_operation_was_under_way(op, snapshot, nodes):
    assert outcome.by_others(op, snapshot) == nodes

"""What a look at the cloud tells of an open operation: pure, so that every order of events can be searched.

    SUBMITTED   a job or an order was given                 followed(job, snapshot)
    UNKNOWN     no clear answer was given                   new_job(jobs), else looked(snapshot)

How long QUIET must last, and what ends it, is the reconciler's; what it then means is in QUIET_MEANS.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from autoscaler.core.checks import Job
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction
from autoscaler.core.target import NodeState, Snapshot

CHANGING_STATUSES = frozenset({"GROWING", "REDUCING"})


class Told(StrEnum):
    """What one reading says."""

    BUSY = "busy"  # something is under way, or is other than it was: nothing can be concluded yet
    QUIET = "quiet"  # nothing is under way, and what was asked for is not there
    SEEN = "seen"  # the nodes are as asked
    FAILED = "failed"  # its job ended without success


QUIET_MEANS: Mapping[State, State] = {
    State.SUBMITTED: State.FAILED,  # the job says Completed, and fewer nodes came
    State.UNKNOWN: State.NEVER_HAPPENED,
}
"""What an operation ends in once it has been quiet for long enough."""


def followed(op: Operation, job: Job | None, snapshot: Snapshot) -> Told:
    """Of an operation that was given a job or an order; the job is None where the cloud knows it no longer."""
    if (job is not None and not job.finished) or not at_rest(snapshot):
        return Told.BUSY
    if job is not None and not job.succeeded:
        return Told.FAILED
    if snapshot.running and moved(op, snapshot) >= op.change:
        return Told.SEEN
    return Told.BUSY if job is None or not snapshot.running else Told.QUIET


def looked(op: Operation, snapshot: Snapshot, *, may_arrive: bool) -> Told:
    """Of an operation whose call got no clear answer, and that has no job in the list.

    `may_arrive`: its call may still reach the cloud; then, and where an unpaid order may wait, quiet means nothing.
    """
    if not at_rest(snapshot) or not snapshot.running:
        return Told.BUSY
    if moved(op, snapshot) >= op.change:
        return Told.SEEN
    return Told.BUSY if snapshot.node_ids != op.node_ids or may_arrive or op.prepaid else Told.QUIET


def elapsed(op: Operation, now: datetime, skew: timedelta | None) -> timedelta:
    """How long ago its intent was made, at the least: by our clock or by the cloud's, whichever says less.

    One of them may have been set since, and time that only a clock says has passed lets no call arrive. `skew` is the
    cloud's clock minus ours now (None: not known), as the operation holds what it was.
    """
    ours = now - op.committed_at
    return ours if skew is None else min(ours, ours + skew - timedelta(seconds=op.skew_seconds))


def may_arrive(op: Operation, now: datetime, skew: timedelta | None, within: timedelta) -> bool:
    """Whether its call may still reach the cloud: so long after the last moment to begin it, spans of t."""
    return elapsed(op, now, skew) <= op.send_before - op.committed_at + within


def new_job(op: Operation, jobs: Iterable[Job], taken: Collection[str | None]) -> Job | None:
    """The job of this instance and direction that was not there when the intent was made; the oldest, if several.

    By its id and never by its time: clocks differ, and one job cannot be two operations' (`taken`).
    """
    new = [
        job
        for job in jobs
        if job.id not in op.known_jobs
        and job.id not in taken
        and job.instance_id == op.instance.instance_id
        and job.direction is op.direction
    ]
    return min(new, key=lambda job: (job.created_at is None, job.created_at, job.id), default=None)


def at_rest(snapshot: Snapshot) -> bool:
    """Whether nothing is under way as far as the instance and its nodes show."""
    changing = any(node.state is NodeState.CHANGING for node in snapshot.nodes)
    return not changing and snapshot.instance_status.upper() not in CHANGING_STATUSES


def moved(op: Operation, snapshot: Snapshot) -> int:
    """Ready nodes that were not there before; or, going in, nodes that are gone."""
    if op.direction is Direction.OUT:
        return len(snapshot.ready_ids - op.node_ids)
    return len(op.node_ids - snapshot.node_ids)


def by_others(op: Operation, snapshot: Snapshot) -> int:
    """Nodes that somebody else added (negative: took away) while it was under way, as far as nodes show.

    What came beyond what was asked for is theirs, and so is what goes the other way.
    """
    beyond = max(0, moved(op, snapshot) - op.change)
    if op.direction is Direction.OUT:
        return beyond - len(op.node_ids - snapshot.node_ids)
    return len(snapshot.ready_ids - op.node_ids) - beyond

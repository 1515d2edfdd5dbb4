"""Watches which nodes a group has: since when each serves, and whether somebody else changed their number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from autoscaler.core import outcome
from autoscaler.core.checks import Job
from autoscaler.core.decision import Reason
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction
from autoscaler.core.target import InstanceKey, Snapshot
from autoscaler.ports import SeenNode, Store

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""From when a node counts that was there before we were."""


@dataclass(frozen=True)
class Seen:
    """A group as it is now, beside what was known of it."""

    nodes: tuple[SeenNode, ...]
    change: int = 0  # nodes that serve for the first time, less those that served and are gone
    new_group: bool = False  # the store had never seen it
    news: bool = True  # anything that the store does not know

    def counted_from(self, snapshot: Snapshot, warm_up: timedelta) -> dict[str, datetime]:
        """Ready node id → from when its metrics count."""
        since = {node.id: ALWAYS if node.warm else node.first_ready_at for node in self.nodes}
        return {
            node_id: ready if ready == ALWAYS else ready + warm_up
            for node_id in sorted(snapshot.ready_ids)
            if (ready := since.get(node_id)) is not None
        }


def look(before: Sequence[SeenNode] | None, snapshot: Snapshot, now: datetime) -> Seen:
    """The group now, from what was known before (None: nothing, so all its nodes count from the start)."""
    known = {node.id: node for node in before or ()}
    nodes = tuple(
        _seen(node_id, known.get(node_id), snapshot, now, warm=before is None) for node_id in sorted(snapshot.node_ids)
    )
    if before is None:
        return Seen(nodes, new_group=True)
    change = len(_served(nodes) - _served(before)) - len(_served(before) - snapshot.node_ids)
    return Seen(nodes, change, news=set(nodes) != set(before))


def _served(nodes: Iterable[SeenNode]) -> frozenset[str]:
    """Those that have been ready: one that is still being created changes the size of the group when it serves."""
    return frozenset(node.id for node in nodes if node.first_ready_at is not None)


def _seen(node_id: str, known: SeenNode | None, snapshot: Snapshot, now: datetime, *, warm: bool) -> SeenNode:
    if known is not None and known.first_ready_at is not None:
        return known
    ready = node_id in snapshot.ready_ids
    return SeenNode(node_id, now if ready else None, warm=warm and ready)


async def remember(
    store: Store, instance: InstanceKey, snapshot: Snapshot, now: datetime, *, beside: Sequence[Operation] = ()
) -> Seen:
    """Look, and store what is new; with it the operations that it tells of, all or nothing."""
    before = await store.seen_nodes(instance, snapshot.group_id)
    seen = look(before, snapshot, now)
    if seen.news or beside:
        await store.save_seen_nodes(instance, snapshot.group_id, seen.nodes, beside=beside)
    return seen


def foreign_change(*, target: str, instance: InstanceKey, group_id: str, change: int, at: datetime) -> Operation:
    """Somebody else changed the number of nodes: an operation that ended when it was seen."""
    moment = int(at.timestamp() * 1_000_000)
    return _foreign(f"foreign-{group_id}-{moment}", target, instance, group_id, change, at)


def done_by_others(op: Operation, snapshot: Snapshot, now: datetime, *, ours: int) -> list[Operation]:
    """What somebody else did to the group while an operation was under way, if anything; `ours`: so many nodes are."""
    change = outcome.by_others(replace(op, change=ours), snapshot)
    if not change:
        return []
    return [foreign_change(target=op.target, instance=op.instance, group_id=op.group_id, change=change, at=now)]


def foreign_job(*, target: str, instance: InstanceKey, group_id: str, job: Job, now: datetime) -> Operation | None:
    """A finished job that moved nodes before we were there; None for any other job.

    It did not end in the future, whatever the cloud's clock said then.
    """
    at = job.ended_at or job.created_at
    if job.instance_id != instance.instance_id or job.direction is None or not job.succeeded or at is None:
        return None
    change = 1 if job.direction is Direction.OUT else -1  # the list does not tell how many
    return _foreign(f"job-{job.id}-{group_id}", target, instance, group_id, change, min(at, now), job_id=job.id)


def unlearned(instance: InstanceKey, snapshot: Snapshot, jobs: Iterable[Job]) -> str | None:
    """Of a group that was never seen, the change under way that only its job will tell of; None where there is none.

    A node that does not serve yet tells of it later. Where all do, those that it added may be among them already (the
    cloud does not say how long before the job's end they serve): taken for nodes that have always been there, nothing
    would tell of the change any more, and no cooldown would follow it.
    """
    if snapshot.node_ids != snapshot.ready_ids:
        return None
    ours = (job for job in jobs if job.instance_id == instance.instance_id and not job.finished)
    job = next((job for job in ours if job.direction is not None), None)
    if job is None:
        return None
    return f"job {job.id} ({job.name}) was under way when the group was seen for the first time"


def _foreign(
    name: str, target: str, instance: InstanceKey, group_id: str, change: int, at: datetime, job_id: str | None = None
) -> Operation:
    return Operation(
        id=name,
        target=target,
        instance=instance,
        group_id=group_id,
        direction=Direction.OUT if change > 0 else Direction.IN,
        change=abs(change),
        reason=Reason.FOREIGN,
        state=State.SUCCEEDED,
        committed_at=at,
        send_before=at,
        ended_at=at,
        job_id=job_id,
        arrived=abs(change),
        detail="done by somebody else",
        foreign=True,
    )

"""The fleet: what all targets together have, have added and have used, and what that leaves for a scale-out.

All of it is derived from stored operations and the nodes there are now; nothing else is remembered, so a restart
forgets nothing, and a policy test (whose fleet is its own target) counts as the daemon does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from autoscaler.core import history
from autoscaler.core.history import DAY
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Budget, Direction, Fleet, FleetLimits
from autoscaler.core.target import InstanceKey, Snapshot

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Group:
    """One node group of the fleet as it was last read."""

    instance: InstanceKey
    snapshot: Snapshot


@dataclass(frozen=True)
class Use:
    """What the fleet has and has used at one moment."""

    nodes: int  # in any state, and those that scale-outs of ours have still to bring
    added: int  # by scale-outs of ours that are open or ended in the last hour
    node_time: timedelta  # of the last 24 h, summed over nodes: 96 h are 96 node-hours
    unknown: tuple[str, ...] = ()  # targets whose nodes, or operations, could not be read

    def with_shadows(self, shadows: Iterable[Operation], now: datetime) -> "Use":
        """As a target in observe sees it: what it would have added counts for it, and for no other target."""
        return replace(self, added=self.added + _added(shadows, now))


NOTHING_KNOWN = Use(0, 0, timedelta(0), unknown=("all targets",))
"""Stands in where a policy has a fleet and nobody has counted it: not knowing must not buy nodes."""


def used(
    groups: Iterable[Group], operations: Sequence[Operation], now: datetime, *, unknown: Iterable[str] = ()
) -> Use:
    """What these groups, each counted once, and the operations on their instances come to."""
    newest = {}
    for group in sorted(groups, key=lambda one: one.snapshot.taken_at):
        newest[group.instance, group.snapshot.group_id] = group.snapshot
    nodes, node_time = 0, timedelta(0)
    for (instance, group_id), snapshot in newest.items():
        own = [op for op in operations if (op.instance, op.group_id) == (instance, group_id) and _moves(op)]
        nodes += snapshot.current + _still_to_come(snapshot, own)
        node_time += _node_time(snapshot, own, now)
    return Use(nodes, _added(operations, now), node_time, tuple(unknown))


def _moves(op: Operation) -> bool:
    return op.changed_nodes or (op.open and not op.shadow)


def _added(operations: Iterable[Operation], now: datetime) -> int:
    outs = (op for op in history.of_last(operations, now, HOUR) if op.direction is Direction.OUT)
    return sum(map(history.nodes_moved, outs))


def _still_to_come(snapshot: Snapshot, operations: Iterable[Operation]) -> int:
    outs = (op for op in operations if op.direction is Direction.OUT)
    return sum(_not_shown(op, snapshot) for op in outs if _later(op, snapshot))


def _later(op: Operation, snapshot: Snapshot) -> bool:
    """Whether a reading may show less of an operation of ours than is to come of it; another's is known by readings."""
    if op.foreign:
        return False
    if op.ended_at == snapshot.taken_at:
        return bool(op.node_ids)  # by the time it cannot be told, by the nodes it can
    return op.ended_at is None or op.ended_at > snapshot.taken_at


def _not_shown(op: Operation, snapshot: Snapshot) -> int:
    """How many of its nodes had not come (or gone) when this was read; all, where it does not say what was there."""
    there, before = snapshot.node_ids, op.node_ids
    shown = there - before if op.direction is Direction.OUT else before - there
    return max(0, history.nodes_moved(op) - (len(shown) if before else 0))


def _node_time(snapshot: Snapshot, operations: Sequence[Operation], now: datetime) -> timedelta:
    """The integral of the number of nodes over the last 24 h, walked back from now through what changed it.

    A node that comes counts from the intent, one that goes counts to the operation's end: the dearer reading. Before
    the first operation that is known the group had the size that results, none where it would be fewer.
    """
    start, until = now - DAY, now
    size, total = _size_now(snapshot, operations), timedelta(0)
    for at, change in sorted(_changes(operations, now), reverse=True):
        since = max(at, start)
        total += size * (until - since)
        size, until = max(0, size - change), since
    return total + size * (until - start)


def _size_now(snapshot: Snapshot, operations: Iterable[Operation]) -> int:
    """The nodes that count now: also those that are to come, and those that are going until they are surely gone."""
    size = snapshot.current
    for op in operations:
        if not _later(op, snapshot):
            continue
        waiting = _not_shown(op, snapshot)
        if op.direction is Direction.OUT:
            size += waiting
        elif op.open:
            size += history.nodes_moved(op) - waiting if op.node_ids else 0
        else:
            size -= waiting
    return size


def _changes(operations: Iterable[Operation], now: datetime) -> Iterable[tuple[datetime, int]]:
    """When each operation changed the number of nodes that count, and by how many."""
    for op in operations:
        if op.direction is Direction.OUT:
            yield min(op.committed_at, now), history.nodes_moved(op)
        elif op.ended_at is not None:
            yield min(op.ended_at, now), -history.nodes_moved(op)


def shortened(asked: int, fleet: Fleet | None, use: Use | None, *, past_budget: bool) -> int:
    """No more nodes than limits and budget leave; where they leave none it stays as it is, for the guards to veto."""
    if fleet is None:
        return asked
    known = use or NOTHING_KNOWN
    lefts = [room(fleet.limits, known)]
    if fleet.budget is not None and not past_budget:
        lefts.append(affordable(fleet.budget, known))
    return min([asked, *(left for left in lefts if left)])


def room(limits: FleetLimits, use: Use) -> int | None:
    """How many nodes the limits leave, 0 or more; None where there is no limit."""
    lefts = []
    if limits.nodes is not None:
        lefts.append(limits.nodes - use.nodes)
    if limits.added_per_hour is not None:
        lefts.append(limits.added_per_hour - use.added)
    if not lefts:
        return None
    return 0 if use.unknown else max(0, min(lefts))


def affordable(budget: Budget, use: Use) -> int:
    """How many nodes the budget leaves, 0 or more: each costs an hour at least, for the cloud bills whole hours."""
    return 0 if use.unknown else max(0, (budget.node_hours_per_day * HOUR - use.node_time) // HOUR)


def limit_reached(fleet: Fleet | None, use: Use | None) -> str | None:
    """Why the limits leave no node; None where they leave any."""
    known = use or NOTHING_KNOWN
    if fleet is None or room(fleet.limits, known) != 0:
        return None
    limits = fleet.limits
    if known.unknown:
        return _unknown(known)
    if limits.nodes is not None and known.nodes >= limits.nodes:
        return f"the fleet has {known.nodes} of {limits.nodes} nodes"
    return f"{known.added} of {limits.added_per_hour} nodes were added to the fleet in the last hour"


def budget_used_up(fleet: Fleet | None, use: Use | None) -> str | None:
    """Why the budget leaves no node; None where it leaves any."""
    known = use or NOTHING_KNOWN
    if fleet is None or fleet.budget is None or affordable(fleet.budget, known) > 0:
        return None
    return _unknown(known) if known.unknown else _of_budget(fleet.budget, known)


def budget_warning(fleet: Fleet | None, use: Use | None) -> str | None:
    """That the budget is used up to `warn_at`, or beyond; None where it is not, or nobody wants to know."""
    if fleet is None or fleet.budget is None or fleet.budget.warn_at is None or use is None:
        return None
    warn_at = fleet.budget.warn_at
    hundredths = int(warn_at * 10_000)  # of a percent: timedelta knows no decimals
    if use.node_time * 10_000 < fleet.budget.node_hours_per_day * HOUR * hundredths:
        return None
    return f"{_of_budget(fleet.budget, use)} (warn_at {(warn_at * 100).normalize():f} %)"


def _unknown(use: Use) -> str:
    return f"not known yet: the nodes of {', '.join(use.unknown)}, which count for the fleet"


def _of_budget(budget: Budget, use: Use) -> str:
    hours = f"{use.node_time / HOUR:.1f}".removesuffix(".0")
    return f"{hours} of {budget.node_hours_per_day} node-hours of the last 24 h are used"

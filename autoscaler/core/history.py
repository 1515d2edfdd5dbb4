"""What past operations mean for now: cooldowns, the day's limits, and since when the group has the size it has.

All of it is derived from the operations and `now`; nothing else is remembered, so a restart forgets nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from autoscaler.core.decision import Reason
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Cooldown, Direction

NO_TIME, DAY = timedelta(0), timedelta(hours=24)
SHORTEST_REST, LONGEST_REST = timedelta(minutes=15), timedelta(hours=4)
FAILURES = (State.FAILED, State.NEVER_HAPPENED)


def last_change(operations: Iterable[Operation]) -> datetime | None:
    """When the group last got other nodes, by our hand or another's: samples from before are of another size."""
    ends = [op.ended_at for op in operations if op.changed_nodes and op.ended_at is not None]
    return max(ends) if ends else None


def cooldown_left(
    operations: Sequence[Operation],
    now: datetime,
    direction: Direction,
    cooldown: Cooldown,
    *,
    chosen: timedelta | None = None,
) -> timedelta:
    """How long this direction has to wait yet; zero or less: not at all.

    `chosen` replaces the direction's own cooldown (a step may have a shorter one); the one after a failure stays.
    """
    normal = chosen if chosen is not None else (cooldown.out if direction is Direction.OUT else cooldown.in_)
    ends = [_end(op) for op in operations if _counts(op, direction)]
    until = [max(ends) + normal] if ends else []
    failed = _failed_since_success(operations, direction)
    if failed is not None:
        until.append(failed + cooldown.failed)
    return max(until) - now if until else NO_TIME


def _counts(op: Operation, direction: Direction) -> bool:
    """Out waits after scale-outs; in waits after either."""
    changed = op.changed_nodes or (op.shadow and op.state is State.SUCCEEDED)
    return changed and (direction is Direction.IN or op.direction is Direction.OUT)


def _failed_since_success(operations: Sequence[Operation], direction: Direction) -> datetime | None:
    """The end of the last failure of this direction that no success of it has followed."""
    row = _failures_in_a_row(operations, direction)
    return max(row) if row else None


def _failures_in_a_row(operations: Sequence[Operation], direction: Direction) -> list[datetime]:
    """The ends of this direction's failures that no success of it has followed; rejected and foreign ones are none."""
    failures = [_end(op) for op in operations if op.state in FAILURES and op.direction is direction and not op.foreign]
    success = last_success(operations, direction) if failures else None
    return failures if success is None else [end for end in failures if end > success]


def last_success(operations: Iterable[Operation], direction: Direction) -> datetime | None:
    """When our last operation of this direction that succeeded ended."""
    ours = (op for op in operations if op.direction is direction and not op.foreign)
    return max((_end(op) for op in ours if op.state is State.SUCCEEDED), default=None)


def breaker_open_until(
    operations: Sequence[Operation], direction: Direction, failures: int, *, reset: datetime | None = None
) -> datetime | None:
    """Until when the breaker is open for this direction; it may be past. None: too few have failed in a row.

    Scale-outs that fail open it for both directions, scale-ins only for in. Shadows tell nothing of the cloud. What
    ended up to `reset` no longer counts: somebody closed the breaker then.
    """
    if len([op for op in operations if op.state in FAILURES]) < failures:
        return None
    ours = [op for op in operations if not op.shadow and (reset is None or _end(op) > reset)]
    opened_by = (Direction.OUT,) if direction is Direction.OUT else (Direction.OUT, Direction.IN)
    rows = (_failures_in_a_row(ours, each) for each in opened_by)
    return max((max(row) + _rest(len(row) - failures) for row in rows if len(row) >= failures), default=None)


class Standing(NamedTuple):
    """How the operations of one direction, and its breaker, stand: for showing; the guard asks by itself."""

    failures: int  # of this direction, in a row
    open_until: datetime | None  # it may be past; None: too few have failed in a row
    refused: tuple[Operation, ...] = ()  # in a row, the last one last; the breaker counts none


def breakers(
    operations: Sequence[Operation], failures: int, *, reset: datetime | None = None
) -> Mapping[Direction, Standing]:
    """How both breakers stand; `failures` and `reset` as `breaker_open_until` takes them."""
    ours = [op for op in operations if not op.shadow and (reset is None or _end(op) > reset)]
    return {
        direction: Standing(
            len(_failures_in_a_row(ours, direction)),
            breaker_open_until(ours, direction, failures, reset=reset),
            _refused_in_a_row(ours, direction),
        )
        for direction in Direction
    }


def _refused_in_a_row(operations: Sequence[Operation], direction: Direction) -> tuple[Operation, ...]:
    """Our operations of this direction that the cloud refused, or that could not be sent, since one that was not so."""
    ended = (op for op in operations if op.direction is direction and not op.foreign and op.state is not State.PLANNED)
    newest_first = sorted(ended, key=lambda op: op.committed_at, reverse=True)
    return tuple(takewhile(lambda op: op.state is State.REJECTED, newest_first))[::-1]


def _rest(more: int) -> timedelta:
    """15 min, twice as long with each failure more, 4 h at most."""
    return min(SHORTEST_REST * (1 << min(more, 10)), LONGEST_REST)


def breaker_looks_back_to(operations: Sequence[Operation], now: datetime) -> datetime | None:
    """From when all operations are needed to count the failures of a breaker that may be open; None: no breaker is."""
    starts = []
    for direction in Direction:
        last = _failed_since_success([op for op in operations if not op.shadow], direction)
        if last is not None and now < last + LONGEST_REST:
            starts.append(last_success(operations, direction) or datetime.min.replace(tzinfo=UTC))
    return min(starts, default=None)


def _end(op: Operation) -> datetime:
    return op.ended_at if op.ended_at is not None else op.committed_at


def of_last(operations: Iterable[Operation], now: datetime, span: timedelta = DAY) -> tuple[Operation, ...]:
    """Our operations that count for limits: open ones, and those that moved nodes and ended in the last 24 h (or span).

    What ended exactly that long ago counts no more.
    """
    return tuple(op for op in operations if not op.foreign and _used(op) and (op.open or _end(op) > now - span))


def _used(op: Operation) -> bool:
    return op.open or op.state is State.SUCCEEDED or (op.state is State.FAILED and op.arrived > 0)


def nodes_moved(op: Operation) -> int:
    """How many nodes an operation counts for: those that came, or those asked for."""
    return op.arrived if op.state is State.FAILED else op.change


def spent_on_missing_data(operations: Iterable[Operation], since: datetime | None) -> bool:
    """Whether the spell without data that began at `since` already bought its one node; None: whether any ever did.

    The newest sample's own time tells nothing here: one that always comes too late would end every spell.
    """
    return any(
        op.reason is Reason.NO_DATA
        and op.state is not State.REJECTED
        and not op.foreign
        and (since is None or op.committed_at >= since)
        for op in operations
    )

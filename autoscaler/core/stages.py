"""The stages after combine, each a small function from a wish to a wish: stabilize, limits, bounds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from autoscaler.core import fleet, history
from autoscaler.core.decision import Reason, StageRecord
from autoscaler.core.observation import Observation, Wish
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Direction, Limits, Policy, Size
from autoscaler.core.recommend import Limit
from autoscaler.core.rules import schedule
from autoscaler.core.rules.threshold import nodes_of
from autoscaler.core.target import MAX_NODES_PER_INSTANCE


class Flow(NamedTuple):
    """A wish on its way through the stages: how many nodes stand now, why, and what stopped it if anything did."""

    current: int
    desired: int
    reason: Reason  # why it moves, or why nothing was wanted
    because: str = ""  # the rule, or the bound, that gives the reason
    cooldown: timedelta | None = None  # the one that applies; None: the target's
    forced: bool = False  # below min, or by hand: past limits, caps, cooldown and blackout
    stopped: Reason | None = None  # the first stage that left no change
    stages: tuple[StageRecord, ...] = ()
    capped: Limit | None = None  # the schedule that made it smaller
    rules_desired: int | None = None  # by hand: what the rules wanted

    @property
    def direction(self) -> Direction | None:
        """Which way it goes; None where nothing moves."""
        if self.desired == self.current:
            return None
        return Direction.OUT if self.desired > self.current else Direction.IN

    def after(self, stage: str, desired: int, *, stop: Reason | None = None, because: str = "") -> "Flow":
        """The wish after a stage, with the stage's line in the record."""
        left_nothing = desired == self.current != self.desired
        stopped = self.stopped or (stop if left_nothing else None)
        line = StageRecord(stage, desired, because or (stopped.value if left_nothing and stopped else ""))
        return Flow(  # written out: `_replace` takes three times as long, four times in each decision
            self.current,
            desired,
            self.reason,
            self.because,
            self.cooldown,
            self.forced,
            stopped,
            (*self.stages, line),
            self.capped,
            self.rules_desired,
        )


def stabilized(desired: int, current: int, wishes: Sequence[Wish], now: datetime, window: timedelta) -> int:
    """A scale-in no further than the largest wish of the window: min(current, largest); never more, never out."""
    if desired >= current or not window:
        return desired
    since = now - window
    recent = [wish.desired for wish in wishes if since < wish.at <= now]
    return min(current, max([desired, *recent]))


def floored(flow: Flow, floor: Limit | None, cooldown: timedelta) -> Flow:
    """The rules' wish over an open floor: out to it, or in no further than it; satisfied it has no say.

    A floor that wants out has the target's cooldown, and of all that want out the shortest applies.
    """
    if floor is None or floor.nodes <= min(flow.desired, flow.current):
        return flow
    if floor.nodes <= flow.current:  # a scale-in, shortened
        if floor.nodes < flow.current:
            return flow._replace(desired=floor.nodes)
        return Flow(flow.current, flow.current, Reason.WITHIN_BOUNDS, floor.rule)
    shortest = cooldown if flow.cooldown is None or flow.desired < flow.current else min(cooldown, flow.cooldown)
    if floor.nodes <= flow.desired:
        return flow._replace(cooldown=shortest)
    return Flow(flow.current, floor.nodes, Reason.SCHEDULE, floor.rule, shortest)


def limited(flow: Flow, policy: Policy, observation: Observation) -> Flow:
    """No more nodes at once, or in 24 hours, than the policy's limits allow, nor than the fleet's leave."""
    direction = flow.direction
    if direction is None:
        return flow.after("limits", flow.desired)
    asked = abs(flow.desired - flow.current)
    allowed = asked if flow.forced else _allowed(asked, policy.limits, direction, observation)
    if direction is Direction.IN:
        return _cut(flow, asked, -allowed, "limits")
    below_min = flow.reason is Reason.BELOW_MIN
    left = fleet.shortened(allowed, policy.fleet, observation.fleet, past_budget=below_min)
    return _cut(flow, asked, left, "limits" if left == allowed else "fleet")


def _cut(flow: Flow, asked: int, change: int, because: str) -> Flow:
    cut = abs(change) != asked
    return flow.after("limits", flow.current + change, stop=Reason.DAILY_LIMIT, because=because if cut else "")


def _allowed(asked: int, limits: Limits, direction: Direction, observation: Observation) -> int:
    at_once = limits.add if direction is Direction.OUT else limits.remove
    allowed = asked if at_once is None else min(asked, nodes_of(at_once, observation.snapshot.ready, direction))
    if limits.actions_per_day is None and limits.added_per_day is None:
        return allowed
    return _left_of_day(allowed, limits, direction, history.of_last(observation.of_group, observation.now))


def _left_of_day(allowed: int, limits: Limits, direction: Direction, day: Sequence[Operation]) -> int:
    outs = [op for op in day if op.direction is Direction.OUT]
    if (
        limits.actions_per_day is not None
        and len(outs if direction is Direction.OUT else day) >= limits.actions_per_day
    ):
        return 0
    if direction is Direction.OUT and limits.added_per_day is not None:
        allowed = min(allowed, max(0, limits.added_per_day - sum(map(history.nodes_moved, outs))))
    return allowed


def bounded(flow: Flow, policy: Policy, observation: Observation) -> Flow:
    """Never past max (nor the instance's 32 nodes), never below min, and above max never below max for that alone."""
    direction = flow.direction
    if direction is Direction.OUT:
        room = max(0, MAX_NODES_PER_INSTANCE - _most_nodes_seen(observation))
        highest = max(flow.current, min(policy.bounds.max, flow.current + room))
        asked = bool(policy.schedules) and not flow.forced
        return _capped(flow, highest, schedule.cap(policy, observation.now) if asked else None)
    if direction is Direction.IN:
        lowest = min(flow.current, policy.bounds.max if flow.reason is Reason.ABOVE_MAX else policy.bounds.min)
        return flow.after("bounds", max(flow.desired, lowest), stop=Reason.AT_MIN)
    return flow.after("bounds", flow.desired)


def _capped(flow: Flow, highest: int, cap: Limit | None) -> Flow:
    """A scale-out no further than `highest`, nor than the cap of a schedule; a cap never scales in."""
    if cap is None or cap.nodes >= min(flow.desired, highest):
        return flow.after("bounds", min(flow.desired, highest), stop=Reason.AT_MAX)
    capped = flow.after("bounds", max(flow.current, cap.nodes), stop=Reason.AT_MAX, because=cap.rule)
    return capped._replace(capped=cap)


def _most_nodes_seen(observation: Observation) -> int:
    """Of all the instance's groups; another group may have grown since, and none may be smaller than this one."""
    newest = observation.checks.snapshot if observation.checks else observation.snapshot
    return max(newest.instance_nodes, observation.snapshot.instance_nodes, observation.snapshot.current)


def removed_at_once(limit: Size | None, ready: int) -> int:
    """How many nodes above max go at a time: the policy's `remove`, one by default."""
    return 1 if limit is None else nodes_of(limit, ready, Direction.IN)

"""A case played through: one decision per interval by the daemon's own `decide`, each carried out as the case says.

    in each interval   operations due end ──> observe ──> decide ──> carry out

Nothing here reads a clock: the case's start and interval are all the time that there is.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from autoscaler.core import engine, fleet, remembered, sample
from autoscaler.core.checks import Checks, DataNode
from autoscaler.core.decision import Decision, Reason, Verdict
from autoscaler.core.observation import Observation
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Metric, Policy, ScheduleRule
from autoscaler.core.remembered import Remembered
from autoscaler.core.sample import GROUP, Sample
from autoscaler.core.target import Mode, Node, Snapshot
from autoscaler.policyfile import checks, series
from autoscaler.policyfile.case import Case
from autoscaler.policyfile.case_keys import Outcome

_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)
"""From when a named node counts: it is warm."""


def play(case: Case) -> Mapping[timedelta, Decision]:
    """The decisions of which anything is expected, by their time since the start; all before them are made too."""
    policy = _in_intervals(case.policy, case.interval)
    recordings = {metric: _Recording.of(case, metric) for metric in policy.metrics}
    group = _Group(ready=case.ready, faulty=case.current - case.ready, operations=case.operations)
    asked = {one.at for one in case.expectations}
    decisions = {}
    for at in _moments(case):
        now = case.start + at
        group = group.due_ended(case, now).begun(now)
        decision = engine.decide(policy, _observed(case, group, recordings, now))
        if at in asked:
            decisions[at] = decision
        group = group.after(decision, case, policy.scale_in_stabilization)
    return decisions


def _moments(case: Case) -> Iterator[timedelta]:
    last = max(one.at for one in case.expectations)
    return (index * case.interval for index in range(last // case.interval + 1))


def _in_intervals(policy: Policy, interval: timedelta) -> Policy:
    """The interval counts as the period of every metric."""
    rules = tuple(
        rule if isinstance(rule, ScheduleRule) else replace(rule, metric=replace(rule.metric, period=interval))
        for rule in policy.rules
    )
    return replace(policy, rules=rules, interval=interval)


@dataclass(frozen=True)
class _Recording:
    """All samples that a metric will ever have in a case, newest first, and from when on each can be seen."""

    samples: tuple[Sample, ...]
    times: tuple[datetime, ...]  # of the samples, oldest first
    half_after: timedelta  # its own time a sample that lacks nodes can be seen
    most: int  # samples that any rule may look at

    @staticmethod
    def of(case: Case, metric: Metric) -> "_Recording":
        by_node = case.metrics.get(metric.name, {})
        points = {name: _placed(values, case) for name, values in by_node.items()}
        far = max((time for each in points.values() for time in each), default=case.start) + 4 * case.interval
        if set(points) == {GROUP}:
            found = tuple(Sample(time, value) for time, value in reversed(points[GROUP].items()))
        else:
            found = sample.fold(metric, points, dict.fromkeys(points, _ALWAYS), far)
        return _Recording(found, tuple(one.time for one in reversed(found)), 2 * case.interval, _most(case))

    def seen_at(self, now: datetime) -> tuple[Sample, ...]:
        """A sample is complete at its own time; one that lacks nodes, two periods after it."""
        newest = len(self.times) - bisect_right(self.times, now)
        fresh = [one for one in self.samples[newest : newest + 2] if self._is_seen(one, now)]
        return (*fresh, *self.samples[newest + 2 : newest + self.most])

    def _is_seen(self, one: Sample, now: datetime) -> bool:
        return not one.half or one.time + self.half_after <= now


def _most(case: Case) -> int:
    """No rule looks at more: a day of intervals, or as many datapoints as there are minutes in one."""
    return max(checks.LONGEST_WINDOW // case.interval, checks.LONGEST_WINDOW // timedelta(minutes=1)) + 3


def _placed(values: series.Values, case: Case) -> dict[datetime, Decimal]:
    placed = ((case.start + index * case.interval, value) for index, value in enumerate(values))
    return {time: value for time, value in placed if value is not None}


def _observed(case: Case, group: "_Group", recordings: Mapping[Metric, _Recording], now: datetime) -> Observation:
    snapshot = group.snapshot(case, now)
    memory, operations = group.memory, (*group.operations, *group.running)
    return Observation(
        now=now,
        snapshot=snapshot,
        mode=case.mode,
        first_evaluated_at=case.start,
        samples={metric: recording.seen_at(now) for metric, recording in recordings.items()},
        operations=(*operations, *memory.shadows),
        wishes=memory.wishes,
        fresh_at=memory.fresh_at,
        pauses=case.pauses,
        overrides=case.overrides,
        fleet=_fleet(case, snapshot, operations).with_shadows(memory.shadows, now) if case.policy.fleet else None,
        checks=Checks(snapshot=snapshot, jobs=(), data_nodes=(_data_node(case),)),
    )


def _fleet(case: Case, snapshot: Snapshot, operations: Sequence[Operation]) -> fleet.Use:
    """A case knows only its own target, so that is all of its fleet."""
    return fleet.used([fleet.Group(case.instance, snapshot)], operations, snapshot.taken_at)


def _data_node(case: Case) -> DataNode:
    busy, cpu = case.data_nodes.busy, case.data_nodes.cpu
    return DataNode("rds", "rds", "busy" if busy else "normal", "BUSY" if busy else "ACTIVE", cpu)


@dataclass(frozen=True)
class _Group:
    """The node group, what was done to it so far, and what is remembered of it."""

    ready: int
    faulty: int
    operations: tuple[Operation, ...]
    running: tuple[Operation, ...] = ()  # the one of this case that is open, if any
    memory: Remembered = field(default_factory=Remembered)

    @property
    def current(self) -> int:
        return self.ready + self.faulty

    def snapshot(self, case: Case, now: datetime) -> Snapshot:
        nodes = tuple(
            Node(f"node-{index + 1}", "normal" if index < self.ready else "abnormal") for index in range(self.current)
        )
        return Snapshot(now, "RUNNING", nodes, instance_nodes=self.current, group_id=case.group_id)

    def begun(self, now: datetime) -> "_Group":
        return replace(self, memory=self.memory.begun(now, self.current))

    def due_ended(self, case: Case, now: datetime) -> "_Group":
        """With the operation ended whose time has come; one of unknown outcome stays open."""
        for one in self.running:
            end = one.committed_at + case.carry_out.takes
            if case.carry_out.outcome is not Outcome.UNKNOWN and end <= now:
                return self._ended(one, State(case.carry_out.outcome.value), end)
        return self

    def _ended(self, one: Operation, state: State, end: datetime) -> "_Group":
        moved = one.change if state is State.SUCCEEDED else 0
        ready = self.ready + (moved if one.direction is Direction.OUT else -moved)
        done = one.step(state, at=end, arrived=moved)
        memory = self.memory.entered(end, ready + self.faulty)
        return replace(self, ready=ready, operations=(*self.operations, done), running=(), memory=memory)

    def after(self, decision: Decision, case: Case, window: timedelta) -> "_Group":
        """With the decision remembered, and carried out if it moves anything and the case wants it."""
        decided = replace(self, memory=self.memory.decided(decision, window))
        if not case.carry_out.wanted:
            return decided
        if case.mode is Mode.OBSERVE:
            return decided.shadowed(decision, case)
        if decision.decision is Verdict.HOLD:
            return decided
        return decided.sent(decision, case).due_ended(case, decision.at)

    def shadowed(self, decision: Decision, case: Case) -> "_Group":
        if decision.vetoes != (Reason.OBSERVE_ONLY,):
            return self
        shadow = remembered.shadow_of(decision, case.instance, case.group_id)
        return replace(self, memory=self.memory.shadowed(shadow))

    def sent(self, decision: Decision, case: Case) -> "_Group":
        now = decision.at
        there = self.snapshot(case, now).node_ids
        planned = replace(_intent(decision, case, len(self.operations)), node_ids=there)
        outcome = case.carry_out.outcome
        if outcome is Outcome.REJECTED:
            return replace(self, operations=(*self.operations, planned.step(State.REJECTED, at=now)))
        unanswered = outcome in {Outcome.UNKNOWN, Outcome.NEVER_HAPPENED}
        sent = planned.step(State.UNKNOWN if unanswered else State.SUBMITTED, at=now)
        return replace(self, running=(sent,), memory=self.memory.entered(now, self.current))


def _intent(decision: Decision, case: Case, number: int) -> Operation:
    return Operation(
        id=f"operation-{number + 1}",
        target=decision.target,
        instance=case.instance,
        group_id=case.group_id,
        direction=Direction.OUT if decision.decision is Verdict.OUT else Direction.IN,
        change=abs(decision.change),
        reason=decision.reason,
        state=State.PLANNED,
        committed_at=decision.at,
        send_before=decision.at,
    )

"""The console: what web pages and the API may ask of the running daemon, and what they may change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from autoscaler.clock import Clock
from autoscaler.control import as_parsed, by_hand, chart
from autoscaler.control.feed import Feed
from autoscaler.control.group_watch import done_by_others, remember
from autoscaler.control.leader import Leadership
from autoscaler.control.memory import Memory, TargetMemory
from autoscaler.control.poller import under
from autoscaler.control.reconciler import Reconciler, target_of
from autoscaler.control.reloading import Reloader
from autoscaler.control.roster import Roster
from autoscaler.control.scheduler import Pulse
from autoscaler.core import permissible, reload_words, standing_words
from autoscaler.core.by_hand import of_targets
from autoscaler.core.checks import apart
from autoscaler.core.ddm_metrics import FACTS
from autoscaler.core.decision import Decision, rfc3339
from autoscaler.core.history import DAY, nodes_moved, of_last
from autoscaler.core.operation import Operation, State
from autoscaler.core.operation_json import operation_json
from autoscaler.core.outcome import CHANGING_STATUSES, moved
from autoscaler.core.policy import KINDS, Direction, MetricRule, Policy, Rule, ScheduleRule, Size, TargetTrackingRule
from autoscaler.core.target import Mode, NodeState, Snapshot
from autoscaler.errors import CloudError
from autoscaler.ports import (
    Cause,
    ChangeRefusedError,
    Cloud,
    Following,
    History,
    Monitor,
    QuestionInvalidError,
    Reload,
    Store,
)

NOTHING_YET = TargetMemory()
"""Of a target that was not looked at; answers are made in threads, which write nothing."""

SHOWN_BY_DEFAULT = timedelta(hours=1)

MOST_RECORDS = 50_000
"""As many as one chart is made of (a month of minutes; a second of work)."""


@dataclass
class Readiness:
    """What must be true before the daemon is ready; each part says in a sentence what is missing."""

    missing: dict[str, str] = field(default_factory=dict)

    def lacks(self, part: str, sentence: str) -> None:
        """This part is not there yet."""
        self.missing[part] = sentence

    def has(self, part: str) -> None:
        """This part is there."""
        self.missing.pop(part, None)


@dataclass(frozen=True, kw_only=True)
class DaemonConsole:
    """Implements `ports.Console` over the daemon's own parts."""

    roster: Roster
    reloader: Reloader
    cloud: Cloud
    store: Store
    history: History
    memory: Memory
    reconciler: Reconciler
    pulse: Pulse
    readiness: Readiness
    clock: Clock
    monitor: Monitor
    feed: Feed
    leadership: Leadership

    @property
    def policies(self) -> Mapping[str, Policy]:
        """Those that hold now."""
        return self.roster.policies

    @property
    def ceiling(self) -> Mode:
        """The most that any target may do now."""
        return self.roster.ceiling

    def healthy(self) -> tuple[bool, str]:
        return self.pulse.healthy(self.clock.monotonic())

    def ready(self) -> tuple[bool, str]:
        missing = list(self.readiness.missing.values())
        led_by = self.led_by()
        standing_by = "" if led_by is None else f", standing by: {standing_words.who_leads(led_by)}"
        unobeyed = self.unobeyed()
        of_files = "" if unobeyed is None else f"; {reload_words.unobeyed(unobeyed)}"
        return not missing, ("; ".join(missing) or f"ready{standing_by}") + of_files

    def led_by(self) -> str | None:
        return self.leadership.led_by

    def unobeyed(self) -> dict[str, Any] | None:
        unobeyed = self.roster.unobeyed
        return None if unobeyed is None else unobeyed.as_json()

    def now(self) -> datetime:
        return self.clock.now()

    def last_event(self) -> int:
        return self.feed.last()

    def follow(self, after: int | None) -> Following:
        return self.feed.follow(after)

    def config(self) -> dict[str, Any]:
        return dict(self.roster.settings)

    def names(self) -> tuple[str, ...]:
        return tuple(self.policies)

    def targets(self) -> Iterator[dict[str, Any]]:
        open_now = {op.target: op for op in self.history.open_operations()}
        now = self.clock.now()
        policies = self.policies
        held = of_targets(self.history.standing(at=now), policies, now)
        for name, policy in policies.items():
            yield self._target(policy, open_now.get(name)) | by_hand.shown(held[name])

    def recent(self) -> Mapping[str, Sequence[tuple[float, Mapping[str, float | None]]]]:
        return {name: tuple(share.recent.minutes) for name in self.policies if (share := self.memory.targets.get(name))}

    def target(self, name: str) -> dict[str, Any] | None:
        policy = self.policies.get(name)
        if policy is None:
            return None
        open_now = [op for op in self.history.open_operations() if op.target == name]
        now = self.clock.now()
        held = of_targets(self.history.standing(at=now), [name], now)[name]
        shown = self._target(policy, open_now[-1] if open_now else None) | by_hand.shown(held)
        return shown | {"policy": _policy_json(policy), "last_day": self._last_day(policy, now)}

    def _last_day(self, policy: Policy, now: datetime) -> dict[str, int]:
        """What counts for the policy's daily limits; in observe also what was not sent."""
        shadows = self.memory.targets.get(policy.name, NOTHING_YET).shadows
        day = of_last((*self.history.operations(policy.name, limit=1000), *shadows), now)
        outs = [op for op in day if op.direction is Direction.OUT]
        return {"actions": len(day), "out_actions": len(outs), "added": sum(map(nodes_moved, outs))}

    def _target(self, policy: Policy, operation: Operation | None) -> dict[str, Any]:
        share = self.memory.targets.get(policy.name, NOTHING_YET)
        decision = None if share.decision is None else share.decision.as_json()
        desired = None if share.decision is None else share.decision.desired
        return {
            "name": policy.name,
            "mode": under(policy.mode, self.ceiling).value,
            "instance_id": policy.target.instance_id,
            "group_id": share.snapshot.group_id if share.snapshot else policy.target.group_id,
            "interval_seconds": policy.interval.total_seconds(),
            "nodes": None if decision is None else decision["nodes"] | {"desired": desired},
            "instance_status": share.snapshot.instance_status if share.snapshot else None,
            "decision": decision,
            "operation": None if operation is None else operation_json(operation),
            "shadow_operation": next((operation_json(op) for op in share.shadows if op.open), None),
            "overdue": operation is not None and self.reconciler.is_overdue(operation.id),
            "refused": _refused_json(share.decision, share.refused),
            "cooldowns": {
                direction.value: max(0.0, share.cooldowns[direction].total_seconds()) if share.cooldowns else 0.0
                for direction in Direction
            },
            "error": share.error,
            "rules": [_rule_json(rule) for rule in policy.rules],
        }

    def decisions(
        self,
        target: str,
        *,
        before: datetime | None,
        since: datetime | None,
        limit: int,
        oldest_first: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        return self.history.decisions(target, before=before, since=since, limit=limit, oldest_first=oldest_first)

    def samples(self, target: str, *, since: datetime | None, until: datetime | None, points: int) -> dict[str, Any]:
        now, policy = self.clock.now(), self.policies.get(target)
        if policy is None:  # removed since it was asked for
            raise QuestionInvalidError(f"there is no target {target} any more")
        # A span without an end includes the record of this very moment.
        end = until or now + timedelta(microseconds=1)
        span = chart.Span(since=since or (until or now) - SHOWN_BY_DEFAULT, until=end, points=points, now=now)
        if span.since >= span.until:
            raise QuestionInvalidError("since: it must be before until (which is now, where it is left out)")
        records = _at_most(MOST_RECORDS, self.history.records(target, since=span.since, until=span.until))
        rules = [_rule_json(rule) for rule in policy.rules]
        return chart.of_records(target, rules, records, interval=policy.interval, span=span)

    def operations(
        self,
        target: str | None,
        *,
        limit: int,
        before: datetime | None = None,
        since: datetime | None = None,
        oldest_first: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        found = self.history.operations(target, before=before, since=since, limit=limit, oldest_first=oldest_first)
        return tuple(operation_json(op) for op in found)

    def interventions(self, target: str | None = None, *, limit: int) -> tuple[dict[str, Any], ...]:
        return tuple(one.as_json() for one in self.history.interventions(target, limit=limit))

    async def pause(self, target: str | None, *, lasts: timedelta | None, reason: str, who: str) -> dict[str, Any]:
        return await self._hand.pause(target, lasts=lasts, reason=reason, who=who)

    async def resume(
        self, target: str | None, *, breaker: bool, override: bool, who: str, reason: str = ""
    ) -> dict[str, Any]:
        return await self._hand.resume(target, breaker=breaker, override=override, who=who, reason=reason)

    async def override(self, target: str, *, nodes: int, lasts: timedelta, reason: str, who: str) -> dict[str, Any]:
        return await self._hand.override(target, nodes=nodes, lasts=lasts, reason=reason, who=who)

    @property
    def _hand(self) -> by_hand.OperatorsHand:
        """For those who lead only: they read what was set last before they commit an intent.

        Raises:
            ChangeRefusedError: another daemon leads.
        """
        self._refuse_standing_by()
        return by_hand.OperatorsHand(
            policies=self.policies,
            ceiling=self.ceiling,
            store=self.store,
            last_word=self.reloader.cycle.last_word,
            history=self.history,
            clock=self.clock,
            monitor=self.monitor,
            feed=self.feed,
        )

    async def reload(self, *, who: str, reason: str = "") -> Reload:
        return await self.reloader.reload(Cause.REQUEST, by=who, reason=reason)

    async def resolve(self, target: str, *, outcome: str, reason: str, who: str) -> dict[str, Any]:
        self._refuse_standing_by()
        operation = await self._open_operation(target)
        now = self.clock.now()
        detail = f"closed by {who} as {outcome}: {reason}"
        snapshot, at_work = await self._look(operation, now)
        if at_work:
            raise ChangeRefusedError(f"{at_work}; wait for its end, then resolve the operation")
        if apart(self.cloud.skew):
            raise ChangeRefusedError(
                "the cloud's clock is too far from ours to date the end of the operation; mend the time of this machine"
            )
        if await self._open_operation(target) != operation:
            raise ChangeRefusedError("the operation went on meanwhile; look at it once more")
        closed = _closed(operation, _outcome(outcome), now, detail, _moved(operation, outcome, snapshot))
        foreign: list[Operation] = []
        if snapshot is not None:
            ours = 0 if outcome == State.NEVER_HAPPENED else operation.change
            foreign = done_by_others(operation, snapshot, now, ours=ours)
            await remember(self.store, operation.instance, snapshot, now)
            self.memory.of(target).enter(now, snapshot.current)
        final = closed[-1][1]
        for was, step in closed:
            await self.store.update(step, was=was, beside=foreign if step is final else ())
        for one in (final, *foreign):
            self.monitor.operation(one)
        self.monitor.event("warning", "an operation was closed by hand", operation=final.id, detail=detail)
        shown: dict[str, Any] = operation_json(final)
        return shown

    def _refuse_standing_by(self) -> None:
        led_by = self.led_by()
        if led_by is not None:
            raise ChangeRefusedError(
                f"this daemon stands by; ask the one that leads: {led_by or 'it is not known which'}"
            )

    async def _open_operation(self, target: str) -> Operation:
        """The open operation of a target, where the present credentials can see what became of it.

        Raises:
            ChangeRefusedError: there is none, or its call is under way.
        """
        scope = self.cloud.scope
        mine = [operation for operation in await self.store.open_operations() if operation.target == target]
        here = [
            operation
            for operation in mine
            if scope is not None
            and (scope.region, scope.project_id) == (operation.instance.region, operation.instance.project_id)
        ]
        if not mine:
            raise ChangeRefusedError(f"target {target} has no open operation; there is nothing to resolve")
        if not here:
            raise ChangeRefusedError(
                f"operation {mine[0].id} is of project {mine[0].instance.region}/{mine[0].instance.project_id}; "
                "resolve it with a daemon that is signed in there"
            )
        if self.reconciler.in_flight(here[0].id):
            raise ChangeRefusedError("the call is just being made; wait for its answer, then resolve the operation")
        return here[0]

    async def _look(self, operation: Operation, now: datetime) -> tuple[Snapshot | None, str]:
        """What the group is now, and in words what is still under way on the instance, if anything.

        Raises:
            ChangeRefusedError: the cloud cannot be asked, so nobody knows whether a job runs.
        """
        wanted = target_of(operation)
        try:
            jobs = await self.cloud.jobs(now - DAY, now + DAY)
            answer = (await self.cloud.describe([wanted]))[wanted.name]
        except CloudError as error:
            raise ChangeRefusedError(f"the cloud cannot be asked whether a job is running: {error}") from error
        instance = operation.instance.instance_id
        running = (job for job in jobs if job.instance_id == instance and not job.finished)
        job = next((f"job {job.id} ({job.name}) of the instance is running" for job in running), "")
        snapshot = None if isinstance(answer, CloudError) else answer
        return snapshot, job or (_at_work(snapshot) if snapshot is not None else "")


def _refused_json(
    decision: Decision | None, refused: Mapping[Direction, tuple[Operation, ...]]
) -> dict[str, Any] | None:
    """What was refused in a row of that which is still wanted; None: nothing."""
    if decision is None or decision.desired == decision.nodes.current:
        return None
    direction = Direction.OUT if decision.desired > decision.nodes.current else Direction.IN
    row = refused.get(direction, ())
    if not row:
        return None
    since = rfc3339(row[0].committed_at)
    return {"direction": direction.value, "times": len(row), "since": since, "detail": row[-1].detail}


def _at_most(most: int, records: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Raises QuestionInvalidError once there are more."""
    for place, record in enumerate(records):
        if place == most:
            raise QuestionInvalidError(f"since: there are more than {most} records in that time; ask for less of it")
        yield record


def _at_work(snapshot: Snapshot) -> str:
    """What the instance or a node of the group is doing; a job may end before they do, or show after them."""
    if snapshot.instance_status.upper() in CHANGING_STATUSES:
        return f"the instance is {snapshot.instance_status}"
    changing = (node for node in snapshot.nodes if node.state is NodeState.CHANGING)
    return next((f"node {node.id} is {node.status}" for node in changing), "")


def _closed(
    operation: Operation, outcome: State, now: datetime, detail: str, arrived: int
) -> list[tuple[Operation, Operation]]:
    """The legal steps from where it stands to the outcome that the operator names, as (before, after)."""
    against = permissible.against_resolving(operation.state, outcome)
    if against:
        raise ChangeRefusedError(against)
    steps: list[tuple[Operation, Operation]] = []
    at = max(now, operation.committed_at)
    here = operation
    if here.state is State.PLANNED:
        unknown = here.step(State.UNKNOWN, at=at, detail=detail)
        steps.append((here, unknown))
        here = unknown
    steps.append((here, here.step(outcome, at=at, detail=detail, arrived=arrived)))
    return steps


RESOLUTIONS = frozenset({State.SUCCEEDED, State.FAILED, State.NEVER_HAPPENED})


def _outcome(word: str) -> State:
    if word not in RESOLUTIONS:
        raise ChangeRefusedError(f"{word} is no outcome; say succeeded, failed or never_happened")
    return State(word)


def _moved(operation: Operation, outcome: str, snapshot: Snapshot | None) -> int:
    """How many nodes came or went: all when it succeeded; of a failed one, as many as are seen."""
    if outcome == State.SUCCEEDED:
        return operation.change
    if outcome == State.FAILED and snapshot is not None:
        return min(moved(operation, snapshot), operation.change)
    return 0


def _rule_json(rule: Rule) -> dict[str, Any]:
    shared = {"name": rule.name, "type": KINDS[type(rule)], "mode": rule.mode.value}
    if isinstance(rule, ScheduleRule):
        return shared | {"metric": None, "unit": "", "thresholds": {}, "nodes": {"min": rule.min, "max": rule.max}}
    known = FACTS.get(rule.metric.name)
    unit = known.unit if known is not None else ""
    return shared | {"metric": rule.metric.name, "unit": unit, "thresholds": _thresholds(rule)}


def _thresholds(rule: MetricRule) -> dict[str, Any]:
    if isinstance(rule, TargetTrackingRule):
        return {"target": float(rule.target)}
    return {
        "above": [float(step.threshold) for step in rule.out],
        "below": [float(step.threshold) for step in rule.in_],
    }


def _size(size: Size | None) -> int | str | None:
    if size is None:
        return None
    return f"{size.amount:f}%" if size.percent else int(size.amount)


def _policy_json(policy: Policy) -> dict[str, Any]:
    return {
        "place": policy.place,
        "mode": policy.mode.value,
        "min": policy.bounds.min,
        "max": policy.bounds.max,
        "interval_seconds": policy.interval.total_seconds(),
        "cooldown_seconds": {
            "out": policy.cooldown.out.total_seconds(),
            "in": policy.cooldown.in_.total_seconds(),
            "failed": policy.cooldown.failed.total_seconds(),
        },
        "scale_in_stabilization_seconds": policy.scale_in_stabilization.total_seconds(),
        "max_metric_age_seconds": policy.max_metric_age.total_seconds(),
        "warm_up_seconds": policy.warm_up.total_seconds(),
        "on_missing_metric": policy.on_missing_metric.value,
        "limits": {
            "add": _size(policy.limits.add),
            "remove": _size(policy.limits.remove),
            "added_per_day": policy.limits.added_per_day,
            "actions_per_day": policy.limits.actions_per_day,
        },
        "rules": [_rule_json(rule) for rule in policy.rules],
        "settings": as_parsed.settings(policy),
    }

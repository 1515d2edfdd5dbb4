"""The poller: a few batched reads for all due targets, and what each may then decide on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autoscaler.control import group_watch
from autoscaler.control.leader import Leadership
from autoscaler.control.memory import Memory
from autoscaler.control.windows import Want, Windows
from autoscaler.core import by_hand, history, sample
from autoscaler.core.by_hand import ByHand
from autoscaler.core.checks import Job, apart
from autoscaler.core.history import DAY
from autoscaler.core.observation import Observation
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Metric, Policy
from autoscaler.core.target import InstanceKey, Mode, Scope, Snapshot
from autoscaler.errors import CloudError, Unavailable
from autoscaler.ports import Cloud, MetricSource, Monitor, Store


@dataclass(frozen=True)
class Seen:
    """What the cloud showed of one target, before its metrics are added."""

    policy: Policy
    instance: InstanceKey
    snapshot: Snapshot
    counted_from: Mapping[str, datetime]  # ready node → from when its metrics count
    led: bool  # by us while it was looked at: what changed is in the store
    unlearned: str | None = None  # what the store does not tell yet of changes to its nodes: until then nothing is sent


@dataclass(frozen=True)
class Poll:
    """What one poll brought: targets to decide on, and errors of the others by target name."""

    seen: tuple[Seen, ...]
    errors: Mapping[str, Exception]
    metric_errors: Mapping[tuple[str, Metric], CloudError]


class Poller:
    """Reads the cloud, the metrics and the store; decides nothing."""

    def __init__(
        self,
        *,
        cloud: Cloud,
        metrics: MetricSource,
        store: Store,
        memory: Memory,
        leadership: Leadership,
        monitor: Monitor,
    ) -> None:
        self._cloud = cloud
        self._store = store
        self._monitor = monitor
        self._memory = memory
        self._leadership = leadership
        self.windows = Windows(metrics)

    async def poll(self, policies: Sequence[Policy], now: datetime) -> Poll:
        """Everything that these targets need, in as few calls as the API allows. One bad target is one error."""
        scope = self._scope()
        described = await self._cloud.describe([policy.target for policy in policies])
        jobs = _JobList(self._cloud, now)
        seen: list[Seen] = []
        errors: dict[str, Exception] = {}
        for policy in policies:
            try:
                seen.append(await self._watch(policy, scope, described[policy.name], jobs, now))
            except Exception as error:  # noqa: BLE001  # one target's end: whatever it was, the others go on
                errors[policy.name] = error
        metric_errors = await self.windows.refresh([want for one in seen for want in _wants(one)], now)
        return Poll(tuple(seen), errors, metric_errors)

    async def by_hand(self, policies: Sequence[Policy], now: datetime) -> Mapping[str, ByHand]:
        """What operators set by hand that holds for each of these targets, by name, in one reading of the store."""
        standing = await self._store.standing(at=now)
        return by_hand.of_targets(standing, [policy.name for policy in policies], now)

    def _scope(self) -> Scope:
        scope = self._cloud.scope
        if scope is None:
            raise Unavailable("not signed in yet")
        return scope

    async def _watch(
        self, policy: Policy, scope: Scope, answer: Snapshot | CloudError, jobs: "_JobList", now: datetime
    ) -> Seen:
        """Compare the group with what was known of it; somebody else's change becomes an operation.

        Whoever leads writes that down, who stands by only looks. It is one or the other for a whole look: who took over
        in the middle would note the nodes that it sees and not the change that they are.
        """
        if isinstance(answer, CloudError):
            raise answer
        instance = InstanceKey(scope.region, scope.project_id, policy.target.instance_id)
        led = self._leadership.leads
        before = await self._store.seen_nodes(instance, answer.group_id)
        unlearned = "the cloud's clock was too far from ours to date what is seen" if apart(self._cloud.skew) else None
        if before is None and led and unlearned is None:
            await self._import_jobs_of_new_group(policy, instance, answer, jobs, now)
            unlearned = group_watch.unlearned(instance, answer, await jobs.read())
        seen = group_watch.look(before, answer, now)
        if led and seen.news and unlearned is None and not await self._ours_explains(instance, answer):
            await self._note(policy, instance, answer, seen.change, now)
        return Seen(policy, instance, answer, seen.counted_from(answer, policy.warm_up), led, unlearned)

    async def _ours_explains(self, instance: InstanceKey, snapshot: Snapshot) -> bool:
        """Whether an operation of ours is (or was, when this was read) at work on the group."""
        operations = await self._store.operations(instance, since=snapshot.taken_at)
        return any(
            op.group_id == snapshot.group_id
            and not op.foreign
            and (op.open or (op.ended_at is not None and op.ended_at >= snapshot.taken_at))
            for op in operations
        )

    async def _note(
        self, policy: Policy, instance: InstanceKey, snapshot: Snapshot, change: int, now: datetime
    ) -> None:
        """Its nodes, and (in one: else it would be noted twice, or never) the change by somebody else that they are."""
        if change == 0:
            await group_watch.remember(self._store, instance, snapshot, now)
            return
        operation = group_watch.foreign_change(
            target=policy.name, instance=instance, group_id=snapshot.group_id, change=change, at=now
        )
        await group_watch.remember(self._store, instance, snapshot, now, beside=[operation])
        self._memory.of(policy.name).enter(now, snapshot.current)
        self._monitor.operation(operation)

    async def _import_jobs_of_new_group(
        self, policy: Policy, instance: InstanceKey, snapshot: Snapshot, jobs: "_JobList", now: datetime
    ) -> None:
        """A store that has never seen the group learns what was done to it in the last 24 h, before it decides."""
        stored = await self._store.operations(instance, since=now - 2 * DAY)
        ours = {op.job_id for op in stored if not op.foreign}
        done = (
            group_watch.foreign_job(target=policy.name, instance=instance, group_id=snapshot.group_id, job=job, now=now)
            for job in await jobs.read()
        )
        await self._store.import_operations([op for op in done if op is not None and op.job_id not in ours])

    async def observe(self, seen: Seen, now: datetime, ceiling: Mode, hand: ByHand) -> Observation:
        """All that the decision of one target may look at."""
        policy, share = seen.policy, self._memory.of(seen.policy.name)
        share.begin(now, seen.snapshot)
        operations = await self.operations(seen.instance, policy, now)
        folded = {
            metric: sample.fold(metric, self.windows.points(policy, metric), seen.counted_from, now)
            for metric in policy.metrics
        }
        return Observation(
            now=now,
            snapshot=seen.snapshot,
            mode=under(policy.mode, ceiling),
            first_evaluated_at=share.first_evaluated_at or now,
            samples=folded,
            warming=_warming(seen, folded, now),
            operations=(*operations, *share.shadows),
            wishes=share.wishes,
            fresh_at=share.fresh_at,
            pauses=hand.pauses,
            overrides=hand.overrides,
            breaker_reset=hand.breaker_reset,
            led_by=self.led_by(seen),
        )

    def led_by(self, seen: Seen) -> str | None:
        """Who else may act on what was seen; None: we may, and already might when it was seen."""
        return self._leadership.led_by if seen.led else self._leadership.led_by or ""

    async def operations(self, instance: InstanceKey, policy: Policy, now: datetime) -> tuple[Operation, ...]:
        """The operations that may matter now: of a day, of the longest cooldown, and a breaker's failures."""
        cooldown = policy.cooldown
        since = now - max(DAY, cooldown.out, cooldown.in_, cooldown.failed) - timedelta(hours=1)
        operations = await self._store.operations(instance, since=since)
        mine = [op for op in operations if op.target == policy.name]
        back_to = history.breaker_looks_back_to(mine, now)
        if back_to is None or back_to >= since:
            return operations
        return await self._store.operations(instance, since=back_to)


class _JobList:
    """The project's jobs around now, read once a poll at most: a new store asks for every one of its groups."""

    def __init__(self, cloud: Cloud, now: datetime) -> None:
        self._cloud = cloud
        self._now = now
        self._jobs: tuple[Job, ...] | None = None

    async def read(self) -> tuple[Job, ...]:
        if self._jobs is None:
            self._jobs = await self._cloud.jobs(self._now - DAY, self._now + DAY)
        return self._jobs


def under(mode: Mode, ceiling: Mode) -> Mode:
    """A ceiling of observe lets nothing act, whatever the policy says."""
    return Mode.OBSERVE if ceiling is Mode.OBSERVE and mode in {Mode.ENFORCE, Mode.OUT_ONLY} else mode


def _wants(seen: Seen) -> list[Want]:
    nodes = tuple(sorted(seen.snapshot.ready_ids))
    return [Want(seen.policy, metric, nodes) for metric in seen.policy.metrics]


def _warming(seen: Seen, folded: Mapping[Metric, tuple[sample.Sample, ...]], now: datetime) -> dict[Metric, int]:
    """How many ready nodes the newest sample leaves out because they are not warm yet."""
    counts = {}
    for metric, samples in folded.items():
        if metric.of_group:
            continue
        newest = samples[0].time if samples else now
        warm = sum(start <= newest for start in seen.counted_from.values())
        counts[metric] = seen.snapshot.ready - warm
    return counts

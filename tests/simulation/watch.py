"""What must hold in every history, checked against the emulated cloud's own truth and the store's files."""

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from autoscaler.core.policy import Policy
from autoscaler.emulator import cloud, faults, records, world
from autoscaler.emulator.records import NodeStatus
from tests.simulation import life, served, shared_store, windows
from tests.simulation.machine import Machine
from tests.simulation.plans import HOUR, Disturbance, Plan
from tests.simulation.standing import Standing
from tests.simulation.virtual_time import Timeline

FOREIGN_WINDOW = 180.0
"""Seconds in which a change by somebody else may not have been seen yet by who reads the group before acting."""

LONGEST_GAP = 150.0
"""Seconds between two records: to the end of a minute, a lease, the beat of a standby, and a minute of its own."""

WELL_AGAIN = 600.0
"""Seconds after a fault in which there may be no record yet: an answer's time-out, a sign-in, and the settle time."""

STRUCK = 120.0
"""Seconds after a call that was struck: the cycle that it was of, which may leave no record, and the next."""

LEARNED_OF = timedelta(hours=20)
"""Before a store was lost: jobs of a day, less the time in which the new one may have seen nothing yet."""

SLACK = timedelta(seconds=1)

LATEST = 45
"""Records that are looked at in the end: one a minute, in the quiet hours."""

HELD = frozenset({"not_ready", "in_progress", "unknown_outcome"})
"""Reasons that pass by themselves."""

UNMOVED = frozenset({"within_bounds", "no_data", "stale_data", "cooldown", "stabilizing"})
"""Reasons for which nothing is done that load beyond its threshold does not leave standing."""

FAILED = timedelta(minutes=15)
"""The cooldown after a failure: history.py."""

FAST = 90.0
"""Percent beyond which a step with a cooldown of its own adds nodes: history.py."""

HOT = 80.0
"""Percent: beyond the threshold and the target of either policy."""

BY_METRICS = ("above_threshold", "below_threshold", "above_target", "below_target")
"""Reasons of changes that a metric asked for."""


@dataclass
class Call:
    """A mutating call whose first byte was written."""

    intent: str
    at: float
    direction: str
    change: int
    reason: str
    record: dict[str, Any]
    mutation: cloud.Mutation | None = None  # as the cloud read it; None: it never arrived
    volume: int = 0  # which of the stores it was written from


class Watch:
    """Sees every call as it is written and as it arrives, and says what is wrong in sentences."""

    def __init__(
        self,
        plan: Plan,
        policy: Policy,
        the_world: world.World,
        the_cloud: cloud.Cloud,
        timeline: Timeline,
        file: Path,
        report: Any,
    ) -> None:
        self._plan = plan
        self._policy = policy
        self._world = the_world
        self._cloud = the_cloud
        self._timeline = timeline
        self._file = file
        self._report = report
        self._volume = 0
        self._lost_at = 0.0  # the last of those before it
        self._changed: float = float("-inf")
        self.calls: list[Call] = []
        self._decided: list[float] = []  # when records were stored, whatever the daemon's clock said
        self._records: int | None = None
        self._followed: dict[str, str | None] = {}  # the job that each operation was told by
        self._ended: dict[str, datetime] = {}
        self._arrived: dict[str, int] = {}
        self.standing = Standing((policy,))
        self.looks_again: Callable[[sqlite3.Connection], None] = lambda _: None  # whether a row is still unreadable
        self._committed: set[str] = set()
        read = the_cloud.read

        def noted(*args: Any, **kwargs: Any) -> cloud.Mutation:
            mutation = read(*args, **kwargs)
            self._read(mutation)
            return mutation

        the_cloud.read = noted  # type: ignore[method-assign]  # listens at the door
        self._late: list[tuple[float, float]] = []  # from when to when disturbances lasted that had waited
        self._struck: list[float] = []
        self._forgotten_lists: list[float] = []
        take = the_world.box.take

        def noted_strike(stage: faults.Stage, service: str, operation: str) -> Any:
            struck = take(stage, service, operation)
            if struck is not None:
                report.struck.add(operation)
                self._struck.append(timeline.elapsed)
                if struck.request.kind is faults.Kind.JOB_LIST_FORGETS:
                    self._forgotten_lists.append(timeline.elapsed)
            return struck

        the_world.box.take = noted_strike  # type: ignore[method-assign, assignment]  # same
        self._arriving: Call | None = None

    def wrong(self, sentence: str) -> None:
        self._report.problems.append(f"at {self._timeline.now:%m-%d %H:%M:%S}: {sentence}")

    def changed_by_others(self) -> None:
        self._changed = self._timeline.elapsed

    def volume_lost(self) -> None:
        self._volume += 1
        self._lost_at = self._timeline.elapsed
        self.standing.lost()

    def comes_late(self, one: Disturbance) -> None:
        """It waited for a pre-flight, which is now."""
        self._late.append((self._timeline.elapsed, self._timeline.elapsed + one.lasts))

    # An intent is committed

    def committing(self, file: sqlite3.Connection) -> None:
        """A transaction of the daemon is about to be there."""
        with self._own_errors():
            self._look_at_intents(file)

    @contextlib.contextmanager
    def _own_errors(self) -> Iterator[None]:
        """They are raised into the daemon, where they look like its own: so they are told as what they are."""
        try:
            yield
        except Exception as error:
            self.wrong(f"the watch failed: {error!r}")
            raise

    def _look_at_intents(self, file: sqlite3.Connection) -> None:
        (records,) = file.execute("SELECT max(id) FROM decisions").fetchone()
        if records != self._records:
            self._records = records
            self._decided.append(self._timeline.elapsed)
        for intent, record in file.execute(
            """SELECT o.id, d.record FROM operations o JOIN decisions d ON d.operation_id = o.id
               WHERE o.state = 'planned'"""
        ):
            if intent not in self._committed:
                self._committed.add(intent)
                self._report.intents.append(life.current().steps)
                self.looks_again(file)
                if self._plan.daemons > 1:
                    self._check_lease(file, "commits an intent")
                told = json.loads(record)
                whys = self.standing.wrong(told, self._timeline.wall, sure=self._plan.clocks_agree)
                by_the_clock = windows.wrong(told) if self._plan.windows and self._plan.clocks_agree else ()
                for why in (*whys, *self._lacks(told, file), *by_the_clock):
                    self.wrong(f"intent {intent} is committed {why}")

    def _lacks(self, record: dict[str, Any], file: sqlite3.Connection) -> Iterator[str]:
        """Grounds by metrics that the cloud never told to this process."""
        groups = next(iter(self._world.instances.values())).groups
        if record["reason"] in BY_METRICS and groups:
            told, warm = life.current().served.values(), self._warm(file)
            for rule in self._policy.metric_rules:
                yield from served.lacks(record, rule, told, groups[0], warm)

    def _warm(self, file: sqlite3.Connection) -> dict[str, datetime]:
        """From when the daemon may count each node: it cannot know of one before it has seen it serve."""
        nodes = [one for (row,) in file.execute("SELECT nodes FROM seen_nodes") for one in json.loads(row)]
        served = {one["id"]: one["first_ready_at"] for one in nodes if one["first_ready_at"] is not None}
        always = {one["id"]: _moment(0) for one in nodes if one["warm"]}
        return {node: _moment(at) + self._policy.warm_up for node, at in served.items()} | always

    # A call leaves

    def written(self, request: httpx.Request) -> Call | None:
        """The daemon writes the first byte of a request."""
        with self._own_errors():
            return self._look_at_call(request)

    def _look_at_call(self, request: httpx.Request) -> Call | None:
        self._report.calls += 1
        if request.method == "GET" or request.url.host != "ddm.sim":
            return None
        self._report.happened.append(f"{self._timeline.elapsed:.3f} {request.method} {request.url.path}")
        planned = self._planned()
        if len(planned) != 1:
            self.wrong(f"a call was written with {len(planned)} committed intents: {request.method} {request.url.path}")
            return None
        intent, direction, change, reason, record = planned[0]
        call = Call(intent, self._timeline.elapsed, direction, change, reason, json.loads(record), volume=self._volume)
        if _asked(request) != change:
            self.wrong(f"intent {intent} is for {change} nodes, and the call asks for {_asked(request)}")
        if any(one.intent == intent for one in self.calls):
            self.wrong(f"intent {intent} was sent twice")
        if self._plan.mode != "enforce":
            self.wrong("a mutating call was written in observe")
        if self._plan.daemons > 1:
            with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as file:
                self._check_lease(file, "writes a call")
        self._check_wait(call)
        self._check_grounds(call)
        self.calls.append(call)
        return call

    def _check_lease(self, file: sqlite3.Connection, does: str) -> None:
        """By the database's own clock, whoever acts leads."""
        holder, until = shared_store.holder(file)
        acting = life.current().name
        if holder != acting or _moment(until) <= self._timeline.now:
            self.wrong(f"{acting} {does}, and the lease is of {holder} until {_moment(until)}")

    def _planned(self) -> list[tuple[str, str, int, str, str]]:
        """As another process would see them on the disk."""
        with sqlite3.connect(f"file:{self._file}?mode=ro", uri=True) as file:
            query = """SELECT o.id, o.direction, o.change, o.reason, d.record FROM operations o
                       JOIN decisions d ON d.operation_id = o.id WHERE o.state = 'planned'"""
            return file.execute(query).fetchall()

    def _check_wait(self, call: Call) -> None:
        """Cooldowns, from when the cloud's job truly ended, whatever crashed in between."""
        if not self._plan.clocks_agree or call.reason in ("below_min", "above_max", "override"):
            return
        for job in self._ours():
            if self._of_a_lost_store(job) and self._no_list_since(self._lost_at):
                continue
            waits = self._waits(job, call)
            if job.ending.at is not None and self._timeline.now + SLACK < job.ending.at + waits:
                self.wrong(f"{call.direction} {self._timeline.now - job.ending.at} after {job.name} {job.status} ended")
        for ended in self._never_happened(call.direction):
            if self._timeline.now + SLACK < ended + FAILED:
                self.wrong(f"{call.direction} {self._timeline.now - ended} after one that never happened")

    def _never_happened(self, direction: str) -> Iterator[datetime]:
        """The ends of such operations since the last success of their direction, by the store."""
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as file:
            query = """SELECT ended_at FROM operations o
                       WHERE state = 'never_happened' AND direction = ? AND NOT EXISTS (
                       SELECT 1 FROM operations s WHERE s.direction = o.direction AND s.state = 'succeeded'
                       AND NOT s."foreign" AND s.ended_at >= o.ended_at)"""
            found = file.execute(query, (direction,)).fetchall()
        return (_moment(at) for (at,) in found)

    def _no_list_since(self, since: float) -> bool:
        """Whether a list of jobs forgot them, and so a new store was told of none."""
        return any(at >= since for at in self._forgotten_lists)

    def _waits(self, job: records.Job, call: Call) -> timedelta:
        out = job.name is records.JobName.ENLARGE
        same = out == (call.direction == "out")
        if job.ending.status is records.JobStatus.COMPLETED or job.ending.arriving:
            if call.direction == "in":
                return timedelta(minutes=20)
            return timedelta(0) if not out else timedelta(minutes=5 if _fast(call) else 10)
        forgotten = self._of_a_lost_store(job)  # of failures nothing is learned again: docs/deployment.md
        return FAILED if same and not forgotten else timedelta(0)

    def _of_a_lost_store(self, job: records.Job) -> bool:
        return any(
            call.volume < self._volume and call.mutation is not None and call.mutation.job_id == job.id
            for call in self.calls
        )

    def _ours(self) -> list[records.Job]:
        accepted = {mutation.job_id for mutation in self._cloud.mutations if mutation.accepted}
        return [job for job in self._world.jobs if job.id in accepted and not job.running]

    def _check_grounds(self, call: Call) -> None:
        """Not out on samples from before the last change."""
        if not self._plan.clocks_agree or call.reason not in ("above_threshold", "above_target"):
            return
        known = [job for job in self._ours() if not (self._of_a_lost_store(job) and self._no_list_since(self._lost_at))]
        newest = max((_settled(job) for job in known if job.ending.at and job.ending.arriving), default=None)
        for rule in call.record["rules"]:
            as_of = datetime.fromisoformat(rule["as_of"]) if rule.get("as_of") else None  # a schedule has none
            if newest is not None and as_of is not None and as_of - self._reach(call) < newest - SLACK:
                self.wrong(f"out on samples of {as_of}, of before the change of {newest}")

    def _reach(self, call: Call) -> timedelta:
        """How far back from its newest sample the least that a scale-out rests on goes: history.py."""
        return timedelta(minutes=2 if call.reason == "above_target" else 1 if _fast(call) else 4)

    # A call arrives

    def arrived(self, call: Call | None) -> None:
        """The cloud is about to read this call."""
        self._arriving = call

    def _read(self, mutation: cloud.Mutation) -> None:
        call, self._arriving = self._arriving, None
        if call is None:
            self.wrong(f"the cloud read a call that nobody wrote: {mutation.path}")
            return
        call.mutation = mutation
        job = self._world.running_job(next(iter(self._world.instances)))
        if job is not None:
            accepted = {one.job_id for one in self._cloud.mutations if one.accepted}
            if job.id in accepted:
                self.wrong(f"a second call while {job.name} {job.id} of ours is under way")
            return
        self._check_bounds(call)

    def _check_bounds(self, call: Call) -> None:
        groups = next(iter(self._world.instances.values())).groups
        if not groups or self._timeline.elapsed - self._last_foreign() < FOREIGN_WINDOW:
            return
        nodes, most = len(groups[0].nodes), call.record["nodes"]["max"]
        if call.direction == "out" and nodes + call.change > max(most, 2):
            self.wrong(f"{nodes} + {call.change} nodes is above the max of {most}")
        if call.direction == "in" and nodes - call.change < self._policy.bounds.min:
            self.wrong(f"{nodes} - {call.change} nodes is below the min of {self._policy.bounds.min}")

    def _last_foreign(self) -> float:
        accepted = {mutation.job_id for mutation in self._cloud.mutations if mutation.accepted}
        ends = [
            ((job.ending.at or job.created_at) - self._timeline.start).total_seconds()
            for job in self._world.jobs
            if job.id not in accepted
        ]
        return max([self._changed, *ends])

    # Between lives, and at the end

    def store_is_sound(self, file: Path) -> None:
        if not file.exists():
            return
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as opened:
            (found,) = opened.execute("PRAGMA integrity_check").fetchone()
        if found != "ok":
            self.wrong(f"the store is damaged: {found}")

    def at_the_end(self, file: Path, report: Any, machines: Sequence[Machine]) -> None:
        """Everything is told, and the daemon is well."""
        report.accepted = sum(mutation.accepted for mutation in self._cloud.mutations)
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as opened:
            query = 'SELECT id, state, job_id, ended_at, arrived FROM operations WHERE NOT "foreign"'
            ours = opened.execute(query).fetchall()
            states = {identity: state for identity, state, *_ in ours}
            self._followed = {identity: job_id for identity, _, job_id, *_ in ours}
            self._ended = {identity: _moment(at) for identity, _, _, at, _ in ours if at is not None}
            self._arrived = {identity: arrived for identity, *_, arrived in ours}
            report.decisions = opened.execute("SELECT count(*) FROM decisions").fetchone()[0]
            latest = opened.execute(
                "SELECT record FROM decisions WHERE target = 'orders' ORDER BY id DESC LIMIT ?", (LATEST,)
            ).fetchall()
        last = self._decided[-1] if self._decided else 0.0
        if self._plan.length - last > 180.0:
            self.wrong(f"the last decision is of {last:.0f} s: it stopped deciding for good")
        self._check_acts([json.loads(record) for (record,) in latest])
        self._check_lively([spell for machine in machines for spell in machine.down])
        if {one.kind for one in self._plan.disturbances} <= {"still", "kill_leader"} and self._plan.daemons > 1:
            self._check_taken_over(machines)
        for call in self.calls:
            if call.volume == self._volume:
                self._check_outcome(call, states.get(call.intent))
        self._check_learned_again(file)

    def _check_acts(self, latest: Sequence[Any]) -> None:
        """Long after the last fault nothing holds it any more, and load that asks for nodes has got them."""
        if self._plan.length < 2 * HOUR or len(latest) < LATEST:
            return
        reasons = {record["reason"] for record in latest}
        (group, *_) = next(iter(self._world.instances.values())).groups
        failed = any(node.status is NodeStatus.ENLARGEFAIL for node in group.nodes)  # until somebody removes them
        by_hand = "unknown_outcome" in reasons and (self._plan.prepaid or self._last_foreign() > float("-inf"))
        if reasons <= HELD and not failed and not by_hand:  # docs/runbook.md
            self.wrong(f"for the last {LATEST} records it was held: {sorted(reasons)}")
        quiet = all(call.at < self._plan.length - 60.0 * LATEST for call in self.calls)
        minutes = [self._end - timedelta(minutes=ago) for ago in range(10, LATEST)]
        least = min(self._world.load.utilisation(minute, ready=group.ready(minute)) for minute in minutes)
        if (
            quiet
            and not failed
            and not by_hand
            and least > HOT
            and reasons <= HELD | UNMOVED
            and self._plan.mode == "enforce"
        ):
            self.wrong(f"{len(group.nodes)} nodes are at {least:.0f} % or more, and nothing is done: {sorted(reasons)}")

    def _check_lively(self, down: Sequence[tuple[float, float]]) -> None:
        """Wherever nothing is wrong (any more), a record comes every minute: not only at the end of all."""
        times = self._decided
        planned = [(one.at, one.at + one.lasts) for one in self._plan.disturbances]
        struck = [(at, at + STRUCK) for at in self._struck]
        wrong = [(from_, to + WELL_AGAIN) for from_, to in (*planned, *self._late, *down)]
        spells = sorted([*wrong, *struck])
        for before, after in itertools.pairwise([*times, self._plan.length]):
            silent = after - before - _covered(before, after, spells)
            if silent > LONGEST_GAP:
                self.wrong(f"no decision from {before:.0f} to {after:.0f} s, and for {silent:.0f} s nothing was wrong")

    def _check_taken_over(self, machines: Sequence[Machine]) -> None:
        """While one daemon ran undisturbed, there is no gap in the decisions, whatever befell the other."""
        for before, after in itertools.pairwise(self._decided):
            undisturbed = any(a <= before and after <= b for machine in machines for a, b in machine.up)
            if after - before > LONGEST_GAP and undisturbed:
                self.wrong(f"nothing was decided from {before:.0f} to {after:.0f} s, though one daemon ran on")

    @property
    def _end(self) -> datetime:
        return self._timeline.start + timedelta(seconds=self._plan.length)

    def _check_outcome(self, call: Call, state: str | None) -> None:
        accepted = call.mutation is not None and call.mutation.accepted
        alone = self._last_foreign() == float("-inf")
        job = next((one for one in self._world.jobs if call.mutation and one.id == call.mutation.job_id), None)
        if state is None:
            self.wrong(f"intent {call.intent} is not in the store")
        elif accepted and job is not None:
            wanted = outcomes(job)
            if (
                state not in wanted
                and not (state == "never_happened" and wanted == ("failed",) and self._no_list_since(call.at))
                and not self._took_another_for_it(call, job)
                and not (state == "failed" and self._taken_away(call, job))
            ):
                self.wrong(
                    f"the job of {call.intent} {job.status}, arriving {job.ending.arriving}; it is told as {state}"
                )
        elif not accepted and state in ("succeeded", "submitted") and alone:
            self.wrong(f"{call.intent} was not accepted, and is told as {state}")
        elif accepted and job is None and state in ("never_happened", "rejected"):  # else somebody has to look
            self.wrong(f"the order of {call.intent} was accepted, and is told as {state}")
        elif not accepted and state == "unknown" and alone and not self._plan.prepaid:
            self.wrong(f"{call.intent} was not accepted, and it is still not known in the end")
        if state == "planned":
            self.wrong(f"{call.intent} is still planned")
        if accepted and job is not None and not job.running and alone and self._arrived.get(call.intent) != _came(job):
            self.wrong(f"{self._arrived.get(call.intent)} nodes are told of {call.intent}, and {_came(job)} came")

    def _check_learned_again(self, file: Path) -> None:
        """What the calls of a lost store came to is in the new one as somebody else's, by the job or by its nodes."""
        if self._volume == 0 or self._no_list_since(self._lost_at):
            return
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as opened:
            foreign = opened.execute(
                'SELECT job_id, direction, committed_at FROM operations WHERE "foreign"'
            ).fetchall()
        listed = {job_id: direction for job_id, direction, _ in foreign}
        moved = {(direction, _moment(at)) for _, direction, at in foreign}
        lost_at = self._timeline.start + timedelta(seconds=self._lost_at)
        for call in self.calls:
            job = next((one for one in self._ours() if call.mutation and one.id == call.mutation.job_id), None)
            if call.volume == self._volume or job is None or job.ending.at is None or not _came_to_something(job):
                continue
            if lost_at - LEARNED_OF <= job.ending.at < lost_at and job.id not in listed:
                self.wrong(f"{job.name} {job.id} had ended before the store was lost, and the new one was not told")
            elif job.id in listed and listed[job.id] != call.direction:
                self.wrong(f"{job.name} {job.id} is told as {listed[job.id]}")
            elif (
                job.ending.at >= lost_at
                and self._last_foreign() == float("-inf")
                and job.id not in listed
                and not any(one == call.direction and at >= lost_at for one, at in moved)
            ):
                self.wrong(f"{job.name} {job.id} was under way when the store was lost, and the new one was not told")

    def _taken_away(self, call: Call, job: records.Job) -> bool:
        """Somebody else removed a node of it before it could end, as the instance was frozen, or we were away."""
        ended = self._ended.get(call.intent)
        return ended is not None and any(node.deleted_at and node.deleted_at < ended for node in job.nodes)

    def _took_another_for_it(self, call: Call, job: records.Job) -> bool:
        """A job that no list showed before an unclear call, and one did after it, looks like that call's own."""
        followed = self._followed.get(call.intent)
        older = any(one.id == followed and one.created_at < job.created_at for one in self._world.jobs)
        return older and bool(self._forgotten_lists)


def _covered(start: float, end: float, spells: Sequence[tuple[float, float]]) -> float:
    """How much of a span lies in any of the spells, which are in the order of their beginnings."""
    covered, reached = 0.0, start
    for begins, ends in spells:
        from_, to = max(begins, reached), min(ends, end)
        if to > from_:
            covered, reached = covered + to - from_, to
    return covered


def _fast(call: Call) -> bool:
    """Whether the step did it that looks at two samples, and has a cooldown of its own."""
    return call.reason == "above_threshold" and any(rule.get("above") == FAST for rule in call.record["rules"])


def _came(job: records.Job) -> int:
    """How many nodes a job that has ended brought, or took away."""
    if job.name is records.JobName.ENLARGE:
        return job.ending.arriving
    return len(job.nodes) if job.status is records.JobStatus.COMPLETED else 0


def _asked(request: httpx.Request) -> int:
    """How many nodes the body of a call is about, in any version of the API."""
    body = json.loads(request.content)
    many = body.get("nodes") or body.get("node_ids")
    return int(body["node_number"]) if many is None else len(many)


def _settled(job: records.Job) -> datetime:
    """When a job that has ended and its nodes were both there."""
    return max(at for at in (job.ending.at, job.ending.settles_at) if at is not None)


def _came_to_something(job: records.Job) -> bool:
    """Failures are not learned again: docs/deployment.md."""
    return job.status is records.JobStatus.COMPLETED


def outcomes(job: records.Job) -> tuple[str, ...]:
    if job.running:
        return ("submitted", "unknown")
    if job.status is records.JobStatus.COMPLETED and (
        job.name is records.JobName.REDUCE or job.ending.arriving == len(job.nodes)
    ):
        return ("succeeded",)
    return ("failed",)


def _moment(micros: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)

"""What must hold of every intent, call and arrival in every history, checked while it happens."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx

from autoscaler.emulator import cloud, records
from tests.simulation import life, served, shared_store, windows
from tests.simulation.ledger import Call, Ledger, moment, outcomes
from tests.simulation.standing import Standing

FOREIGN_WINDOW = 180.0
"""Seconds in which a change by somebody else may not have been seen yet by who reads the group before acting."""

SLACK = timedelta(seconds=1)

FAILED = timedelta(minutes=15)
"""The cooldown after a failure: history.py."""

MINUTE = timedelta(minutes=1)

FAST = 90.0
"""Percent beyond which a step with a cooldown of its own adds nodes: history.py."""

BY_METRICS = ("above_threshold", "below_threshold", "above_target", "below_target")
"""Reasons of changes that a metric asked for."""


class Watch:
    """Sees every call as it is written and as it arrives, and says what is wrong in sentences."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._plan = ledger.plan
        self._timeline = ledger.timeline
        self._wrong = ledger.wrong
        self.standing = Standing((ledger.policy,))
        self.looks_again: Callable[[sqlite3.Connection], None] = lambda _: None  # whether a row is still unreadable
        self._records: int | None = None
        self._committed: set[str] = set()
        self._arriving: Call | None = None
        self._listens_at_the_door()

    def _listens_at_the_door(self) -> None:
        read = self._ledger.cloud.read

        def noted(*args: Any, **kwargs: Any) -> cloud.Mutation:
            mutation = read(*args, **kwargs)
            self._read(mutation)
            return mutation

        self._ledger.cloud.read = noted  # type: ignore[method-assign]  # as it says

    def volume_lost(self) -> None:
        """The store's volume is gone, and an empty one is in its place."""
        self._ledger.volume_lost()
        self.standing.lost()

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
            self._wrong(f"the watch failed: {error!r}")
            raise

    def _look_at_intents(self, file: sqlite3.Connection) -> None:
        (records,) = file.execute("SELECT max(id) FROM decisions").fetchone()
        if records != self._records:
            self._records = records
            self._ledger.decided.append(self._timeline.elapsed)
        for intent, record in file.execute(
            """SELECT o.id, d.record FROM operations o JOIN decisions d ON d.operation_id = o.id
               WHERE o.state = 'planned'"""
        ):
            if intent not in self._committed:
                self._committed.add(intent)
                self._ledger.report.intents.append(life.current().steps)
                self.looks_again(file)
                if self._plan.daemons > 1:
                    self._check_lease(file, "commits an intent")
                told = json.loads(record)
                whys = self.standing.wrong(told, self._timeline.wall, sure=self._plan.clocks_agree)
                by_the_clock = windows.wrong(told) if self._plan.windows and self._plan.clocks_agree else ()
                for why in (*whys, *self._lacks(told, file), *by_the_clock):
                    self._wrong(f"intent {intent} is committed {why}")

    def _lacks(self, record: dict[str, Any], file: sqlite3.Connection) -> Iterator[str]:
        """Grounds by metrics that the cloud never told to this process."""
        groups = self._ledger.groups
        if record["reason"] in BY_METRICS and groups:
            told, warm = life.current().served.values(), self._warm(file)
            for rule in self._ledger.policy.metric_rules:
                yield from served.lacks(record, rule, told, groups[0], warm)

    def _warm(self, file: sqlite3.Connection) -> dict[str, datetime]:
        """From when the daemon may count each node: it cannot know of one before it has seen it serve."""
        nodes = [one for (row,) in file.execute("SELECT nodes FROM seen_nodes") for one in json.loads(row)]
        served = {one["id"]: one["first_ready_at"] for one in nodes if one["first_ready_at"] is not None}
        always = {one["id"]: moment(0) for one in nodes if one["warm"]}
        return {node: moment(at) + self._ledger.policy.warm_up for node, at in served.items()} | always

    # A call leaves

    def written(self, request: httpx.Request) -> Call | None:
        """The daemon writes the first byte of a request."""
        with self._own_errors():
            return self._look_at_call(request)

    def _look_at_call(self, request: httpx.Request) -> Call | None:
        self._ledger.report.calls += 1
        if request.method == "GET" or request.url.host != "ddm.sim":
            return None
        self._ledger.report.happened.append(f"{self._timeline.elapsed:.3f} {request.method} {request.url.path}")
        planned = self._intents()
        if len(planned) != 1:
            self._wrong(
                f"a call was written with {len(planned)} committed intents: {request.method} {request.url.path}"
            )
            return None
        intent, direction, change, reason, record = planned[0]
        at, volume = self._timeline.elapsed, self._ledger.volume
        call = Call(intent, at, direction, change, reason, json.loads(record), volume=volume)
        if _asked(request) != change:
            self._wrong(f"intent {intent} is for {change} nodes, and the call asks for {_asked(request)}")
        if any(one.intent == intent for one in self._ledger.calls):
            self._wrong(f"intent {intent} was sent twice")
        if self._plan.mode != "enforce":
            self._wrong("a mutating call was written in observe")
        if self._plan.daemons > 1:
            with contextlib.closing(self._ledger.open()) as file:
                self._check_lease(file, "writes a call")
        call.fast = self._any_fast(call)
        self._check_wait(call)
        self._check_grounds(call)
        self._ledger.calls.append(call)
        return call

    def _check_lease(self, file: sqlite3.Connection, does: str) -> None:
        """By the database's own clock, whoever acts leads."""
        holder, until = shared_store.holder(file)
        acting = life.current().name
        if holder != acting or moment(until) <= self._timeline.now:
            self._wrong(f"{acting} {does}, and the lease is of {holder} until {moment(until)}")

    def _intents(self) -> list[tuple[str, str, int, str, str]]:
        """As another process would see them on the disk."""
        with contextlib.closing(self._ledger.open()) as file:
            query = """SELECT o.id, o.direction, o.change, o.reason, d.record FROM operations o
                       JOIN decisions d ON d.operation_id = o.id WHERE o.state = 'planned'"""
            return file.execute(query).fetchall()

    def _check_wait(self, call: Call) -> None:
        """Cooldowns, from when the cloud's job truly ended, whatever crashed in between."""
        if not self._plan.clocks_agree or call.reason in ("below_min", "above_max", "override"):
            return
        for job in self._ledger.ours():
            if job.ending.at is None or self._forgotten(job):
                continue
            waits = self._waits(job, call)
            since = self._timeline.now - job.ending.at
            if since + SLACK < waits:
                self._wrong(f"{call.direction} {since} after {job.name} {job.status} ended")
        for ended in self._never_happened(call.direction):
            if self._timeline.now + SLACK < ended + FAILED:
                self._wrong(f"{call.direction} {self._timeline.now - ended} after one that never happened")

    def _forgotten(self, job: records.Job) -> bool:
        """No list told the new store of this call of a lost one."""
        return self._ledger.of_a_lost_store(job) and self._ledger.no_list_since(self._ledger.lost_at)

    def _never_happened(self, direction: str) -> Iterator[datetime]:
        """The ends of such operations since the last success of their direction, by the store."""
        with contextlib.closing(self._ledger.open()) as file:
            query = """SELECT ended_at FROM operations o
                       WHERE state = 'never_happened' AND direction = ? AND NOT EXISTS (
                       SELECT 1 FROM operations s WHERE s.direction = o.direction AND s.state = 'succeeded'
                       AND NOT s."foreign" AND s.ended_at >= o.ended_at)"""
            found = file.execute(query, (direction,)).fetchall()
        return (moment(at) for (at,) in found)

    def _waits(self, job: records.Job, call: Call) -> timedelta:
        """What passes between the end of a job of ours and a call: the longest cooldown that it started."""
        out = job.name is records.JobName.ENLARGE
        waits = [timedelta(0)]
        if job.ending.status is records.JobStatus.COMPLETED or job.ending.arriving:
            if call.direction == "in":
                waits.append(timedelta(minutes=20))
            elif out:
                waits.append(timedelta(minutes=5 if call.fast else 10))
        if out == (call.direction == "out") and self._failed(job):
            waits.append(FAILED)
        return max(waits)

    def _failed(self, job: records.Job) -> bool:
        """Whether it certainly did for the daemon, and nothing succeeded since, nor was the store lost that knew it.

        Of failures nothing is learned again: docs/deployment.md. Where nodes of others come, those of a job that
        brought fewer cannot be told from theirs.
        """
        succeeded_since = any(
            one.name is job.name and one.created_at > job.created_at and outcomes(one) == ("succeeded",)
            for one in self._ledger.ours()
        )
        sure = job.ending.status is records.JobStatus.FAILED or self._ledger.alone
        return outcomes(job) == ("failed",) and sure and not succeeded_since and not self._ledger.of_a_lost_store(job)

    def _check_grounds(self, call: Call) -> None:
        """Not out on samples from before the last change."""
        if not self._plan.clocks_agree or call.reason not in ("above_threshold", "above_target"):
            return
        known = [job for job in self._ledger.ours() if not self._forgotten(job)]
        newest = max((_settled(job) for job in known if job.ending.at and job.ending.arriving), default=None)
        for rule in call.record["rules"]:
            as_of = datetime.fromisoformat(rule["as_of"]) if rule.get("as_of") else None  # a schedule has none
            if newest is not None and as_of is not None and as_of - self._reach(call) < newest - SLACK:
                self._wrong(f"out on samples of {as_of}, of before the change of {newest}")

    def _reach(self, call: Call) -> timedelta:
        """How far back from its newest sample the least that a scale-out rests on goes: history.py."""
        return timedelta(minutes=2 if call.reason == "above_target" else 1 if _fast(call) else 4)

    def _any_fast(self, call: Call) -> bool:
        """Whether the fast step may hold, too. A record names one step: where both want as many, the samples tell."""
        if call.reason != "above_threshold" or _fast(call):
            return _fast(call)
        told = life.current().served.values().values()
        (newest,) = (datetime.fromisoformat(rule["as_of"]) for rule in call.record["rules"] if rule.get("as_of"))
        minutes = [newest - number * MINUTE for number in range(3)]
        of_nodes = [[values[minute] for values in told if minute in values] for minute in minutes]
        return sum(sum(values) / len(values) > FAST for values in of_nodes if values) >= 2

    # A call arrives

    def arrived(self, call: Call | None) -> None:
        """The cloud is about to read this call."""
        self._arriving = call

    def _read(self, mutation: cloud.Mutation) -> None:
        call, self._arriving = self._arriving, None
        if call is None:
            self._wrong(f"the cloud read a call that nobody wrote: {mutation.path}")
            return
        call.mutation = mutation
        job = self._ledger.world.running_job(next(iter(self._ledger.world.instances)))
        if job is not None:
            accepted = {one.job_id for one in self._ledger.cloud.mutations if one.accepted}
            if job.id in accepted:
                self._wrong(f"a second call while {job.name} {job.id} of ours is under way")
            return
        self._check_bounds(call)

    def _check_bounds(self, call: Call) -> None:
        groups = self._ledger.groups
        if not groups or self._timeline.elapsed - self._ledger.last_foreign() < FOREIGN_WINDOW:
            return
        nodes, most = len(groups[0].nodes), call.record["nodes"]["max"]
        if call.direction == "out" and nodes + call.change > max(most, 2):
            self._wrong(f"{nodes} + {call.change} nodes is above the max of {most}")
        if call.direction == "in" and nodes - call.change < self._ledger.policy.bounds.min:
            self._wrong(f"{nodes} - {call.change} nodes is below the min of {self._ledger.policy.bounds.min}")

    # Between lives

    def store_is_sound(self) -> None:
        """It opens, whatever befell the process."""
        if not self._ledger.file.exists():
            return
        with contextlib.closing(self._ledger.open()) as opened:
            (found,) = opened.execute("PRAGMA integrity_check").fetchone()
        if found != "ok":
            self._wrong(f"the store is damaged: {found}")


def _fast(call: Call) -> bool:
    """Whether it names the step that looks at two samples, and has a cooldown of its own."""
    return call.reason == "above_threshold" and any(rule.get("above") == FAST for rule in call.record["rules"])


def _asked(request: httpx.Request) -> int:
    """How many nodes the body of a call is about, in any version of the API."""
    body = json.loads(request.content)
    many = body.get("nodes") or body.get("node_ids")
    return int(body["node_number"]) if many is None else len(many)


def _settled(job: records.Job) -> datetime:
    """When a job that has ended and its nodes were both there."""
    return max(at for at in (job.ending.at, job.ending.settles_at) if at is not None)

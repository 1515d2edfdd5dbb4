"""What must hold when a history is over: everything is told as it was, and the daemon is well."""

import contextlib
import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from autoscaler.emulator import records
from autoscaler.emulator.records import NodeStatus
from tests.simulation.ledger import Call, Ledger, moment, outcomes
from tests.simulation.machine import Machine
from tests.simulation.plans import HOUR

LONGEST_GAP = 150.0
"""Seconds between two records: to the end of a minute, a lease, the beat of a standby, and a minute of its own."""

WELL_AGAIN = 600.0
"""Seconds after a fault in which there may be no record yet: an answer's time-out, a sign-in, and the settle time."""

STRUCK = 120.0
"""Seconds after a call that was struck: the cycle that it was of, which may leave no record, and the next."""

LEARNED_OF = timedelta(hours=20)
"""Before a store was lost: jobs of a day, less the time in which the new one may have seen nothing yet."""

LATEST = 45
"""Records that are looked at in the end: one a minute, in the quiet hours."""

HELD = frozenset({"not_ready", "in_progress", "unknown_outcome"})
"""Reasons that pass by themselves."""

UNMOVED = frozenset({"within_bounds", "no_data", "stale_data", "cooldown", "stabilizing"})
"""Reasons for which nothing is done that load beyond its threshold does not leave standing."""

HOT = 80.0
"""Percent: beyond the threshold and the target of either policy."""


class Verdict:
    """On one history that has ended."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._plan = ledger.plan
        self._calls = ledger.calls
        self._decided = ledger.decided
        self._wrong = ledger.wrong
        self._end = ledger.timeline.start + timedelta(seconds=ledger.plan.length)
        self._states: dict[str, str] = {}  # by the ids of operations, as all of these
        self._followed: dict[str, str | None] = {}  # the jobs that they were told by
        self._ended: dict[str, datetime] = {}
        self._arrived: dict[str, int] = {}

    def give(self, machines: Sequence[Machine]) -> None:
        """Everything is told, and the daemon is well."""
        latest = self._read()
        last = self._decided[-1] if self._decided else 0.0
        if self._plan.length - last > 180.0:
            self._wrong(f"the last decision is of {last:.0f} s: it stopped deciding for good")
        self._check_acts(latest)
        self._check_lively([spell for machine in machines for spell in machine.down])
        if {one.kind for one in self._plan.disturbances} <= {"still", "kill_leader"} and self._plan.daemons > 1:
            self._check_taken_over(machines)
        for call in self._calls:
            if call.volume == self._ledger.volume:
                self._check_outcome(call, self._states.get(call.intent))
        self._check_learned_again()

    def _read(self) -> list[Any]:
        """What is in the store: our operations into this object, and the latest records."""
        with contextlib.closing(self._ledger.open()) as opened:
            query = 'SELECT id, state, job_id, ended_at, arrived FROM operations WHERE NOT "foreign"'
            for identity, state, job_id, ended_at, arrived in opened.execute(query):
                self._states[identity], self._followed[identity], self._arrived[identity] = state, job_id, arrived
                if ended_at is not None:
                    self._ended[identity] = moment(ended_at)
            (self._ledger.report.decisions,) = opened.execute("SELECT count(*) FROM decisions").fetchone()
            latest = opened.execute(
                "SELECT record FROM decisions WHERE target = 'orders' ORDER BY id DESC LIMIT ?", (LATEST,)
            ).fetchall()
        return [json.loads(record) for (record,) in latest]

    def _check_acts(self, latest: Sequence[Any]) -> None:
        """Long after the last fault nothing holds it any more, and load that asks for nodes has got them."""
        if self._plan.length < 2 * HOUR or len(latest) < LATEST:
            return
        reasons = {record["reason"] for record in latest}
        (group, *_) = self._ledger.groups
        failed = any(node.status is NodeStatus.ENLARGEFAIL for node in group.nodes)  # until somebody removes them
        by_hand = "unknown_outcome" in reasons and (self._plan.prepaid or not self._ledger.alone)
        if reasons <= HELD and not failed and not by_hand:  # docs/runbook.md
            self._wrong(f"for the last {LATEST} records it was held: {sorted(reasons)}")
        quiet = all(call.at < self._plan.length - 60.0 * LATEST for call in self._calls)
        minutes = [self._end - timedelta(minutes=ago) for ago in range(10, LATEST)]
        least = min(self._ledger.world.load.utilisation(minute, ready=group.ready(minute)) for minute in minutes)
        if (
            quiet
            and not failed
            and not by_hand
            and least > HOT
            and reasons <= HELD | UNMOVED
            and self._plan.mode == "enforce"
        ):
            self._wrong(
                f"{len(group.nodes)} nodes are at {least:.0f} % or more, and nothing is done: {sorted(reasons)}"
            )

    def _check_lively(self, down: Sequence[tuple[float, float]]) -> None:
        """Wherever nothing is wrong (any more), a record comes every minute: not only at the end of all."""
        times = self._decided
        planned = [(one.at, one.at + one.lasts) for one in self._plan.disturbances]
        struck = [(at, at + STRUCK) for at in self._ledger.struck]
        wrong = [(from_, to + WELL_AGAIN) for from_, to in (*planned, *self._ledger.late, *down)]
        spells = sorted([*wrong, *struck])
        for before, after in itertools.pairwise([*times, self._plan.length]):
            silent = after - before - _covered(before, after, spells)
            if silent > LONGEST_GAP:
                self._wrong(f"no decision from {before:.0f} to {after:.0f} s, and for {silent:.0f} s nothing was wrong")

    def _check_taken_over(self, machines: Sequence[Machine]) -> None:
        """While one daemon ran undisturbed, there is no gap in the decisions, whatever befell the other."""
        for before, after in itertools.pairwise(self._decided):
            undisturbed = any(a <= before and after <= b for machine in machines for a, b in machine.up)
            if after - before > LONGEST_GAP and undisturbed:
                self._wrong(f"nothing was decided from {before:.0f} to {after:.0f} s, though one daemon ran on")

    def _check_outcome(self, call: Call, state: str | None) -> None:
        accepted = call.mutation is not None and call.mutation.accepted
        alone = self._ledger.alone
        job = next((one for one in self._ledger.world.jobs if call.mutation and one.id == call.mutation.job_id), None)
        if state is None:
            self._wrong(f"intent {call.intent} is not in the store")
        elif accepted and job is not None:
            wanted = outcomes(job)
            if (
                state not in wanted
                and not (state == "never_happened" and wanted == ("failed",) and self._ledger.no_list_since(call.at))
                and not self._took_another_for_it(call, job)
                and not (state == "failed" and self._taken_away(call, job))
                and not (state == "succeeded" and self._others_brought(call, job))
            ):
                self._wrong(
                    f"the job of {call.intent} {job.status}, arriving {job.ending.arriving}; it is told as {state}"
                )
        elif not accepted and state in ("succeeded", "submitted") and alone:
            self._wrong(f"{call.intent} was not accepted, and is told as {state}")
        elif accepted and job is None and state in ("never_happened", "rejected"):  # else somebody has to look
            self._wrong(f"the order of {call.intent} was accepted, and is told as {state}")
        elif not accepted and state == "unknown" and alone and not self._plan.prepaid:
            self._wrong(f"{call.intent} was not accepted, and it is still not known in the end")
        if state == "planned":
            self._wrong(f"{call.intent} is still planned")
        if accepted and job is not None and not job.running and alone and self._arrived.get(call.intent) != _came(job):
            self._wrong(f"{self._arrived.get(call.intent)} nodes are told of {call.intent}, and {_came(job)} came")

    def _check_learned_again(self) -> None:
        """What the calls of a lost store came to is in the new one as somebody else's, by the job or by its nodes."""
        if self._ledger.volume == 0 or self._ledger.no_list_since(self._ledger.lost_at):
            return
        with contextlib.closing(self._ledger.open()) as opened:
            foreign = opened.execute(
                'SELECT job_id, direction, committed_at FROM operations WHERE "foreign"'
            ).fetchall()
        listed = {job_id: direction for job_id, direction, _ in foreign}
        moved = {(direction, moment(at)) for _, direction, at in foreign}
        lost_at = self._ledger.timeline.start + timedelta(seconds=self._ledger.lost_at)
        for call in self._calls:
            job = next((one for one in self._ledger.ours() if call.mutation and one.id == call.mutation.job_id), None)
            if (
                call.volume == self._ledger.volume
                or job is None
                or job.ending.at is None
                or not _came_to_something(job)
            ):
                continue
            if lost_at - LEARNED_OF <= job.ending.at < lost_at and job.id not in listed:
                self._wrong(f"{job.name} {job.id} had ended before the store was lost, and the new one was not told")
            elif job.id in listed and listed[job.id] != call.direction:
                self._wrong(f"{job.name} {job.id} is told as {listed[job.id]}")
            elif (
                job.ending.at >= lost_at
                and self._ledger.alone
                and job.id not in listed
                and not any(one == call.direction and at >= lost_at for one, at in moved)
            ):
                self._wrong(f"{job.name} {job.id} was under way when the store was lost, and the new one was not told")

    def _taken_away(self, call: Call, job: records.Job) -> bool:
        """Somebody else removed a node of it before it could end, as the instance was frozen, or we were away."""
        ended = self._ended.get(call.intent)
        return ended is not None and any(node.deleted_at and node.deleted_at < ended for node in job.nodes)

    def _others_brought(self, call: Call, job: records.Job) -> bool:
        """Completed, and somebody else's nodes came before it was certain that its own would not: none can tell them.

        Only as many as were missing: of a job that says Failed, or where fewer came in all, there is no doubt.
        """
        ended, missing = self._ended.get(call.intent), len(job.nodes) - job.ending.arriving
        if job.ending.status is not records.JobStatus.COMPLETED or ended is None:
            return False
        theirs = sum(
            one.ending.arriving
            for one in self._ledger.world.jobs
            if one is not job and one.ending.at is not None and job.created_at <= one.ending.at <= ended
        )
        return theirs >= missing

    def _took_another_for_it(self, call: Call, job: records.Job) -> bool:
        """A job that no list showed before an unclear call, and one did after it, looks like that call's own."""
        followed = self._followed.get(call.intent)
        older = any(one.id == followed and one.created_at < job.created_at for one in self._ledger.world.jobs)
        return older and self._ledger.no_list_since(0.0)


def _covered(start: float, end: float, spells: Sequence[tuple[float, float]]) -> float:
    """How much of a span lies in any of the spells, which are in the order of their beginnings."""
    covered, reached = 0.0, start
    for begins, ends in spells:
        from_, to = max(begins, reached), min(ends, end)
        if to > from_:
            covered, reached = covered + to - from_, to
    return covered


def _came(job: records.Job) -> int:
    """How many nodes a job that has ended brought, or took away."""
    if job.name is records.JobName.ENLARGE:
        return job.ending.arriving
    return len(job.nodes) if job.status is records.JobStatus.COMPLETED else 0


def _came_to_something(job: records.Job) -> bool:
    """Failures are not learned again: docs/deployment.md."""
    return job.status is records.JobStatus.COMPLETED

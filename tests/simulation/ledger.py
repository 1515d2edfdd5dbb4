"""What the calls of a history, its records and the emulated cloud's own truth come to, beside the daemon.

The watch (watch.py) writes it while things happen, and who judges in the end (verdict.py) reads it.
"""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autoscaler.core.policy import Policy
from autoscaler.emulator import cloud, faults, records, world
from tests.simulation.plans import Disturbance, Plan
from tests.simulation.virtual_time import Timeline


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
    fast: bool = False  # the step with the shorter cooldown may hold


class Ledger:
    """One history's. Times without a date are seconds of virtual time since its beginning."""

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
        self.plan = plan
        self.policy = policy
        self.world = the_world
        self.cloud = the_cloud
        self.timeline = timeline
        self.file = file
        self.report = report
        self.calls: list[Call] = []
        self.decided: list[float] = []  # when records were stored, whatever the daemon's clock said
        self.struck: list[float] = []  # when a fault of the cloud struck a call
        self.late: list[tuple[float, float]] = []  # from when to when disturbances lasted beyond their plan
        self.volume = 0  # how many stores were lost before the one that there is
        self.lost_at = 0.0  # when the last of them was
        self._forgotten_lists: list[float] = []
        self._changed = float("-inf")
        self._notes_strikes()

    def _notes_strikes(self) -> None:
        take = self.world.box.take

        def noted(stage: faults.Stage, service: str, operation: str) -> Any:
            struck = take(stage, service, operation)
            if struck is not None:
                self.report.struck.add(operation)
                self.struck.append(self.timeline.elapsed)
                if struck.request.kind is faults.Kind.JOB_LIST_FORGETS:
                    self._forgotten_lists.append(self.timeline.elapsed)
            return struck

        self.world.box.take = noted  # type: ignore[method-assign, assignment]  # listens at the door

    def wrong(self, sentence: str) -> None:
        """One more problem of the history."""
        self.report.problems.append(f"at {self.timeline.now:%m-%d %H:%M:%S}: {sentence}")

    def changed_by_others(self) -> None:
        """The group, without a job that says so."""
        self._changed = self.timeline.elapsed

    def volume_lost(self) -> None:
        """What is committed from now on is in another store."""
        self.volume += 1
        self.lost_at = self.timeline.elapsed

    def comes_late(self, one: Disturbance) -> None:
        """It waited for a pre-flight, which is now."""
        self.late.append((self.timeline.elapsed, self.timeline.elapsed + one.lasts))

    def lasts_longer(self, seconds: float) -> None:
        """What was to be over by now is so only after that."""
        self.late.append((self.timeline.elapsed, self.timeline.elapsed + seconds))

    # What is asked of it

    def open(self) -> sqlite3.Connection:
        """The store's file, as another process would see it; whoever asks closes it."""
        return sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)

    @property
    def groups(self) -> list[records.Group]:
        """Of the instance that all of this is about."""
        return next(iter(self.world.instances.values())).groups

    def ours(self) -> list[records.Job]:
        """The jobs of our calls, as far as they have ended."""
        accepted = {mutation.job_id for mutation in self.cloud.mutations if mutation.accepted}
        return [job for job in self.world.jobs if job.id in accepted and not job.running]

    def of_a_lost_store(self, job: records.Job) -> bool:
        """Whether the call of it was committed in a store that is gone."""
        return any(
            call.volume < self.volume and call.mutation is not None and call.mutation.job_id == job.id
            for call in self.calls
        )

    def no_list_since(self, since: float) -> bool:
        """Whether a list of jobs forgot them, and so a new store was told of none."""
        return any(at >= since for at in self._forgotten_lists)

    def last_foreign(self) -> float:
        """When somebody else last changed something; minus infinity: never."""
        accepted = {mutation.job_id for mutation in self.cloud.mutations if mutation.accepted}
        ends = [
            ((job.ending.at or job.created_at) - self.timeline.start).total_seconds()
            for job in self.world.jobs
            if job.id not in accepted
        ]
        return max([self._changed, *ends])

    @property
    def alone(self) -> bool:
        """Nobody else changed anything, from the beginning on."""
        return self.last_foreign() == float("-inf")


def moment(micros: int) -> datetime:
    """A time of the store."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def outcomes(job: records.Job) -> tuple[str, ...]:
    """How its operation may stand: by what the cloud has done so far."""
    if job.running:
        return ("submitted", "unknown")
    if job.status is records.JobStatus.COMPLETED and (
        job.name is records.JobName.REDUCE or job.ending.arriving == len(job.nodes)
    ):
        return ("succeeded",)
    return ("failed",)

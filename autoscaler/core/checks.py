"""What is read just before something is changed: unfinished jobs, data nodes, whether the flavor is on sale."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from autoscaler.core.policy import Direction
from autoscaler.core.target import Snapshot

FINISHED_JOB_STATES = frozenset({"completed", "failed", "rollbacksuccess", "cancelsuccess"})
"""DDM API reference, "Querying Tasks": every other status, known or not, is a job under way."""

JOB_DIRECTIONS = {"EnlargeNode": Direction.OUT, "ReduceNode": Direction.IN}

MAX_SKEW = timedelta(minutes=5)
"""Beyond this the clocks cannot be trusted to tell which job came after which call."""


def apart(skew: timedelta | None) -> bool:
    """Whether nothing may be dated now, by the cloud's clock minus ours: one of the two will be set.

    The end of an operation that lay in the future would hold its target until then; one too early would hold nothing.
    """
    return skew is not None and abs(skew) > MAX_SKEW


@dataclass(frozen=True)
class Job:
    """One task of the cloud's task centre. `ended_at` is only to be believed once it is finished."""

    id: str
    name: str  # EnlargeNode, ReduceNode, RestartInstance, …
    status: str  # Running, Completed, Failed, …
    instance_id: str
    created_at: datetime | None = None
    ended_at: datetime | None = None
    fail_reason: str = ""

    @property
    def finished(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status.lower() in FINISHED_JOB_STATES

    @property
    def succeeded(self) -> bool:
        """Whether the cloud says that it was done."""
        return self.status.lower() == "completed"

    @property
    def direction(self) -> Direction | None:
        """Which way it moves nodes; None for a job of another kind."""
        return JOB_DIRECTIONS.get(self.name)


@dataclass(frozen=True)
class DataNode:
    """One RDS instance that stores the data of a schema of the DDM instance."""

    id: str
    name: str
    ddm_status: str  # as DDM knows it; only `normal` is good
    rds_status: str  # as RDS says; only ACTIVE is good; "" = RDS does not know it
    cpu: Decimal | None = None  # percent, of its newest whole minute; None: not asked, not known, or too old

    @property
    def available(self) -> bool:
        """Whether DDM lets nodes be added or removed while it is like this."""
        return self.ddm_status.lower() == "normal" and self.rds_status.upper() == "ACTIVE"


CPU_PERIOD = timedelta(minutes=1)
"""RDS user guide, "Monitoring Metrics": a value a minute."""


def newest_cpu(points: Mapping[datetime, Decimal], now: datetime, max_age: timedelta) -> Decimal | None:
    """The newest value whose minute is over and began no longer than `max_age` ago; None where there is none."""
    usable = [time for time in points if time + CPU_PERIOD <= now <= time + max_age]
    return points[max(usable)] if usable else None


@dataclass(frozen=True)
class Offer:
    """What the cloud would sell for the target's group now."""

    flavor_id: str | None  # None where the API does not need one and none was found
    sellable_zones: tuple[str, ...]  # zones in which the flavor is on sale, among those the target may use
    sold_out: bool  # nowhere on sale
    unknown_zones: tuple[str, ...] = ()  # that the target names and the cloud does not have
    zones: tuple[str, ...] = ()  # that there are, where one is not known

    @property
    def zone_error(self) -> str:
        """The sentence about zones that do not exist; "" where all do."""
        if not self.unknown_zones:
            return ""
        many = len(self.unknown_zones) > 1
        wrong = f"zones {', '.join(self.unknown_zones)} do" if many else f"zone {self.unknown_zones[0]} does"
        return f"{wrong} not exist here; there are: {', '.join(self.zones) or 'none'}"


@dataclass(frozen=True)
class Checks:
    """Everything that was read just before acting; `snapshot` is newer than the cycle's."""

    snapshot: Snapshot
    jobs: tuple[Job, ...]  # of the whole project, all that the list holds around now
    data_nodes: tuple[DataNode, ...] = ()
    offer: Offer | None = None  # only read for a scale-out
    cpu_unknown: str = ""  # why the CPU of a data node is not known, where the policy asks for it
    skew: timedelta = timedelta(0)  # the cloud's clock minus ours

    def unfinished(self, instance_id: str) -> tuple[Job, ...]:
        """The jobs of this instance that are still under way."""
        return tuple(job for job in self.jobs if job.instance_id == instance_id and not job.finished)

"""The things of the emulated cloud: instances, groups, nodes, jobs, orders, data nodes, schemas and flavors."""

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoscaler.emulator import scenario

MAX_NODES = 32  # per instance over all its groups (DDM user guide: Scaling Out a DDM Instance)


class NodeStatus(enum.StrEnum):
    """Node states that occur here (DDM API reference, appendix: Status Description)."""

    NORMAL = "normal"  # serving
    CREATING = "creating"  # its job runs
    ENLARGEFAIL = "enlargefail"  # its job failed; it stays until somebody deletes it


class JobStatus(enum.StrEnum):
    """States of an enlarge or reduce job (DDM API reference: Querying Details of a Job)."""

    RUNNING = "Running"  # not ended yet
    COMPLETED = "Completed"  # ended, everything was done
    FAILED = "Failed"  # ended, not everything was done


class JobName(enum.StrEnum):
    """What a job does, in the words of the job list."""

    ENLARGE = "EnlargeNode"  # adds nodes
    REDUCE = "ReduceNode"  # removes nodes


@dataclass
class Node:
    """One DDM node. `factor` makes its metrics differ a little from those of its group, always in the same way."""

    id: str
    name: str
    zone: str
    ip: str
    factor: float
    status: NodeStatus
    ready_at: datetime | None = None
    deleted_at: datetime | None = None

    def served(self, moment: datetime) -> bool:
        """Whether it carried load then."""
        return (
            self.ready_at is not None
            and self.ready_at <= moment
            and (self.deleted_at is None or moment < self.deleted_at)
        )


@dataclass
class Group:
    """Nodes of one class with one endpoint; `gone` keeps the deleted ones, for the metrics' sake."""

    id: str
    instance_id: str
    name: str
    role: str
    flavor_id: str
    load_share: float
    nodes: list[Node] = field(default_factory=list)
    gone: list[Node] = field(default_factory=list)

    def ready(self, moment: datetime) -> int:
        """How many nodes carried load then."""
        return sum(node.served(moment) for node in (*self.nodes, *self.gone))


@dataclass(frozen=True)
class Ending:
    """How a job will end: at `at` (None: never), with `arriving` of its nodes serving from `settles_at` on."""

    at: datetime | None
    status: JobStatus
    arriving: int
    fail_reason: str = ""
    settles_at: datetime | None = None  # when its nodes serve, or are gone; None: when it ends


@dataclass
class Job:
    """An enlarge or reduce that was accepted. `nodes` are those it creates, or removes."""

    id: str
    name: JobName
    instance_id: str
    group_id: str
    created_at: datetime
    shows_at: datetime
    ending: Ending
    nodes: list[Node]
    status: JobStatus = JobStatus.RUNNING
    shown: bool = False  # whether the instance's status and the new nodes can be seen already
    settled: bool = False  # whether its nodes serve, or are gone

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status is JobStatus.RUNNING

    def progress(self, now: datetime) -> str:
        """Like `60%` while it runs, else empty."""
        if not self.running:
            return ""
        span = (self.ending.at - self.created_at if self.ending.at else timedelta(hours=1)).total_seconds()
        done = (now - self.created_at).total_seconds() / span if span else 0
        return f"{min(int(100 * done), 99)}%"


@dataclass(frozen=True)
class Order:
    """A prepaid enlarge that waits for its payment."""

    id: str
    instance_id: str
    group_id: str
    zones: tuple[str, ...]


@dataclass
class DataNode:
    """An RDS instance; busy until `busy_until` in the state `status`."""

    id: str
    name: str
    status: str
    cpu: float
    busy_until: datetime | None = None
    hot: list[tuple[datetime, datetime, float]] = field(default_factory=list)  # from, until, percent

    def cpu_at(self, minute: datetime) -> float:
        """Its CPU in percent, before noise; of spans that overlap the one armed last counts."""
        spans = (cpu for begin, end, cpu in reversed(self.hot) if begin <= minute < end)
        return next(spans, self.cpu)

    def status_at(self, now: datetime) -> str:
        """Its state in the words of RDS (RDS API reference: Querying DB Instances)."""
        return "BACKING UP" if self.busy_until and now < self.busy_until else self.status


@dataclass
class Instance:
    """A DDM instance."""

    id: str
    name: str
    base_status: str
    order_id: str  # not empty for a prepaid one
    created_at: datetime
    updated_at: datetime
    groups: list[Group]
    schemas: tuple[scenario.Schema, ...]

    @property
    def prepaid(self) -> bool:
        """Whether it is paid yearly or monthly."""
        return bool(self.order_id)

    @property
    def nodes(self) -> list[Node]:
        """The nodes of all its groups."""
        return [node for group in self.groups for node in group.nodes]

"""A target is one node group of one DDM instance, and what the cloud shows of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from autoscaler.core.once import once

MAX_NODES_PER_INSTANCE = 32
"""Nodes of all groups of an instance together (DDM user manual, "Scaling Out a DDM Instance")."""


class Mode(StrEnum):
    """What the autoscaler may do to a target."""

    OBSERVE = "observe"  # decide and record, send nothing
    ENFORCE = "enforce"  # scale out and in
    OUT_ONLY = "out_only"  # scale out, never in
    OFF = "off"  # not polled, no record


@dataclass(frozen=True)
class Scope:
    """Where the credentials act: jobs, metrics and instances are looked up per region and project."""

    region: str
    project_id: str


@dataclass(frozen=True, order=True)
class InstanceKey:
    """One DDM instance in the world; at most one operation may be open on it."""

    region: str
    project_id: str
    instance_id: str


@dataclass(frozen=True)
class Target:
    """One node group of one DDM instance, by the name it has in the policy file."""

    name: str
    instance_id: str
    group_id: str | None = None  # needed where the instance has more than one group
    flavor_id: str | None = None  # needed by the v2 API, which cannot derive it
    zones: tuple[str, ...] = ()  # v3: where nodes may be added; empty = where the group has nodes
    subnet_id: str | None = None  # v3: needed where the group has more than one
    auto_pay: bool = False  # prepaid instances: let an order pay itself


class NodeState(StrEnum):
    """What a node's status means for a decision (DDM API reference, appendix "Status Description")."""

    READY = "ready"  # normal, RUNNING: serves
    CHANGING = "changing"  # creating, resizing, restarting: wait
    FAULTY = "faulty"  # abnormal, createfail, enlargefail, and words not known


_READY_WORDS = frozenset({"normal", "running"})
_CHANGING_WORDS = frozenset({"creating", "resizing", "restarting", "growing", "reducing", "deleting"})


@lru_cache(maxsize=64)
def _meaning(status: str) -> NodeState:
    """Of a status word in any case; there are few words, and every decision asks for each node's."""
    word = status.lower()
    if word in _READY_WORDS:
        return NodeState.READY
    return NodeState.CHANGING if word in _CHANGING_WORDS else NodeState.FAULTY


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the group. `status` is the cloud's own word, in whatever case the call uses."""

    id: str
    status: str
    zone: str = ""  # only some calls tell it

    @property
    def state(self) -> NodeState:
        """What the status word means; a word not known counts as faulty, so it is never counted as serving."""
        return _meaning(self.status)


@dataclass(frozen=True)
class Snapshot:
    """What the cloud showed of a target in one reading."""

    taken_at: datetime
    instance_status: str  # the cloud's word; only RUNNING lets anything change
    nodes: tuple[Node, ...]  # of the target's group, in any state
    instance_nodes: int  # of all groups of the instance
    group_id: str  # as given, or the only one there is
    prepaid: bool = False  # billed yearly or monthly: orders instead of jobs, no scale-in

    @property
    def running(self) -> bool:
        """Whether the instance is in the only state in which it accepts an operation."""
        return self.instance_status.upper() == "RUNNING"

    @property
    def current(self) -> int:
        """Nodes of the group in any state."""
        return len(self.nodes)

    @once
    def ready(self) -> int:
        """Nodes of the group that serve."""
        return [node.state for node in self.nodes].count(NodeState.READY)

    @property
    def node_ids(self) -> frozenset[str]:
        """The ids of all nodes of the group, in any state."""
        return frozenset(node.id for node in self.nodes)

    @property
    def ready_ids(self) -> frozenset[str]:
        """The ids of the nodes that serve."""
        return frozenset(node.id for node in self.nodes if node.state is NodeState.READY)

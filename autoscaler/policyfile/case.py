"""A policy test as a value: a group at the start, what happens to it, and what the decisions have to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from autoscaler.core.observation import Override, Pause
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Policy
from autoscaler.core.target import InstanceKey, Mode
from autoscaler.policyfile import series
from autoscaler.policyfile.case_keys import Outcome
from autoscaler.yamlfile.node import Place


@dataclass(frozen=True)
class CarryOut:
    """What becomes of a decision to scale."""

    wanted: bool  # False: nothing is sent, and everything stays as it was
    takes: timedelta  # from the decision to the operation's end
    outcome: Outcome


@dataclass(frozen=True)
class DataNodes:
    """The RDS instances behind the group, during the whole case."""

    busy: bool
    cpu: Decimal | None  # percent; None: not known


@dataclass(frozen=True)
class Expectation:
    """What the record of the decision at one moment has to say."""

    at: timedelta  # since the start
    keys: Mapping[str, Any]  # as they are written
    place: Place


@dataclass(frozen=True)
class Case:
    """One test, complete: all that is needed to play it."""

    name: str
    place: Place
    policy: Policy
    mode: Mode
    current: int
    ready: int
    start: datetime
    interval: timedelta
    metrics: Mapping[str, Mapping[str, series.Values]]  # metric → node → values; GROUP: already folded
    operations: tuple[Operation, ...]
    pauses: tuple[Pause, ...]
    overrides: tuple[Override, ...]
    data_nodes: DataNodes
    carry_out: CarryOut
    expectations: tuple[Expectation, ...]

    @property
    def instance(self) -> InstanceKey:
        """The target's instance, in a region and project of no meaning."""
        return instance_of(self.policy)

    @property
    def group_id(self) -> str:
        """The target's group, under the name that the policy gives it."""
        return group_of(self.policy)


def instance_of(policy: Policy) -> InstanceKey:
    """The target's instance, in a region and project of no meaning."""
    return InstanceKey("test", "test", policy.target.instance_id)


def group_of(policy: Policy) -> str:
    """The target's group, under the name that the policy gives it."""
    return policy.target.group_id or "group"

"""What stands when an intent is committed: what operators set, the policy that holds, rows that cannot be read.

Whoever changes something of it says so here: before it is asked for, where it may take effect from then on, and after
the answer, where it must have taken effect by then.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.core.policy import Policy
from autoscaler.core.target import Mode


@dataclass
class Paused:
    """A pause that was answered."""

    until: datetime | None  # by the daemon's wall clock
    of_all: bool
    resumed: bool = False  # somebody has asked for its end

    def holds(self, wall: datetime, *, sure: bool) -> bool:
        """Whether it certainly does; where clocks jump, one with an end may be over for a while."""
        return not self.resumed and (self.until is None or (sure and wall < self.until))


@dataclass
class Given:
    """An override that was asked for."""

    nodes: int
    over: bool = False  # another one took its place, or it was taken back, and that was answered


class Standing:
    """Of the one target whose intents are watched."""

    def __init__(self, policies: tuple[Policy | None, ...]) -> None:
        self.policies = policies  # one of these holds; None: there is no such target, or nothing may act
        self.pauses: list[Paused] = []
        self.overrides: list[Given] = []
        self.unreadable = ""  # which row

    def lost(self) -> None:
        """The store is empty: what operators set is gone."""
        self.pauses.clear()
        self.overrides.clear()
        self.unreadable = ""

    def wrong(self, record: dict[str, Any], wall: datetime, *, sure: bool) -> Iterator[str]:
        """Why an intent with this record must not be committed now."""
        if any(one.holds(wall, sure=sure) for one in self.pauses):
            yield "though it is paused"
        if self.unreadable:
            yield f"though {self.unreadable} cannot be read"
        if record["reason"] == "override" and record["desired"] not in {
            one.nodes for one in self.overrides if not one.over
        }:
            yield f"for {record['desired']} nodes, which nobody set by hand"
        if not any(_allows(policy, record) for policy in self.policies):
            yield f"by a policy that does not hold, with a max of {record['nodes']['max']}"


def _allows(policy: Policy | None, record: dict[str, Any]) -> bool:
    return policy is not None and policy.mode is Mode.ENFORCE and policy.bounds.max == record["nodes"]["max"]

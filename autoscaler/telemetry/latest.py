"""The latest that is known of one target, and what has been counted of it, until somebody asks for series."""

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from autoscaler.core.by_hand import ByHand
from autoscaler.core.decision import Decision
from autoscaler.core.history import Standing
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import Mode, Snapshot

OUTCOMES = frozenset({State.UNKNOWN, State.REJECTED, State.SUCCEEDED, State.FAILED, State.NEVER_HAPPENED})
"""States that `operations_total` counts as they are entered; all but unknown are ends, each operation's only one."""


@dataclass
class Latest:
    """Of one target; each field is replaced whole, so a rendering thread sees old or new."""

    policy: Policy
    removed: bool = False  # and still there for an operation that is open
    snapshot: Snapshot | None = None
    by_hand: ByHand | None = None
    decision: Decision | None = None
    cooldowns: Mapping[Direction, timedelta] = field(default_factory=dict)
    breakers: Mapping[Direction, Standing] = field(default_factory=dict)
    open: frozenset[str] = frozenset()  # ids of own operations under way
    unknown: frozenset[str] = frozenset()  # and of those, with an outcome that is not known
    overdue: frozenset[str] = frozenset()  # and of those, for too long
    decisions: Tally[tuple[str, str]] = field(default_factory=Tally)
    operations: Tally[tuple[str, str]] = field(default_factory=Tally)
    # From 0 on: of a counter that begins at 1, a rate over time never sees the first step.
    submitted: Tally[str] = field(default_factory=lambda: Tally({direction.value: 0 for direction in Direction}))
    foreign: Tally[str] = field(default_factory=lambda: Tally({direction.value: 0 for direction in Direction}))
    errors: Tally[str] = field(default_factory=Tally)

    def remove(self) -> None:
        """The target is there no longer; should it come back, what was known of it is old."""
        self.removed = True
        self.snapshot = self.by_hand = self.decision = None
        self.cooldowns, self.breakers = {}, {}

    def adopt(self, policy: Policy) -> None:
        """Go on under a new policy."""
        self.policy, self.removed = policy, False
        if policy.mode is Mode.OFF:
            self.snapshot = self.decision = None
            self.cooldowns, self.breakers = {}, {}

    def follow(self, operation: Operation, *, overdue: bool) -> None:
        """Remember whether the operation is open, and for too long."""
        this = frozenset({operation.id})
        self.open = self.open | this if operation.open else self.open - this
        self.unknown = self.unknown | this if operation.state is State.UNKNOWN else self.unknown - this
        self.overdue = self.overdue | this if operation.open and overdue else self.overdue - this

    def lose_sight(self) -> None:
        """Operations under way are followed by another daemon from now on."""
        self.open = self.unknown = self.overdue = frozenset()

    def count(self, operation: Operation) -> None:
        """Count the state that was entered, and the call as accepted where this step shows that it was."""
        if operation.foreign:
            self.foreign[operation.direction.value] += 1
            return
        if operation.state in OUTCOMES:
            self.operations[operation.direction.value, operation.state.value] += 1
        never_acknowledged = operation.state is State.SUCCEEDED and operation.submitted_at is None
        if operation.state is State.SUBMITTED or never_acknowledged:
            self.submitted[operation.direction.value] += 1

"""What the process remembers of each target between cycles. Losing it at a restart may delay a scale-in, no more."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from autoscaler.core.decision import Decision, Reason
from autoscaler.core.observation import Wish
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction
from autoscaler.core.target import Snapshot

SHADOW_TIME = timedelta(minutes=10)
"""How long an operation would have been open, in observe."""


MISSING = frozenset({Reason.NO_DATA, Reason.STALE_DATA})


@dataclass
class TargetMemory:
    """One target's share; `wishes`, `fresh_at` and `shadows` feed the next observation, the rest is shown to people."""

    first_evaluated_at: datetime | None = None
    wishes: tuple[Wish, ...] = ()
    fresh_at: dict[str, datetime] = field(default_factory=dict)  # rule → when its data was last there
    shadows: tuple[Operation, ...] = ()
    snapshot: Snapshot | None = None
    decision: Decision | None = None
    cooldowns: dict[Direction, timedelta] = field(default_factory=dict)
    error: str | None = None

    def begin(self, now: datetime, snapshot: Snapshot) -> None:
        """An evaluation begins: the first one enters the current size, so that a restart never scales in at once."""
        self.snapshot = snapshot
        self._not_from_the_future(now)
        if self.first_evaluated_at is None:
            self.first_evaluated_at = now
            self.enter(now, snapshot.current)
        self.shadows = tuple(_matured(shadow, now) for shadow in self.shadows)

    def _not_from_the_future(self, now: datetime) -> None:
        """A clock that was set back must not hide what was wanted a moment ago."""
        self.wishes = tuple(replace(wish, at=min(wish.at, now)) for wish in self.wishes)
        self.fresh_at = {rule: min(at, now) for rule, at in self.fresh_at.items()}
        if self.first_evaluated_at is not None:
            self.first_evaluated_at = min(self.first_evaluated_at, now)

    def enter(self, now: datetime, size: int) -> None:
        """The group has this size after an operation or somebody else's change."""
        self.wishes = (*self.wishes, Wish(now, size))

    def decided(self, decision: Decision, window: timedelta, cooldowns: dict[Direction, timedelta]) -> None:
        """An evaluation ended in a decision: its wish counts for stabilisation."""
        wishes = (*self.wishes, Wish(decision.at, decision.wish))
        self.wishes = tuple(wish for wish in wishes if wish.at > decision.at - window)
        self.fresh_at |= {rule.rule: decision.at for rule in decision.rules if rule.reason not in MISSING}
        self.decision, self.cooldowns, self.error = decision, cooldowns, None


@dataclass
class Memory:
    """Every target's share, by name."""

    targets: dict[str, TargetMemory] = field(default_factory=dict)

    def of(self, name: str) -> TargetMemory:
        """One target's share, empty at first."""
        return self.targets.setdefault(name, TargetMemory())

    def keep(self, names: Iterable[str]) -> None:
        """Forget targets that are no longer there."""
        wanted = set(names)
        self.targets = {name: share for name, share in self.targets.items() if name in wanted}


def _matured(shadow: Operation, now: datetime) -> Operation:
    """A shadow operation succeeds after ten minutes; it changes no node."""
    end = shadow.committed_at + SHADOW_TIME
    return replace(shadow, state=State.SUCCEEDED, ended_at=end) if shadow.open and now >= end else shadow

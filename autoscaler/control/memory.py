"""What the process remembers of each target between cycles. Losing it at a restart may delay a scale-in, no more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoscaler.control.recent_load import RecentLoad
from autoscaler.core.decision import Decision
from autoscaler.core.observation import Wish
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.remembered import Remembered
from autoscaler.core.target import Mode, Snapshot


@dataclass
class TargetMemory:
    """One target's share; `remembered` feeds the next observation, the rest is shown to people."""

    remembered: Remembered = field(default_factory=Remembered)
    snapshot: Snapshot | None = None
    decision: Decision | None = None
    cooldowns: dict[Direction, timedelta] = field(default_factory=dict)
    refused: Mapping[Direction, tuple[Operation, ...]] = field(default_factory=dict)  # in a row
    error: str | None = None
    recent: RecentLoad = field(default_factory=RecentLoad)
    blind: bool = False  # it was told that the CPU of a data node is not known

    @property
    def first_evaluated_at(self) -> datetime | None:
        """Of this target in this process."""
        return self.remembered.first_evaluated_at

    @property
    def wishes(self) -> tuple[Wish, ...]:
        """What was wanted, for stabilisation."""
        return self.remembered.wishes

    @property
    def fresh_at(self) -> Mapping[str, datetime]:
        """Rule → when its data was last there."""
        return self.remembered.fresh_at

    @property
    def shadows(self) -> tuple[Operation, ...]:
        """What enforce would have done, in observe."""
        return self.remembered.shadows

    def begin(self, now: datetime, snapshot: Snapshot) -> None:
        """An evaluation begins."""
        self.snapshot = snapshot
        self.remembered = self.remembered.begun(now, snapshot.current)

    def enter(self, now: datetime, size: int) -> None:
        """The group has this size after an operation or somebody else's change."""
        self.remembered = self.remembered.entered(now, size)

    def adopt(self, was: Policy, now_is: Policy, *, at: datetime, same_mode: bool) -> None:
        """The target goes on under another policy."""
        if self.snapshot is not None:
            self.remembered = self.remembered.adopted(was, now_is, at=at, size=self.snapshot.current)
        if not same_mode:
            self.remembered = self.remembered.without_shadows()

    def is_of(self, was: Policy, now_is: Policy) -> bool:
        """Whether it is still the group that this is known of; one that was off begins anew."""
        if was.mode is Mode.OFF or was.target.instance_id != now_is.target.instance_id:
            return False
        read = None if self.snapshot is None else self.snapshot.group_id
        return was.target.group_id == now_is.target.group_id or (
            read is not None and (was.target.group_id or read) == (now_is.target.group_id or read)
        )

    def shadow(self, operation: Operation) -> None:
        """Enforce would have begun this now."""
        self.remembered = self.remembered.shadowed(operation)

    def decided(self, decision: Decision, window: timedelta, cooldowns: dict[Direction, timedelta]) -> None:
        """An evaluation ended in a decision."""
        self.remembered = self.remembered.decided(decision, window)
        self.decision, self.cooldowns, self.error = decision, cooldowns, None
        values = {rule.rule: None if rule.value is None else float(rule.value) for rule in decision.rules}
        self.recent.add(decision.at, values)


@dataclass
class Memory:
    """Every target's share, by name; and operations of which a step may be stored or not, as they were before it."""

    targets: dict[str, TargetMemory] = field(default_factory=dict)
    unsure: dict[str, Operation] = field(default_factory=dict)

    def of(self, name: str) -> TargetMemory:
        """One target's share, empty at first."""
        return self.targets.setdefault(name, TargetMemory())

    def forget(self, name: str) -> None:
        """Begin anew with one target."""
        self.targets.pop(name, None)

    def keep(self, names: Iterable[str]) -> None:
        """Forget targets that are no longer there."""
        wanted = set(names)
        self.targets = {name: share for name, share in self.targets.items() if name in wanted}

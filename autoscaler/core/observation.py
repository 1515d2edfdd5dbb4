"""An observation is everything that a decision may look at: one moment of one target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from autoscaler.core import history
from autoscaler.core.checks import Checks
from autoscaler.core.fleet import Use
from autoscaler.core.once import once
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Metric
from autoscaler.core.sample import Sample
from autoscaler.core.target import Mode, Snapshot


@dataclass(frozen=True, slots=True)
class Wish:
    """What the combine stage wanted at a moment, kept for stabilisation."""

    at: datetime
    desired: int


@dataclass(frozen=True)
class Pause:
    """Somebody wants nothing to be changed, from `from_`, included, to `until`, excluded."""

    from_: datetime
    until: datetime | None = None  # None: until it is taken back
    reason: str = ""
    all: bool = False  # of every target, not of this one alone
    who: str = ""

    def active(self, now: datetime) -> bool:
        """Whether it holds now."""
        return self.from_ <= now and (self.until is None or now < self.until)


@dataclass(frozen=True)
class Override:
    """Somebody wants so many nodes, from `from_`, included, to `until`, excluded."""

    from_: datetime
    until: datetime
    nodes: int
    reason: str = ""
    who: str = ""

    def active(self, now: datetime) -> bool:
        """Whether it holds now."""
        return self.from_ <= now < self.until


@dataclass(frozen=True)
class Observation:
    """One moment of one target; the same observation and policy give the same decision."""

    now: datetime
    snapshot: Snapshot
    mode: Mode  # the policy's, under the ceiling
    first_evaluated_at: datetime  # of this target in this process: missing data is counted from here at the earliest
    samples: Mapping[Metric, tuple[Sample, ...]] = field(default_factory=dict)  # newest first
    warming: Mapping[Metric, int] = field(default_factory=dict)  # ready nodes left out, not being warm yet
    operations: tuple[Operation, ...] = ()  # of the whole instance, shadows and foreign ones too
    wishes: tuple[Wish, ...] = ()  # earlier ones, for stabilisation
    fresh_at: Mapping[str, datetime] = field(default_factory=dict)  # rule → when its data was last there: ends a spell
    pauses: tuple[Pause, ...] = ()  # of this target and of all; only those active now matter
    overrides: tuple[Override, ...] = ()  # of this target; of those active now the one that began last counts
    breaker_reset: datetime | None = None  # failures up to then no longer count: somebody closed the breaker
    fleet: Use | None = None  # what all targets together have and have used; None where no policy limits that
    led_by: str | None = None  # of daemons that share a store, the one that may act ("": not known which); None: we may
    checks: Checks | None = None  # read only when something would move

    @once
    def of_group(self) -> tuple[Operation, ...]:
        """The operations on this target's own group."""
        group_id = self.snapshot.group_id
        return tuple([op for op in self.operations if op.group_id == group_id])

    @once
    def last_change(self) -> datetime | None:
        """When the group last got other nodes: samples from before are of another size."""
        return history.last_change(self.of_group)

    @property
    def pause(self) -> Pause | None:
        """The pause that holds now: of those active the one that ends last, and of such one of all targets."""
        if not self.pauses:
            return None
        active = [one for one in self.pauses if one.active(self.now)]
        return max(active, key=lambda one: (one.until is None, one.until or one.from_, one.all), default=None)

    @property
    def override(self) -> Override | None:
        """The override that counts now: of those active the one that began last."""
        if not self.overrides:
            return None
        active = [one for one in self.overrides if one.active(self.now)]
        return max(reversed(active), key=lambda one: one.from_, default=None)

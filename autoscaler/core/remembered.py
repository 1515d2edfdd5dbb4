"""What is remembered of a target from one evaluation to the next, beside its operations; each step gives a new value.

The daemon keeps one of these per target between its cycles, a policy test one per case: both remember alike. Losing it
may delay a scale-in, no more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from autoscaler.core.decision import Decision, Reason
from autoscaler.core.observation import Wish
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Direction, Policy
from autoscaler.core.target import InstanceKey

SHADOW_TIME = timedelta(minutes=10)
"""How long an operation would have been open, in observe."""

MISSING = frozenset({Reason.NO_DATA, Reason.STALE_DATA})

_MOST_SHADOWS = 100


@dataclass(frozen=True)
class Remembered:
    """All of it feeds the next observation."""

    first_evaluated_at: datetime | None = None
    wishes: tuple[Wish, ...] = ()
    fresh_at: Mapping[str, datetime] = field(default_factory=dict)  # rule → when its data was last there
    shadows: tuple[Operation, ...] = ()

    def begun(self, now: datetime, size: int) -> "Remembered":
        """An evaluation begins: the first one enters the current size, so that a restart never scales in at once."""
        known = self._not_from_the_future(now)
        if known.first_evaluated_at is None:
            known = replace(known, first_evaluated_at=now).entered(now, size)
        return replace(known, shadows=tuple(_matured(shadow, now) for shadow in known.shadows))

    def _not_from_the_future(self, now: datetime) -> "Remembered":
        """A clock that was set back must not hide what was wanted a moment ago."""
        first = self.first_evaluated_at
        return replace(
            self,
            wishes=tuple(wish if wish.at <= now else replace(wish, at=now) for wish in self.wishes),
            fresh_at={rule: min(at, now) for rule, at in self.fresh_at.items()},
            first_evaluated_at=None if first is None else min(first, now),
        )

    def entered(self, at: datetime, size: int) -> "Remembered":
        """The group has this size after an operation or somebody else's change."""
        return replace(self, wishes=(*self.wishes, Wish(at, size)))

    def decided(self, decision: Decision, window: timedelta) -> "Remembered":
        """An evaluation ended in a decision: its wish counts for stabilisation."""
        wishes = (*self.wishes, Wish(decision.at, decision.wish))
        fresh = {rule.rule: decision.at for rule in decision.rules if rule.reason not in MISSING}
        return replace(
            self,
            wishes=tuple(wish for wish in wishes if wish.at > decision.at - window),
            fresh_at={**self.fresh_at, **fresh},
        )

    def adopted(self, was: Policy, now_is: Policy, *, at: datetime, size: int) -> "Remembered":
        """The target goes on under another policy.

        A metric that it did not look at before is counted as missing from now on, not from the first evaluation; and a
        longer stabilisation begins as at a start, with the size that there is, as wishes of that long ago are gone.
        """
        metrics = {rule.name: rule.metric for rule in was.metric_rules}
        kept = {rule.name for rule in now_is.metric_rules if metrics.get(rule.name) == rule.metric}
        other = not set(now_is.metrics) <= set(was.metrics)
        longer = now_is.scale_in_stabilization > was.scale_in_stabilization
        known = replace(
            self,
            first_evaluated_at=at if other and self.first_evaluated_at is not None else self.first_evaluated_at,
            fresh_at={rule: fresh for rule, fresh in self.fresh_at.items() if rule in kept},
        )
        return known.entered(at, size) if longer else known

    def without_shadows(self) -> "Remembered":
        """In another mode: what was only imagined holds nothing back."""
        return replace(self, shadows=())

    def shadowed(self, shadow: Operation) -> "Remembered":
        """What enforce would have begun, in observe."""
        return replace(self, shadows=(*self.shadows[-_MOST_SHADOWS + 1 :], shadow))


def shadow_of(decision: Decision, instance: InstanceKey, group_id: str) -> Operation:
    """What enforce would have begun now."""
    change = decision.desired - decision.nodes.current
    return Operation(
        id=f"shadow-{decision.target}-{decision.at.isoformat()}",
        target=decision.target,
        instance=instance,
        group_id=group_id,
        direction=Direction.OUT if change > 0 else Direction.IN,
        change=abs(change),
        reason=decision.wanted_reason or decision.reason,
        state=State.SUBMITTED,
        committed_at=decision.at,
        send_before=decision.at,
        submitted_at=decision.at,
        shadow=True,
    )


def _matured(shadow: Operation, now: datetime) -> Operation:
    """A shadow operation succeeds after ten minutes; it changes no node."""
    end = shadow.committed_at + SHADOW_TIME
    return replace(shadow, state=State.SUCCEEDED, ended_at=end) if shadow.open and now >= end else shadow

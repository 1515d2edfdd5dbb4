"""What operators did (pauses, overrides, closed breakers, reloads) as it is stored, and what of it holds now."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from autoscaler.core.decision import rfc3339
from autoscaler.core.observation import Override, Pause


class Kind(StrEnum):
    """What an operator did."""

    PAUSE = "pause"  # nothing is to be changed
    OVERRIDE = "override"  # so many nodes, whatever the rules want
    BREAKER_RESET = "breaker_reset"  # the failures up to then no longer count; a moment, not a span
    RELOAD = "reload"  # the configuration was read anew; a moment, too, whose reason is what came of it


@dataclass(frozen=True)
class Intervention:
    """One thing that an operator did, and who took it back; every time is UTC."""

    id: str
    kind: Kind
    target: str | None  # None: every target
    from_: datetime
    until: datetime | None = None  # excluded; None: until it is taken back
    nodes: int | None = None  # of an override
    reason: str = ""
    who: str = ""
    ended_at: datetime | None = None  # taken back, before its time
    ended_by: str = ""
    ended_reason: str = ""

    def over(self, now: datetime) -> bool:
        """Whether it has no say any more; one that was taken back never has, wherever a clock was set to."""
        return self.ended_at is not None or (self.until is not None and self.until <= now)

    def ended(self, now: datetime, who: str, reason: str = "") -> "Intervention":
        """Taken back."""
        return replace(self, ended_at=now, ended_by=who, ended_reason=reason)

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "target": self.target,
            "from": rfc3339(self.from_),
            "until": None if self.until is None else rfc3339(self.until),
            "nodes": self.nodes,
            "reason": self.reason,
            "who": self.who,
            "ended_at": None if self.ended_at is None else rfc3339(self.ended_at),
            "ended_by": self.ended_by,
            "ended_reason": self.ended_reason,
        }


@dataclass(frozen=True)
class ByHand:
    """What holds for one target."""

    pauses: tuple[Pause, ...] = ()
    overrides: tuple[Override, ...] = ()
    breaker_reset: datetime | None = None


NOTHING = ByHand()


def of_targets(interventions: Iterable[Intervention], targets: Iterable[str], now: datetime) -> dict[str, ByHand]:
    """What of all these holds for each target now, by its name.

    Whatever is stored has begun: one that came after `now`, while a decision of that moment is being made (or before a
    clock was set back), holds from `now` on.
    """
    by_target: defaultdict[str | None, list[Intervention]] = defaultdict(list)
    for one in interventions:
        by_target[one.target].append(one)
    of_all = by_target[None]
    return {
        name: _held([*of_all, *by_target[name]], now) if of_all or name in by_target else NOTHING for name in targets
    }


def _held(mine: Sequence[Intervention], now: datetime) -> ByHand:
    held = [one for one in mine if not one.over(now)]
    return ByHand(
        pauses=tuple(_pause(one, now) for one in held if one.kind is Kind.PAUSE),
        overrides=tuple(
            Override(min(one.from_, now), one.until, one.nodes, one.reason, one.who)
            for one in held
            if one.kind is Kind.OVERRIDE and one.until is not None and one.nodes is not None
        ),
        breaker_reset=max((one.from_ for one in mine if one.kind is Kind.BREAKER_RESET), default=None),
    )


def _pause(one: Intervention, now: datetime) -> Pause:
    return Pause(min(one.from_, now), one.until, one.reason, all=one.target is None, who=one.who)

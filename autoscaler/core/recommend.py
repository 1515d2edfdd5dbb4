"""What one rule recommends, and how the recommendations of all rules become one wish (the combine stage)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from autoscaler.core.decision import Compared, Reason, RuleRecord


class Say(Enum):
    """What weight a recommendation has."""

    FULL = "full"  # counts in both directions: a scale-in needs it to want less
    OUT_ONLY = "out_only"  # counts where it wants more; does not stand in the way of a scale-in
    FLOOR = "floor"  # of a schedule: holds for desired, and is not weighed with the metric rules
    NONE = "none"  # does not count: in observe, or its data is missing and ignored


@dataclass(frozen=True)
class Limit:
    """A number of nodes that a schedule sets, and its name."""

    rule: str
    nodes: int


class Recommendation(NamedTuple):
    """What one rule wants, in ready nodes, and on what ground."""

    rule: str
    wants: int
    reason: Reason
    say: Say
    value: Decimal | None = None
    as_of: datetime | None = None
    samples: int = 0
    missing: Reason | None = None  # NO_DATA or STALE_DATA where its metric is
    cooldowns: tuple[timedelta | None, ...] = (None,)  # one per step that holds; None: the target's
    observe: bool = False
    warming: int = 0
    compared: Compared | None = None

    def record(self) -> RuleRecord:
        """As it stands in the decision."""
        return RuleRecord(  # in the order of its fields: by their names it takes twice as long
            self.rule,
            self.reason,
            self.wants,
            self.value,
            self.as_of,
            self.samples,
            self.warming,
            self.observe,
            self.compared,
        )


class Wanted(NamedTuple):
    """What all rules together want: `wants` ready nodes, and the rule that gives name and reason."""

    wants: int
    reason: Reason
    because: str = ""
    cooldowns: tuple[timedelta | None, ...] = ()  # of all rules that want this direction; None: the target's


def combine(recommendations: Sequence[Recommendation], ready: int) -> Wanted:
    """Of the metric rules the largest want wins; in only if every one that has a say wants less."""
    heard = [one for one in recommendations if one.say is Say.FULL or one.say is Say.OUT_ONLY]
    outs = [one for one in heard if one.wants > ready]
    if outs:
        return _of_largest(outs)
    speaking = [one for one in heard if one.say is Say.FULL]
    if speaking and not [one for one in speaking if one.wants >= ready]:
        return _of_largest(speaking)
    return Wanted(ready, _why_nothing(recommendations))


def _of_largest(rules: Sequence[Recommendation]) -> Wanted:
    """Of equal largest wants the first in the file gives name and reason."""
    wants = [one.wants for one in rules]
    first = rules[wants.index(max(wants))]
    return Wanted(first.wants, first.reason, first.rule, tuple([each for one in rules for each in one.cooldowns]))


def _why_nothing(recommendations: Sequence[Recommendation]) -> Reason:
    """Missing data is the reason where a rule holds for it, or where every rule that is asked is without its data."""
    asked = [one for one in recommendations if not one.observe and one.say is not Say.FLOOR]
    for one in asked:
        if one.missing and one.say is not Say.NONE:
            return one.missing
    if asked and all(one.missing for one in asked):
        return asked[0].missing or Reason.NO_DATA
    return Reason.WITHIN_BOUNDS

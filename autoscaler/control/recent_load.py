"""What the rules of a target lately read, for the small picture of its load: so that nobody asks the store."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

KEPT = 60
"""Minutes in which there was a record: an hour of a target that is looked at each minute, five of one each five."""

MINUTE = 60.0

Values = dict[str, float | None]


@dataclass
class RecentLoad:
    """By minute (its start, seconds since 1970) the greatest value of each rule; None where it was missing."""

    minutes: deque[tuple[float, Values]] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, at: datetime, values: Mapping[str, float | None]) -> None:
        """A record's values; what comes again within a minute makes its values greater, never less."""
        minute = at.timestamp() // MINUTE * MINUTE
        if not self.minutes or self.minutes[-1][0] != minute:
            self.minutes.append((minute, dict(values)))
            return
        newest = self.minutes[-1][1]
        for rule, value in values.items():
            newest[rule] = _greater(newest.get(rule), value)


def _greater(one: float | None, other: float | None) -> float | None:
    there = [value for value in (one, other) if value is not None]
    return max(there, default=None)

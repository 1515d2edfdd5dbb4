"""How a test writes the values of a metric: the notation of `promtool test rules`, one value per interval.

80        one value             80x3      80 80 80 80: so many more of it
60+5x3    60 65 70 75           60-5x3    60 55 50 45
_         a gap                 _x3       three gaps
NaN Inf   values that are none  80x3 _ 75 one after another
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from autoscaler.core import sample
from autoscaler.yamlfile import quantities

MOST_VALUES = 100_000
"""Two months of minutes; what is longer is a slip of the pen."""

_NUMBER = r"(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE][-+]?[0-9]{1,2})?"
_TIMES = r"[x×](?P<times>[0-9]{1,9})"
_GAPS = re.compile(rf"_(?:{_TIMES})?")
_RAMP = re.compile(rf"(?P<first>[-+]?{_NUMBER})(?P<step>[-+]{_NUMBER}){_TIMES}")
_SAME = re.compile(rf"(?P<first>[-+]?(?:{_NUMBER}|[Ii]nf)|[Nn]a[Nn])(?:{_TIMES})?")

_HINT = "write values as 80, 80x5 (six of them), 60+5x3, 60-5x3, _ or _x5 for gaps, NaN or Inf, with spaces between"

Values = tuple[Decimal | None, ...]
"""One per interval from the start; None where there is none, which NaN and infinite values are too."""


def parse(text: str) -> Values:
    """The values of a series, in order.

    Raises:
        ValueError: it is not written so, or too long; the message names the part, and says how to write it.
    """
    values: list[Decimal | None] = []
    for part in text.split():
        count, of = _expanded(part)
        if len(values) + count > MOST_VALUES:
            raise ValueError(f"{quantities.shown(part)} makes more than {MOST_VALUES} values; write fewer")
        values += of
    return tuple(values)


def _expanded(part: str) -> tuple[int, Iterator[Decimal | None]]:
    """How many values a part stands for, and these."""
    if found := _GAPS.fullmatch(part):
        count = 1 if found["times"] is None else int(found["times"])
        return count, (None for _ in range(count))
    found = _RAMP.fullmatch(part) or _SAME.fullmatch(part)
    if found is None:
        raise ValueError(f"{quantities.shown(part)} is no part of a series; {_HINT}")
    first, step = Decimal(found["first"]), Decimal(found.groupdict().get("step") or 0)
    count = int(found["times"] or 0) + 1
    return count, (_usable(first + index * step) for index in range(count))


def _usable(value: Decimal) -> Decimal | None:
    return value if sample.is_number(value) else None

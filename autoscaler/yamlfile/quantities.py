"""How people write spans and shares: `1h30m`, `50%`."""

import re
from datetime import timedelta
from decimal import Decimal

DURATION_PATTERN = r"^(?=[0-9])([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,8}s)?$"
PERCENT_PATTERN = r"^[0-9]{1,6}(\.[0-9]{1,6})?%$"

_DURATION = re.compile(DURATION_PATTERN)
_PERCENT = re.compile(PERCENT_PATTERN)
_LONGEST_SHOWN = 40
_UNITS = ("days", "hours", "minutes", "seconds")


def duration(text: object) -> timedelta:
    """A span such as `90s`, `5m`, `2h`, `21d` or `1h30m`.

    Raises:
        ValueError: it is not written so; the message says how to.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{shown(text)} is no duration; write one as 90s, 5m, 2h, 21d or 1h30m")
    amounts = {unit: int(part[:-1]) for unit, part in zip(_UNITS, found.groups(), strict=True) if part}
    return timedelta(**amounts)


def percent(text: object) -> Decimal:
    """A share such as `50%`, as the number before the sign.

    Raises:
        ValueError: it is not written so; the message says how to.
    """
    if not isinstance(text, str) or not _PERCENT.fullmatch(text):
        raise ValueError(f"{shown(text)} is no percentage; write one as 10% or 12.5%")
    return Decimal(text[:-1])


def write_duration(span: timedelta) -> str:
    """A span as it would be written: `1h30m`; whole seconds."""
    rest = int(span.total_seconds())
    parts = []
    for letter, seconds in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"


def write_ratio(ratio: Decimal) -> str:
    """A ratio as a percentage would be written: 0.1 is `10%`."""
    return f"{(ratio * 100).normalize():f}%"


def shown(value: object) -> str:
    """A value as it can stand in a message: short, on one line."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    word = {None: "null", True: "true", False: "false"}.get(value) if value is None or isinstance(value, bool) else None
    text = word or (repr(value) if isinstance(value, str) else str(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"

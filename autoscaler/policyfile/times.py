"""The kinds of value that say when: cron expressions, time zones and instants, each read from its one written form."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import PlainValidator, WithJsonSchema

from autoscaler.yamlfile import quantities, shape

_FIELDS = {
    "minute": "the minute; it is 0 to 59",
    "hour": "the hour; it is 0 to 23",
    "day-of-month": "the day of the month; it is 1 to 31, or L for the last",
    "month": "the month; it is 1 to 12, or jan to dec",
    "day-of-week": "the weekday; it is 0 to 7 (0 and 7 are Sunday), or sun to sat",
}
"""The five fields in their order, by cronsim's names, and what each may hold."""

_LONGEST_CRON = 200
_RANGE = re.compile(r"([^,/-]+)-([^,/-]+)")
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def _cron(value: object) -> str:
    if not isinstance(value, str) or not value.isascii() or len(value) > _LONGEST_CRON:
        raise ValueError(
            f"{quantities.shown(value)} is no cron expression; write a text of five fields such as '0 8 * * mon-fri'"
        )
    fields = value.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{quantities.shown(value)} has {len(fields)} field{'' if len(fields) == 1 else 's'}; a cron expression "
            "has five: minute, hour, day of the month, month and weekday, such as '0 8 * * mon-fri'"
        )
    wrong = list(_wrong_fields(fields))
    if wrong:
        raise ValueError("; and ".join(wrong))
    if not _is_cron(fields):  # each field is right by itself
        raise ValueError(f"{quantities.shown(value)} never comes: none of its months has such a day; write another day")
    return " ".join(fields)


def _wrong_fields(fields: list[str]) -> Iterator[str]:
    for index, (field, name) in enumerate(zip(fields, _FIELDS, strict=True)):
        if not _is_field(index, field):
            yield f"{quantities.shown(field)} cannot be {_FIELDS[name]}{_backwards(index, field)}"


def _backwards(index: int, field: str) -> str:
    """A hint where a range is one from high to low."""
    ranges = [found for found in _RANGE.finditer(field) if not _is_field(index, found[0])]
    if not any(_is_field(index, found[1]) and _is_field(index, found[2]) for found in ranges):
        return ""
    return ", and a range goes upwards: in place of 22-6 write 22-23,0-6, of fri-mon write fri-sat,sun-mon"


def _is_field(index: int, field: str) -> bool:
    return _is_cron([field if index == position else "*" for position in range(len(_FIELDS))])


def _is_cron(fields: list[str]) -> bool:
    try:
        CronSim(" ".join(fields), _ANY_MOMENT)
    except (CronSimError, ValueError):  # a ValueError for a number of more digits than Python reads
        return False
    return True


_NOT_OF_THE_WORLD = ("posix/", "right/", "localtime", "posixrules", "Factory")
"""What a host's database also holds: copies, leap seconds, and whatever the machine itself is set to."""


def _zone(value: object) -> str:
    if not isinstance(value, str) or not _is_zone(value):
        near = shape.nearest(value, _zones()) if isinstance(value, str) else ""
        raise ValueError(
            f"{quantities.shown(value)} is not a time zone{near or '; write a name such as UTC or Europe/Berlin'}"
        )
    return value


def _zones() -> list[str]:
    return sorted(zone for zone in available_timezones() if not zone.startswith(_NOT_OF_THE_WORLD))


def _is_zone(name: str) -> bool:
    if not name or name.startswith(_NOT_OF_THE_WORLD):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name is that of a folder
        return False
    return True


INSTANT_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_INSTANT = re.compile(INSTANT_PATTERN)
_SUCH_AS = "2026-12-24T08:00:00Z or 2026-12-24T08:00:00+01:00"


def _instant(value: object) -> datetime:
    text = value if isinstance(value, str) else ""
    try:
        read = datetime.fromisoformat(text)
        naive = read.tzinfo is None
        moment = read.replace(tzinfo=UTC) if naive else read.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: beyond the years that there are
        raise ValueError(f"{quantities.shown(value)} is no instant; write one as {_SUCH_AS}") from None
    if naive:
        raise ValueError(f"{quantities.shown(value)} has no offset from UTC; write it as {_SUCH_AS}")
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"{quantities.shown(value)} is no instant; write one as {_SUCH_AS}")
    return moment


Cron = Annotated[
    str,
    PlainValidator(_cron),
    WithJsonSchema({"type": "string", "pattern": r"^\s*(\S+\s+){4}\S+\s*$", "examples": ["0 8 * * mon-fri"]}),
]
TimeZone = Annotated[
    str, PlainValidator(_zone), WithJsonSchema({"type": "string", "minLength": 1, "examples": ["UTC", "Europe/Berlin"]})
]
Instant = Annotated[
    datetime,
    PlainValidator(_instant),
    WithJsonSchema({"type": "string", "pattern": INSTANT_PATTERN, "examples": ["2026-12-24T08:00:00Z"]}),
]

"""The one strict reader of JSON answers: anything but the documented shape is Unreadable, never a KeyError."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Self

from autoscaler import errors


class Record:
    """A JSON object of an answer; `where` says in messages which one."""

    def __init__(self, raw: object, where: str) -> None:
        if not isinstance(raw, dict):
            raise errors.Unreadable(f"{where}: an object was expected; check the endpoint", status=200)
        self._raw: dict[str, Any] = raw
        self._where = where

    @classmethod
    def parse(cls, body: bytes, where: str) -> Self:
        """Read a whole answer.

        Raises:
            Unreadable: it is not JSON, or not an object.
        """
        return cls(load(body, where), where)

    def text(self, name: str) -> str:
        """A non-empty string."""
        value = self._raw.get(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "text")
        return value

    def text_or(self, name: str, default: str = "") -> str:
        """A string (or a number where the cloud writes either); `default` where it is missing or null."""
        value = self._raw.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._wrong(name, "text")
        return str(value)

    def whole(self, name: str) -> int:
        """A whole number of at least 0, also where it is written as a string."""
        value = self._raw.get(name)
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._wrong(name, "a whole number")
        return value

    def whole_or(self, name: str, default: int) -> int:
        """As `whole`; `default` where it is missing, null or empty."""
        return default if self._raw.get(name) in (None, "") else self.whole(name)

    def records(self, name: str) -> list["Record"]:
        """A list of objects."""
        value = self._raw.get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return [Record(item, f"{self._where}.{name}[{place}]") for place, item in enumerate(value)]

    def records_or_none(self, name: str) -> list["Record"]:
        """A list of objects; an empty one where it is missing or null."""
        return [] if self._raw.get(name) is None else self.records(name)

    def record(self, name: str) -> "Record":
        """An object."""
        return Record(self._raw.get(name), f"{self._where}.{name}")

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._raw.get(name) is not None

    def raw(self, name: str) -> object:
        """The field as it came, for a reader with rules of its own."""
        return self._raw.get(name)

    def unreadable(self, why: str) -> errors.Unreadable:
        """An error about this object."""
        return errors.Unreadable(f"{self._where}: {why}; the answer is not used", status=200)

    def _wrong(self, name: str, expected: str) -> errors.Unreadable:
        return self.unreadable(f"{expected} was expected in {name!r}")


def load(body: bytes, where: str) -> object:
    """The JSON of an answer; numbers with a fraction as Decimal, NaN and Infinity (which are not JSON) as None.

    Raises:
        Unreadable: it is not JSON.
    """
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise errors.Unreadable(f"{where}: the answer is not JSON; check the endpoint", status=200) from error


def unique(records: list[Record], name: str) -> Iterator[tuple[str, Record]]:
    """Each record by its id.

    Raises:
        Unreadable: an id comes twice.
    """
    seen: set[str] = set()
    for record in records:
        key = record.text(name)
        if key in seen:
            raise record.unreadable(f"{key} is listed twice")
        seen.add(key)
        yield key, record


_DIGITS = 18


def _no_number(_: str) -> None:
    return None

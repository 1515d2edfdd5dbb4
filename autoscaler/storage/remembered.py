"""What was made of a row, for as long as the same row is asked for again and again: a cycle reads a day's operations.

Not the newest so many: those of a month would be kept of which nobody asks any more, and memory would grow for weeks.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")

LOOKUPS = 4096
"""So many later what was not asked for is forgotten, twice as many later at the latest. No more than that is kept."""

_Key = tuple[tuple[str, ...], tuple[type, ...], tuple[Any, ...]]


class Remembered(Generic[T]):
    """Reads a row once; a row is the same where its names, its values and their types are (1.0 is not 1)."""

    def __init__(self, read: Callable[[Mapping[Any, Any]], T]) -> None:
        self._read = read
        self._young: dict[_Key, T] = {}
        self._old: dict[_Key, T] = {}
        self._lookups = 0
        self._shapes: dict[tuple[Any, ...], tuple[Any, ...]] = {}  # names and types are the same few for all rows

    def __call__(self, row: Mapping[Any, Any]) -> T:
        """What `read` makes of it, or made of it before; what it raises is not remembered."""
        self._lookups += 1
        if self._lookups > LOOKUPS:
            self._lookups, self._old, self._young = 0, self._young, {}
        values = tuple(row.values())
        key = self._shape(tuple(row)), self._shape(tuple(map(type, values))), values
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is None:
                found = self._read(row)
            self._young[key] = found
        return found

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def _shape(self, one: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._shapes.setdefault(one, one)

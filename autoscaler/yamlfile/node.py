"""A value of a configuration together with the place where it was written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from autoscaler import errors

Scalar = str | int | Decimal | bool | None
"""Numbers with a point or an exponent are the decimals that were written, never floats."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: `line` and `column` count from 1; 0 where the file has no such thing (a variable)."""

    file: str
    line: int = 0
    column: int = 0
    path: str = ""

    def __str__(self) -> str:
        """`FILE:LINE:COLUMN`."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else f"{self.file}: {self.path}"

    def problem(self, message: str) -> errors.Problem:
        """Say what is wrong here."""
        return errors.Problem(self.file, self.line, self.column, self.path, message)

    def below(self, key: str | int) -> "Place":
        """The same position, named for something that is missing there."""
        return replace(self, path=join(self.path, key))


@dataclass(frozen=True, slots=True)
class Node:
    """One value. `key` is the place of the key that holds it, or of the value itself where none does."""

    value: Scalar | Mapping[str, "Node"] | tuple["Node", ...]
    place: Place
    key: Place

    def plain(self) -> Any:
        """The value without its places."""
        if isinstance(self.value, Mapping):
            return {name: child.plain() for name, child in self.value.items()}
        if isinstance(self.value, tuple):
            return [child.plain() for child in self.value]
        return self.value

    def child(self, key: str | int) -> "Node | None":
        """The value under a key or an index, or None."""
        if isinstance(self.value, Mapping):
            return self.value.get(key) if isinstance(key, str) else None
        if isinstance(self.value, tuple) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None

    def at(self, *keys: str | int) -> "Node | None":
        """The value under several keys or indexes, or None."""
        node: Node | None = self
        for key in keys:
            node = node.child(key) if node is not None else None
        return node


def join(path: str, key: str | int) -> str:
    """A key path one step longer: `targets.orders.rules[0]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def merge(under: Node, over: Node) -> Node:
    """`over` on top of `under`: mappings key by key, anything else (lists too) replaced."""
    if not isinstance(under.value, Mapping) or not isinstance(over.value, Mapping):
        return over
    merged = {**under.value, **over.value}
    for name in under.value.keys() & over.value.keys():
        merged[name] = merge(under.value[name], over.value[name])
    return replace(over, value=merged)

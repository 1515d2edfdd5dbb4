"""Reads the files of deploy/ strictly: no key twice, and no key or value that their reader does not know."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "deploy"


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"{node.start_mark}: twice: {sorted(twice)}")
        return super().construct_mapping(node, deep=deep)


def read(path: Path) -> dict[str, Any]:
    """The one document of a file."""
    (document,) = yaml.load_all(path.read_text(), _Strict)  # of a SafeLoader
    return dict(document)


Shape = Any
"""What may stand somewhere.

A type; a set of values; [a shape] for a list of them; a mapping of known keys to shapes, or of `str` to one shape for
any key; a function that says whether a scalar will do.
"""


def problems(value: object, shape: Shape, where: str = "") -> list[str]:
    """Where the value is not of that shape."""
    if isinstance(shape, Mapping):
        return _of_mapping(value, shape, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: not a list"]
        return [found for place, one in enumerate(value) for found in problems(one, shape[0], f"{where}[{place}]")]
    return [] if _fits(value, shape) else [f"{where}: {value!r}"]


def _of_mapping(value: object, shape: Mapping[Any, Shape], where: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{where}: not a mapping"]
    found = []
    for key, one in value.items():
        known = shape.get(key, shape.get(str))
        found += [f"{where}.{key}: unknown"] if known is None else problems(one, known, f"{where}.{key}")
    return found


def _fits(value: object, shape: type | set[Any] | Callable[[object], bool]) -> bool:
    if isinstance(shape, set):
        return value in shape
    if isinstance(shape, type):
        return isinstance(value, shape) and not (shape is int and isinstance(value, bool))
    return shape(value)

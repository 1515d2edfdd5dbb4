"""Which keys of a target were written, and whether in the target itself or in the defaults of its file."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from autoscaler.yamlfile.node import Node

TARGET, DEFAULTS = "target", "defaults"


def written(tree: Node) -> Mapping[str, str]:
    """By key path below the target (`cooldown.out`): TARGET or DEFAULTS. A list is one value: it replaces another."""
    return _shared(tuple(sorted(_leaves(tree, ""))))


@lru_cache(maxsize=1024)
def _shared(pairs: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Most targets write the same keys: of ten thousand of them one is kept."""
    return MappingProxyType(dict(pairs))


def _leaves(tree: Node, above: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree.value, Mapping):
        for name, child in tree.value.items():
            yield from _leaves(child, f"{above}.{name}" if above else name)
    elif above:
        yield above, DEFAULTS if tree.key.path.startswith("defaults.") else TARGET

"""One target with its defaults applied, as far as its keys could be read, and where everything stands.

What is wrong in shape is cut out, so that the rest is still checked for sense and all errors are told at once.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from autoscaler import errors
from autoscaler.policyfile import model
from autoscaler.yamlfile import node, shape
from autoscaler.yamlfile.node import Node, Place


@dataclass(frozen=True)
class Draft:
    """A target on its way to become a policy."""

    name: str
    tree: Node  # defaults applied, broken parts cut out
    keys: model.TargetKeys
    broken: frozenset[str]  # key paths that were cut out

    def place(self, *location: str | int) -> Place:
        """Where a value stands; where it is not written, the mapping that should hold it."""
        found = self.tree.at(*location)
        if found is not None:
            return found.place
        above = self.tree.at(*location[:-1])
        return (above if above is not None else self.tree).key.below(location[-1])

    def is_whole(self, key: str, *, of: Node | None = None) -> bool:
        """Whether nothing was cut out of the value of a key: of the target (`cooldown.out`), or of a part of it."""
        paths = [f"targets.{self.name}.{key}", f"defaults.{key}"] if of is None else [node.join(of.place.path, key)]
        return not any(cut == path or cut.startswith((f"{path}.", f"{path}[")) for cut in self.broken for path in paths)


def drafts(root: Node) -> tuple[list[Draft], list[errors.Problem]]:
    """The targets of a file, and all that is wrong with its shape."""
    whole = _with_defaults(root)
    try:
        file = model.PolicyFileKeys.model_validate(whole.plain())
    except ValidationError as invalid:
        found = shape.problems(invalid, model.PolicyFileKeys, whole)
        return list(_salvaged(whole, invalid)), list(_each_once(found))
    targets = whole.at("targets")
    trees: Any = targets.value if targets is not None else {}
    return [Draft(name, trees[name], keys, frozenset()) for name, keys in file.targets.items()], []


def _each_once(found: Iterable[errors.Problem]) -> Iterator[errors.Problem]:
    """What is wrong in `defaults` is wrong in every target, in other words: there it is told first, and once."""
    told: set[tuple[int, int, str]] = set()
    for problem in dict.fromkeys(found):
        place = (problem.line, problem.column, problem.path)
        if not problem.path.startswith("defaults.") or place not in told:
            yield problem
        told.add(place)


def _with_defaults(root: Node) -> Node:
    """The file with `defaults` merged into each target."""
    defaults, targets = root.child("defaults"), root.child("targets")
    if defaults is None or targets is None:
        return root
    if not isinstance(root.value, Mapping) or not isinstance(targets.value, Mapping):
        return root
    merged = {name: node.merge(defaults, target) for name, target in targets.value.items()}
    return replace(root, value={**root.value, "targets": replace(targets, value=merged)})


def _salvaged(whole: Node, invalid: ValidationError) -> Iterator[Draft]:
    """The targets with their broken parts cut out; those that cannot be read even so are left out."""
    targets = whole.at("targets")
    if targets is None or not isinstance(targets.value, Mapping):
        return
    for name, tree in targets.value.items():
        wrong = [error["loc"][2:] for error in invalid.errors() if error["loc"][:2] == ("targets", name)]
        kept, broken = _cut(tree, wrong)
        try:
            keys = model.TargetKeys.model_validate(_identified(kept))
        except ValidationError:
            continue
        yield Draft(name, kept, keys, broken)


def _identified(tree: Node) -> Any:
    """The plain target; one without an instance (which has been told) gets a name of no meaning."""
    plain = tree.plain()
    return {"instance_id": "unknown", **plain} if isinstance(plain, dict) else plain


def _cut(tree: Node, locations: Iterable[shape.Location]) -> tuple[Node, frozenset[str]]:
    cuts = {_to_cut(tree, location) for location in locations}
    cut_paths = {cut for cut in cuts if cut}
    return _without(tree, cut_paths), frozenset(cut_paths)


def _to_cut(tree: Node, location: shape.Location) -> str:
    """The key path of what must go: the innermost list item, else the wrong key itself; "" for nothing."""
    current, item, leaf = tree, "", ""
    for step in location:
        child = current.child(step)
        if child is None:
            continue
        leaf = child.place.path
        item = child.place.path if isinstance(step, int) else item
        current = child
    return item or leaf


def _without(tree: Node, paths: set[str]) -> Node:
    if isinstance(tree.value, Mapping):
        kept = {name: _without(child, paths) for name, child in tree.value.items() if not paths & {child.place.path}}
        return replace(tree, value=kept)
    if isinstance(tree.value, tuple):
        return replace(
            tree, value=tuple(_without(child, paths) for child in tree.value if child.place.path not in paths)
        )
    return tree

"""Files of policy tests into cases that can be played: strictly, with every error at once and its place."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from autoscaler import errors
from autoscaler.core.policy import Policy
from autoscaler.policyfile import case_draft, case_keys, loading
from autoscaler.policyfile.case import Case
from autoscaler.policyfile.case_keys import CaseKeys
from autoscaler.yamlfile import node, reader, shape
from autoscaler.yamlfile.node import Node

_K = TypeVar("_K", bound=shape.Keys)


def load(paths: Iterable[Path]) -> tuple[Case, ...]:
    """The cases of some files, in their order.

    Raises:
        BadConfig: with all that is wrong, over all files and the policy files that they name.
    """
    found: list[Case] = []
    problems: list[errors.Problem] = []
    shelf = _Shelf()
    for path in dict.fromkeys(paths):
        try:
            found += _File(path, shelf).cases(problems)
        except errors.BadConfig as bad:
            problems += bad.problems
    if problems:
        raise errors.BadConfig(_in_order(problems))
    return tuple(found)


def _in_order(problems: Iterable[errors.Problem]) -> list[errors.Problem]:
    """By place, files in the order in which they were read; each once."""
    unique = list(dict.fromkeys(problems))
    files = {file: index for index, file in enumerate(dict.fromkeys(problem.file for problem in unique))}
    return sorted(unique, key=lambda problem: (files[problem.file], problem))


class _Shelf:
    """Policy files that have been read, so that a file of many cases reads each once."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[Policy, ...] | errors.BadConfig] = {}

    def of_file(self, path: Path) -> tuple[Policy, ...]:
        if path not in self._read:
            try:
                self._read[path] = loading.load([path])
            except errors.BadConfig as bad:
                self._read[path] = bad
        known = self._read[path]
        if isinstance(known, errors.BadConfig):
            raise known
        return known


class _File:
    """One file of tests."""

    def __init__(self, path: Path, shelf: _Shelf) -> None:
        self._path = path
        self._shelf = shelf

    def cases(self, problems: list[errors.Problem]) -> Iterator[Case]:
        """Its cases; what is wrong with some of them goes to `problems`."""
        root = reader.read(self._path)
        _validated(case_keys.FileKeys, root)
        tests = root.at("tests")
        trees = tests.value if tests is not None and isinstance(tests.value, tuple) else ()
        if tests is not None and not trees:
            problems.append(tests.place.problem("is empty; write at least one test"))
        written = root.at("policies")
        shared = self._told(problems, written) if written is not None else ()
        for index, tree in enumerate(trees):
            own = tree.child("policies")
            if own is None and written is None:
                problems.append(tree.key.below("policies").problem(_NO_POLICIES))
            try:
                yield from self._case(tree, index, shared if own is None else self._told(problems, own))
            except errors.BadConfig as bad:
                problems += bad.problems

    def _case(self, tree: Node, index: int, policies: Sequence[Policy]) -> Iterator[Case]:
        """The case, where there are policies to test; its own keys are read in any case."""
        keys = _validated(CaseKeys, tree)
        if policies:
            yield case_draft.Draft(tree, keys, index, policies).built()

    def _told(self, problems: list[errors.Problem], written: Node) -> tuple[Policy, ...]:
        """The policies that a file, or a mapping in place, holds; none where it is wrong."""
        try:
            found = self._policies(written)
        except errors.BadConfig as bad:
            problems += bad.problems
            return ()
        if not found:
            problems.append(written.place.problem("holds no target; a test needs one"))
        return found

    def _policies(self, written: Node) -> tuple[Policy, ...]:
        if isinstance(written.value, str):
            return self._of_file(written)
        try:
            return loading.build([_rooted(written, "")])
        except errors.BadConfig as bad:
            prefix = written.place.path
            raise errors.BadConfig(
                [replace(one, path=f"{prefix}.{one.path}" if one.path else prefix) for one in bad.problems]
            ) from bad

    def _of_file(self, written: Node) -> tuple[Policy, ...]:
        path = self._path.parent / str(written.value)
        if not path.is_file():
            raise errors.BadConfig(
                [written.place.problem(f"there is no file {path}; the path is relative to this file")]
            )
        return self._shelf.of_file(path)


_NO_POLICIES = "is missing; name a policy file, or write its content here, for the file or for this test"


def _validated(model: type[_K], tree: Node) -> _K:
    try:
        return model.model_validate(tree.plain())
    except ValidationError as invalid:
        raise errors.BadConfig(list(dict.fromkeys(shape.problems(invalid, model, tree)))) from None


def _rooted(tree: Node, path: str) -> Node:
    """The same values at the same lines, with key paths as if the file began here."""
    value = tree.value
    if isinstance(value, Mapping):
        value = {name: _rooted(child, node.join(path, name)) for name, child in value.items()}
    elif isinstance(value, tuple):
        value = tuple(_rooted(child, node.join(path, index)) for index, child in enumerate(value))
    return Node(value, replace(tree.place, path=path), replace(tree.key, path=path))

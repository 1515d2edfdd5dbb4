"""Policy files into policies: all files at once, all errors at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoscaler import errors
from autoscaler.core.policy import Policy
from autoscaler.policyfile import checks, convert, draft, fleet
from autoscaler.policyfile.checks import CloudKind
from autoscaler.policyfile.draft import Draft
from autoscaler.policyfile.model import PolicyFileKeys
from autoscaler.yamlfile import reader
from autoscaler.yamlfile import schema as json_schema
from autoscaler.yamlfile.node import Node, Place


def load(
    paths: Iterable[Path], *, cloud: CloudKind | None = None, sources: Collection[str] | None = None
) -> tuple[Policy, ...]:
    """The policies of some files, in the order of the files and of the targets in them.

    `sources` are the names of the metric sources that there are; without them a policy may name any.

    Raises:
        BadConfig: with all that is wrong, over all files.
    """
    trees: list[Node] = []
    problems: list[errors.Problem] = []
    for path in paths:
        try:
            trees.append(reader.read(path))
        except errors.BadConfig as bad:
            problems += bad.problems
    return build(trees, cloud=cloud, sources=sources, problems=problems)


def parse(
    text: str, file: str, *, cloud: CloudKind | None = None, sources: Collection[str] | None = None
) -> tuple[Policy, ...]:
    """The policies of one text, which messages call `file`.

    Raises:
        BadConfig: with all that is wrong with it.
    """
    return build([reader.parse(text, file)], cloud=cloud, sources=sources)


def build(
    trees: Sequence[Node],
    *,
    cloud: CloudKind | None = None,
    sources: Collection[str] | None = None,
    problems: Iterable[errors.Problem] = (),
) -> tuple[Policy, ...]:
    """The policies of files that have been read; `problems` are those that reading them has found.

    Raises:
        BadConfig: with all that is wrong.
    """
    found = list(problems)
    everything: list[Draft] = []
    for tree in trees:
        read, wrong = draft.drafts(tree)
        everything += read
        found += wrong
    for one in everything:
        found += checks.problems(one, cloud, sources)
    found += _told_twice(everything)
    found += fleet.told_twice(trees)
    if found:
        raise errors.BadConfig(_in_order(found))
    whole = fleet.of(trees)
    return tuple(replace(convert.policy(one), fleet=whole) for one in everything)


def _in_order(problems: Iterable[errors.Problem]) -> list[errors.Problem]:
    """By place, files in the order in which they were read; each once."""
    unique = list(dict.fromkeys(problems))
    files = {file: index for index, file in enumerate(dict.fromkeys(problem.file for problem in unique))}
    return sorted(unique, key=lambda problem: (files[problem.file], problem))


def _told_twice(drafts: Sequence[Draft]) -> Iterator[errors.Problem]:
    """Names, and groups, that stand in two places."""
    names: dict[str, Place] = {}
    instances: dict[str, dict[str | None, Place]] = {}
    for one in drafts:
        place = one.tree.key
        if one.name in names:
            yield place.problem(f"a target named {one.name} stands at {names[one.name]}; give each its own name")
        names.setdefault(one.name, place)
        if one.is_whole("instance_id") and one.tree.at("instance_id") is not None and one.is_whole("group_id"):
            groups = instances.setdefault(one.keys.instance_id, {})
            yield from _same_group(one, groups)
            groups.setdefault(one.keys.group_id, place)


def _same_group(one: Draft, groups: Mapping[str | None, Place]) -> Iterator[errors.Problem]:
    """`groups` are those of the same instance that stand before this one."""
    place, group_id = one.tree.key, one.keys.group_id
    if group_id in groups:
        yield place.problem(f"the same instance and group as the target at {groups[group_id]}; keep one of them")
        return
    for other_group, other in groups.items():
        if other_group is None or group_id is None:
            lacking, having = (place, other) if group_id is None else (other, place)
            yield lacking.below("group_id").problem(
                f"is missing; two targets of one instance each need it (the other stands at {having})"
            )


def schema() -> dict[str, Any]:
    """The JSON Schema of a policy file."""
    return json_schema.generate(PolicyFileKeys, title="Policies of the DDM autoscaler")

"""Webhooks are written as a list, each with its name, and known by it: so that its variables can be named."""

from collections.abc import Mapping
from dataclasses import replace

from autoscaler import errors
from autoscaler.yamlfile.node import Node

KEY = "webhooks"

_EXAMPLE = "[{name: pager, url: https://pager.example/hook}]"


def in_file(tree: Node) -> tuple[Node, list[errors.Problem]]:
    """The tree of a file with its webhooks by name, and what is wrong with their names."""
    found = tree.at(KEY)
    if found is None or not isinstance(tree.value, Mapping):
        return tree, []
    if isinstance(found.value, Mapping):
        named = Node({}, found.place, found.key)
        problems = [found.place.problem(f"it must be a list, each with a name, such as {_EXAMPLE}")]
    else:
        named, problems = mapping_of(found)
    return replace(tree, value={**tree.value, KEY: named}), problems


def mapping_of(listed: Node) -> tuple[Node, list[errors.Problem]]:
    """A list as a mapping; what is no list is left to whoever validates it."""
    if not isinstance(listed.value, tuple):
        return listed, []
    problems: list[errors.Problem] = []
    named: dict[str, Node] = {}
    for item in listed.value:
        name = item.child("name")
        if not isinstance(item.value, Mapping):
            problems.append(item.place.problem("it must be a mapping of keys, such as {name: pager, url: …}"))
        elif name is None:
            problems.append(item.place.below("name").problem("is missing; its variables are named after it"))
        elif not isinstance(name.value, str):
            problems.append(name.place.problem("it must be a text, such as pager"))
        elif name.value in named:
            problems.append(name.place.problem(f"{name.value} is there already, at {named[name.value].place}"))
        else:
            rest = {key: child for key, child in item.value.items() if key != "name"}
            named[name.value] = replace(item, value=rest)
    return replace(listed, value=named), problems

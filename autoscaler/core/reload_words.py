"""What a reload changed, or why it changed nothing, in words: from its JSON alone, for the log and the history."""

import json
from collections.abc import Iterator
from typing import Any

from autoscaler.core import figures

Json = dict[str, Any]

LONGEST, LONGEST_PART = 1000, 300
"""Characters of an outcome, and of each change or problem in it; the log has it all."""


def changes(reload: Json) -> Iterator[str]:
    """Of one that is obeyed, a line for each key that reads otherwise: `orders: nodes.max was 16, is 20`."""
    for one in reload["changed"]:
        yield from (f"{one['target']}: {_change(change)}" for change in one["changes"])
    for part in ("fleet", "settings"):
        yield from (f"{part}: {_change(change)}" for change in reload[part])


def outcome(reload: Json) -> str:
    """`added stock; orders: nodes.max was 16, is 20`, or `refused: p.yaml:3:5: …`; empty where all is as before."""
    if not reload["obeyed"]:
        return _fitting("refused: ", [problem["text"] for problem in reload["problems"]])
    came_and_went = [f"{word} {', '.join(reload[word])}" for word in ("added", "removed") if reload[word]]
    restart = [f"needs a restart: {', '.join(reload['needs_restart'])}"] if reload["needs_restart"] else []
    return _fitting("", [*came_and_went, *changes(reload), *restart])


def unobeyed(one: Json) -> str:
    """Of what is not obeyed: `since` when, how many `problems` it has, and the `first` of them."""
    count, first = one["problems"], _cut(one["first"])
    problems = f"1 problem, {first}" if count == 1 else f"{count} problems, the first is {first}"
    since = figures.moment(one["since"])
    return (
        f"what was changed in the configuration is not obeyed, the last good one goes on since {since} UTC: {problems}"
    )


def _fitting(begin: str, parts: list[str]) -> str:
    """As many of the parts as there is room for, and how many more there are."""
    said = begin
    for place, part in enumerate(parts):
        more = f"{'; ' if place else ''}{_cut(part)}"
        if len(said) + len(more) > LONGEST:
            return f"{said}; and {len(parts) - place} more"
        said += more
    return said


def _cut(part: str) -> str:
    return part if len(part) <= LONGEST_PART else f"{part[: LONGEST_PART - 1]}…"


def _change(change: Json) -> str:
    return f"{change['key']} was {_written(change['was'])}, is {_written(change['now'])}"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

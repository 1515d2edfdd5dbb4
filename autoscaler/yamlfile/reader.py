"""YAML 1.2 files through PyYAML's events: strict, bounded, with every position kept.

Events rather than PyYAML's own tree, because only they show where an alias stands and can be stopped at a depth.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from autoscaler import errors
from autoscaler.yamlfile import node, scalars, syntax
from autoscaler.yamlfile.node import Node, Place

MAX_BYTES = 16 * 1024 * 1024
"""Ten thousand targets of a dozen lines each fit; what is longer is not a policy."""

MAX_DEPTH = 40
MAX_ALIASES = 100
MAX_ALIASED_VALUES = 100_000
"""Values that aliases stand for, together: aliases of aliases multiply."""

_STRING_TAG = "tag:yaml.org,2002:str"
_NOT_PRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read(path: Path, *, file: str | None = None) -> Node:
    """The tree of a file; `file` is how messages call it.

    Raises:
        BadConfig: it cannot be read, or is no YAML of the kind that we read.
    """
    shown = file if file is not None else str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise errors.BadConfig([Place(shown).problem(_too_long())])
        content = path.read_bytes()
    except OSError as error:
        raise errors.BadConfig([Place(shown).problem(_unreadable(error))]) from error
    return parse(content, shown)


def parse(content: str | bytes, file: str) -> Node:
    """The tree of a text.

    Raises:
        BadConfig: with everything that is wrong with it as YAML.
    """
    reader = _Reader(file)
    tree = reader.tree(_text(content, file))
    if reader.problems:
        raise errors.BadConfig(reader.problems)
    if tree is None or tree.value is None:
        raise errors.BadConfig([Place(file).problem("the file is empty; it must hold a mapping of keys")])
    return tree


def _text(content: str | bytes, file: str) -> str:
    if len(content) > MAX_BYTES:
        raise errors.BadConfig([Place(file).problem(_too_long())])
    text = content if isinstance(content, str) else _decoded(content, file)
    text = text.removeprefix("\ufeff")
    if found := _NOT_PRINTABLE.search(text):
        before = text[: found.start()]
        place = Place(file, before.count("\n") + 1, found.start() - before.rfind("\n"))
        raise errors.BadConfig([place.problem(f"the character U+{ord(found[0]):04X} is not allowed; remove it")])
    return text


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise errors.BadConfig([place.problem("the file is not UTF-8; save it as UTF-8")]) from error


def _too_long() -> str:
    return f"the file is longer than {MAX_BYTES // 1024 // 1024} MiB; split it into several"


def _unreadable(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file; check the path"
        case IsADirectoryError():
            return "this is a directory; name a file in it"
        case PermissionError():
            return "permission denied; let the autoscaler's user read it"
        case _:
            return f"cannot be read ({error.strerror}); check the path"


class _Refused(Exception):
    """The one problem that ends the reading; never leaves this module."""

    def __init__(self, problem: errors.Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class _Reader:
    """Builds one tree; collects what is wrong and goes on where it can."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[errors.Problem] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}  # None while it is being built
        self._aliases = 0
        self._aliased_values = 0
        self._built = 0

    def tree(self, text: str) -> Node | None:
        """The first document; None where there is none, or where reading had to stop."""
        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one is missing from some builds
        try:
            return self._document(yaml.parse(text, Loader=loader))
        except _Refused as refused:
            self.problems.append(refused.problem)
        except yaml.MarkedYAMLError as error:
            line, column, message = syntax.explained(error, text, loader)
            self.problems.append(Place(self.file, line + 1, column + 1).problem(f"is not valid YAML: {message}"))
        except yaml.YAMLError as error:
            self.problems.append(Place(self.file).problem(f"is not valid YAML: {error}"))
        return None

    def _document(self, events: Iterator[Any]) -> Node | None:
        tree: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if tree is not None:
                    raise _Refused(self._place(event, "").problem("a second document; give it a file of its own"))
                tree = self._node(next(events), events, path="", depth=0)
        return tree

    def _node(self, event: Any, events: Iterator[Any], *, path: str, depth: int) -> Node:
        place = self._place(event, path)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), place)
        if depth > MAX_DEPTH:
            raise _Refused(place.problem(f"nested deeper than {MAX_DEPTH} levels; nothing here is that deep"))
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._check_tag(event, place)
        before = self._built
        built = self._built_from(event, events, place=place, depth=depth)
        self._built += 1
        if event.anchor is not None:
            self._anchors[event.anchor] = (built, self._built - before)
        return built

    def _built_from(self, event: Any, events: Iterator[Any], *, place: Place, depth: int) -> Node:
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._mapping(events, place=place, depth=depth), place, place)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(events, place=place, depth=depth), place, place)
        return Node(self._scalar(event, place), place, place)

    def _scalar(self, event: Any, place: Place) -> node.Scalar:
        text: str = event.value
        if event.style or event.tag == _STRING_TAG:  # plain style is '' in the C parser, None in the other
            return text
        try:
            return scalars.resolve(text)
        except ValueError as error:
            self.problems.append(place.problem(str(error)))
            return 0

    def _sequence(self, events: Iterator[Any], *, place: Place, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._node(event, events, path=node.join(place.path, len(items)), depth=depth + 1))
        return tuple(items)

    def _mapping(self, events: Iterator[Any], *, place: Place, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            name, key = self._key(event, events, place=place, depth=depth)
            value = self._node(next(events), events, path=key.path, depth=depth + 1)
            if name in entries:
                first = entries[name].key
                self.problems.append(key.problem(f"is here twice, first at {first}; keep one of them"))
            elif name is not None:
                entries[name] = replace(value, key=key)
        return entries

    def _key(self, event: Any, events: Iterator[Any], *, place: Place, depth: int) -> tuple[str | None, Place]:
        key = self._node(event, events, path=place.path, depth=depth + 1)
        at = self._place(event, place.path)
        if key.value == "<<" and not getattr(event, "style", "'"):
            self.problems.append(at.problem("`<<` merges are not read; use defaults, or repeat the keys"))
            return None, at
        if isinstance(key.value, str):
            return key.value, at.below(key.value)
        written = f"`{event.value}`" if isinstance(event, yaml.ScalarEvent) else "this"
        self.problems.append(at.problem(f"{written} cannot be a key; a key is a text, so put it in quotes"))
        return None, at

    def _alias(self, anchor: str, place: Place) -> Node:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _Refused(place.problem(f"more than {MAX_ALIASES} aliases; use defaults, or repeat the value"))
        known = self._anchors.get(anchor)
        if known is None:
            word = "an alias of a value that holds it" if anchor in self._anchors else "no such anchor stands above it"
            raise _Refused(place.problem(f"*{anchor}: {word}; write the value out"))
        self._aliased_values += known[1]
        self._built += known[1]
        if self._aliased_values > MAX_ALIASED_VALUES:
            raise _Refused(place.problem(f"aliases stand for more than {MAX_ALIASED_VALUES} values; write them out"))
        return replace(known[0], key=place)

    def _check_tag(self, event: Any, place: Place) -> None:
        if event.tag not in (None, "!", _STRING_TAG):
            self.problems.append(place.problem(f"the tag {event.tag} is not read; write the value without a tag"))

    def _place(self, event: Any, path: str) -> Place:
        return Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1, path)

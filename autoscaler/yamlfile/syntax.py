"""Where a YAML file is really wrong: the parser stumbles at the end of a mistake, people look for its beginning."""

import re
from typing import Any

import yaml

_QUOTES = ("'", '"')
_GLUED = re.compile(r"^[\s{,-]*(?:.*[{,]\s*)?(?P<key>[A-Za-z_][\w.-]*):(?P<value>[^\s:/,}\]][^\s,}\]]*)")
_HINTS = {
    "found character that cannot start any token": "quote a text that begins with @, ` or %",
    "mapping values are not allowed in this context": "check the indentation, and quote a text that holds a colon",
    "could not find expected ':'": "a key needs a colon and a space after it",
    "found unexpected end of stream": "a quote or bracket is never closed",
    "did not find expected key": "check the indentation and the brackets",
    "did not find expected ',' or ']'": "close the list with ]",
    "did not find expected ',' or '}'": "close the mapping with }",
}

Found = tuple[int, int, str]
"""Line and column, both from 0, and what is wrong there."""


def explained(error: yaml.MarkedYAMLError, text: str, loader: Any) -> Found:
    """The beginning of the mistake where it can be told, else the place where the parser stopped."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.split("\n")
    return (
        _tab(lines, line, column)
        or _open_quote(error, text, loader, line)
        or _glued(lines, line)
        or _open_bracket(error, line)
        or (line, column, _plainly(error))
    )


def _plainly(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "unreadable"
    hint = _HINTS.get(problem)
    return problem + (f"; {hint}" if hint else "")


def _tab(lines: list[str], line: int, column: int) -> Found | None:
    written = lines[line] if line < len(lines) else ""
    if "\t" not in written[: column + 1]:
        return None
    return line, column, "a tab where spaces belong; indent with spaces, not with a tab"


def _open_quote(error: yaml.MarkedYAMLError, text: str, loader: Any, line: int) -> Found | None:
    """A quote that is closed by one that was to open another text, lines further on, or by none."""
    begin = error.context_mark
    if begin is not None and "quoted scalar" in str(error.context):
        return begin.line, begin.column, "the quote that is opened here is never closed; close it"
    for token in _tokens(text, loader):
        begin, end = token.start_mark, token.end_mark
        if isinstance(token, yaml.ScalarToken) and token.style in _QUOTES and begin.line < end.line == line:
            closed = "the quote that is opened here is closed only in line"
            return begin.line, begin.column, f"{closed} {end.line + 1}; close it sooner"
    return None


def _tokens(text: str, loader: Any) -> list[Any]:
    """Those before the mistake."""
    found = []
    try:
        for token in yaml.scan(text, Loader=loader):
            found.append(token)  # noqa: PERF402 - what came before the mistake is kept
    except yaml.YAMLError:  # told by the parser already
        return found
    return found


def _glued(lines: list[str], line: int) -> Found | None:
    """A key without the space after its colon makes one text of this line and the next."""
    before = next((place for place in range(min(line, len(lines)) - 1, -1, -1) if lines[place].strip()), None)
    for place in (before, line):
        found = _GLUED.match(lines[place]) if place is not None and place < len(lines) else None
        if place is not None and found is not None:
            words = f"`{found['key']}:` needs a space after the colon; write {found['key']}: {found['value']}"
            return place, found.start("key"), words
    return None


def _open_bracket(error: yaml.MarkedYAMLError, line: int) -> Found | None:
    begin = error.context_mark
    kinds = {"while parsing a flow mapping": ("{", "}"), "while parsing a flow sequence": ("[", "]")}
    if begin is None or error.context not in kinds or begin.line >= line:
        return None
    opened, closing = kinds[error.context]
    return begin.line, begin.column, f"the {opened} that is opened here is not closed; close it with {closing}"

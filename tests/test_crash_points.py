"""docs/crash-points.md tells of every place where the process may die: each await and commit of control and storage."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/crash-points.md").read_text(encoding="utf-8")
PACKAGES = ("control", "storage")

COMMITS = frozenset({"_transaction", "_leading", "begin"})
"""What is opened with `with`, and committed at its end."""

Points = dict[tuple[str, str], list[str]]
"""By file and function: what is waited for or committed there, each name once, in order."""


def found_in(source: str, file: str = "") -> Points:
    points: Points = {}
    for function, name in _points(ast.parse(source), (), ""):
        names = points.setdefault((file, function), [])
        names.extend([] if name in names else [name])
    return points


def _points(node: ast.AST, scope: tuple[str, ...], function: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            within = (*scope, child.name)
            yield from _points(child, within, function if isinstance(child, ast.ClassDef) else ".".join(within))
            continue
        yield from ((function, name) for name in _names(child))
        yield from _points(child, scope, function)


def _names(node: ast.AST) -> list[str]:
    """What is waited for, or committed, by this very node."""
    if isinstance(node, ast.Await):
        return [_name(node.value)]
    if isinstance(node, ast.AsyncFor) or (isinstance(node, ast.comprehension) and node.is_async):
        return [_name(node.iter)]
    if isinstance(node, ast.AsyncWith):
        return [_name(item.context_expr) for item in node.items]
    if isinstance(node, ast.With):
        return [name for item in node.items if (name := _name(item.context_expr)) in COMMITS]
    return []


def _name(node: Any) -> str:
    """`update` of `self._store.update(…)`; `_turns` of `self._turns[…]`."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)


def in_the_code() -> Points:
    points: Points = {}
    for package in PACKAGES:
        for file in sorted((ROOT / "autoscaler" / package).glob("*.py")):
            points |= found_in(file.read_text(encoding="utf-8"), f"{package}/{file.name}")
    return points


def on_the_page() -> dict[tuple[str, str], list[str]]:
    """A heading names the file; a row functions of it, what they wait for or commit, and what a death there leaves."""
    told: Points = {}
    file = ""
    for line in PAGE.splitlines():
        if heading := re.fullmatch(r"### `(\S+)`", line):
            file = heading[1]
        elif line.startswith("| `"):
            functions, names, leaves = (cell.strip() for cell in line.strip("|").split("|"))
            assert leaves, line
            for function in re.findall(r"`([^`]+)`", functions):
                assert (file, function) not in told, f"{function} is told twice"
                told[file, function] = re.findall(r"`([^`]+)`", names)
    return told


def test_every_await_and_commit_is_told():
    code, page = in_the_code(), on_the_page()
    assert {place: names for place, names in code.items() if page.get(place) != names} == {}, "tell what a death leaves"
    assert sorted(page.keys() - code.keys()) == [], "there is no await or commit any more"


SAMPLES: dict[str, tuple[str, Points]] = {
    "an await": ("async def f(): await a.b(1)", {("", "f"): ["b"]}),
    "in a class": ("class C:\n async def f(self): await self.x", {("", "C.f"): ["x"]}),
    "in a lock": ("async def f():\n async with locks[1], g(): pass", {("", "f"): ["locks", "g"]}),
    "in a loop": ("async def f():\n async for _ in a.b(): pass", {("", "f"): ["b"]}),
    "in a comprehension": ("async def f(): return [x async for x in g()]", {("", "f"): ["g"]}),
    "in an argument, each once": ("async def f(): return a(await b(), await b(), await c())", {("", "f"): ["b", "c"]}),
    "a commit": ("def f(self):\n with self._leading() as c, other(): pass", {("", "f"): ["_leading"]}),
    "of a function within": ("def f():\n async def g(): await h()", {("", "f.g"): ["h"]}),
    "none": ("def f():\n with open(x): pass", {}),
}


@pytest.mark.parametrize(("source", "points"), SAMPLES.values(), ids=SAMPLES)
def test_found_is(source, points):
    assert found_in(source) == points

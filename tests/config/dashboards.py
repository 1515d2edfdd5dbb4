"""Reads the shipped dashboards as Grafana would: panels, queries, and what stands for its variables."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).parents[2]
FILES = sorted((CHECKOUT / "config/dashboards").glob("*.json"))
STANDS_FOR = {"$__rate_interval": "30s", "$job": "ddm-autoscaler", "$target": "orders"}


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    board: str
    panel: str
    legend: str
    written: str

    @property
    def name(self) -> str:
        return f"{self.board}: {self.panel}: {self.legend}".rstrip(": ")

    @property
    def expr(self) -> str:
        """With a value in place of each variable."""
        expr = self.written
        for variable, value in STANDS_FOR.items():
            expr = expr.replace(variable, value)
        return expr


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(), object_pairs_hook=_without_duplicates))


def queries() -> Iterator[Query]:
    for path in FILES:
        board = read(path)
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield Query(path.stem, panel["title"], target["legendFormat"], target["expr"])
        for one in board["annotations"]["list"]:
            yield Query(path.stem, "annotation", one["name"], one["expr"])


def variables() -> Iterator[tuple[str, str, str]]:
    """Of each variable that is asked for: its name, the series, and the label."""
    for path in FILES:
        for one in read(path)["templating"]["list"]:
            if one["type"] == "query":
                found = re.fullmatch(r"label_values\((.+), (\w+)\)", one["query"]["query"])
                assert found, one["query"]
                yield f"{path.stem}: {one['name']}", found[1], found[2]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    assert len(set(keys)) == len(keys), keys
    return dict(pairs)

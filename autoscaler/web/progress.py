"""How far an operation has come, as steps, and how long such ones usually take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from autoscaler.core import figures, standing_words
from autoscaler.web import words

Json = dict[str, Any]


@dataclass(frozen=True)
class Step:
    """One of the steps of an operation."""

    name: str
    state: str  # done, now, next
    detail: str


@dataclass(frozen=True)
class Progress:
    """An open operation as it stands."""

    title: str
    steps: tuple[Step, ...]
    seconds: int  # since the commit
    usual: int  # seconds that the last ones of this direction took; 0: not known
    lasting: str
    detail: str
    alarm: str


def of(target: Json, operations: Sequence[Json], now: datetime) -> Progress | None:
    """The target's open operation, seen beside those that ended; None where there is none."""
    operation = target["operation"]
    if operation is None:
        return None
    seconds = max(0, round((now - datetime.fromisoformat(operation["committed_at"])) / timedelta(seconds=1)))
    usual = _usual(operation, operations)
    return Progress(
        title=f"Scaling {operation['direction']} by {figures.nodes(operation['change'])}",
        steps=_steps(operation, target["nodes"]),
        seconds=seconds,
        usual=usual,
        lasting=f"{standing_words.span(seconds)}" + (f" of usually {standing_words.span(usual)}" if usual else ""),
        detail=operation["detail"],
        alarm=words.alarm(target),
    )


def _steps(operation: Json, nodes: Json | None) -> tuple[Step, ...]:
    at = {
        name: words.clock(instant) if (instant := operation[f"{name}_at"]) else ""
        for name in ("committed", "submitted")
    }
    sent = "now" if operation["state"] == "planned" else "done"
    accepted = {"planned": "next", "unknown": "now"}.get(operation["state"], "done")
    told = "the answer was lost; it is being looked for" if operation["state"] == "unknown" else at["submitted"]
    working = "now" if operation["state"] == "submitted" else "next"
    there = "" if nodes is None else f"{nodes['ready']} of {nodes['current']} nodes ready"
    return (
        Step("written down", "done", at["committed"]),
        Step("sent to the cloud", sent, at["submitted"]),
        Step("accepted", accepted, told),
        Step(
            "nodes arrive" if operation["direction"] == "out" else "nodes leave",
            working,
            there if working == "now" else "",
        ),
        Step("ended", "next", ""),
    )


def _usual(operation: Json, operations: Sequence[Json]) -> int:
    took = [
        (datetime.fromisoformat(one["ended_at"]) - datetime.fromisoformat(one["committed_at"])) / timedelta(seconds=1)
        for one in operations
        if one["state"] == "succeeded" and one["direction"] == operation["direction"] and not one["foreign"]
    ]
    return round(median(took)) if took else 0

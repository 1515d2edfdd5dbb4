"""What the page shows, from the API's own JSON: pure, so that a table test can hold it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.core import figures, sentence, spells, standing_words
from autoscaler.core.target import MAX_NODES_PER_INSTANCE

Json = dict[str, Any]

OPERATION_WORDS = {
    "planned": "being sent",
    "submitted": "under way",
    "unknown": "outcome unknown, being looked for",
    "rejected": "rejected, nothing changed",
    "succeeded": "succeeded",
    "failed": "failed",
    "never_happened": "never happened",
}


@dataclass(frozen=True)
class Load:
    """One rule's bar: positions are per cent of its length."""

    rule: str
    value: str
    thresholds: str
    fill: float
    marks: tuple[float, ...]
    state: str  # high, low, calm, missing


@dataclass(frozen=True)
class Event:
    """A decision, or a run of equal ones: the newest of them."""

    at: str
    since: str
    target: str
    kind: str  # out, in, hold
    words: str
    times: int


@dataclass(frozen=True)
class Card:
    """One target."""

    name: str
    mode: str
    status: str
    pips: tuple[str, ...]  # one per node that is, is wanted, or may be: ready, busy, wanted, free
    nodes: Json | None
    loads: tuple[Load, ...]
    decided: str
    kind: str
    decided_ago: str
    operation: str
    alarm: str
    cooldowns: tuple[str, ...]
    by_hand: tuple[str, ...]
    error: str


def card(target: Json, now: datetime) -> Card:
    """How a target of `GET /api/v1/targets` is shown."""
    decision, operation = target["decision"], target["operation"]
    return Card(
        name=target["name"],
        mode=target["mode"].replace("_", " "),
        status=target["instance_status"] or "",
        pips=pips(target["nodes"]),
        nodes=target["nodes"],
        loads=tuple(_load(rule, decision) for rule in target["rules"]),
        decided=sentence.sentence(decision) if decision else "not evaluated yet",
        kind=decision["decision"] if decision else "hold",
        decided_ago=ago(decision["at"], now) if decision else "",
        operation=_operation(operation, now) if operation else _shadow(target.get("shadow_operation"), now),
        alarm=_alarm(target),
        cooldowns=tuple(f"{way} {standing_words.span(left)}" for way, left in target["cooldowns"].items() if left > 0),
        by_hand=_by_hand(target, now),
        error=target["error"] or "",
    )


def pips(nodes: Json | None) -> tuple[str, ...]:
    """A mark for each node: ready, busy (there, not serving), leaving, wanted (not there yet), free (up to max)."""
    if nodes is None:
        return ()
    current, ready, desired = nodes["current"], nodes["ready"], nodes["desired"] or nodes["current"]
    leaving = min(max(0, current - desired), ready)
    marks = ["ready"] * (ready - leaving) + ["leaving"] * leaving + ["busy"] * (current - ready)
    marks += ["wanted"] * max(0, desired - current)
    marks += ["free"] * (min(nodes["max"], MAX_NODES_PER_INSTANCE) - len(marks))
    return tuple(marks)


def events(records: Iterable[Json]) -> list[Event]:
    """Records of one target, newest first, with runs of the same hold folded into one line."""
    return [
        Event(
            at=spell.newest["at"],
            since=spell.oldest["at"],
            target=spell.newest["target"],
            kind=spell.newest["decision"],
            words=sentence.sentence(spell.newest),
            times=spell.times,
        )
        for spell in spells.folded(records)
    ]


def operation_row(operation: Json) -> Json:
    """An operation with its words for the table."""
    words = OPERATION_WORDS.get(operation["state"], operation["state"])
    who = "somebody else" if operation["foreign"] else "shadow" if operation["shadow"] else ""
    return operation | {"words": words, "who": who, "at": operation["committed_at"], "took": _took(operation)}


def clock(instant: str) -> str:
    """A time of day, with the date only in the title beside it."""
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%H:%M:%S")


def ago(instant: str, now: datetime) -> str:
    """How long before now."""
    return f"{standing_words.span((now - datetime.fromisoformat(instant)) / timedelta(seconds=1))} ago"


def _took(operation: Json) -> str:
    if operation["ended_at"] is None:
        return ""
    took = datetime.fromisoformat(operation["ended_at"]) - datetime.fromisoformat(operation["committed_at"])
    return standing_words.span(took.total_seconds())


def _operation(operation: Json, now: datetime) -> str:
    words = OPERATION_WORDS.get(operation["state"], operation["state"])
    nodes = figures.nodes(operation["change"])
    return f"{operation['direction']} by {nodes}: {words}, since {_since(operation, now)}"


def _since(operation: Json, now: datetime) -> str:
    return ago(operation["committed_at"], now)[:-4]


def _shadow(operation: Json | None, now: datetime) -> str:
    """What observe did not send."""
    if operation is None:
        return ""
    nodes = figures.nodes(operation["change"])
    return f"{operation['direction']} by {nodes} would be under way (observe), since {_since(operation, now)}"


def _by_hand(target: Json, now: datetime) -> tuple[str, ...]:
    pauses = (standing_words.pause_words(pause, now) for pause in target["pauses"])
    override = target["override"]
    return (*pauses, *([standing_words.override_words(override, now)] if override else []))


def _alarm(target: Json) -> str:
    if target["overdue"]:
        return "overdue: look at the instance, then use autoscaler resolve"
    operation = target["operation"]
    return "unknown outcome" if operation and operation["state"] == "unknown" else ""


def _load(rule: Json, decision: Json | None) -> Load:
    seen = next((one for one in decision["rules"] if one["rule"] == rule["name"]), None) if decision else None
    value = seen["value"] if seen else None
    limits = rule["thresholds"]
    above = limits.get("above") or ([limits["target"]] if "target" in limits else [])
    below = limits.get("below") or []
    unit = f" {rule['unit']}" if rule["unit"] else ""
    scale = _scale([*above, *below, *([value] if value is not None else [])], percent=rule["unit"] == "%")
    return Load(
        rule=rule["name"],
        value=f"{figures.number(value)}{unit if value is not None else ''}",
        thresholds=_thresholds(limits),
        fill=_part(value or 0, scale),
        marks=tuple(_part(limit, scale) for limit in [*above, *below]),
        state=_state(value, above, below),
    )


def _thresholds(limits: Json) -> str:
    words = [("out above", limits.get("above") or []), ("in below", limits.get("below") or [])]
    said = [f"{name} {', '.join(map(figures.number, values))}" for name, values in words if values]
    return "; ".join([*said, *([f"target {figures.number(limits['target'])}"] if "target" in limits else [])])


def _state(value: float | None, above: Sequence[float], below: Sequence[float]) -> str:
    if value is None:
        return "missing"
    if above and value > min(above):
        return "high"
    return "low" if below and value < max(below) else "calm"


def _scale(values: Sequence[float], *, percent: bool) -> float:
    return max([100.0 if percent else 0.0, *(value if percent else value * 1.25 for value in values)]) or 1.0


def _part(value: float, scale: float) -> float:
    return round(min(100.0, max(0.0, 100 * value / scale)), 1)

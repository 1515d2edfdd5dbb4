"""What a target's page shows, from the API's own JSON: pure, so that a table test can hold it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.core import explanation, figures, sentence, spells
from autoscaler.web import attention, gauge, progress, words

Json = dict[str, Any]

_FROM = {"target": "target", "defaults": "defaults", "default": "built in"}


@dataclass(frozen=True)
class Event:
    """A decision, or a spell of equal holds: the newest of them."""

    at: str
    since: str
    kind: str  # out, in, hold
    words: str
    times: int


@dataclass(frozen=True)
class Setting:
    """A key of the policy."""

    key: str
    lines: tuple[str, ...]  # its value; several for a list
    where: str  # in words
    origin: str


def shown(
    target: Json, records: Iterable[Json], operations: Sequence[Json], interventions: Iterable[Json], now: datetime
) -> Json:
    """Everything on the page but what stands on every page."""
    decision = target["decision"]
    return {
        "target": target,
        "standing": attention.of(target),
        "mode": target["mode"].replace("_", " "),
        "gauges": gauge.gauges(target),
        "decided": sentence.sentence(decision) if decision else "",
        "ago": words.ago(decision["at"], now) if decision else "",
        "by_hand": words.by_hand(target, now),
        "cooldowns": words.cooldowns(target),
        "progress": progress.of(target, operations, now),
        "under_way": words.under_way(target, now),
        "refused": words.refused(target, now),
        "events": events(records),
        "operations": [words.operation_row(one) for one in operations],
        "interventions": [intervention(one) for one in interventions],
        "settings": [setting(one) for one in target["policy"]["settings"]],
    }


def events(records: Iterable[Json]) -> list[Event]:
    """Records of one target, newest first, with spells of the same hold folded into one line."""
    return [
        Event(
            at=spell.newest["at"],
            since=spell.oldest["at"],
            kind=spell.newest["decision"],
            words=sentence.sentence(spell.newest),
            times=spell.times,
        )
        for spell in spells.folded(records)
    ]


def intervention(one: Json) -> Json:
    """What an operator did, with its words; a reload tells what came of it in its reason."""
    done = {
        "pause": "paused" + (" all targets" if one["target"] is None else ""),
        "override": f"set to {figures.nodes(one['nodes'] or 0)}",
        "breaker_reset": "closed the breaker",
        "reload": "read the configuration anew",
    }
    why = f": {one['ended_reason']}" if one["ended_reason"] else ""
    ended = f"taken back {figures.moment(one['ended_at'])} by {one['ended_by']}{why}" if one["ended_at"] else ""
    until = f"until {figures.moment(one['until'])}" if one["until"] else "until resumed"
    return one | {
        "words": done.get(one["kind"], one["kind"]),
        "ends": "" if one["kind"] in ("breaker_reset", "reload") else ended or until,
    }


def setting(one: Json) -> Setting:
    """A key with its value as a policy file would have it."""
    value = one["value"]
    if isinstance(value, list):
        lines = tuple(_flow(item, outer=True) for item in value) or ("none",)
    else:
        lines = ("not set" if value is None else _flow(value),)
    return Setting(one["key"], lines, _FROM[one["from"]], one["from"])


def explained(record: Json, target: Json) -> Json:
    """One decision, in the words of `explain`."""
    newest = bool(target["decision"]) and target["decision"]["at"] == record["at"]
    return {
        "target": target,
        "record": record,
        "headline": sentence.headline(record),
        "sentence": sentence.sentence(record),
        "stages": stages(record),
        "rows": [row for row in sentence.rows(record) if row.kind != "stage"],
        "facts": [fact for fact in explanation.facts(record, target, newest=newest) if fact[0] != "stages"],
        "moment": figures.moment(record["at"]),
    }


def stages(record: Json) -> list[Json]:
    """What every stage left of the wish, and whether it changed it."""
    made, before = [], record["nodes"]["current"]
    for row in sentence.rows(record):
        if row.kind == "stage":
            made.append(
                {"name": row.name, "nodes": row.outcome, "words": row.words, "changed": row.outcome != str(before)}
            )
            before = row.outcome
    return made


def _flow(value: object, *, outer: bool = False) -> str:
    """A value on one line, as YAML would take it."""
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_flow(item)}" for key, item in value.items())
        return inner if outer else f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(item) for item in value)}]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)

"""The rows of the fleet view, from the API's own JSON: pure, so that a table test can hold it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.core import sentence
from autoscaler.web import attention, gauge, sparkline, words
from autoscaler.web.attention import Standing
from autoscaler.web.gauge import Gauge
from autoscaler.web.sparkline import Minutes, Sparkline

Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One target."""

    name: str
    find: str  # what a search looks in
    mode: str
    standing: Standing
    status: str  # the instance's, where it is not the usual one
    nodes: Json | None
    gauge: Gauge | None
    more: int  # rules that there is no room for
    spark: Sparkline | None
    decided: str
    kind: str  # out, in, hold
    at: str
    ago: str
    operation: str
    alarm: str
    refused: str
    by_hand: tuple[str, ...]
    cooldowns: tuple[str, ...]
    error: str


def rows(targets: Iterable[Json], recent: Mapping[str, Minutes], now: datetime) -> list[Row]:
    """Every target, what wants attention first, then by name."""
    made = [_row(target, recent.get(target["name"], ()), now) for target in targets]
    return sorted(made, key=lambda row: (attention.ORDER.index(row.standing), row.name))


def counts(found: Sequence[Row]) -> list[tuple[Standing, int]]:
    """How many there are of each, without those of which there is none."""
    counted = Counter(row.standing for row in found)
    return [(standing, counted[standing]) for standing in attention.ORDER if counted[standing]]


def totals(found: Sequence[Row]) -> Json:
    """What all have together."""
    known = [row.nodes for row in found if row.nodes]
    return {
        "targets": len(found),
        "current": sum(nodes["current"] for nodes in known),
        "max": sum(nodes["max"] for nodes in known),
        "attention": sum(row.standing in (Standing.ALARM, Standing.BLIND, Standing.HELD_BACK) for row in found),
        "changing": sum(row.standing is Standing.CHANGING for row in found),
    }


def _row(target: Json, minutes: Minutes, now: datetime) -> Row:
    decision, found = target["decision"], gauge.gauges(target)
    shown = gauge.foremost(found)
    return Row(
        name=target["name"],
        find=f"{target['name']} {target['instance_id']} {target['group_id'] or ''}".lower(),
        mode=target["mode"].replace("_", " "),
        standing=attention.of(target),
        status="" if target["instance_status"] in (None, "RUNNING") else target["instance_status"],
        nodes=target["nodes"],
        gauge=shown,
        more=max(0, len(found) - 1),
        spark=sparkline.of(shown, minutes) if shown else None,
        decided=sentence.sentence(decision) if decision else _undecided(target),
        kind=decision["decision"] if decision else "hold",
        at=decision["at"] if decision else "",
        ago=words.ago(decision["at"], now) if decision else "",
        operation=words.under_way(target, now),
        alarm=words.alarm(target),
        refused=words.refused(target, now),
        by_hand=words.by_hand(target, now),
        cooldowns=words.cooldowns(target),
        error=target["error"] or "",
    )


def _undecided(target: Json) -> str:
    return "left alone: its mode is off" if target["mode"] == "off" else "not evaluated yet"

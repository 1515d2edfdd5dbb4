"""Spells of equal holds: a night in which nothing happened reads as one line."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from autoscaler.core import reading

Record = dict[str, Any]


@dataclass(frozen=True)
class Spell:
    """Records in a row that say the same; every out and in is a spell of its own."""

    newest: Record
    oldest: Record
    times: int


def folded(records: Iterable[Record]) -> list[Spell]:
    """The spells of one target's records, which are given newest first."""
    spells = []
    for _, run in groupby(records, key=_sameness):
        same = list(run)
        spells.append(Spell(same[0], same[-1], len(same)))
    return spells


def _sameness(record: Record) -> tuple[object, ...]:
    if record["decision"] != "hold":
        return record["decision"], record["at"]
    waiting = tuple(rule["rule"] for rule in record["rules"] if reading.waits(rule))
    return "hold", record["reason"], record["nodes"]["current"], record["desired"], waiting

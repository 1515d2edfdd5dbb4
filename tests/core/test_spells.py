"""A night in which nothing happened reads as one line, and whatever differs stands by itself."""

from datetime import timedelta

import pytest

from autoscaler.core import figures, spells


def record(minute: int, decision: str = "hold", reason: str = "within_bounds", **more):
    return {
        "at": f"2026-11-23T03:{minute:02}:00Z",
        "decision": decision,
        "reason": reason,
        "nodes": {"current": 3},
        "desired": 3,
        "rules": [],
        **more,
    }


def waiting(rule: str = "cpu"):
    """A rule whose value is beyond its threshold, and whose window is not filled."""
    progress = {"direction": "out", "have": 2, "needed": 5, "of": 5}
    return {
        "rules": [
            {"rule": rule, "value": 80.0, "wants": 3, "reason": "within_bounds", "above": 75.0, "progress": progress}
        ]
    }


def test_equal_holds_in_a_row_are_one_spell():
    (spell,) = spells.folded([record(9), record(8), record(7)])

    assert (spell.newest["at"][14:16], spell.oldest["at"][14:16], spell.times) == ("09", "07", 3)


APART = {
    "another reason": record(8, reason="cooldown"),
    "another number of nodes": record(8, nodes={"current": 4}),
    "another number that is wanted": record(8, desired=4),
    "a rule that begins to want": record(8, **waiting()),
    "a change": record(8, "out", "above_threshold"),
}


@pytest.mark.parametrize("other", APART.values(), ids=APART)
def test_what_differs_stands_by_itself(other):
    assert [spell.times for spell in spells.folded([record(9), other, record(7)])] == [1, 1, 1]


def test_every_change_is_a_spell_of_its_own():
    assert len(spells.folded([record(9, "out"), record(8, "out")])) == 2


def test_nothing_is_no_spell():
    assert spells.folded([]) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (303, "5 min 3 s"),
        (3600, "1 h 0 min"),
        (90061, "25 h 1 min"),
    ],
)
def test_a_measured_span(seconds, words):
    assert figures.lasting(timedelta(seconds=seconds)) == words

"""What a reload came to, in a line."""

import pytest

from autoscaler.core import reload_words

NOTHING = {"obeyed": True, "added": [], "removed": [], "changed": [], "fleet": [], "settings": [], "needs_restart": []}
MAX = {"key": "nodes.max", "was": 16, "now": 20}
LONG = [{"key": f"key-{number:03}", "was": "x" * 30, "now": None} for number in range(100)]


def refused(*texts: str) -> reload_words.Json:
    return {"obeyed": False, "problems": [{"text": text} for text in texts]}


OUTCOMES = {
    "nothing": ({}, ""),
    "a target comes": ({"added": ["a", "b"]}, "added a, b"),
    "a target goes": ({"removed": ["a"]}, "removed a"),
    "a key is another": (
        {"changed": [{"target": "orders", "changes": [MAX, {"key": "mode", "was": "observe", "now": "enforce"}]}]},
        "orders: nodes.max was 16, is 20; orders: mode was observe, is enforce",
    ),
    "what holds for all": (
        {"fleet": [{"key": "limits.nodes", "was": None, "now": 40}], "settings": [{"key": "a", "was": [1], "now": {}}]},
        "fleet: limits.nodes was null, is 40; settings: a was [1], is {}",
    ),
    "what takes a restart": ({"needs_restart": ["store", "server.listen"]}, "needs a restart: store, server.listen"),
    "everything": (
        {"added": ["a"], "removed": ["b"], "changed": [{"target": "c", "changes": [MAX]}], "needs_restart": ["store"]},
        "added a; removed b; c: nodes.max was 16, is 20; needs a restart: store",
    ),
}


@pytest.mark.parametrize(("parts", "expected"), OUTCOMES.values(), ids=OUTCOMES)
def test_of_one_that_is_obeyed(parts, expected):
    assert reload_words.outcome(NOTHING | parts) == expected


def test_of_one_that_is_refused():
    assert reload_words.outcome(refused("p.yaml:3:5: is wrong")) == "refused: p.yaml:3:5: is wrong"
    assert reload_words.outcome(refused("one", "two")) == "refused: one; two"


def test_of_much_it_tells_as_much_as_fits_and_how_much_more_there_is():
    said = reload_words.outcome(NOTHING | {"settings": LONG})

    parts = said.split("; ")
    assert reload_words.LONGEST - 100 < len(said) < reload_words.LONGEST + 20
    assert parts[-1] == f"and {100 - (len(parts) - 1)} more"


def test_a_part_that_alone_is_too_long_is_cut():
    said = reload_words.outcome(refused("x" * 3000, "two"))

    assert said == f"refused: {'x' * (reload_words.LONGEST_PART - 1)}…; two"


@pytest.mark.parametrize(
    ("problems", "words"),
    [(1, "1 problem, p.yaml:3:5: is wrong"), (7, "7 problems, the first is p.yaml:3:5: is wrong")],
)
def test_what_is_not_obeyed_is_told_with_its_first_problem(problems, words):
    said = reload_words.unobeyed(
        {"since": "2026-11-23T12:00:00Z", "problems": problems, "first": "p.yaml:3:5: is wrong"}
    )

    assert said == (
        "what was changed in the configuration is not obeyed, "
        f"the last good one goes on since 2026-11-23 12:00:00 UTC: {words}"
    )

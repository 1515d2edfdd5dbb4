"""A record explained: its sentence, what had a say, and what else holds."""

from typing import Any

import pytest

from autoscaler.core import explanation

RECORD: dict[str, Any] = {
    "target": "orders",
    "at": "2026-11-23T10:05:00Z",
    "decision": "hold",
    "change": 0,
    "desired": 4,
    "reason": "cooldown",
    "mode": "enforce",
    "nodes": {"current": 3, "ready": 3, "min": 2, "max": 16},
    "rules": [{"rule": "cpu", "value": 81.2, "as_of": None, "samples": 0, "wants": 4, "reason": "above_threshold"}],
    "stages": [{"stage": "combine", "desired": 4, "because": "cpu"}, {"stage": "guards", "desired": 3}],
    "vetoes": ["cooldown"],
    "details": {"cooldown": "until 2026-11-23T10:17:00Z"},
}


def target(**more: Any) -> dict[str, Any]:
    policy = {"mode": "enforce", "place": "policies.yaml:3", **more.pop("policy", {})}
    return {"policy": policy, "cooldowns": {"out": 720.0, "in": 0.0}, **more}


def facts(record: dict[str, Any] = RECORD, *, newest: bool = True, **more: Any) -> dict[str, str]:
    return {row[0]: row[1] for row in explanation.facts(record, target(**more), newest=newest)}


def test_the_sentence_alone_should_do():
    assert explanation.head(RECORD) == (
        "2026-11-23 10:05:00 UTC  orders: held at 3 nodes: cpu (81.2) wants 4, but cooldown until 10:17 UTC."
    )


def test_rules_and_vetoes_have_a_line_each():
    assert [row[:3] for row in explanation.table(RECORD)] == [("rule", "cpu", "wants 4"), ("veto", "cooldown", "hold")]


def test_what_holds_now_is_told_of_the_newest_only():
    assert facts() == {
        "stages": "3 nodes → combine 4 (cpu) → guards 3",
        "nodes": "3, all ready; min 2, max 16",
        "mode": "enforce",
        "cooldown": "out 12 min left",
        "policy": "policies.yaml:3",
    }
    assert "cooldown" not in facts(newest=False)


def test_nodes_that_are_not_ready_are_told():
    record = RECORD | {"nodes": RECORD["nodes"] | {"ready": 2}}

    assert facts(record)["nodes"] == "3, 2 ready; min 2, max 16"


def test_a_mode_under_the_ceiling_is_told_with_the_wanted_one():
    words = facts(policy={"mode": "enforce"}, record=RECORD | {"mode": "observe"})["mode"]

    assert words == "observe (the policy says enforce; mode_ceiling in the configuration lowers it)"
    assert facts(RECORD | {"mode": "observe"}, newest=False)["mode"] == "observe"
    assert "mode" not in facts(RECORD | {"mode": ""}, newest=False)


def test_without_a_cooldown_there_is_none():
    assert facts(cooldowns={"out": 0.0, "in": 0.0})["cooldown"] == "none"


@pytest.mark.parametrize(
    ("limits", "used", "words"),
    [
        (
            {"added_per_day": 4, "actions_per_day": 6},
            {"added": 1, "actions": 2},
            "1 of 4 added_per_day, 2 of 6 actions_per_day used in the last 24 h",
        ),
        ({"added_per_day": None, "actions_per_day": None}, {"added": 1, "actions": 2}, None),
        ({"added_per_day": 4}, {}, None),
    ],
    ids=["both", "no limits", "an earlier daemon"],
)
def test_what_is_used_of_the_day_is_told(limits, used, words):
    assert facts(policy={"limits": limits}, last_day=used).get("limits") == words

"""Names, grounds and counts in a record: what people read when they ask why, exact to the last sample."""

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.decision import Decision
from autoscaler.core.observation import Override
from autoscaler.core.policy import OnMissing, Rule
from autoscaler.core.target import Mode
from tests.core.given import (
    CONNECTIONS,
    CPU,
    HOT_OR_COLD,
    MINUTE,
    NO_COOLDOWN,
    NOW,
    OUT,
    ago,
    decided,
    limits,
    observation,
    operation,
    policy,
    samples,
    schedule,
    snapshot,
    step,
    threshold,
    tracking,
    wishes,
)

FIVE = 5 * MINUTE
OUT_FOR_FIVE = threshold(out=[step("75", for_=FIVE)])
IN_FOR_FIVE = threshold(in_=[step("30", for_=FIVE)])


def stages(decision: Decision) -> list[tuple[str, int, str]]:
    """What each stage left, and why."""
    return [(one.stage, one.desired, one.because) for one in decision.stages]


def rule(chosen: Rule, text: str, **more: Any) -> dict[str, Any]:
    """The rule's part of the record; nothing rests, so that only windows reach back to a change."""
    found: dict[str, Any] = decided(policy(chosen, cooldown=NO_COOLDOWN), text, **more).as_json()["rules"][0]
    return found


# What each stage left, and why.


STAGES = {
    "a wish that is too recent": (
        decided(policy(HOT_OR_COLD, scale_in_stabilization=FIVE), "20", wishes=wishes((1, 3))),
        [
            ("combine", 2, "cpu"),
            ("stabilize", 3, "stabilizing"),
            ("limits", 3, ""),
            ("bounds", 3, ""),
            ("guards", 3, ""),
        ],
    ),
    "a scale-in cut by a limit": (
        decided(policy(threshold(in_=[step("30", "3")]), limits=limits(remove="1")), "20", snapshot=snapshot(8)),
        [("combine", 5, "cpu"), ("stabilize", 5, ""), ("limits", 7, "limits"), ("bounds", 7, ""), ("guards", 7, "")],
    ),
    "a scale-in that no limit cuts": (
        decided(policy(threshold(in_=[step("30", "3")]), limits=limits(remove="3")), "20", snapshot=snapshot(8)),
        [("combine", 5, "cpu"), ("stabilize", 5, ""), ("limits", 5, ""), ("bounds", 5, ""), ("guards", 5, "")],
    ),
    "at max": (
        decided(policy(HOT_OR_COLD, nodes=(2, 3)), "80"),
        [("combine", 4, "cpu"), ("stabilize", 4, ""), ("limits", 4, ""), ("bounds", 3, "at_max"), ("guards", 3, "")],
    ),
    "below min": (
        decided(policy(HOT_OR_COLD, nodes=(5, 9)), "50"),
        [("combine", 5, "min"), ("stabilize", 5, ""), ("limits", 5, ""), ("bounds", 5, ""), ("guards", 5, "")],
    ),
    "above max": (
        decided(policy(HOT_OR_COLD, nodes=(1, 2)), "50"),
        [("combine", 2, "max"), ("stabilize", 2, ""), ("limits", 2, ""), ("bounds", 2, ""), ("guards", 2, "")],
    ),
    "by hand": (
        decided(HOT_OR_COLD, "50", overrides=(Override(NOW, NOW + MINUTE, 6),)),
        [("combine", 6, "override"), ("stabilize", 6, ""), ("limits", 6, ""), ("bounds", 6, ""), ("guards", 6, "")],
    ),
    "by hand, and there already": (
        decided(HOT_OR_COLD, "50", overrides=(Override(NOW, NOW + MINUTE, 3),)),
        [("combine", 3, "override"), ("stabilize", 3, ""), ("limits", 3, ""), ("bounds", 3, ""), ("guards", 3, "")],
    ),
    "a cap": (
        decided(policy(threshold(out=[step("75", "3")]), schedule(most=4)), "80"),
        [("combine", 6, "cpu"), ("stabilize", 6, ""), ("limits", 6, ""), ("bounds", 4, "office"), ("guards", 4, "")],
    ),
    "a cap of just what is wanted": (
        decided(policy(threshold(out=[step("75", "3")]), schedule(most=6)), "80"),
        [("combine", 6, "cpu"), ("stabilize", 6, ""), ("limits", 6, ""), ("bounds", 6, ""), ("guards", 6, "")],
    ),
}


@pytest.mark.parametrize(("decision", "expected"), STAGES.values(), ids=STAGES)
def test_every_stage_says_what_it_left_and_why(decision, expected):
    assert stages(decision) == expected


def test_a_cap_that_a_floor_lifts_is_named_by_its_own_name():
    chosen = policy(HOT_OR_COLD, schedule(3, name="floor"), schedule(most=2, name="cap"))
    assert decided(chosen, "80").details == {"at_max": "no more than 3 may be had while cap is open"}


@pytest.mark.parametrize(("nodes", "told"), [(1, True), (2, False), (16, False), (17, True)])
def test_an_override_beyond_the_bounds_says_so(nodes, told):
    sentence = decided(HOT_OR_COLD, "50", overrides=(Override(NOW, NOW + MINUTE, nodes),)).details["override"]
    assert ("(min is 2 and max is 16)" in sentence) is told


# What each rule saw.


def test_an_open_schedule_and_a_satisfied_one_are_in_the_record_by_name():
    chosen = policy(HOT_OR_COLD, schedule(6, name="more"), schedule(2, name="satisfied"))
    _, more, satisfied = decided(chosen, "50", warming={CPU: 1}).as_json()["rules"]
    nothing_seen = {"value": None, "as_of": None, "samples": 0}
    assert more == {"rule": "more", "wants": 6, "reason": "schedule", **nothing_seen}
    assert satisfied == {"rule": "satisfied", "wants": 3, "reason": "within_bounds", **nothing_seen}


def test_nodes_that_are_not_warm_are_counted_by_metric_also_in_observe():
    watching = replace(HOT_OR_COLD, name="watching", mode=Mode.OBSERVE)
    other = threshold(name="other", metric=CONNECTIONS, out=[step("75")])
    seen = observation({CPU: samples("50"), CONNECTIONS: samples("50")}, warming={CPU: 2})
    rules = decided(policy(HOT_OR_COLD, watching, other), seen).as_json()["rules"]
    assert [one.get("warming") for one in rules] == [2, 2, None]


def test_tracking_says_what_it_saw_and_when():
    assert rule(tracking("60"), "50 62") == {
        "rule": "track",
        "value": 62.0,
        "as_of": "2026-11-23T11:59:00Z",
        "samples": 1,
        "wants": 3,
        "reason": "within_bounds",
        "target": 60.0,
        "tolerance": 0.1,
    }


def test_a_step_in_that_holds_is_told_with_its_own_threshold_only():
    found = rule(HOT_OR_COLD, "20")
    assert found["below"] == 30
    assert "above" not in found


PROGRESS = {
    "one of five": (OUT_FOR_FIVE, "50x4 80", {"have": 1, "needed": 5, "of": 5}),
    "exactly at the threshold is not beyond it": (OUT_FOR_FIVE, "75x4 80", {"have": 1, "needed": 5, "of": 5}),
    "nor is it below": (IN_FOR_FIVE, "30x4 20", {"have": 1, "needed": 5, "of": 5}),
    "one missing: four suffice": (OUT_FOR_FIVE, "50 _ 50 50 80", {"have": 1, "needed": 4, "of": 5, "missing": 1}),
    "two missing: four are needed": (OUT_FOR_FIVE, "80 _ 80 _ 80", {"have": 3, "needed": 4, "of": 5, "missing": 2}),
    "none missing of ten: all": (
        threshold(out=[step("75", for_=10 * MINUTE)]),
        "50x9 80",
        {"have": 1, "needed": 10, "of": 10},
    ),
    "held with one missing": (OUT_FOR_FIVE, "80 _ 80 80 80", {"have": 4, "needed": 4, "of": 5, "missing": 1}),
    "half samples scale out": (OUT_FOR_FIVE, "50x3 80h 80", {"have": 2, "needed": 5, "of": 5}),
    "and never in": (IN_FOR_FIVE, "50x3 20h 20", {"have": 1, "needed": 5, "of": 5, "half": 1}),
    "the out step that lacks least": (
        threshold(out=[step("75", for_=10 * MINUTE), step("78", datapoints=(2, 3))]),
        "50x9 80",
        {"have": 1, "needed": 2, "of": 3},
    ),
    "the in step that lacks least": (
        threshold(in_=[step("20", for_=10 * MINUTE), step("30", datapoints=(2, 3))]),
        "50x9 10",
        {"have": 1, "needed": 2, "of": 3},
    ),
    "the in step that lacks least, where it is the first": (
        threshold(in_=[step("30", datapoints=(2, 3)), step("20", for_=10 * MINUTE)]),
        "50x9 10",
        {"have": 1, "needed": 2, "of": 3},
    ),
}


@pytest.mark.parametrize(("chosen", "text", "expected"), PROGRESS.values(), ids=PROGRESS)
def test_how_far_a_step_has_come(chosen, text, expected):
    direction = "out" if chosen.out else "in"
    assert rule(chosen, text)["progress"] == {"direction": direction} | expected


CHANGES = {
    "before the oldest due sample": (5.01, {"have": 1, "needed": 5, "of": 5}),
    "at the oldest due sample": (5, {"have": 1, "needed": 5, "of": 5}),
    "after it": (4.99, {"have": 1, "needed": 5, "of": 5, "counts_from": "2026-11-23T11:55:00.600000Z"}),
    "at the newest": (1, {"have": 1, "needed": 5, "of": 5, "counts_from": "2026-11-23T11:59:00Z"}),
}


@pytest.mark.parametrize(("minutes", "expected"), CHANGES.values(), ids=CHANGES)
def test_samples_count_from_the_last_change_on(minutes, expected):
    found = rule(OUT_FOR_FIVE, "50x4 80", operations=(operation(OUT, ended=ago(minutes)),))
    assert found["progress"] == {"direction": "out"} | expected


# Why nothing is wanted.


def test_where_every_rule_ignores_that_its_data_is_stale_the_reason_is_stale_data():
    ignoring = replace(HOT_OR_COLD, on_missing_metric=OnMissing.IGNORE)
    stale = samples("80", last=ago(17))
    assert decided(ignoring, observation({CPU: stale})).reason.value == "stale_data"


def test_a_schedule_is_not_asked_for_data():
    ignoring = replace(HOT_OR_COLD, on_missing_metric=OnMissing.IGNORE)
    for beside in (schedule(2), schedule(most=9)):
        assert decided(policy(ignoring, beside), "").reason.value == "no_data"

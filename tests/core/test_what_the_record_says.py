"""What a record tells beside its decision: who gave a stage its size, how near a step is, what a day's limits left."""

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.core import fleet, history, sentence
from autoscaler.core.decision import Reason
from autoscaler.core.observation import Override
from autoscaler.core.operation import State
from autoscaler.core.policy import OnMissing
from autoscaler.core.recommend import Say
from autoscaler.core.rules import schedule as schedules
from autoscaler.core.target import Mode
from tests.core.given import (
    CLOSED,
    CONNECTIONS,
    CPU,
    HOT_OR_COLD,
    HOUR,
    IN,
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

Lines = list[tuple[str, int, str]]


def path(rules: Any, seen: Any = "", **more: Any) -> Lines:
    """Each stage's line: its name, what it left, and because of what."""
    return [(line["stage"], line["desired"], line.get("because", "")) for line in record(rules, seen, **more)["stages"]]


def record(rules: Any, seen: Any = "", **more: Any) -> dict[str, Any]:
    return decided(rules, seen, **more).as_json()


SIX_BY_HAND = Override(ago(5), NOW + HOUR, 6)

PATHS: dict[str, tuple[Any, Any, dict[str, Any], Lines]] = {
    "a rule": (
        policy(HOT_OR_COLD),
        "80",
        {},
        [("combine", 4, "cpu"), ("stabilize", 4, ""), ("limits", 4, ""), ("bounds", 4, ""), ("guards", 4, "")],
    ),
    "by hand": (
        policy(HOT_OR_COLD),
        observation("50", overrides=(SIX_BY_HAND,)),
        {},
        [("combine", 6, "override"), ("stabilize", 6, ""), ("limits", 6, ""), ("bounds", 6, ""), ("guards", 6, "")],
    ),
    "below min": (
        policy(HOT_OR_COLD, nodes=(5, 8)),
        "50",
        {},
        [("combine", 5, "min"), ("stabilize", 5, ""), ("limits", 5, ""), ("bounds", 5, ""), ("guards", 5, "")],
    ),
    "above max": (
        policy(HOT_OR_COLD, nodes=(1, 2), cooldown=NO_COOLDOWN),
        "50",
        {"snapshot": snapshot(4)},
        [("combine", 3, "max"), ("stabilize", 3, ""), ("limits", 3, ""), ("bounds", 3, ""), ("guards", 3, "")],
    ),
    "a limit of a scale-in": (
        policy(threshold(in_=[step("30", "3")]), nodes=(1, 9), limits=limits(remove="1"), cooldown=NO_COOLDOWN),
        "10",
        {"snapshot": snapshot(6)},
        [("combine", 3, "cpu"), ("stabilize", 3, ""), ("limits", 5, "limits"), ("bounds", 5, ""), ("guards", 5, "")],
    ),
    "a limit of a scale-out": (
        policy(threshold(out=[step("75", "3")]), limits=limits(add="1")),
        "80",
        {},
        [("combine", 6, "cpu"), ("stabilize", 6, ""), ("limits", 4, "limits"), ("bounds", 4, ""), ("guards", 4, "")],
    ),
    "the cap of a schedule": (
        policy(threshold(out=[step("75", "3")]), schedule(most=4, name="night")),
        "80",
        {},
        [("combine", 6, "cpu"), ("stabilize", 6, ""), ("limits", 6, ""), ("bounds", 4, "night"), ("guards", 4, "")],
    ),
    "stabilising": (
        policy(HOT_OR_COLD, scale_in_stabilization=30 * MINUTE, cooldown=NO_COOLDOWN),
        "10",
        {"wishes": wishes((5, 3))},
        [
            ("combine", 2, "cpu"),
            ("stabilize", 3, "stabilizing"),
            ("limits", 3, ""),
            ("bounds", 3, ""),
            ("guards", 3, ""),
        ],
    ),
    "at max": (
        policy(HOT_OR_COLD, nodes=(1, 3)),
        "80",
        {},
        [("combine", 4, "cpu"), ("stabilize", 4, ""), ("limits", 4, ""), ("bounds", 3, "at_max"), ("guards", 3, "")],
    ),
    "at min": (
        policy(HOT_OR_COLD, nodes=(3, 5), cooldown=NO_COOLDOWN),
        "10",
        {},
        [("combine", 2, "cpu"), ("stabilize", 2, ""), ("limits", 2, ""), ("bounds", 3, "at_min"), ("guards", 3, "")],
    ),
    "shortened by min, and not to nothing": (
        policy(threshold(in_=[step("30", "9")]), nodes=(2, 8), cooldown=NO_COOLDOWN),
        "10",
        {},
        [("combine", 0, "cpu"), ("stabilize", 0, ""), ("limits", 0, ""), ("bounds", 2, ""), ("guards", 2, "")],
    ),
    "vetoed": (
        policy(HOT_OR_COLD),
        observation("80", led_by=""),
        {},
        [
            ("combine", 4, "cpu"),
            ("stabilize", 4, ""),
            ("limits", 4, ""),
            ("bounds", 4, ""),
            ("guards", 3, "not_leader"),
        ],
    ),
}


@pytest.mark.parametrize(("rules", "seen", "more", "lines"), PATHS.values(), ids=PATHS)
def test_each_stage_says_what_it_left_and_because_of_what(rules, seen, more, lines):
    assert path(rules, seen, **more) == lines


TWO_STEPS = threshold(out=[step("75", for_=5 * MINUTE), step("92", for_=2 * MINUTE)])


def shown(rule: Any, text: str) -> dict[str, Any]:
    (only,) = record(rule, text)["rules"]
    return dict(only)


def test_a_value_at_its_threshold_is_not_beyond_it():
    """Strictly, in what is shown, too: a band without progress."""
    at, below = shown(HOT_OR_COLD, "75"), shown(HOT_OR_COLD, "74")
    assert at | {"value": None} == below | {"value": None}
    assert "progress" not in at
    assert "progress" not in shown(HOT_OR_COLD, "30")
    assert shown(TWO_STEPS, "60 92")["above"] == 75


def test_of_the_steps_that_a_value_is_beyond_the_nearest_to_holding_is_shown():
    assert shown(TWO_STEPS, "60x4 95")["above"] == 92  # 1 of 2 there, 1 of 5 here
    assert shown(TWO_STEPS, "80x4 60 80x3")["above"] == 75
    longer_first = threshold(in_=[step("30", for_=9 * MINUTE), step("20", for_=3 * MINUTE)])
    assert shown(longer_first, "60x8 10")["below"] == 20


def test_where_samples_are_missing_all_that_are_there_must_hold_and_four_fifths_of_those_due():
    rule = threshold(out=[step("75", for_=10 * MINUTE)])
    few = shown(rule, "80 _ _ _ _ _ _ _ _ 80")["progress"]
    assert (few["have"], few["needed"], few["of"]) == (2, 8, 10)
    most = shown(rule, "80x4 _ 80x4 60 80")["progress"]
    assert (most["have"], most["needed"], most["of"]) == (8, 9, 10)


def test_a_breaker_is_shown_with_the_end_of_its_own_direction():
    failed = [operation(IN, state=State.FAILED, ended=ago(minutes)) for minutes in (3, 2, 1)]
    standing = history.breakers(failed, 3)
    assert (standing[IN].failures, standing[OUT].failures) == (3, 0)
    assert standing[IN].open_until == ago(1) + timedelta(minutes=15)
    assert standing[OUT].open_until is None


REFUSED, UNKNOWN, PLANNED = State.REJECTED, State.UNKNOWN, State.PLANNED
ROWS = {
    "none": ([], 0),
    "refused": ([REFUSED, REFUSED], 2),
    "the newest is listed first": ([REFUSED, REFUSED, State.FAILED, REFUSED], 2),
    "then accepted": ([State.SUBMITTED, REFUSED, REFUSED], 0),
    "then without an answer": ([UNKNOWN, REFUSED], 0),
    "the next is being sent": ([PLANNED, REFUSED, REFUSED], 2),
    "after a success": ([REFUSED, State.SUCCEEDED, REFUSED], 1),
}


@pytest.mark.parametrize(("states", "in_a_row"), ROWS.values(), ids=ROWS)
def test_refusals_count_since_the_last_operation_that_was_not_refused(states, in_a_row):
    done = [operation(OUT, state=state, committed=ago(place)) for place, state in enumerate(states, 1)]
    assert len(history.breakers(done, 3)[OUT].refused) == in_a_row
    assert history.breakers(done, 3)[IN].refused == ()


def test_refusals_are_ours_and_forgotten_when_the_breaker_is_closed_and_never_open_it():
    whose: list[dict[str, Any]] = [{}, {"foreign": True}, {"shadow": True}, {}]
    done = [operation(OUT, state=REFUSED, ended=ago(4 - place), **more) for place, more in enumerate(whose)]
    standing = history.breakers(done, 1)[OUT]
    assert ([op.ended_at for op in standing.refused], standing.open_until) == ([ago(4), ago(1)], None)
    assert [op.ended_at for op in history.breakers(done, 1, reset=ago(3))[OUT].refused] == [ago(1)]


def test_a_floor_says_that_it_is_one():
    assert schedules.recommend(schedule(4), observation()).say is Say.FLOOR
    assert schedules.recommend(schedule(4, window=CLOSED), observation()).say is Say.FLOOR


def test_an_operation_that_ended_just_when_a_group_was_read_counts_by_the_nodes_it_names():
    """Its end and the reading bear the same time: the nodes that were there before it tell which came first."""
    seen = snapshot(3)
    shown_already = operation(OUT, 1, ended=seen.taken_at, node_ids=frozenset({"n0", "n1"}), id="a")
    not_shown = operation(OUT, 1, ended=seen.taken_at, node_ids=frozenset({"n0", "n1", "n2"}), id="b")
    group = fleet.Group(shown_already.instance, seen)
    assert fleet.used([group], [shown_already], NOW).nodes == 3
    assert fleet.used([group], [not_shown], NOW).nodes == 4


def test_two_rules_that_stay_are_both_named():
    rules = [
        threshold(in_=[step("30")], name="cpu"),
        threshold(in_=[step("30")], name="connections", metric=CONNECTIONS),
        threshold(in_=[step("30")], name="third", metric=CONNECTIONS),
    ]
    seen = observation({CPU: samples("10"), CONNECTIONS: samples("50")})
    said = sentence.sentence(record(policy(*rules, nodes=(1, 8), cooldown=NO_COOLDOWN), seen))
    assert "connections" in said
    assert "third" in said
    assert "XX" not in said


def test_the_reason_wanted_is_told_only_where_something_stood_in_its_way():
    assert decided(HOT_OR_COLD, "80").wanted_reason is None
    assert decided(HOT_OR_COLD, "50").wanted_reason is None
    assert decided(policy(HOT_OR_COLD, nodes=(1, 3)), "80").wanted_reason is Reason.ABOVE_THRESHOLD


def test_the_newest_value_at_its_threshold_holds_nothing_though_all_before_were_beyond():
    rule = threshold(out=[step("75", datapoints=(2, 3))])
    assert decided(rule, "80 80 75").reason is Reason.ABOVE_THRESHOLD
    assert shown(rule, "60 80 75")["reason"] == "within_bounds"


def test_in_a_window_a_value_at_the_threshold_is_not_beyond_it():
    some = threshold(out=[step("75", datapoints=(2, 3))], in_=[step("30", datapoints=(2, 3))])
    assert decided(policy(some, cooldown=NO_COOLDOWN), "30 30 20").reason is Reason.WITHIN_BOUNDS
    assert decided(policy(some, cooldown=NO_COOLDOWN), "30 20 20").reason is Reason.BELOW_THRESHOLD
    assert decided(some, "75 75 80").reason is Reason.WITHIN_BOUNDS
    every = threshold(out=[step("75", for_=5 * MINUTE)], in_=[step("30", for_=5 * MINUTE)])
    assert shown(every, "80 80 75 80 80")["progress"]["have"] == 4
    assert shown(every, "20 20 30 20 20")["progress"]["have"] == 4


def test_of_two_in_steps_the_nearest_to_holding_is_shown_whichever_is_lower():
    steps = [step("30", for_=3 * MINUTE), step("20", for_=9 * MINUTE)]
    assert shown(threshold(in_=steps), "60x8 10")["below"] == 30
    assert shown(threshold(in_=steps[::-1]), "60x8 10")["below"] == 30


def test_a_step_that_holds_shows_one_threshold_and_what_is_missing():
    rule = threshold(out=[step("75", for_=10 * MINUTE)], in_=[step("30", for_=10 * MINUTE)])
    hot, cold = shown(rule, "80x4 _ 80x3 _ 80"), shown(rule, "20x10")
    assert (hot["above"], "below" in hot, hot["progress"]["missing"]) == (75, False, 2)
    assert (cold["below"], "above" in cold, "missing" in cold["progress"]) == (30, False, False)


CHANGES = {
    "before the oldest that is due": (6, None),
    "just as the oldest that is due begins": (5, None),
    "after it": (4, 4),
}


@pytest.mark.parametrize(("ended", "counts_from"), CHANGES.values(), ids=CHANGES)
def test_since_when_samples_count_is_told_where_others_would_be_due(ended, counts_from):
    rule = threshold(out=[step("75", for_=5 * MINUTE)])
    (told,) = record(policy(rule), "60 60 60 60 80", operations=(operation(ended=ago(ended)),))["rules"]
    expected = None if counts_from is None else ago(counts_from).isoformat().replace("+00:00", "Z")
    assert told["progress"].get("counts_from") == expected
    assert (told["progress"]["have"], told["progress"]["of"]) == (1, 5)


def test_a_sample_at_the_very_end_of_a_change_counts():
    rule = threshold(out=[step("75", for_=5 * MINUTE)])
    (told,) = record(policy(rule), "60 60 80 80 80", operations=(operation(ended=ago(3)),))["rules"]
    assert told["progress"]["have"] == 3


def test_half_samples_count_for_out_and_are_told_apart_for_in():
    rule = threshold(out=[step("75", for_=3 * MINUTE)], in_=[step("30", for_=3 * MINUTE)])
    assert shown(rule, "60 80h 80h")["progress"]["have"] == 2
    assert shown(rule, "60 20h 20")["progress"] | {"direction": ""} == {
        "direction": "",
        "have": 1,
        "needed": 3,
        "of": 3,
        "half": 1,
    }


def test_nodes_that_warm_up_are_told_of_the_rules_that_leave_them_out():
    seen = observation("50", warming={CPU: 1})
    rules = (
        HOT_OR_COLD,
        threshold(out=[step("75")], name="watched", mode=Mode.OBSERVE),
        threshold(out=[step("75")], name="other", metric=CONNECTIONS),
        schedule(3),
    )
    told = {one["rule"]: one.get("warming") for one in record(policy(*rules), seen)["rules"]}
    assert told == {"cpu": 1, "watched": 1, "other": None, "office": None}


def test_a_tracking_rule_tells_what_it_looked_at():
    for value in ("50", "60", "90"):
        (told,) = record(policy(tracking("60")), value)["rules"]
        assert (told["samples"], told["as_of"]) == (1, ago(1).isoformat().replace("+00:00", "Z"))


def test_where_all_that_is_asked_is_ignored_and_stale_the_reason_is_stale_data():
    rule = threshold(out=[step("75")], on_missing_metric=OnMissing.IGNORE)
    assert decided(rule, observation({CPU: samples("80", last=ago(60))})).reason is Reason.STALE_DATA


def test_a_cap_that_left_some_does_not_hide_what_stands_in_the_way():
    rules = policy(threshold(out=[step("75", "3")]), schedule(most=4, name="night"))
    held = decided(rules, observation("80", led_by=""))
    assert dict(held.details) == {"not_leader": "another daemon leads, this one stands by"}


@pytest.mark.parametrize("nodes", [2, 16])
def test_an_override_at_a_bound_is_not_beyond_it(nodes):
    by_hand = Override(ago(5), NOW + HOUR, nodes)
    assert "min is" not in decided(HOT_OR_COLD, "50", overrides=(by_hand,)).details["override"]


def test_a_faulty_node_that_keeps_a_group_from_shrinking_is_named():
    seen = observation("10", snapshot=snapshot(3, 2))
    assert decided(policy(HOT_OR_COLD, cooldown=NO_COOLDOWN), seen).details["not_ready"] == "node n2 is abnormal"


COOLDOWNS = {
    "of an operation": ({"shadow": False}, ""),
    "of what observe would have sent": ({"shadow": True}, ", had observe sent the last operation"),
}


@pytest.mark.parametrize(("more", "why"), COOLDOWNS.values(), ids=COOLDOWNS)
def test_a_cooldown_says_whether_something_was_really_sent(more, why):
    held = decided(HOT_OR_COLD, "80", operations=(operation(ended=ago(1), **more),))
    assert held.details["cooldown"] == f"until 2026-11-23T12:09:00Z{why}"


def test_where_floor_and_cap_meet_the_floor_wins_under_the_caps_name():
    rules = policy(threshold(out=[step("75", "5")]), schedule(5, name="day"), schedule(most=4, name="night"))
    assert ("bounds", 5, "night") in path(rules, "80")


def test_nearest_is_the_step_that_lacks_the_fewest_samples_not_the_one_that_needs_the_fewest():
    rule = threshold(out=[step("92", for_=3 * MINUTE), step("75", for_=5 * MINUTE)])
    assert shown(rule, "80 80 60 80 93")["above"] == 75  # lacks 1 of 5; the other 2 of 3


def test_an_override_that_is_satisfied_is_still_the_cause():
    by_hand = Override(ago(5), NOW + HOUR, 3)
    assert path(HOT_OR_COLD, observation("80", overrides=(by_hand,)))[0] == ("combine", 3, "override")


def test_a_schedule_is_recorded_under_its_name_open_or_closed():
    (opened, closed) = record(policy(schedule(4, name="day"), schedule(4, name="night", window=CLOSED)))["rules"]
    assert (opened["rule"], closed["rule"]) == ("day", "night")


def test_a_failure_that_ended_just_when_the_breaker_was_closed_counts_no_more():
    failed = [operation(state=State.FAILED, ended=ago(1))]
    assert history.breakers(failed, 3, reset=ago(1))[OUT].failures == 0
    assert history.breakers(failed, 3, reset=ago(2))[OUT].failures == 1

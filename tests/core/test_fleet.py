"""What a fleet has, has added and has used, counted from readings and operations; and what limits and budget stop."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler.core import fleet, sentence
from autoscaler.core.decision import Decision, Reason
from autoscaler.core.fleet import Group, Use
from autoscaler.core.observation import Override
from autoscaler.core.operation import Operation, State
from autoscaler.core.policy import Budget, Fleet, FleetLimits
from autoscaler.core.target import InstanceKey, Mode, Node, Snapshot
from tests.core.given import (
    HOT_OR_COLD,
    HOUR,
    IN,
    INSTANCE,
    MINUTE,
    NOW,
    OUT,
    ago,
    decided,
    limits,
    operation,
    policy,
    snapshot,
    step,
    threshold,
)

OTHER = InstanceKey("eu-de", "project", "other")


def group(nodes: int, *, instance: InstanceKey = INSTANCE, name: str = "group", at: datetime = NOW) -> Group:
    found = Snapshot(at, "RUNNING", tuple(Node(f"n{k}", "normal") for k in range(nodes)), nodes, name)
    return Group(instance, found)


def before(nodes: int) -> frozenset[str]:
    """The ids of so many nodes that were there at an intent."""
    return frozenset(f"n{k}" for k in range(nodes))


def used(groups: list[Group], *operations: Operation) -> Use:
    return fleet.used(groups, operations, NOW)


# Nodes.

OPEN = State.SUBMITTED
HAS = {
    "what the groups have": (3, (), 3),
    "an open scale-out has still to bring its nodes": (3, (operation(OUT, 2, state=OPEN, node_ids=before(3)),), 5),
    "what has come of it is not counted twice": (4, (operation(OUT, 2, state=OPEN, node_ids=before(3)),), 5),
    "an unknown outcome may bring nodes": (3, (operation(OUT, 2, state=State.UNKNOWN, node_ids=before(3)),), 5),
    "an intent that does not say what was there": (5, (operation(OUT, 2, state=OPEN),), 7),
    "one that ended after the reading": (3, (operation(OUT, 2, ended=NOW + MINUTE, node_ids=before(3)),), 5),
    "one that ended at the reading, seen": (5, (operation(OUT, 2, ended=NOW, node_ids=before(3)),), 5),
    "one that ended at the reading, not seen": (3, (operation(OUT, 2, ended=NOW, node_ids=before(3)),), 5),
    "one that ended at the reading, of which nothing is known": (5, (operation(OUT, 2, ended=NOW),), 5),
    "one that ended before the reading": (3, (operation(OUT, 2, ended=ago(1), node_ids=before(3)),), 3),
    "more nodes than were asked for": (9, (operation(OUT, 2, state=OPEN, node_ids=before(3)),), 9),
    "a rejected one brings none": (3, (operation(OUT, 2, state=State.REJECTED, ended=NOW + MINUTE),), 3),
    "a failed one brings what came": (
        3,
        (operation(OUT, 2, state=State.FAILED, arrived=1, ended=NOW + MINUTE, node_ids=before(3)),),
        4,
    ),
    "somebody else's is what was read": (3, (operation(OUT, 2, ended=NOW + MINUTE, foreign=True),), 3),
    "a shadow brings none": (3, (operation(OUT, 2, state=OPEN, shadow=True),), 3),
    "a scale-in is counted until its nodes are gone": (3, (operation(IN, 2, state=OPEN, node_ids=before(3)),), 3),
    "another group's has to be read there": (3, (operation(OUT, 2, state=OPEN, group_id="else"),), 3),
    "another instance's, too": (3, (operation(OUT, 2, state=OPEN, instance=OTHER),), 3),
}


@pytest.mark.parametrize(("nodes", "operations", "expected"), HAS.values(), ids=HAS)
def test_nodes_are_those_that_are_there_and_those_still_to_come(nodes, operations, expected):
    assert used([group(nodes)], *operations).nodes == expected


def test_each_group_counts_once_by_its_newest_reading():
    groups = [group(5, at=ago(1)), group(9, at=ago(5)), group(2, name="else"), group(3, instance=OTHER)]
    assert used(groups).nodes == 5 + 2 + 3
    assert used(groups).node_time == (5 + 2 + 3) * 24 * HOUR


def test_what_could_not_be_read_is_named():
    assert fleet.used([group(3)], (), NOW, unknown=["reports"]).unknown == ("reports",)


# Added in the last hour.

ADDED = {
    "by the end of the operation": ((operation(OUT, 2, ended=ago(59), committed=ago(90)),), 2),
    "exactly an hour ago is no longer": ((operation(OUT, 2, ended=ago(60)),), 0),
    "open ones": ((operation(OUT, 2, state=OPEN, committed=ago(300)),), 2),
    "of every group": ((operation(OUT, 2), operation(OUT, 3, instance=OTHER, group_id="else")), 5),
    "rejected ones are not": ((operation(OUT, 2, state=State.REJECTED),), 0),
    "nor those that never happened": ((operation(OUT, 2, state=State.NEVER_HAPPENED),), 0),
    "nor those that failed without nodes": ((operation(OUT, 2, state=State.FAILED),), 0),
    "but what came of one that failed": ((operation(OUT, 2, state=State.FAILED, arrived=1),), 1),
    "somebody else's are not": ((operation(OUT, 2, foreign=True),), 0),
    "nor what was removed": ((operation(IN, 2),), 0),
}


@pytest.mark.parametrize(("operations", "expected"), ADDED.values(), ids=ADDED)
def test_added_are_the_nodes_of_scale_outs_of_ours(operations, expected):
    assert used([group(3)], *operations).added == expected


def test_shadows_count_as_added_for_the_target_that_casts_them():
    shadow = operation(OUT, 2, ended=ago(5), shadow=True)
    assert used([group(3)]).with_shadows([shadow], NOW) == replace(used([group(3)]), added=2)


# Node-hours.

HOURS = {
    "a group that never changed": (4, (), 96),
    "an out counts from its commit": (4, (operation(OUT, 1, committed=ago(120), ended=ago(60)),), 3 * 24 + 2),
    "an in counts until its end": (2, (operation(IN, 1, committed=ago(120), ended=ago(60)),), 2 * 24 + 23),
    "an open out counts from its commit, come or not": (
        3,
        (operation(OUT, 2, state=OPEN, committed=ago(60), node_ids=before(3)),),
        3 * 24 + 2,
    ),
    "an open in counts until its end, gone or not": (
        2,
        (operation(IN, 1, state=OPEN, committed=ago(60), node_ids=before(3)),),
        3 * 24,
    ),
    "an open in of which one of two has gone": (
        2,
        (operation(IN, 2, state=OPEN, committed=ago(60), node_ids=before(3)),),
        3 * 24,
    ),
    "an open in after one that is done": (
        2,
        (
            operation(IN, 1, committed=ago(120), ended=ago(60), node_ids=before(4)),
            operation(IN, 1, state=OPEN, committed=ago(30), node_ids=before(3)),
        ),
        3 * 24 + 23,
    ),
    "an open in that does not say what was there": (2, (operation(IN, 1, state=OPEN, committed=ago(60)),), 2 * 24),
    "an in that ended after the reading": (3, (operation(IN, 1, ended=NOW + MINUTE, node_ids=before(3)),), 3 * 24),
    "somebody else's from when it was seen": (
        5,
        (operation(OUT, 2, committed=ago(60), ended=ago(60), foreign=True),),
        3 * 24 + 2,
    ),
    "one of before the day": (3, (operation(OUT, 2, committed=ago(26 * 60), ended=ago(25 * 60)),), 3 * 24),
    "one over the beginning of the day": (3, (operation(OUT, 2, committed=ago(25 * 60), ended=ago(23 * 60)),), 3 * 24),
    "a failed one by what came": (
        3,
        (operation(OUT, 2, state=State.FAILED, arrived=1, committed=ago(60), ended=ago(30)),),
        2 * 24 + 1,
    ),
    "out and in again": (
        2,
        (
            operation(OUT, 4, committed=ago(180), ended=ago(170)),
            operation(IN, 4, committed=ago(70), ended=ago(60)),
        ),
        2 * 24 + 4 * 2,
    ),
    "never fewer than none, where history does not add up": (
        1,
        (operation(OUT, 4, committed=ago(60), ended=ago(50)), operation(IN, 1, committed=ago(130), ended=ago(120))),
        1 * 1 + 0 + 1 * 22,
    ),
    "shadows use nothing": (3, (operation(OUT, 2, ended=ago(60), shadow=True),), 72),
    "a group without nodes": (0, (), 0),
}


@pytest.mark.parametrize(("nodes", "operations", "hours"), HOURS.values(), ids=HOURS)
def test_node_hours_are_the_integral_of_the_nodes_over_a_day(nodes, operations, hours):
    assert used([group(nodes)], *operations).node_time == hours * HOUR
    assert used([group(nodes)], *reversed(operations)).node_time == hours * HOUR


# What they stop. A fleet of 10 nodes, 3 of them this group's; hot, so that one node more is wanted.


def use(nodes: int = 10, added: int = 0, hours: float = 240, unknown: tuple[str, ...] = ()) -> Use:
    return Use(nodes, added, timedelta(hours=hours), unknown)


def of(nodes: int | None = None, per_hour: int | None = None, hours: int | None = None, warn: str = "") -> Fleet:
    budget = None if hours is None else Budget(hours, Decimal(warn) if warn else None)
    return Fleet(FleetLimits(nodes, per_hour), budget)


def asked(many: int, whole: Fleet | None, now: Use | None, text: str = "90", **more: Any) -> Decision:
    """This many nodes more are wanted."""
    rule = threshold(out=[step("75", str(many))], in_=[step("30")])
    return decided(policy(rule, fleet=whole, **more), text, fleet=now)


STOPS = {
    "no fleet": (None, None, 4, "out", 7, ()),
    "a fleet without limits": (of(), use(), 4, "out", 7, ()),
    "what is left of the nodes": (of(nodes=12), use(), 4, "out", 5, ()),
    "nothing is left of the nodes": (of(nodes=10), use(), 4, "hold", 7, ("fleet_limit",)),
    "less than nothing": (of(nodes=5), use(), 4, "hold", 7, ("fleet_limit",)),
    "what is left of the hour": (of(per_hour=6), use(added=3), 4, "out", 6, ()),
    "nothing is left of the hour": (of(per_hour=6), use(added=6), 4, "hold", 7, ("fleet_limit",)),
    "the smaller of both": (of(nodes=13, per_hour=6), use(added=4), 4, "out", 5, ()),
    "one left nothing, so the other shortens nothing": (
        of(nodes=10, per_hour=6),
        use(added=4),
        4,
        "hold",
        7,
        ("fleet_limit",),
    ),
    "a node for each whole hour that is left": (of(hours=243), use(hours=240.5), 4, "out", 5, ()),
    "half an hour is no node": (of(hours=241), use(hours=240.5), 4, "hold", 7, ("budget",)),
    "exactly an hour is one": (of(hours=241), use(), 4, "out", 4, ()),
    "the budget is overdrawn": (of(hours=100), use(), 4, "hold", 7, ("budget",)),
    "both": (of(nodes=10, hours=240), use(), 4, "hold", 7, ("fleet_limit", "budget")),
    "a target that is not known counts for limits": (
        of(per_hour=9),
        use(unknown=("b",)),
        4,
        "hold",
        7,
        ("fleet_limit",),
    ),
    "and for the budget": (of(hours=999), use(unknown=("b",)), 4, "hold", 7, ("budget",)),
    "but not where nothing is limited": (of(), use(unknown=("b",)), 4, "out", 7, ()),
    "a fleet that nobody has counted": (of(nodes=99, hours=999), None, 4, "hold", 7, ("fleet_limit", "budget")),
}


@pytest.mark.parametrize(("whole", "now", "many", "decision", "desired", "vetoes"), STOPS.values(), ids=STOPS)
def test_a_scale_out_is_shortened_to_what_is_left_and_stopped_where_nothing_is(
    whole, now, many, decision, desired, vetoes
):
    made = asked(many, whole, now)
    assert (made.decision.value, made.desired, tuple(veto.value for veto in made.vetoes)) == (decision, desired, vetoes)


def test_the_stage_says_who_shortened_it():
    def because(made: Decision) -> str:
        return made.stages[2].because

    assert because(asked(4, of(nodes=12), use())) == "fleet"
    assert because(asked(4, of(nodes=13), use(), limits=limits(add="3"))) == "limits"
    assert because(asked(4, of(nodes=12), use(), limits=limits(add="3"))) == "fleet"
    assert because(asked(4, of(nodes=14), use())) == ""


SENTENCES = {
    "nodes": (of(nodes=10), use(), "fleet_limit", "the fleet has 10 of 10 nodes"),
    "more nodes than may be": (of(nodes=8), use(), "fleet_limit", "the fleet has 10 of 8 nodes"),
    "added": (
        of(nodes=50, per_hour=3),
        use(added=3),
        "fleet_limit",
        "3 of 3 nodes were added to the fleet in the last hour",
    ),
    "hours": (of(hours=240), use(hours=239.25), "budget", "239.2 of 240 node-hours of the last 24 h are used"),
    "unknown hours": (
        of(hours=9999),
        use(unknown=("a",)),
        "budget",
        "not known yet: the nodes of a, which count for the fleet",
    ),
    "unknown": (
        of(nodes=50),
        use(unknown=("a", "b")),
        "fleet_limit",
        "not known yet: the nodes of a, b, which count for the fleet",
    ),
}


@pytest.mark.parametrize(("whole", "now", "reason", "words"), SENTENCES.values(), ids=SENTENCES)
def test_the_veto_tells_how_much_there_is_of_how_much(whole, now, reason, words):
    made = asked(1, whole, now)
    assert (made.reason.value, made.details[reason]) == (reason, words)
    assert sentence.sentence(made.as_json()) == f"held at 3 nodes: cpu (90) wants 4, but {words}"


def test_scaling_in_is_never_held_by_the_fleet():
    made = asked(1, of(nodes=1, per_hour=1, hours=1), use(added=9), "20")
    assert (made.change, made.reason) == (-1, Reason.BELOW_THRESHOLD)


def test_a_daily_limit_that_leaves_nothing_goes_first():
    today = operation(OUT, 1, ended=ago(120))
    rules = policy(HOT_OR_COLD, fleet=of(nodes=10), limits=limits(added_per_day=1))
    made = decided(rules, "90", fleet=use(), operations=(today,))
    assert (made.reason, made.desired, made.vetoes) == (Reason.DAILY_LIMIT, 3, ())


BELOW_MIN = {
    "past the budget": (of(hours=1), "out", 6, ()),
    "past a budget that leaves one": (of(hours=241), "out", 6, ()),
    "shortened to what is left of the nodes": (of(nodes=12, hours=1), "out", 5, ()),
    "not past the nodes": (of(nodes=10), "hold", 6, ("fleet_limit",)),
    "not past the hour": (of(per_hour=2), "hold", 6, ("fleet_limit",)),
}


@pytest.mark.parametrize(("whole", "decision", "desired", "vetoes"), BELOW_MIN.values(), ids=BELOW_MIN)
def test_below_min_passes_the_budget_and_no_fleet_limit(whole, decision, desired, vetoes):
    made = decided(policy(nodes=(6, 16), fleet=whole), "", fleet=use(added=2))
    assert (made.decision.value, made.desired, tuple(veto.value for veto in made.vetoes)) == (decision, desired, vetoes)
    assert Reason.BELOW_MIN in {made.reason, made.wanted_reason}


BY_HAND = {
    "not past the budget": (of(hours=240), "hold", 6, ("budget",)),
    "shortened by the budget": (of(hours=242), "out", 5, ()),
    "not past the nodes": (of(nodes=10), "hold", 6, ("fleet_limit",)),
    "shortened to what is left of them": (of(nodes=12), "out", 5, ()),
}


@pytest.mark.parametrize(("whole", "decision", "desired", "vetoes"), BY_HAND.values(), ids=BY_HAND)
def test_an_override_passes_neither(whole, decision, desired, vetoes):
    override = Override(NOW, NOW + HOUR, 6)
    made = decided(policy(HOT_OR_COLD, fleet=whole), "50", fleet=use(), overrides=(override,))
    assert (made.decision.value, made.desired, tuple(veto.value for veto in made.vetoes)) == (decision, desired, vetoes)


WARNS = {
    "below warn_at": (of(hours=301, warn="0.8"), None),
    "at warn_at": (of(hours=300, warn="0.8"), "240 of 300 node-hours of the last 24 h are used (warn_at 80 %)"),
    "a fine share": (
        of(hours=1000, warn="0.2399"),
        "240 of 1000 node-hours of the last 24 h are used (warn_at 23.99 %)",
    ),
    "nobody wants to know": (of(hours=240), None),
    "no budget": (of(), None),
    "no fleet": (None, None),
}


@pytest.mark.parametrize(("whole", "words"), WARNS.values(), ids=WARNS)
def test_from_warn_at_on_every_record_says_so(whole, words):
    made = asked(1, whole, use(), "50")
    assert made.details.get("budget") == words
    assert made.reason is Reason.WITHIN_BOUNDS
    rows = [row.words for row in sentence.rows(made.as_json()) if row.kind == "warning"]
    assert rows == ([] if words is None else [words])


def test_a_veto_of_the_budget_is_told_once():
    made = asked(1, of(hours=240, warn="0.8"), use())
    assert made.details["budget"] == "240 of 240 node-hours of the last 24 h are used"
    assert [row.kind for row in sentence.rows(made.as_json()) if row.name == "budget"] == ["veto"]


def test_what_nobody_counted_warns_of_nothing():
    assert "budget" not in asked(1, of(hours=240, warn="0.8"), None, "50").details


def test_observe_sees_the_fleet_as_it_is():
    made = decided(policy(HOT_OR_COLD, fleet=of(nodes=10)), "90", fleet=use(), mode=Mode.OBSERVE)
    assert made.vetoes == (Reason.FLEET_LIMIT, Reason.OBSERVE_ONLY)


def test_the_group_itself_is_part_of_the_fleet():
    seen = snapshot(3)
    now = fleet.used([Group(INSTANCE, seen)], (), NOW)
    assert decided(policy(HOT_OR_COLD, fleet=of(nodes=3)), "90", snapshot=seen, fleet=now).reason is Reason.FLEET_LIMIT
    assert decided(policy(HOT_OR_COLD, fleet=of(nodes=4)), "90", snapshot=seen, fleet=now).change == 1

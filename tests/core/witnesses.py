"""Worlds made by hand, one for each broken copy, in which the break is seen at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from autoscaler.core.fleet import Use
from autoscaler.core.observation import Pause
from autoscaler.core.operation import State
from autoscaler.core.policy import Bounds, Budget, Fleet, FleetLimits, Metric, Policy
from tests.core import given
from tests.core.given import CONNECTIONS, CPU, HOT_OR_COLD, NO_COOLDOWN, NOW
from tests.core.worlds import World

NODES = ("n0", "n1", "n2")


def world(policy: Policy, texts: dict[Metric, str], **seen: Any) -> World:
    """A healthy group of three warm nodes that all have these values."""
    points = {metric: {node: given.values(text) for node in NODES} for metric, text in texts.items()}
    warm = dict.fromkeys(NODES, NOW - 60 * given.MINUTE)
    return World(policy, given.observation({}, **seen), {}, warm).with_points(points)


def two_rules(cpu: str, connections: str) -> World:
    """Both may scale in, the first out as well."""
    return world(
        given.policy(HOT_OR_COLD, given.threshold(in_=[given.step("30")], name="connections", metric=CONNECTIONS)),
        {CPU: cpu, CONNECTIONS: connections},
    )


def of_fleet(fleet: Fleet) -> World:
    """Two more are wanted; the fleet has nine nodes, and had them all day."""
    hot = world(given.policy(given.threshold(out=[given.step("75", "2")]), fleet=fleet), {CPU: "80x7"})
    return hot.with_seen(fleet=Use(nodes=9, added=0, node_time=timedelta(hours=216)))


FULL_MEANWHILE = given.checks(given.observation(), snapshot=replace(given.snapshot(), instance_nodes=32))
LONG_AGO = given.operation(ended=given.ago(600), id="long ago")
JUST_NOW = given.operation(ended=given.ago(1), id="just now")
FAILED_IN = given.operation(given.IN, ended=given.ago(1), state=State.FAILED)
UNDER_WAY = given.operation(state=State.SUBMITTED)
UNKNOWN = given.operation(state=State.UNKNOWN)

HOT = world(given.policy(HOT_OR_COLD), {CPU: "80x7"})
COLD = world(given.policy(HOT_OR_COLD), {CPU: "20x7"})

WITNESSES = {
    "i1-open-operations-do-not-hold": HOT.with_seen(operations=(UNDER_WAY,)),
    "i3-unknown-does-not-hold": HOT.with_seen(operations=(UNKNOWN,)),
    "i4-max-is-not-kept": HOT.with_policy(bounds=Bounds(2, 3)),
    "i4-32-is-not-kept": HOT.with_seen(snapshot=given.snapshot(3, others=29)),
    "i4-an-old-count-of-nodes-is-believed": HOT.with_seen(checks=FULL_MEANWHILE),
    "i4-the-fleet-is-not-asked": of_fleet(Fleet(FleetLimits(nodes=9))),
    "i4-the-fleet-shortens-nothing": of_fleet(Fleet(FleetLimits(nodes=10))),
    "i4-the-budget-is-not-asked": of_fleet(Fleet(budget=Budget(216))),
    "i4-min-is-not-kept": world(given.policy(given.threshold(in_=[given.step("30", "3")])), {CPU: "20x7"}),
    "i4-a-cap-is-not-kept": world(given.policy(HOT_OR_COLD, given.schedule(most=3)), {CPU: "80x7"}),
    "i4-a-floor-is-not-kept": world(given.policy(HOT_OR_COLD, given.schedule(3)), {CPU: "20x7"}),
    "i5-missing-is-zero": HOT,
    "i5-a-huge-number-is-a-number": world(given.policy(HOT_OR_COLD), {CPU: "1e30x7"}),
    "i5-stale-is-fresh": HOT,
    "i5-missing-data-has-no-say-on-scaling-in": two_rules("20x7", "20x7"),
    "i5-missing-data-flips": two_rules("80x7", "20x7"),
    "i5-half-samples-scale-in": COLD,
    "i6-cooldown-is-forgotten": HOT.with_seen(operations=(given.operation(ended=given.ago(9)),)),
    "i6-only-the-first-operation-read-counts": HOT.with_seen(operations=(LONG_AGO, JUST_NOW)),
    "i6-what-was-rejected-rests": HOT.with_seen(operations=(replace(JUST_NOW, state=State.REJECTED),)),
    "i6-another-group-rests": HOT.with_seen(operations=(replace(JUST_NOW, group_id="other"),)),
    "i6-a-failed-scale-in-rests-both-directions": HOT.with_seen(operations=(FAILED_IN,)),
    "i6-windows-reach-back-before-a-change": HOT.with_policy(cooldown=NO_COOLDOWN).with_seen(operations=(LONG_AGO,)),
    "i6-the-breaker-is-forgotten": HOT.with_policy(cooldown=NO_COOLDOWN),
    "i8-a-target-without-data-is-an-error": world(given.policy(HOT_OR_COLD), {CPU: ""}),
    "i10-observe-is-forgotten": HOT,
    "a-pause-is-forgotten": HOT,
    "a-blackout-is-forgotten": HOT,
    "an-override-is-forgotten": HOT,
    "out-only-is-forgotten": COLD,
    "of-the-steps-that-hold-the-smallest-counts": world(
        given.policy(given.threshold(out=[given.step("60", "3"), given.step("75", "1")])), {CPU: "66x7"}
    ),
    "a-vetoed-change-is-made-all-the-same": HOT.with_seen(pauses=(Pause(given.ago(1)),)),
}
"""By the name of the break in `test_broken_copies.py`."""

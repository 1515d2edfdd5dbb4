"""Worlds made by hand in which a broken copy is seen at once, for breaks that chance meets too rarely."""

from dataclasses import replace
from typing import Any

from autoscaler.core.policy import Metric, Policy
from tests.core import given
from tests.core.given import CONNECTIONS, CPU, HOT_OR_COLD, NO_COOLDOWN, NOW
from tests.core.worlds import World

NODES = ("n0", "n1", "n2")


def world(policy: Policy, texts: dict[Metric, str], **seen: Any) -> World:
    """A healthy group of three warm nodes that all have these values."""
    points = {metric: {node: given.values(text) for node in NODES} for metric, text in texts.items()}
    warm = dict.fromkeys(NODES, NOW - 60 * given.MINUTE)
    return World(policy, given.observation({}, **seen), {}, warm).with_points(points)


FULL_MEANWHILE = given.checks(given.observation(), snapshot=replace(given.snapshot(), instance_nodes=32))
LONG_AGO = given.operation(ended=given.ago(600), id="long ago")
JUST_NOW = given.operation(ended=given.ago(1), id="just now")

WITNESSES = {
    "of-the-steps-that-hold-the-smallest-counts": world(
        given.policy(given.threshold(out=[given.step("60", "3"), given.step("75", "1")])), {CPU: "66x7"}
    ),
    "i5-missing-data-flips": world(
        given.policy(
            given.threshold(out=[given.step("75")], in_=[given.step("30")]),
            given.threshold(in_=[given.step("30")], name="connections", metric=CONNECTIONS),
        ),
        {CPU: "80x7", CONNECTIONS: "20x7"},
    ),
    "i4-an-old-count-of-nodes-is-believed": world(given.policy(HOT_OR_COLD), {CPU: "80x7"}, checks=FULL_MEANWHILE),
    "i4-a-cap-is-not-kept": world(
        given.policy(given.threshold(out=[given.step("75", "3")]), given.schedule(None, 4)), {CPU: "80x7"}
    ),
    "i4-min-is-not-kept": world(given.policy(given.threshold(in_=[given.step("30", "3")])), {CPU: "20x7"}),
    "i6-only-the-first-operation-read-counts": world(
        given.policy(HOT_OR_COLD), {CPU: "80x7"}, operations=(LONG_AGO, JUST_NOW)
    ),
    "i6-windows-reach-back-before-a-change": world(
        given.policy(HOT_OR_COLD, cooldown=NO_COOLDOWN), {CPU: "80x7"}, operations=(LONG_AGO,)
    ),
}
"""By the name of the break in `test_broken_copies.py`."""

"""A target that goes on under another policy: what stays of what is remembered, and what begins anew."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.core.observation import Wish
from autoscaler.core.policy import Fleet, FleetLimits, Policy
from autoscaler.core.remembered import Remembered
from tests.core.given import CONNECTIONS, CPU, MINUTE, NOW, ago, operation, policy, step, threshold

CPU_RULE = threshold(out=[step("75")])
OTHER_THRESHOLD = threshold(out=[step("80")])
OTHER_METRIC = threshold(out=[step("75")], metric=CONNECTIONS)
WAS = policy(CPU_RULE, scale_in_stabilization=10 * MINUTE)
KNOWN = Remembered(ago(60), (Wish(ago(5), 4),), {"cpu": ago(1)}, (operation(shadow=True),))


def under(*rules, minutes: int = 10) -> Policy:
    return policy(*rules, scale_in_stabilization=minutes * MINUTE)


def adopted(now_is: Policy, known: Remembered = KNOWN) -> Remembered:
    return known.adopted(WAS, now_is, at=NOW, size=3)


@pytest.mark.parametrize(
    "now_is", [under(OTHER_THRESHOLD), under(CPU_RULE, minutes=5), replace(WAS, interval=timedelta(hours=1))]
)
def test_another_threshold_or_interval_or_a_shorter_stabilisation_forgets_nothing(now_is):
    assert adopted(now_is) == KNOWN


def test_a_metric_that_was_not_looked_at_is_missing_from_now_on():
    """From the first evaluation it would be overdue at once, and `on_missing_metric: out` would buy a node."""
    gone_on = adopted(under(CPU_RULE, replace(OTHER_METRIC, name="connections")))
    assert (gone_on.first_evaluated_at, gone_on.fresh_at) == (NOW, {"cpu": ago(1)})


def test_a_rule_with_another_metric_was_never_fresh():
    assert adopted(under(OTHER_METRIC)).fresh_at == {}


def test_a_target_that_was_never_evaluated_is_not_taken_for_evaluated():
    assert adopted(under(OTHER_METRIC), Remembered()).first_evaluated_at is None


def test_a_metric_that_goes_leaves_the_others_as_they_were():
    was = policy(CPU_RULE, replace(OTHER_METRIC, name="connections"))
    gone_on = replace(KNOWN, fresh_at={"cpu": ago(1), "connections": ago(2)}).adopted(
        was, policy(CPU_RULE), at=NOW, size=3
    )
    assert (gone_on.first_evaluated_at, gone_on.fresh_at) == (ago(60), {"cpu": ago(1)})


def test_a_longer_stabilisation_begins_with_the_size_that_there_is():
    """Wishes of that long ago are gone: without this a scale-in might be had at once that it is there to delay."""
    assert adopted(under(CPU_RULE, minutes=30)).wishes == (Wish(ago(5), 4), Wish(NOW, 3))


def test_what_was_imagined_holds_nothing_back_in_another_mode():
    assert KNOWN.without_shadows() == replace(KNOWN, shadows=())


SAME = {
    "the same": (WAS, True),
    "on another line": (replace(WAS, place="p.yaml:9"), True),
    "written elsewhere": (replace(WAS, written={"interval": "defaults"}), True),
    "a fleet": (replace(WAS, fleet=Fleet(FleetLimits(9))), False),
    "another threshold": (replace(WAS, rules=(OTHER_THRESHOLD,)), False),
}


@pytest.mark.parametrize(("other", "same"), SAME.values(), ids=SAME)
def test_policies_are_the_same_where_all_but_their_lines_is(other, same):
    assert WAS.same_as(other) is same
    assert other.same_as(WAS) is same


def test_a_fleet_on_another_line_is_the_same():
    one, other = (replace(WAS, fleet=Fleet(FleetLimits(9), place=place)) for place in ("p.yaml:1", "p.yaml:2"))
    assert one.same_as(other)
    assert WAS.metrics == (CPU,)

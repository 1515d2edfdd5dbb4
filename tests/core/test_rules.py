"""What one rule wants: threshold steps and target tracking, on decimals as they were written."""

from datetime import timedelta
from decimal import Decimal

import pytest

from autoscaler.core.policy import Direction
from autoscaler.core.rules import threshold as threshold_rules
from autoscaler.core.sample import Sample
from tests.core.given import (
    CPU,
    MINUTE,
    NO_COOLDOWN,
    ago,
    decided,
    observation,
    operation,
    outcome,
    policy,
    size,
    snapshot,
    step,
    threshold,
    tracking,
)

HOLD = ("hold", 3, "within_bounds")


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("75", HOLD, id="at-the-threshold-is-not-above"),
        pytest.param("75.0001", ("out", 4, "above_threshold"), id="a-hair-above"),
        pytest.param("75.000000000000000000000001", ("out", 4, "above_threshold"), id="a-hair-that-no-float-has"),
        pytest.param("30", HOLD, id="at-the-lower-threshold-is-not-below"),
        pytest.param("29.9999", ("in", 2, "below_threshold"), id="a-hair-below"),
        pytest.param("0", ("in", 2, "below_threshold"), id="zero"),
        pytest.param("-1", ("in", 2, "below_threshold"), id="negative"),
        pytest.param("1e24", ("out", 4, "above_threshold"), id="enormous"),
    ],
)
def test_above_and_below_are_strict(cpu, expected):
    assert outcome(decided(threshold(out=[step("75")], in_=[step("30")]), cpu)) == expected


def test_a_threshold_is_compared_as_the_decimal_that_was_written():
    """In binary 0.1 + 0.2 is above 0.3; here it is not."""
    rule = threshold(out=[step("0.3")])
    assert outcome(decided(rule, "0.3")) == HOLD
    assert outcome(decided(tracking("0.3", tolerance=step("0").threshold, over=2 * MINUTE), "0.1 0.5")) == HOLD


OUT_STEPS = [step("75", "1"), step("92", "3"), step("85", "2")]
IN_STEPS = [step("30", "1"), step("10", "2")]


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("80", ("out", 6, "above_threshold"), id="one-holds"),
        pytest.param("90", ("out", 7, "above_threshold"), id="two-hold-the-larger"),
        pytest.param("95", ("out", 8, "above_threshold"), id="three-hold-the-largest"),
        pytest.param("20", ("in", 4, "below_threshold"), id="one-in-step-holds"),
        pytest.param("5", ("in", 3, "below_threshold"), id="two-in-steps-hold-the-larger"),
    ],
)
def test_of_the_steps_that_hold_the_largest_counts(cpu, expected):
    decision = decided(threshold(out=OUT_STEPS, in_=IN_STEPS), cpu, snapshot=snapshot(5))
    assert outcome(decision) == expected


def test_where_an_out_and_an_in_step_of_one_rule_both_hold_it_is_out():
    rule = threshold(out=[step("75", datapoints=(1, 5))], in_=[step("30")])
    assert outcome(decided(rule, "80 80 20 20 20")) == ("out", 4, "above_threshold")


@pytest.mark.parametrize(
    ("written", "ready", "direction", "expected"),
    [
        pytest.param("2", 7, "out", 2, id="a-number"),
        pytest.param("50%", 4, "out", 2, id="half-of-four"),
        pytest.param("50%", 5, "out", 3, id="adding-rounds-up"),
        pytest.param("50%", 5, "in", 2, id="removing-rounds-down"),
        pytest.param("1%", 3, "out", 1, id="adding-at-least-one"),
        pytest.param("1%", 3, "in", 1, id="removing-at-least-one"),
        pytest.param("50%", 0, "out", 1, id="of-none-ready-still-one"),
        pytest.param("100%", 5, "out", 5, id="all-again"),
        pytest.param("33.4%", 3, "out", 2, id="just-over-a-third-of-three"),
        pytest.param("200%", 3, "out", 6, id="more-than-all"),
    ],
)
def test_a_percentage_is_of_the_ready_nodes(written, ready, direction, expected):
    assert threshold_rules.nodes_of(size(written), ready, Direction(direction)) == expected


@pytest.mark.parametrize(
    ("cpu", "expected", "wants"),
    [
        pytest.param("80", 7, 5, id="out"),
        pytest.param("20", 4, 2, id="in"),
    ],
)
def test_steps_start_from_the_ready_nodes_and_move_the_current_ones(cpu, expected, wants):
    """desired = current + (wants − ready): a node that does not serve is neither counted nor replaced."""
    rule = threshold(out=[step("75", "50%")], in_=[step("30", "50%")])
    seen = observation(cpu, snapshot=snapshot(5, ready=3, missing_ones_are="creating"))
    decision = decided(policy(rule, nodes=(1, 16)), seen)
    assert decision.desired == expected
    assert decision.rules[0].wants == wants


def test_an_in_step_never_wants_less_than_nothing():
    decision = decided(threshold(in_=[step("30", "9")]), "20")
    assert decision.rules[0].wants == 0
    assert outcome(decision) == ("in", 2, "below_threshold")


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("20 20h 20", HOLD, id="a-half-sample-in-the-window-never-in"),
        pytest.param("20 20 20h", HOLD, id="a-half-sample-at-its-end-never-in"),
        pytest.param("20h 20 20 20", ("in", 2, "below_threshold"), id="a-half-sample-before-the-window"),
        pytest.param("80h 80h 80h", ("out", 4, "above_threshold"), id="half-samples-may-scale-out"),
    ],
)
def test_a_half_sample_may_scale_out_never_in(cpu, expected):
    rule = threshold(out=[step("75", for_=3 * MINUTE)], in_=[step("30", for_=3 * MINUTE)])
    assert outcome(decided(rule, cpu)) == expected


@pytest.mark.parametrize(
    ("cpu", "ready", "expected"),
    [
        pytest.param("66", 3, HOLD, id="66-against-60-at-10-percent-holds"),
        pytest.param("66.0001", 3, ("out", 4, "above_target"), id="66.0001-does-not"),
        pytest.param("54", 3, HOLD, id="54-holds"),
        pytest.param("53.9999", 10, ("in", 9, "below_target"), id="53.9999-does-not"),
        pytest.param("53.9999", 3, HOLD, id="a-share-less-than-a-node-stays"),
        pytest.param("60", 3, HOLD, id="at-the-target"),
        pytest.param("80", 3, ("out", 4, "above_target"), id="an-exact-quotient-is-not-rounded-up"),
        pytest.param("80.0001", 3, ("out", 5, "above_target"), id="a-hair-more-is"),
        pytest.param("120", 3, ("out", 6, "above_target"), id="twice-the-load-twice-the-nodes"),
        pytest.param("100", 9, ("out", 15, "above_target"), id="nine-at-100-are-fifteen-at-60"),
        pytest.param("40", 3, ("in", 2, "below_target"), id="two-thirds-of-the-load"),
        pytest.param("0", 3, ("in", 2, "below_target"), id="no-load-goes-to-min"),
        pytest.param("-10", 3, ("in", 2, "below_target"), id="negative-load-goes-to-min"),
    ],
)
def test_tracking_wants_ready_times_value_by_target(cpu, ready, expected):
    assert outcome(decided(tracking("60"), cpu, snapshot=snapshot(ready))) == expected


@pytest.mark.parametrize(
    ("tolerance", "cpu", "expected"),
    [
        pytest.param("0", "60", HOLD, id="no-tolerance-at-the-target"),
        pytest.param("0", "60.000001", ("out", 4, "above_target"), id="no-tolerance-a-hair-above"),
        pytest.param("0.5", "90", HOLD, id="half-at-its-edge"),
        pytest.param("0.5", "90.01", ("out", 5, "above_target"), id="half-beyond-its-edge"),
    ],
)
def test_tracking_moves_only_beyond_its_tolerance(tolerance, cpu, expected):
    assert outcome(decided(tracking("60", tolerance=step(tolerance).threshold), cpu)) == expected


def test_a_mean_that_no_decimal_can_hold_is_not_rounded_up():
    """(100 + 100 + 0) ÷ 3 nodes is 66.66…7; three of them against 50 is exactly four."""
    third = Decimal(200) / 3
    seen = observation({CPU: (Sample(ago(1), third),)})
    assert outcome(decided(tracking("50"), seen)) == ("out", 4, "above_target")


@pytest.mark.parametrize(
    "thirds",
    [
        pytest.param((a, b, 594 - a - b), id=f"{a}-{b}-{594 - a - b}")
        for a, b in ((193, 196), (197, 197), (200, 191), (220, 170), (590, 2), (1, 2), (299, 5), (31, 500), (590, 1))
    ],
)
def test_means_of_means_are_compared_as_if_exact(thirds):
    """Three samples, each a mean over three nodes, together exactly 66: within 10 % of 60."""
    found = tuple(Sample(ago(age), Decimal(third) / 3) for age, third in enumerate(thirds, 1))
    assert outcome(decided(tracking("60", over=3 * MINUTE), observation({CPU: found}))) == HOLD


@pytest.mark.parametrize(
    ("cpu", "expected"),
    [
        pytest.param("60 60 60 60 120", ("out", 4, "above_target"), id="the-mean-of-the-window"),
        pytest.param("200 60 60 60 60 60", HOLD, id="only-of-the-window"),
        pytest.param("60 _ 60 120 120", ("out", 5, "above_target"), id="the-mean-of-those-there"),
        pytest.param("90 _ _ 90 90", HOLD, id="too-few-in-the-window"),
        pytest.param("20 20 20h 20 20", HOLD, id="a-half-sample-in-the-window-never-less"),
        pytest.param("90 90 90h 90 90", ("out", 5, "above_target"), id="a-half-sample-in-the-window-may-more"),
    ],
)
def test_tracking_over_a_span_takes_the_mean(cpu, expected):
    assert outcome(decided(tracking("60", over=5 * MINUTE), cpu)) == expected


def test_tracking_never_wants_less_on_a_half_sample():
    assert outcome(decided(tracking("60"), "20h")) == HOLD
    assert outcome(decided(tracking("60"), "120h")) == ("out", 6, "above_target")


@pytest.mark.parametrize("over", [None, 5 * MINUTE], ids=["newest", "over"])
def test_tracking_looks_at_nothing_from_before_an_operations_end(over):
    seen = observation("120x10", operations=(operation(ended=ago(0.5)),))
    decision = decided(policy(tracking("60", over=over), cooldown=NO_COOLDOWN), seen)
    assert outcome(decision) == HOLD
    assert decision.rules[0].wants == 3


def test_tracking_with_no_node_ready_wants_nothing():
    """No node serves, so none has a metric: there is no proportion to keep."""
    decision = decided(tracking("60"), "90", snapshot=snapshot(3, ready=0))
    assert outcome(decision) == HOLD


def test_a_number_with_a_billion_digits_behind_the_point_does_not_stop_the_daemon():
    decision = decided(tracking("60"), "1e-999999999")
    assert outcome(decision) == ("in", 2, "below_target")


def test_a_rule_says_how_many_samples_it_looked_at():
    rule = threshold(out=[step("75", for_=5 * MINUTE), step("60", for_=timedelta(minutes=10))])
    assert decided(rule, "80x30").rules[0].samples == 10
    assert decided(tracking("60", over=5 * MINUTE), "80x30").rules[0].samples == 5
    assert decided(rule, "20x30").rules[0].samples == 1

"""Cooldowns: how long a direction waits after what was done, derived from the operations and now alone."""

from datetime import timedelta
from itertools import permutations

import pytest

from autoscaler.core import history
from autoscaler.core.operation import State
from autoscaler.core.policy import Cooldown
from tests.core.given import (
    CONNECTIONS,
    CPU,
    HOT_OR_COLD,
    IN,
    MINUTE,
    NOW,
    OUT,
    ago,
    decided,
    observation,
    operation,
    outcome,
    policy,
    samples,
    step,
    threshold,
    tracking,
)

COOLDOWN = Cooldown(out=10 * MINUTE, in_=30 * MINUTE, failed=15 * MINUTE)
SECOND = timedelta(seconds=1)


def left(direction, *operations, chosen=None) -> float:
    """Minutes that this direction has to wait yet; 0 where it may move."""
    found = history.cooldown_left(operations, NOW, direction, COOLDOWN, chosen=chosen)
    return max(0.0, found / MINUTE)


@pytest.mark.parametrize(
    ("op", "out", "in_"),
    [
        pytest.param(operation(OUT, ended=ago(4)), 6, 26, id="scale-out-delays-both"),
        pytest.param(operation(IN, ended=ago(4)), 0, 26, id="scale-in-delays-only-in"),
        pytest.param(operation(OUT, ended=ago(4), state=State.FAILED), 11, 0, id="failed-out-delays-only-out"),
        pytest.param(operation(IN, ended=ago(4), state=State.FAILED), 0, 11, id="failed-in-delays-only-in"),
        pytest.param(operation(OUT, ended=ago(4), state=State.FAILED, arrived=1), 11, 26, id="failed-with-a-node-both"),
        pytest.param(
            operation(IN, ended=ago(4), state=State.FAILED, arrived=1), 0, 26, id="failed-in-that-took-a-node"
        ),
        pytest.param(operation(OUT, ended=ago(4), state=State.NEVER_HAPPENED), 11, 0, id="never-happened-is-a-failure"),
        pytest.param(operation(IN, ended=ago(4), state=State.NEVER_HAPPENED), 0, 11, id="never-happened-in"),
        pytest.param(operation(OUT, ended=ago(4), state=State.REJECTED), 0, 0, id="rejected-delays-nothing"),
        pytest.param(operation(OUT, ended=ago(4), foreign=True), 6, 26, id="somebody-elses-counts"),
        pytest.param(operation(IN, ended=ago(4), foreign=True), 0, 26, id="somebody-elses-in-counts"),
        pytest.param(operation(OUT, ended=ago(4), shadow=True), 6, 26, id="a-shadow-counts"),
        pytest.param(operation(OUT, ended=ago(10)), 0, 20, id="out-is-over-at-exactly-its-end"),
        pytest.param(operation(OUT, ended=ago(10) + SECOND), 1 / 60, 20 + 1 / 60, id="and-not-a-second-before"),
        pytest.param(operation(IN, ended=ago(30)), 0, 0, id="in-is-over-at-exactly-its-end"),
        pytest.param(operation(OUT, ended=ago(15), state=State.FAILED), 0, 0, id="failed-is-over-at-exactly-its-end"),
    ],
)
def test_i6_what_an_operation_delays(op, out, in_):
    assert [left(OUT, op), left(IN, op)] == pytest.approx([out, in_])


def test_the_last_operation_counts():
    assert left(OUT, operation(ended=ago(9)), operation(ended=ago(3)), operation(ended=ago(5))) == 7


def test_a_failure_waits_until_its_direction_has_succeeded():
    failed = operation(OUT, ended=ago(5), state=State.FAILED)
    assert left(OUT, failed, operation(OUT, ended=ago(4)), chosen=MINUTE) == 0
    assert left(OUT, failed, operation(OUT, ended=ago(6)), chosen=MINUTE) == 10
    assert left(OUT, failed, operation(IN, ended=ago(4)), chosen=MINUTE) == 10
    assert left(OUT, failed, operation(OUT, ended=ago(4), foreign=True), chosen=MINUTE) == 10


def test_a_shorter_cooldown_of_a_step_does_not_shorten_that_of_a_failure():
    assert left(OUT, operation(OUT, ended=ago(5), state=State.FAILED), chosen=3 * MINUTE) == 10


def test_i6_cooldown_is_a_function_of_operations_and_now():
    ops = (
        operation(OUT, ended=ago(8)),
        operation(IN, ended=ago(3)),
        operation(OUT, ended=ago(2), state=State.FAILED),
        operation(OUT, state=State.SUBMITTED),
        operation(OUT, ended=ago(1), state=State.REJECTED),
    )
    found = {(left(OUT, *order), left(IN, *order)) for order in permutations(ops)}
    assert found == {(13, 27)}


def test_i6_a_clock_that_goes_back_only_makes_the_wait_longer():
    assert left(OUT, operation(ended=NOW + 60 * MINUTE)) == 70


def test_without_operations_nothing_waits():
    assert (left(OUT), left(IN)) == (0, 0)


def test_another_groups_operations_delay_nothing():
    op = operation(OUT, ended=ago(1), group_id="other")
    assert outcome(decided(HOT_OR_COLD, "80", operations=(op,))) == ("out", 4, "above_threshold")


@pytest.mark.parametrize(("cpu", "wait"), [("80", 10), ("20", 30)], ids=["out", "in"])
def test_i6_no_move_within_the_cooldown_and_a_move_at_exactly_its_end(cpu, wait):
    early = decided(HOT_OR_COLD, cpu, operations=(operation(ended=ago(wait) + SECOND),))
    assert (early.reason.value, early.change) == ("cooldown", 0)
    assert early.details["cooldown"] == "until 2026-11-23T12:00:01Z"
    assert decided(HOT_OR_COLD, cpu, operations=(operation(ended=ago(wait)),)).change != 0


FAST = step("92", "3", cooldown=3 * MINUTE)
SLOW = step("75", "1", cooldown=20 * MINUTE)
PLAIN = step("75", "1")


@pytest.mark.parametrize(
    ("rules", "cpu", "connections", "ended", "expected"),
    [
        pytest.param([threshold(out=[PLAIN, FAST])], "95", "", 3, ("out", 6, "above_threshold"), id="the-fast-lane"),
        pytest.param(
            [threshold(out=[PLAIN, FAST])], "95", "", 2.9, ("hold", 6, "cooldown"), id="not-faster-than-it-says"
        ),
        pytest.param([threshold(out=[PLAIN, FAST])], "80", "", 9, ("hold", 4, "cooldown"), id="only-while-it-holds"),
        pytest.param(
            [threshold(out=[PLAIN, SLOW])], "80", "", 10, ("out", 4, "above_threshold"), id="plain-has-the-targets"
        ),
        pytest.param([threshold(out=[SLOW])], "80", "", 10, ("hold", 4, "cooldown"), id="slower-than-the-target"),
        pytest.param([threshold(out=[SLOW])], "80", "", 20, ("out", 4, "above_threshold"), id="slower-but-over"),
        pytest.param(
            [threshold(out=[step("92", "1", cooldown=3 * MINUTE)]), threshold(name="more", out=[step("75", "5")])],
            "95",
            "",
            3,
            ("out", 8, "above_threshold"),
            id="largest-of-one-rule-shortest-of-another",
        ),
        pytest.param(
            [threshold(out=[SLOW]), tracking("60", metric=CONNECTIONS)],
            "80",
            "70",
            10,
            ("out", 4, "above_threshold"),
            id="tracking-has-the-targets",
        ),
        pytest.param(
            [threshold(out=[FAST]), tracking("60", metric=CONNECTIONS)],
            "80",
            "70",
            3,
            ("hold", 4, "cooldown"),
            id="a-rule-that-does-not-want-it-has-no-say",
        ),
        pytest.param(
            [
                threshold(in_=[step("30", cooldown=5 * MINUTE)]),
                threshold(name="two", in_=[step("30")], metric=CONNECTIONS),
            ],
            "20",
            "20",
            5,
            ("in", 2, "below_threshold"),
            id="in-too-the-shortest-of-all-rules",
        ),
    ],
)
def test_of_all_steps_that_hold_the_shortest_cooldown_applies(rules, cpu, connections, ended, expected):
    seen = observation(
        {CPU: samples(cpu), CONNECTIONS: samples(connections)}, operations=(operation(ended=ago(ended)),)
    )
    assert outcome(decided(policy(*rules), seen)) == expected


def test_scaling_in_never_delays_scaling_out():
    ops = (operation(IN, ended=ago(1)), operation(IN, ended=ago(1), state=State.FAILED))
    seen = observation("80", operations=ops)
    assert outcome(decided(threshold(out=[step("75")]), seen)) == ("out", 4, "above_threshold")

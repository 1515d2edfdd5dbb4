"""A sample: one per period, folded over ready and warm nodes; missing is missing, never zero."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler.core import sample
from autoscaler.core.policy import Metric
from tests.core.given import CPU, MINUTE, NOW, ago

T = ago(10)
"""The period's start; it ended long ago."""


def one(across_nodes: str, values: str, *, now: datetime = NOW, warm: dict[str, datetime] | None = None) -> object:
    """The folded value of one period, or None; `values` one per node, - where it gave none."""
    points = {f"n{k}": {T: Decimal(word)} if word != "-" else {} for k, word in enumerate(values.split())}
    found = sample.fold(replace(CPU, across_nodes=across_nodes), points, warm or dict.fromkeys(points, T), now)
    return found[0].value if found else None


@pytest.mark.parametrize(
    ("across_nodes", "values", "expected"),
    [
        pytest.param("mean", "10 20 60", "30", id="mean"),
        pytest.param("mean", "0.1 0.2", "0.15", id="mean-of-decimals-is-exact"),
        pytest.param("max", "10 60 20", "60", id="max"),
        pytest.param("min", "10 60 20", "10", id="min"),
        pytest.param("sum", "10 60 20", "90", id="sum"),
        pytest.param("p50", "40 10 30 20", "20", id="p50-of-four-is-the-second"),
        pytest.param("p50", "30 10 20", "20", id="p50-of-three-is-the-middle"),
        pytest.param("p90", "1 2 3 4 5 6 7 8 9 10", "9", id="p90-of-ten-is-the-ninth"),
        pytest.param("p91", "1 2 3 4 5 6 7 8 9 10 11", "11", id="p91-of-eleven-is-past-the-tenth"),
        pytest.param("p90", "1 2 3 4 5 6 7 8 9 10 11", "10", id="p90-of-eleven-is-the-tenth"),
        pytest.param("p99", "3 1 2", "3", id="p99-of-few-is-the-largest"),
        pytest.param("p99", "7", "7", id="one-node"),
        pytest.param("mean", "0 0", "0", id="zero-is-a-value"),
        pytest.param("mean", "-5 5", "0", id="negative-is-a-value"),
        pytest.param("mean", "1e24 1e24", "1e24", id="the-largest-number-is-a-value"),
    ],
)
def test_values_of_the_nodes_become_one(across_nodes, values, expected):
    assert one(across_nodes, values) == Decimal(expected)


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "1.1e24", "-1e25", "1e999999"])
@pytest.mark.parametrize("across_nodes", ["mean", "max", "min", "sum", "p90"])
def test_not_a_number_is_missing_never_zero(across_nodes, bad):
    assert one(across_nodes, bad) is None
    assert one(across_nodes, f"40 {bad}") == one(across_nodes, "40 -")


@pytest.mark.parametrize(
    ("values", "after_end", "expected"),
    [
        pytest.param("40 50", 0, False, id="all-nodes-at-its-end"),
        pytest.param("40 50", -1, None, id="the-period-has-not-ended"),
        pytest.param("40 -", 119, None, id="a-node-missing-just-before-two-periods"),
        pytest.param("40 -", 120, True, id="half-of-the-nodes-after-exactly-two-periods"),
        pytest.param("40 50 -", 120, True, id="two-of-three-after-two-periods"),
        pytest.param("40 - -", 3600, None, id="fewer-than-half-never"),
        pytest.param("- -", 3600, None, id="no-node-never"),
        pytest.param("40 50", 3600, False, id="all-nodes-is-never-half"),
    ],
)
def test_a_sample_is_complete_when(values, after_end, expected):
    points = {f"n{k}": {T: Decimal(word)} if word != "-" else {} for k, word in enumerate(values.split())}
    found = sample.fold(CPU, points, dict.fromkeys(points, T), T + MINUTE + timedelta(seconds=after_end))
    assert [each.half for each in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_i5_there_is_no_sample_of_what_is_no_number(bad):
    with pytest.raises(ValueError, match="is not a number"):
        sample.Sample(T, Decimal(bad))


def test_a_node_that_has_never_sent_anything_is_missing():
    found = sample.fold(CPU, {"n0": {T: Decimal(40)}}, {"n0": T, "n1": T}, T + 3 * MINUTE)
    assert [(each.value, each.half) for each in found] == [(Decimal(40), True)]


def test_a_sum_is_never_half():
    assert one("sum", "40 -") is None
    assert one("sum", "40 50 -") is None


@pytest.mark.parametrize(
    ("warm_from", "expected"),
    [
        pytest.param(T, "90", id="warm-at-its-start-counts"),
        pytest.param(T + timedelta(seconds=1), "60", id="warm-a-second-later-does-not"),
    ],
)
def test_a_node_counts_from_when_it_is_warm(warm_from, expected):
    assert one("mean", "60 120", warm={"n0": T, "n1": warm_from}) == Decimal(expected)


def test_a_node_that_is_not_warm_is_not_missed():
    found = sample.fold(CPU, {"n0": {T: Decimal(60)}}, {"n0": T, "n1": T + MINUTE}, T + MINUTE)
    assert found == (sample.Sample(T, Decimal(60), half=False),)


def test_a_node_that_does_not_serve_does_not_count():
    assert one("mean", "60 120", warm={"n0": T}) == Decimal(60)


def test_while_no_node_is_warm_there_is_no_sample():
    assert one("mean", "60 120", warm={"n0": NOW, "n1": NOW}) is None


def test_samples_come_newest_first_each_at_its_periods_start():
    points = {"n0": {ago(m): Decimal(m) for m in (3, 9, 5, 1, 0, -5)}}  # the last two have not ended
    found = sample.fold(CPU, points, {"n0": ago(60)}, NOW)
    assert [each.time for each in found] == [ago(1), ago(3), ago(5), ago(9)]


def test_a_gap_at_one_node_does_not_hide_older_samples():
    points = {"n0": {ago(2): Decimal(10), ago(1): Decimal(10)}, "n1": {ago(2): Decimal(30)}}
    found = sample.fold(CPU, points, {"n0": ago(60), "n1": ago(60)}, NOW)
    assert found == (sample.Sample(ago(2), Decimal(20)),)


OF_GROUP = Metric("sum(up)", source="prom", across_nodes="sum")


@pytest.mark.parametrize("across_nodes", ["mean", "max", "min", "sum", "p50", "p99"])
@pytest.mark.parametrize("warm", [{}, {"n1": T, "n2": NOW}], ids=["no-node", "two-nodes"])
def test_the_value_of_a_group_is_folded_already_and_never_half_whatever_its_nodes(across_nodes, warm):
    points = {sample.GROUP: {T: Decimal(7)}, "n1": {T: Decimal(100)}}
    found = sample.fold(replace(OF_GROUP, across_nodes=across_nodes), points, warm, NOW)
    assert found == (sample.Sample(T, Decimal(7)),)


def test_a_query_with_a_node_label_is_folded_over_the_nodes():
    points = {sample.GROUP: {T: Decimal(7)}, "n1": {T: Decimal(10)}, "n2": {T: Decimal(20)}}
    found = sample.fold(replace(OF_GROUP, node_label="node_id"), points, {"n1": T, "n2": T}, NOW)
    assert found == (sample.Sample(T, Decimal(30)),)

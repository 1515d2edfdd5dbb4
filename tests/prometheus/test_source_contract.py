"""What a query means: the same on a real Prometheus as on the emulated one that the other tests use."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from autoscaler import errors
from autoscaler.core.policy import Metric
from autoscaler.core.sample import GROUP
from autoscaler.ports import MetricQuery
from autoscaler.prometheus.connection import Timeouts
from autoscaler.prometheus.source import PrometheusSource
from tests.prometheus.servers import BASE, at, numbers

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["emulated", "real"])
def source(request, emulated, source_of):
    url = emulated.url if request.param == "emulated" else request.getfixturevalue("real_url")
    return source_of(url, timeouts=Timeouts())


def query(text: str, label: str | None = None, period: timedelta = MINUTE) -> MetricQuery:
    return MetricQuery.of(Metric(text, source="prom", node_label=label, period=period), "instance", ("n1",))


async def answer(source: PrometheusSource, asked: MetricQuery, start: datetime, end: datetime) -> Any:
    return (await source.fetch([asked], start, end))[asked]


async def test_the_value_at_the_end_of_a_period_is_the_sample_of_that_period(source):
    found = await answer(source, query("sum(load)"), at(2), at(5))
    assert found == {GROUP: {at(2): Decimal(106), at(3): Decimal(108), at(4): Decimal(110)}}


async def test_with_a_label_there_is_a_series_for_each_node(source):
    found = await answer(source, query("load", "node_id"), at(2), at(4))
    assert found == {"n1": {at(2): Decimal(3), at(3): Decimal(4)}, "n2": {at(2): Decimal(103), at(3): Decimal(104)}}


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(2.5, 5.5, [3, 4], id="periods-begin-and-end-within"),
        pytest.param(2, 2.9, [], id="a-period-that-has-not-ended-is-left-out"),
        pytest.param(5, 5, [], id="nothing-of-nothing"),
        pytest.param(-3, 1, [-1, 0], id="before-there-was-data"),
        pytest.param(18, 30, [18, 19], id="after-the-data"),
    ],
)
async def test_instants_are_whole_periods(source, start, end, expected):
    found = await answer(source, query("load", "node_id"), at(start), at(end))
    times = sorted(found["n1"]) if found else []
    assert times == [at(minute) for minute in expected]


async def test_the_period_is_the_step(source):
    found = await answer(source, query("load", "node_id", 5 * MINUTE), at(1), at(16))
    assert found["n1"] == {at(5): Decimal(10), at(10): Decimal(15)}


async def test_a_number_is_a_value_of_the_group(source):
    assert await answer(source, query("7"), at(0), at(2)) == {GROUP: {at(0): Decimal(7), at(1): Decimal(7)}}


async def test_more_points_than_one_call_may_have_are_asked_in_spans(source):
    found = await answer(source, query("7", period=timedelta(seconds=1)), BASE, BASE + timedelta(hours=4))
    assert len(found[GROUP]) == 14_400


async def test_no_series_is_no_data(source):
    assert await answer(source, query("never"), at(0), at(9)) == {}
    assert await answer(source, query("never", "node_id"), at(0), at(9)) == {}


async def test_what_ends_is_missing_from_then_on(source):
    found = await answer(source, query("gone"), at(0), at(9))
    assert sorted(found[GROUP]) == [at(minute) for minute in range(5)]


async def test_nan_and_infinite_are_missing_and_what_is_tiny_is_zero(source):
    found = await answer(source, query("odd"), at(0), at(12))
    assert {time: value for time, value in found[GROUP].items() if value < 100} == dict(
        zip([at(3), at(4), at(9), at(10)], numbers(0, 7, 0, 7), strict=True)
    )
    assert sorted(found[GROUP]) == [at(2), at(3), at(4), at(8), at(9), at(10)]


UNCLEAR = {
    "several series without a label": ("load", None, ["gives 2 series", 'node_id="n1"', "sum(…)", "node_label"]),
    "two series with the same label": ("load", "zone", ["gives two series of node z", 'node_id="n2"', "sum by (zone)"]),
    "a series without the label": ("sum(load)", "node_id", ["without the label node_id ({})", "sum by (node_id)"]),
}


@pytest.mark.parametrize(("text", "label", "parts"), UNCLEAR.values(), ids=UNCLEAR)
async def test_what_is_not_clear_is_unreadable_and_says_what_was_found(source, text, label, parts):
    found = await answer(source, query(text, label), at(0), at(2))
    assert isinstance(found, errors.Unreadable)
    assert [part for part in (f"prom query '{text}'", *parts) if part not in str(found)] == []


async def test_a_wrong_query_is_refused_with_the_servers_own_sentence(source):
    found = await answer(source, query("sum(load"), at(0), at(2))
    assert isinstance(found, errors.Refused)
    assert (found.status, found.code) == (400, "bad_data")
    assert "parse error: unclosed left parenthesis" in str(found)


async def test_queries_of_one_call_have_answers_of_their_own(source):
    good, bad, label = query("sum(load)"), query("sum(load"), query("load", "node_id")
    found = await source.fetch([good, bad, label, good], at(0), at(1))
    assert list(found) == [good, bad, label]
    assert found[good] == {GROUP: {at(0): Decimal(102)}}
    assert isinstance(found[bad], errors.Refused)
    assert set(found[label]) == {"n1", "n2"}

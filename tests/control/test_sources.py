"""Several sources as one: each query goes to its own, targets share calls, and one that is down stops no other."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from autoscaler.control.sources import Sources
from autoscaler.core.policy import CLOUD_EYE, Metric, OnMissing, Policy, Statistic
from autoscaler.core.sample import GROUP
from autoscaler.errors import Unavailable, Unreadable
from autoscaler.ports import MetricQuery
from tests.control.house import INSTANCE, House, target
from tests.core.given import MINUTE, policy, step, threshold
from tests.fakes import FakeMetrics

LATENCY = Metric("latency", source="prom")
PER_NODE = Metric("load", source="prom", node_label="node_id")


@dataclass
class FakeServer(FakeMetrics):
    """A source of queries: those without a label have one series, the others one for each of `nodes`."""

    nodes: tuple[str, ...] = ("n1", "n2", "of-another-group")

    def _answer(self, query: MetricQuery, start: Any, end: Any) -> Any:
        names = (GROUP,) if query.node_label is None else self.nodes
        return self.errors.get(query.name) or {node: self._points(query, node, start, end) for node in names}


@dataclass
class Two(House):
    """A house with a second source, called prom."""

    prom: FakeServer = field(init=False)

    def start(self, **more: Any) -> None:
        super().start(**more)
        self.prom = FakeServer(self.clock)
        self.poller.windows._source = Sources({CLOUD_EYE: self.metrics, "prom": self.prom})


def hot(metric: Metric, **more: Any) -> Any:
    return threshold(out=[step("75")], metric=metric, name=metric.name, **more)


def two(*policies: Policy) -> Two:
    return Two(policies=policies)


async def test_a_query_of_the_group_scales_it_out_at_its_newest_value():
    house = two(policy(hot(LATENCY), target=target()))
    house.prom.stand_at(90)
    record = await house.decision()
    assert (record.reason, record.rules[0].value) == ("above_threshold", Decimal(90))
    assert record.rules[0].as_of == house.clock.now() - MINUTE
    assert house.metrics.asked == []


async def test_a_query_of_nodes_is_folded_over_those_of_the_group_alone():
    house = two(policy(hot(PER_NODE), target=target()))
    values = {"n1": Decimal(70), "n2": Decimal(90), "of-another-group": Decimal(9000)}
    house.prom.value = lambda _, node, __: values[node]
    assert (await house.decision()).rules[0].value == 80
    assert set(house.poller.windows.points(house.policies[0], PER_NODE)) == {"n1", "n2"}


async def test_targets_with_the_same_query_share_one_call_however_far_back_each_looks():
    long = threshold(in_=[step("30", for_=timedelta(minutes=30))], metric=LATENCY)
    house = two(
        policy(hot(LATENCY), target=target()),
        policy(long, target=target("stock", instance="stock")),
        policy(hot(PER_NODE), target=target("other", instance="other")),
    )
    for instance in ("stock", "other"):
        house.cloud.have(2, instance=instance)
    await house.evaluate()
    asked = [query.name for queries, _, _ in house.prom.asked for query in queries]
    assert sorted(asked) == ["latency", "load"]
    assert all(query.instance_id == "" for queries, _, _ in house.prom.asked for query in queries)


async def test_after_the_first_time_only_what_is_new_is_asked():
    house = two(policy(hot(LATENCY), hot(Metric("ddm_cpu_util")), target=target()))
    await house.evaluate()
    house.minutes()
    house.prom.asked.clear()
    await house.evaluate()
    ((_, start, end),) = house.prom.asked
    assert (end - start) / MINUTE == 4  # the minute since, two periods, and one for a scrape that came late


async def test_a_group_without_a_ready_node_still_has_the_value_of_its_query():
    house = two(policy(hot(LATENCY), hot(PER_NODE), target=target()))
    house.cloud.instances["instance"].groups["group"][:] = []
    await house.evaluate()
    assert [query.name for queries, _, _ in house.prom.asked for query in queries] == ["latency"]


async def test_i8_a_source_that_is_down_is_missing_data_for_its_own_rules_only():
    house = two(policy(hot(Metric("ddm_cpu_util")), hot(LATENCY, on_missing_metric=OnMissing.IGNORE), target=target()))
    house.metrics.stand_at(90)
    house.prom.raises = KeyError("down")
    record = await house.decision()
    assert [rule.reason for rule in record.rules] == ["above_threshold", "no_data"]
    assert record.reason == "above_threshold"


async def test_i5_one_query_that_fails_keeps_the_group_as_it_is():
    house = two(
        policy(
            threshold(in_=[step("30")]),
            threshold(in_=[step("30")], metric=LATENCY, name="latency"),
            target=target(),
            scale_in_stabilization=timedelta(0),
        )
    )
    house.cloud.have(3)
    house.metrics.stand_at(1)
    house.prom.errors["latency"] = Unavailable("down")
    record = await house.decision()
    assert (record.change, record.rules[1].reason) == (0, "no_data")
    assert house.monitor.said("a metric could not be read") == 1


async def test_a_source_that_nobody_configured_is_an_error_of_its_queries(house):
    known = MetricQuery("ddm_cpu_util", Statistic.AVERAGE, MINUTE, "instance", ("n1",))
    unknown = MetricQuery.of(LATENCY, INSTANCE.instance_id, ())
    now = house.clock.now()
    found = await Sources({CLOUD_EYE: house.metrics}).fetch([known, unknown], now - 2 * MINUTE, now)
    assert isinstance(found[unknown], Unreadable)
    assert "no metric source prom" in str(found[unknown])
    assert not isinstance(found[known], Exception)

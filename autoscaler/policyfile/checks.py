"""Whether a target makes sense: every check yields problems, each with its place and the remedy."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from autoscaler import errors
from autoscaler.core import ddm_metrics
from autoscaler.core.policy import CLOUD_EYE, Statistic
from autoscaler.core.target import MAX_NODES_PER_INSTANCE
from autoscaler.policyfile import check_metric, check_windows, model
from autoscaler.policyfile.draft import Draft
from autoscaler.yamlfile import quantities
from autoscaler.yamlfile.node import Node, Place

LONGEST_WINDOW = timedelta(hours=24)
"""More samples than a day's are no sign of what the group needs now."""

LONGEST_SPAN = timedelta(days=366)

Problems = Iterator[errors.Problem]


@dataclass(frozen=True)
class CloudKind:
    """What of the cloud decides which keys a target may have: the dialect (huawei, otc) and the API (v2, v3)."""

    dialect: str
    ddm_api: str


def problems(draft: Draft, cloud: CloudKind | None, sources: Collection[str] | None = None) -> Problems:
    """All that makes no sense in one target.

    What depends on the cloud, and whether there is a source of a name, is only asked where that is known.
    """
    yield from _bounds(draft)
    yield from _spans(draft)
    yield from _names(draft)
    for index, rule in enumerate(draft.keys.rules):
        if isinstance(rule, model.ScheduleKeys):
            yield from check_windows.schedule(draft, index, rule)
        else:
            yield from check_metric.problems(draft, index, rule, sources)
            yield from _Rule(draft, index, rule).problems(cloud)
    for index, blackout in enumerate(draft.keys.guards.blackout):
        yield from check_windows.blackout(draft, index, blackout)
    if cloud is not None:
        yield from _cloud(draft, cloud)


def _bounds(draft: Draft) -> Problems:
    nodes = draft.keys.nodes
    if not draft.is_whole("nodes"):
        return
    if draft.tree.at("nodes") is None:
        yield draft.place("nodes").problem("is missing; say how few and how many nodes, such as {min: 2, max: 8}")
        return
    if nodes.min is None:
        yield draft.place("nodes", "min").problem("is missing; say the fewest nodes, 1 or more")
    if nodes.max is None:
        yield draft.place("nodes", "max").problem("is missing; say the most nodes, min or more")
    if nodes.min is not None and nodes.max is not None and nodes.min > nodes.max:
        yield draft.place("nodes", "min").problem(f"min {nodes.min} is above max {nodes.max}; lower min or raise max")
    if nodes.min is not None and nodes.min > MAX_NODES_PER_INSTANCE:
        yield draft.place("nodes", "min").problem(
            f"min {nodes.min} can never be; an instance has at most {MAX_NODES_PER_INSTANCE} nodes"
        )


def _spans(draft: Draft) -> Problems:
    keys = draft.keys
    if not timedelta(seconds=1) <= keys.interval <= LONGEST_WINDOW:
        yield draft.place("interval").problem(
            f"{quantities.write_duration(keys.interval)} is not allowed; an interval is 1s to 24h"
        )
    spans = {
        ("cooldown", "out"): keys.cooldown.out,
        ("cooldown", "in"): keys.cooldown.in_,
        ("cooldown", "failed"): keys.cooldown.failed,
        ("scale_in_stabilization",): keys.scale_in_stabilization,
        ("max_metric_age",): keys.max_metric_age,
        ("warm_up",): keys.warm_up,
    }
    for location, span in spans.items():
        if span is not None and span > LONGEST_SPAN:
            yield draft.place(*location).problem("is longer than 366d; write a shorter span")


def _names(draft: Draft) -> Problems:
    first: dict[str, Place] = {}
    for index, rule in enumerate(draft.keys.rules):
        place = draft.place("rules", index, "name")
        if rule.name in first:
            yield place.problem(f"a rule named {rule.name!r} stands at {first[rule.name]}; give each its own name")
        first.setdefault(rule.name, place)


def _cloud(draft: Draft, cloud: CloudKind) -> Problems:
    keys = draft.keys
    if cloud.ddm_api == "v2":
        if keys.flavor_id is None and draft.is_whole("flavor_id"):
            yield draft.place("flavor_id").problem(
                "is missing; the v2 API needs the id of the group's node flavor (or set cloud.ddm_api: v3)"
            )
        for key in ("zones", "subnet_id"):
            if getattr(keys, key):
                yield draft.place(key).problem(f"the v2 API cannot choose {key}; take it out, or set cloud.ddm_api: v3")
    if cloud.dialect == "otc" and keys.auto_pay:
        yield draft.place("auto_pay").problem("otc has no prepaid instances to pay for; take it out")


@dataclass(frozen=True)
class _Rule:
    """One rule of a draft that looks at a metric, with its place."""

    draft: Draft
    index: int
    keys: model.ThresholdKeys | model.TargetTrackingKeys

    def problems(self, cloud: CloudKind | None) -> Problems:
        """All that makes no sense in this rule."""
        yield from self._period()
        yield from self._age()
        if cloud is not None:
            yield from self._statistic(cloud)
        if isinstance(self.keys, model.ThresholdKeys):
            yield from self._steps(self.keys)
        else:
            yield from self._tracking(self.keys)

    def place(self, *location: str | int) -> Place:
        """Where a part of the rule stands."""
        return self.draft.place("rules", self.index, *location)

    def metric_place(self, key: str) -> Place:
        """Where a key of the metric stands, or its short name."""
        node = self.draft.tree.at("rules", self.index, "metric", key)
        return node.place if node is not None else self.place("metric")

    @property
    def node(self) -> Node:
        """The rule as it is written."""
        found = self.draft.tree.at("rules", self.index)
        return found if found is not None else self.draft.tree

    @property
    def fact(self) -> ddm_metrics.MetricFact | None:
        """What is known of the metric."""
        return check_metric.fact(self.keys.metric)

    def _period(self) -> Problems:
        period = self.keys.metric.period
        if not check_metric.has_period(self.keys.metric):
            yield self.metric_place("period").problem(
                f"{quantities.write_duration(period)} is not a period of {check_metric.periods(self.keys.metric)}"
            )
        elif self.draft.keys.interval < period and self.draft.is_whole("interval"):
            written = self.draft.tree.at("interval")
            place = written.place if written is not None else self.metric_place("period")
            yield place.problem(
                f"the interval {quantities.write_duration(self.draft.keys.interval)} is shorter than the period "
                f"{quantities.write_duration(period)} of rule {self.keys.name!r}; decide every "
                f"{quantities.write_duration(period)} or less often"
            )

    def _age(self) -> Problems:
        period, own = self.keys.metric.period, self.keys.max_metric_age
        if own is None and not self.draft.is_whole("max_metric_age"):
            return
        age = self.draft.keys.max_metric_age if own is None else own
        if age >= 2 * period or not check_metric.has_period(self.keys.metric):
            return
        written = self.draft.tree.at("max_metric_age") if own is None else None
        place = written.place if written is not None else self.place("max_metric_age")
        yield place.problem(
            f"{quantities.write_duration(age)} is shorter than two periods of the metric of rule {self.keys.name!r}, "
            f"which would often be stale; {quantities.write_duration(2 * period)} or more"
        )

    def _statistic(self, cloud: CloudKind) -> Problems:
        metric = self.keys.metric
        raw = metric.period == timedelta(minutes=1) and metric.statistic is not Statistic.AVERAGE
        if cloud.dialect == "otc" and raw:
            yield self.metric_place("statistic").problem(
                f"at otc Cloud Eye has only raw points at a period of 1m, so {metric.statistic} needs a period of 5m "
                "or longer"
            )

    def _steps(self, rule: model.ThresholdKeys) -> Problems:
        whole = self.draft.is_whole("out", of=self.node) and self.draft.is_whole("in", of=self.node)
        if not rule.out and not rule.in_ and whole:
            yield self.node.place.problem("the rule has no steps, so it never acts; give it steps under out or in")
        for number, step in enumerate(rule.out):
            yield from self._window(step, "out", number)
        for number, in_step in enumerate(rule.in_):
            yield from self._window(in_step, "in", number)
        for number, out_step in enumerate(rule.out):
            yield from self._out_range(out_step.above, self.place("out", number, "above"))
        for number, in_step in enumerate(rule.in_):
            yield from self._in_range(in_step.below, self.place("in", number, "below"))
        yield from self._overlap(rule)

    def _window(self, step: model.OutStep | model.InStep, direction: str, number: int) -> Problems:
        period = self.keys.metric.period
        if step.for_ is not None and step.datapoints is not None:
            yield self.place(direction, number, "datapoints").problem(
                "a step has for or datapoints, not both; take one of them out"
            )
        elif step.for_ is not None and not period <= step.for_ <= LONGEST_WINDOW:
            yield self.place(direction, number, "for").problem(
                f"{quantities.write_duration(step.for_)} is not allowed; at least the metric's period "
                f"{quantities.write_duration(period)} and at most 24h, or no for: then the newest sample decides"
            )
        elif step.datapoints is not None and step.datapoints[1] * period > LONGEST_WINDOW:
            yield self.place(direction, number, "datapoints").problem(
                f"{step.datapoints[1]} samples of {quantities.write_duration(period)} are more than 24h; look at fewer"
            )
        if step.cooldown is not None and step.cooldown > LONGEST_SPAN:
            yield self.place(direction, number, "cooldown").problem("is longer than 366d; write a shorter span")

    def _highest(self) -> Decimal | None:
        """The highest value that the rule can ever see; None where there is no end."""
        metric = self.keys.metric
        folded = metric.across_nodes != "sum" and metric.statistic not in {Statistic.SUM, Statistic.VARIANCE}
        return self.fact.highest if self.fact is not None and folded else None

    def _range(self) -> str:
        fact, highest = self.fact, self._highest()
        unit = f" {fact.unit}" if fact is not None and fact.unit else ""
        if self.keys.metric.source != CLOUD_EYE:
            return "nodes are wanted in proportion to the metric"
        return f"{self.keys.metric.name} is " + ("0 or more" if highest is None else f"0 to {highest}") + unit

    def _out_range(self, above: Decimal, place: Place) -> Problems:
        highest = self._highest()
        if self.fact is None:
            return
        if above < 0:
            yield place.problem(f"{above} is always exceeded: {self._range()}; write 0 or more")
        elif highest is not None and above >= highest:
            yield place.problem(f"nothing is ever above {above}: {self._range()}; write less than {highest}")

    def _in_range(self, below: Decimal, place: Place) -> Problems:
        highest = self._highest()
        if self.fact is None:
            return
        if below <= 0:
            yield place.problem(f"nothing is ever below {below}: {self._range()}; write more than 0")
        elif highest is not None and below > highest:
            yield place.problem(f"everything is below {below}: {self._range()}; write {highest} or less")

    def _overlap(self, rule: model.ThresholdKeys) -> Problems:
        if not rule.out or not rule.in_:
            return
        lowest_out = min(step.above for step in rule.out)
        for number, step in enumerate(rule.in_):
            if step.below >= lowest_out:
                yield self.place("in", number, "below").problem(
                    f"the in-threshold {step.below} is not below the out-threshold {lowest_out}, so the group would "
                    f"swing; write less than {lowest_out}"
                )

    def _tracking(self, rule: model.TargetTrackingKeys) -> Problems:
        highest, period = self._highest(), self.keys.metric.period
        if rule.target <= 0 or (highest is not None and rule.target > highest):
            yield self.place("target").problem(
                f"{rule.target} cannot be kept: {self._range()}; write more than 0"
                + ("" if highest is None else f", {highest} or less")
            )
        if rule.over is not None and not period <= rule.over <= LONGEST_WINDOW:
            yield self.place("over").problem(
                f"{quantities.write_duration(rule.over)} is not allowed; at least the metric's period "
                f"{quantities.write_duration(period)} and at most 24h, or no over: then the newest sample decides"
            )

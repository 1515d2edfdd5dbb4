"""The metric values in memory: filled once over the longest window, then only asked for what is new."""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from autoscaler.core.policy import Metric, MetricRule, Policy, TargetTrackingRule
from autoscaler.core.sample import GROUP
from autoscaler.errors import CloudError, Unreadable
from autoscaler.ports import MetricQuery, MetricSource, Points

LATE = timedelta(minutes=10)
"""Cloud Eye shows a value five to ten minutes after its minute (DDM user manual, "Viewing Instance Metrics")."""

NOT_LATE = timedelta(minutes=1)
"""A query is answered from what has been scraped; the newest scrape may reach the server's storage a moment later."""


@dataclass
class _Window:
    values: dict[str, dict[datetime, Decimal]] = field(default_factory=dict)  # by node
    asked_until: datetime | None = None  # end of the last range that was answered
    kept_from: datetime | None = None  # what is older was not asked for, or is forgotten

    def start_of_new(self, now: datetime, horizon: timedelta, metric: Metric) -> datetime:
        """From where to ask: a little before the last answer, since values come late; at first the whole horizon."""
        oldest = now - horizon
        if self.asked_until is None or self.asked_until > now or self._begins_after(oldest):
            return oldest
        return max(oldest, self.asked_until - late(metric) - 2 * metric.period)

    def _begins_after(self, oldest: datetime) -> bool:
        """A new policy may look further back than that of before."""
        return self.kept_from is None or self.kept_from > oldest

    def take(self, answer: Mapping[str, Points], now: datetime, horizon: timedelta) -> None:
        for node, points in answer.items():
            self.values.setdefault(node, {}).update(points)
        oldest = now - horizon
        fresh = {
            node: {time: value for time, value in points.items() if time >= oldest}
            for node, points in self.values.items()
        }
        self.values = {node: points for node, points in fresh.items() if points}
        self.asked_until, self.kept_from = now, oldest


@dataclass(frozen=True)
class Want:
    """One metric of one target, for the nodes that serve now."""

    policy: Policy
    metric: Metric
    node_ids: tuple[str, ...]

    @property
    def key(self) -> tuple[str, Metric]:
        """Names its window."""
        return self.policy.name, self.metric

    @property
    def query(self) -> MetricQuery:
        """As the source is asked; two metrics that differ only in how they are folded share it."""
        return MetricQuery.of(self.metric, self.policy.target.instance_id, self.node_ids)

    def mine(self, answer: Mapping[str, Points]) -> Mapping[str, Points]:
        """What of an answer is of this target: a query may tell of the nodes of many."""
        wanted = {GROUP} if self.metric.of_group else set(self.node_ids)
        return {node: points for node, points in answer.items() if node in wanted}


class Windows:
    """All windows; `refresh` asks for many at once, `points` gives one."""

    def __init__(self, source: MetricSource) -> None:
        self._source = source
        self._windows: dict[tuple[str, Metric], _Window] = {}

    async def refresh(self, wants: Sequence[Want], now: datetime) -> dict[tuple[str, Metric], CloudError]:
        """Ask for what is new of each; what could not be had is named with its error, and keeps its old values."""
        asked = [want for want in wants if want.node_ids or want.metric.of_group]
        starts = self._starts(asked, now)
        by_start: dict[datetime, list[MetricQuery]] = {}
        for query, start in starts.items():
            by_start.setdefault(start, []).append(query)
        told = await asyncio.gather(*(self._ask(queries, start, now) for start, queries in by_start.items()))
        answers = {query: answer for each in told for query, answer in each.items()}
        errors: dict[tuple[str, Metric], CloudError] = {}
        for want in asked:
            answer = answers.get(want.query, Unreadable("the source gave no answer to this query"))
            if isinstance(answer, CloudError):
                errors[want.key] = answer
            elif window := self._windows.get(want.key):  # else it was forgotten while the source was asked
                window.take(want.mine(answer), now, horizon(want.policy, want.metric))
        return errors

    async def _ask(
        self, queries: Sequence[MetricQuery], start: datetime, now: datetime
    ) -> Mapping[MetricQuery, Mapping[str, Points] | CloudError]:
        try:
            return await self._source.fetch(queries, start, now)
        except Exception as error:  # noqa: BLE001  # a source that breaks is data that is missing: targets decide without
            return dict.fromkeys(queries, Unreadable(f"the source failed: {error!r}"))

    def _starts(self, wants: Iterable[Want], now: datetime) -> dict[MetricQuery, datetime]:
        """From where to ask each query: the earliest that any target needs, so that all share one call."""
        starts: dict[MetricQuery, datetime] = {}
        for want in wants:
            window = self._windows.setdefault(want.key, _Window())
            start = window.start_of_new(now, horizon(want.policy, want.metric), want.metric)
            start = _floor(start, want.metric.period)
            starts[want.query] = min(start, starts.get(want.query, start))
        return starts

    def points(self, policy: Policy, metric: Metric) -> Mapping[str, Points]:
        """Node id → values by period, as far as they are known."""
        window = self._windows.get((policy.name, metric))
        return window.values if window is not None else {}

    def keep(self, policies: Sequence[Policy]) -> None:
        """Forget windows that no policy asks for any more."""
        wanted = {(policy.name, metric) for policy in policies for metric in policy.metrics}
        self._windows = {key: window for key, window in self._windows.items() if key in wanted}

    def forget(self, *, targets: Collection[str] = (), sources: Collection[str] = ()) -> None:
        """Forget what was read of targets that are another group now, and from sources that are another server."""
        self._windows = {
            (name, metric): window
            for (name, metric), window in self._windows.items()
            if name not in targets and metric.source not in sources
        }


def late(metric: Metric) -> timedelta:
    """How long after its period a value may still come."""
    return NOT_LATE if metric.is_query else LATE


def horizon(policy: Policy, metric: Metric) -> timedelta:
    """How far back a decision may look at this metric: its longest window, and as late as a value may be."""
    spans = [span for rule in policy.metric_rules if rule.metric == metric for span in _spans(rule, metric.period)]
    ages = [rule.max_metric_age for rule in policy.metric_rules if rule.metric == metric]
    return max(spans, default=metric.period) + max([*ages, late(metric)]) + 3 * metric.period


def _spans(rule: MetricRule, period: timedelta) -> list[timedelta]:
    if isinstance(rule, TargetTrackingRule):
        return [rule.over] if rule.over is not None else []
    steps = (*rule.out, *rule.in_)
    spans = [step.for_ for step in steps if step.for_ is not None]
    return spans + [step.datapoints[1] * period for step in steps if step.datapoints is not None]


def _floor(moment: datetime, period: timedelta) -> datetime:
    seconds = period.total_seconds()
    return datetime.fromtimestamp(math.floor(moment.timestamp() / seconds) * seconds, moment.tzinfo)

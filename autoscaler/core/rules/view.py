"""What a rule may see: its metric's samples, the ready nodes, and since when the group has its size."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from autoscaler.core import history
from autoscaler.core.decision import Progress, Reason
from autoscaler.core.observation import Observation
from autoscaler.core.policy import Direction, MetricRule, OnMissing, Rule
from autoscaler.core.recommend import Recommendation, Say
from autoscaler.core.sample import Sample
from autoscaler.core.target import Mode


class View(NamedTuple):
    """One rule's part of an observation."""

    now: datetime
    ready: int
    samples: tuple[Sample, ...]  # complete ones, newest first
    period: timedelta
    barrier: datetime | None  # samples from before it are of another group size

    @property
    def as_of(self) -> datetime | None:
        """The time of the newest complete sample."""
        return self.samples[0].time if self.samples else None

    def newest(self) -> Sample | None:
        """The newest sample, where it is of the group as it is now."""
        if not self.samples or self._too_early(self.samples[0].time):
            return None
        return self.samples[0]

    def window(self, span: timedelta) -> tuple[Sample, ...]:
        """The samples of (as_of − span, as_of]; empty where too few are there or it reaches back past a change."""
        due = math.ceil(span / self.period)
        found = self.due(due)
        return found if 5 * len(found) >= 4 * due else ()

    def due(self, count: int) -> tuple[Sample, ...]:
        """Those of the last `count` due samples that are there; empty where they reach back past a change."""
        newest = self.samples[0].time  # there is one: else the rule is without data
        if self._too_early(newest - (count - 1) * self.period):
            return ()
        start = newest - count * self.period
        found = self.samples[:count]  # one a period at most
        return found if found[-1].time > start else tuple(sample for sample in found if sample.time > start)

    def counted(self, due: int) -> tuple[tuple[Sample, ...], datetime | None]:
        """Those of the last `due` samples that are of the group as it is; and since when, where others were due too."""
        oldest = self.samples[0].time - (due - 1) * self.period
        if self.barrier is None or oldest >= self.barrier:
            return self.due(due), None
        return tuple(one for one in self.samples[:due] if one.time >= self.barrier), self.barrier

    def _too_early(self, time: datetime) -> bool:
        return self.barrier is not None and time < self.barrier


def of(rule: MetricRule, observation: Observation) -> View:
    """The part of the observation that this rule may look at."""
    samples = observation.samples.get(rule.metric, ())
    return View(observation.now, observation.snapshot.ready, samples, rule.metric.period, observation.last_change)


def missing(rule: MetricRule, view: View) -> Reason | None:
    """NO_DATA without any sample, STALE_DATA where the newest is older than the rule allows, else None."""
    if view.as_of is None:
        return Reason.NO_DATA
    return Reason.STALE_DATA if view.now - view.as_of > rule.max_metric_age else None


def without_data(rule: MetricRule, view: View, why: Reason, observation: Observation) -> Recommendation:
    """What a rule recommends while its metric is missing."""
    held = Recommendation(rule.name, view.ready, why, Say.FULL, as_of=view.as_of, missing=why)
    if rule.on_missing_metric is OnMissing.IGNORE:
        return held._replace(say=Say.NONE)
    if rule.on_missing_metric is OnMissing.OUT and _one_more(rule, view, observation):
        return held._replace(wants=view.ready + 1, reason=Reason.NO_DATA)
    return held


def _one_more(rule: MetricRule, view: View, observation: Observation) -> bool:
    """Once per spell, and only when it has lasted longer than max_metric_age."""
    since = view.as_of if view.as_of is not None else observation.first_evaluated_at
    if view.now - since <= rule.max_metric_age:
        return False
    return not history.spent_on_missing_data(observation.of_group, observation.fresh_at.get(rule.name))


def marked(rule: Rule, recommendation: Recommendation, warming: int) -> Recommendation:
    """With the nodes that are not warm yet; a rule in observe is computed and recorded, and has no say."""
    if rule.mode is Mode.OBSERVE:
        return recommendation._replace(say=Say.NONE, observe=True, warming=warming)
    return recommendation._replace(warming=warming) if warming else recommendation


def progress(
    direction: Direction,
    holding: Sequence[Sample],
    there: Sequence[Sample],
    due: int,
    *,
    needed: int | None = None,
    since: datetime | None,
) -> Progress:
    """For the record: `needed` samples must hold, or all that are there and 80 % of those due; no half one for in."""
    half = sum([one.half for one in holding]) if direction is Direction.IN else 0
    missing = 0 if since is not None else due - len(there)
    all_there = max(due - missing, -(-4 * due // 5))
    return Progress(direction, len(holding) - half, all_there if needed is None else needed, due, missing, half, since)


def any_half(samples: Sequence[Sample]) -> bool:
    """Whether any of them lacks the values of some nodes."""
    return any(sample.half for sample in samples)

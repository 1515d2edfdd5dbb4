"""Target tracking: ⌈ready × value ÷ target⌉ nodes, where the value is far enough from the target."""

import math
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Context, Decimal

from autoscaler.core.decision import Compared, Reason
from autoscaler.core.policy import Direction, TargetTrackingRule
from autoscaler.core.recommend import Recommendation, Say
from autoscaler.core.rules import view as views
from autoscaler.core.rules.view import View
from autoscaler.core.sample import Sample

_ROUNDING = Decimal("1e-9")
"""A mean over nodes is kept to 28 digits; this keeps an exact quotient from being rounded up for the 28th."""

_MEAN = Context(prec=20)
"""A mean of such means is kept to 20, so that what the last digits lost does not lift it over an exact limit."""


def recommend(rule: TargetTrackingRule, view: View) -> Recommendation:
    """What the rule wants; its metric is there and fresh."""
    samples = _looked_at(rule, view)
    wants, reason = view.ready, Reason.WITHIN_BOUNDS
    value = _mean(samples) if samples else view.samples[0].value
    compared, beyond = rule.band, abs(value - rule.target) > rule.tolerance * rule.target
    if beyond:
        compared = _progress(rule, view, Direction.OUT if value > rule.target else Direction.IN)
    if samples and beyond:
        wants, reason = _proportional(rule, view.ready, value, half=views.any_half(samples))
    return Recommendation(
        rule=rule.name,
        wants=wants,
        reason=reason,
        say=Say.FULL,
        value=value,
        as_of=view.as_of,
        samples=max(1, len(samples)),
        compared=compared,
    )


def _progress(rule: TargetTrackingRule, view: View, direction: Direction) -> Compared:
    """For the record: how many of the samples that it looks at are there, half ones left out where it would be in."""
    due = 1 if rule.over is None else math.ceil(rule.over / view.period)
    there, since = view.counted(due)
    return rule.band._replace(progress=views.progress(direction, there, there, due, needed=None, since=since))


def _looked_at(rule: TargetTrackingRule, view: View) -> tuple[Sample, ...]:
    if rule.over is not None:
        return view.window(rule.over)
    newest = view.newest()
    return () if newest is None else (newest,)


def _proportional(rule: TargetTrackingRule, ready: int, value: Decimal, *, half: bool) -> tuple[int, Reason]:
    """Above the target never fewer nodes, below it never more, and never fewer on a half sample."""
    wants = max(0, _ceil(ready * value / rule.target))
    if wants > ready:
        return wants, Reason.ABOVE_TARGET
    if wants < ready and not half:
        return wants, Reason.BELOW_TARGET
    return ready, Reason.WITHIN_BOUNDS


def _mean(samples: Sequence[Sample]) -> Decimal:
    if len(samples) == 1:
        return samples[0].value
    return _MEAN.divide(sum((sample.value for sample in samples), Decimal(0)), Decimal(len(samples)))


def _ceil(quotient: Decimal) -> int:
    whole = quotient.to_integral_value(ROUND_FLOOR)
    return int(whole) if quotient - whole <= _ROUNDING else int(whole) + 1

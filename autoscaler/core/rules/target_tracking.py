"""Target tracking: ⌈ready × value ÷ target⌉ nodes, where the value is far enough from the target."""

import math
from decimal import Decimal
from fractions import Fraction

from autoscaler.core.decision import Reason
from autoscaler.core.policy import TargetTrackingRule
from autoscaler.core.recommend import Recommendation, Say
from autoscaler.core.rules import view as views
from autoscaler.core.rules.view import View
from autoscaler.core.sample import Sample

_ROUNDING = Fraction(1, 10**9)
"""A mean over nodes is kept to 28 digits; this keeps an exact quotient from being rounded up for the 28th."""


def recommend(rule: TargetTrackingRule, view: View) -> Recommendation:
    """What the rule wants; its metric is there and fresh."""
    samples = _looked_at(rule, view)
    wants, reason = view.ready, Reason.WITHIN_BOUNDS
    value = sum((sample.value for sample in samples), Decimal(0)) / len(samples) if samples else view.samples[0].value
    if samples and abs(value - rule.target) > rule.tolerance * rule.target:
        wants, reason = _proportional(rule, view.ready, value, half=views.any_half(samples))
    return Recommendation(
        rule=rule.name,
        wants=wants,
        reason=reason,
        say=Say.FULL,
        value=value,
        as_of=view.as_of,
        samples=max(1, len(samples)),
    )


def _looked_at(rule: TargetTrackingRule, view: View) -> tuple[Sample, ...]:
    if rule.over is not None:
        return view.window(rule.over)
    newest = view.newest()
    return () if newest is None else (newest,)


def _proportional(rule: TargetTrackingRule, ready: int, value: Decimal, *, half: bool) -> tuple[int, Reason]:
    """Above the target never fewer nodes, below it never more, and never fewer on a half sample."""
    wants = max(0, _ceil(Fraction(ready) * Fraction(value) / Fraction(rule.target)))
    if wants > ready:
        return wants, Reason.ABOVE_TARGET
    if wants < ready and not half:
        return wants, Reason.BELOW_TARGET
    return ready, Reason.WITHIN_BOUNDS


def _ceil(quotient: Fraction) -> int:
    whole = math.floor(quotient)
    return whole if quotient - whole <= _ROUNDING else whole + 1

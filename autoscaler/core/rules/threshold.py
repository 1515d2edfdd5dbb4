"""Threshold rules: the largest step that holds moves so many nodes; where an out and an in step both hold, out."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal

from autoscaler.core.decision import Reason
from autoscaler.core.policy import Direction, Size, Step, ThresholdRule
from autoscaler.core.recommend import Recommendation, Say
from autoscaler.core.rules.view import View
from autoscaler.core.sample import Sample


def recommend(rule: ThresholdRule, view: View) -> Recommendation:
    """What the rule wants; its metric is there and fresh."""
    for steps, direction in ((rule.out, Direction.OUT), (rule.in_, Direction.IN)):
        holding = [(step, samples) for step in steps if (samples := _holds_on(step, direction, view))]
        if holding:
            return _found(rule, view, holding, direction)
    return Recommendation(
        rule=rule.name,
        wants=view.ready,
        reason=Reason.WITHIN_BOUNDS,
        say=Say.FULL if rule.in_ else Say.OUT_ONLY,
        value=view.samples[0].value,
        as_of=view.as_of,
        samples=1,
    )


def _found(
    rule: ThresholdRule, view: View, holding: Sequence[tuple[Step, Sequence[Sample]]], direction: Direction
) -> Recommendation:
    largest = max(nodes_of(step.size, view.ready, direction) for step, _ in holding)
    out = direction is Direction.OUT
    return Recommendation(
        rule=rule.name,
        wants=view.ready + largest if out else max(0, view.ready - largest),
        reason=Reason.ABOVE_THRESHOLD if out else Reason.BELOW_THRESHOLD,
        say=Say.FULL,
        value=view.samples[0].value,
        as_of=view.as_of,
        samples=max(len(samples) for _, samples in holding),
        cooldowns=tuple(step.cooldown for step, _ in holding),
    )


def nodes_of(size: Size, ready: int, direction: Direction) -> int:
    """A size in nodes: percentages are of the ready ones, up when adding, down when removing, at least one."""
    if not size.percent:
        return int(size.amount)
    share = ready * size.amount / 100
    return max(1, math.ceil(share) if direction is Direction.OUT else math.floor(share))


def _looked_at(step: Step, view: View) -> tuple[Sample, ...]:
    if step.for_ is not None:
        return view.window(step.for_)
    if step.datapoints is not None:
        return view.due(step.datapoints[1])
    newest = view.newest()
    return () if newest is None else (newest,)


def _holds_on(step: Step, direction: Direction, view: View) -> tuple[Sample, ...]:
    """The samples on which the step holds; none where it does not."""
    samples = _looked_at(step, view)
    beyond = _above(samples, step.threshold) if direction is Direction.OUT else _below(samples, step.threshold)
    holds = sum(beyond) >= step.datapoints[0] if step.datapoints is not None else all(beyond)
    return samples if holds else ()


def _above(samples: Sequence[Sample], threshold: Decimal) -> Iterator[bool]:
    return (sample.value > threshold for sample in samples)


def _below(samples: Sequence[Sample], threshold: Decimal) -> Iterator[bool]:
    """Seen by all nodes, too: a half sample never scales in."""
    return (sample.value < threshold and not sample.half for sample in samples)

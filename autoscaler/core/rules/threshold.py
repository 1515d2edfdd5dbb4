"""Threshold rules: the largest step that holds moves so many nodes; where an out and an in step both hold, out."""

import math
from collections.abc import Callable
from decimal import Decimal

from autoscaler.core.decision import Reason
from autoscaler.core.policy import Direction, Size, Step, ThresholdRule
from autoscaler.core.recommend import Recommendation, Say
from autoscaler.core.rules.view import View
from autoscaler.core.sample import Sample


def recommend(rule: ThresholdRule, view: View) -> Recommendation:
    """What the rule wants; its metric is there and fresh."""
    outs = [step for step in rule.out if _holds(step, Direction.OUT, view)]
    if outs:
        return _found(rule, view, outs, Direction.OUT)
    ins = [step for step in rule.in_ if _holds(step, Direction.IN, view)]
    if ins:
        return _found(rule, view, ins, Direction.IN)
    return Recommendation(
        rule=rule.name,
        wants=view.ready,
        reason=Reason.WITHIN_BOUNDS,
        say=Say.FULL if rule.in_ else Say.OUT_ONLY,
        value=view.samples[0].value,
        as_of=view.as_of,
        samples=1,
    )


def _found(rule: ThresholdRule, view: View, steps: list[Step], direction: Direction) -> Recommendation:
    largest = max(nodes_of(step.size, view.ready, direction) for step in steps)
    out = direction is Direction.OUT
    return Recommendation(
        rule=rule.name,
        wants=view.ready + largest if out else max(0, view.ready - largest),
        reason=Reason.ABOVE_THRESHOLD if out else Reason.BELOW_THRESHOLD,
        say=Say.FULL,
        value=view.samples[0].value,
        as_of=view.as_of,
        samples=max(len(_looked_at(step, view)) for step in steps),
        cooldowns=tuple(step.cooldown for step in steps),
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


def _holds(step: Step, direction: Direction, view: View) -> bool:
    samples = _looked_at(step, view)
    beyond = sum(map(_beyond(step.threshold, direction), samples))
    needed = step.datapoints[0] if step.datapoints is not None else len(samples)
    return bool(samples) and beyond >= needed


def _beyond(threshold: Decimal, direction: Direction) -> Callable[[Sample], bool]:
    """Strictly above, or strictly below and seen by all nodes: a half sample never scales in."""
    if direction is Direction.OUT:
        return lambda sample: sample.value > threshold
    return lambda sample: sample.value < threshold and not sample.half

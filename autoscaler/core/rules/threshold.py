"""Threshold rules: the largest step that holds moves so many nodes; where an out and an in step both hold, out."""

import math
from collections.abc import Sequence
from decimal import Decimal

from autoscaler.core.decision import Compared, Progress, Reason
from autoscaler.core.policy import Direction, Size, Step, ThresholdRule
from autoscaler.core.recommend import Recommendation, Say
from autoscaler.core.rules import view as views
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
        compared=_compared(rule, view),
    )


def _compared(rule: ThresholdRule, view: View) -> Compared:
    """For the record: between which values it lies, or how near the step is that it is beyond."""
    band, value = rule.band, view.samples[0].value
    if band.above is not None and value > band.above:
        steps = [step for step in rule.out if value > step.threshold]
        return min([_progress(step, Direction.OUT, view) for step in steps], key=_lacking)
    if band.below is not None and value < band.below:
        steps = [step for step in rule.in_ if value < step.threshold]
        return min((_progress(step, Direction.IN, view) for step in steps), key=_lacking)
    return band


def _lacking(compared: Compared) -> int:
    progress = compared.progress
    return 0 if progress is None else progress.needed - progress.have


def _progress(step: Step, direction: Direction, view: View) -> Compared:
    """How many of the samples that a step looks at are beyond its threshold."""
    needed, due = step.datapoints or (None, _due(step, view))
    there, since = view.counted(due)
    limit, out = step.threshold, direction is Direction.OUT
    beyond = [one for one in there if (one.value > limit if out else one.value < limit)]
    return _named(step, views.progress(direction, beyond, there, due, needed=needed, since=since))


def _held(step: Step, direction: Direction, samples: Sequence[Sample], view: View) -> Compared:
    """The same of a step that holds on these samples: with `for`, or with neither, every one of them is beyond."""
    if step.datapoints is not None:
        return _progress(step, direction, view)
    due, have = _due(step, view), len(samples)
    return _named(step, Progress(direction, have, have, due, due - have))


def _due(step: Step, view: View) -> int:
    return 1 if step.for_ is None else math.ceil(step.for_ / view.period)


def _named(step: Step, progress: Progress) -> Compared:
    out = progress.direction is Direction.OUT
    return Compared(step.threshold if out else None, None if out else step.threshold, progress=progress)


def _found(
    rule: ThresholdRule, view: View, holding: Sequence[tuple[Step, Sequence[Sample]]], direction: Direction
) -> Recommendation:
    sizes = [nodes_of(step.size, view.ready, direction) for step, _ in holding]
    largest = max(sizes)
    step, samples = holding[sizes.index(largest)]
    out = direction is Direction.OUT
    newest = view.samples[0]
    return Recommendation(
        rule.name,
        view.ready + largest if out else max(0, view.ready - largest),
        Reason.ABOVE_THRESHOLD if out else Reason.BELOW_THRESHOLD,
        Say.FULL,
        newest.value,
        newest.time,
        samples=max([len(samples) for _, samples in holding]),
        cooldowns=tuple([step.cooldown for step, _ in holding]),
        compared=_held(step, direction, samples, view),
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
    if step.datapoints is None:
        return samples if _all_beyond(samples, step.threshold, direction) else ()
    beyond = sum([_beyond(sample, step.threshold, direction) for sample in samples])
    return samples if beyond >= step.datapoints[0] else ()


def _all_beyond(samples: Sequence[Sample], threshold: Decimal, direction: Direction) -> bool:
    """Whether each is. Most of what a decision compares is here, and a plain loop takes half as long as `all`."""
    if direction is Direction.OUT:
        for sample in samples:  # noqa: SIM110  # see above
            if sample.value <= threshold:
                return False
        return True
    for sample in samples:  # noqa: SIM110  # see above
        if sample.value >= threshold or sample.half:
            return False
    return True


def _beyond(sample: Sample, threshold: Decimal, direction: Direction) -> bool:
    """Strictly, and for scaling in seen by all nodes, too: a half sample never scales in."""
    if direction is Direction.OUT:
        return sample.value > threshold
    return sample.value < threshold and not sample.half

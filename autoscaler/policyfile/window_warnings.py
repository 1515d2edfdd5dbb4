"""What is allowed in schedules and blackouts, as of a moment, and yet perhaps not meant."""

from collections.abc import Iterator
from datetime import datetime

from autoscaler.core.decision import rfc3339
from autoscaler.core.policy import Policy, ScheduleRule
from autoscaler.core.target import MAX_NODES_PER_INSTANCE, Mode
from autoscaler.core.window import CronWindow, Window
from autoscaler.policyfile import openings
from autoscaler.yamlfile import quantities


def odd(policy: Policy, now: datetime) -> Iterator[str]:
    """One sentence for each thing that looks odd in the windows of a target."""
    for rule in policy.schedules:
        yield from _window(f"rule {rule.name!r}", rule.window, policy, now)
        yield from _beyond_bounds(rule, policy)
    for index, blackout in enumerate(policy.blackouts):
        yield from _window(f"guards.blackout[{index}]", blackout.window, policy, now)
    yield from _contradictions(policy, now)


def _window(what: str, window: Window, policy: Policy, now: datetime) -> Iterator[str]:
    if openings.first_open(window, now) is None:
        if isinstance(window, CronWindow):
            yield f"{what} does not open within the next {openings.AHEAD.days} days"
        elif window.end <= now:
            yield f"{what} is over since {rfc3339(window.end)}; take it out"
        return
    if not isinstance(window, CronWindow):
        return
    if openings.first_closed(window, now) is None:
        yield (
            f"{what} is never closed within the next {openings.AHEAD.days} days: "
            "it opens again before its duration is over"
        )
    elif window.duration < policy.interval:
        yield (
            f"{what} is open for {quantities.write_duration(window.duration)}, which may fall between two decisions "
            f"(every {quantities.write_duration(policy.interval)})"
        )


def _beyond_bounds(rule: ScheduleRule, policy: Policy) -> Iterator[str]:
    most = min(policy.bounds.max, MAX_NODES_PER_INSTANCE)
    if rule.min is not None and rule.min > most:
        yield f"rule {rule.name!r} has the floor {rule.min} above the target's max {most}: it stops at {most}"
    if rule.min is not None and rule.min <= policy.bounds.min:
        yield (
            f"rule {rule.name!r} has the floor {rule.min} within the target's min {policy.bounds.min}: "
            "it changes nothing"
        )
    if rule.max is not None and rule.max < policy.bounds.min:
        yield (
            f"rule {rule.name!r} has the cap {rule.max} below the target's min {policy.bounds.min}: "
            f"{policy.bounds.min} nodes are kept"
        )
    if rule.max is not None and rule.max >= most:
        yield f"rule {rule.name!r} has the cap {rule.max} at or above the target's max {most}: it changes nothing"


def _contradictions(policy: Policy, now: datetime) -> Iterator[str]:
    """Floors above caps of other rules that are open at the same time; a rule in observe has no say."""
    heard = [rule for rule in policy.schedules if rule.mode is not Mode.OBSERVE]
    for floor in heard:
        for cap in heard:
            if floor is cap or floor.min is None or cap.max is None or floor.min <= cap.max:
                continue
            first = openings.first_both(floor.window, cap.window, now)
            if first is not None:
                yield (
                    f"the floor {floor.min} of rule {floor.name!r} meets the cap {cap.max} of rule {cap.name!r}, "
                    f"first at {rfc3339(first)}: the floor wins"
                )

"""Schedules: while one is open its `min` is a floor on desired and its `max` lowers max for scale-outs.

Of several that are open the largest floor and the smallest cap count; where the two meet the floor wins.
"""

from collections.abc import Sequence
from datetime import datetime

from autoscaler.core import window
from autoscaler.core.decision import Reason
from autoscaler.core.observation import Observation
from autoscaler.core.policy import Policy, ScheduleRule
from autoscaler.core.recommend import Limit, Recommendation, Say
from autoscaler.core.target import Mode


def recommend(rule: ScheduleRule, observation: Observation) -> Recommendation:
    """For the record: the floor while it is open and above what there is, else what is ready."""
    snapshot = observation.snapshot
    if rule.min is None or rule.min <= snapshot.current or window.open_until(rule.window, observation.now) is None:
        return Recommendation(rule.name, snapshot.ready, Reason.WITHIN_BOUNDS, Say.FLOOR)
    return Recommendation(rule.name, rule.min, Reason.SCHEDULE, Say.FLOOR)


def floor(policy: Policy, now: datetime) -> Limit | None:
    """The largest floor that is open now; of equal ones the first in the file."""
    floors = [Limit(rule.name, rule.min) for rule in _heard(policy.schedules, now) if rule.min is not None]
    return max(floors, key=lambda one: one.nodes, default=None)


def cap(policy: Policy, now: datetime) -> Limit | None:
    """The smallest cap that is open now, but none below the floor."""
    caps = [Limit(rule.name, rule.max) for rule in _heard(policy.schedules, now) if rule.max is not None]
    lowest, highest_floor = min(caps, key=lambda one: one.nodes, default=None), floor(policy, now)
    if lowest is not None and highest_floor is not None and highest_floor.nodes > lowest.nodes:
        return Limit(lowest.rule, highest_floor.nodes)
    return lowest


def _heard(rules: Sequence[ScheduleRule], now: datetime) -> list[ScheduleRule]:
    """Those that are open; one in observe has no say."""
    return [rule for rule in rules if rule.mode is not Mode.OBSERVE and window.open_until(rule.window, now) is not None]

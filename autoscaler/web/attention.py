"""How much of an operator's attention a target wants: one word for each, and the order in which they are listed."""

from enum import Enum
from typing import Any

from autoscaler.core.decision import Reason

Json = dict[str, Any]


class Standing(Enum):
    """What a target is at; those that want attention most come first."""

    ALARM = "needs you"  # somebody has to look: an error, an unknown outcome, an operation that is overdue
    BLIND = "no data"  # a metric is missing or too old: nothing is decided on it
    HELD_BACK = "held back"  # more nodes are wanted and something stands in the way
    HOT = "hot"  # the load is beyond a threshold: a window, a cooldown or observe stands before more nodes, for now
    CHANGING = "changing"  # an operation is under way, or nodes are about to be changed
    BY_HAND = "by hand"  # paused, or its nodes set by an operator
    STARTING = "starting"  # not looked at yet
    STEADY = "steady"  # as the policy wants it
    OFF = "off"  # the policy leaves it alone

    @property
    def slug(self) -> str:
        """For classes and addresses: `held-back`."""
        return self.name.lower().replace("_", "-")


ORDER = tuple(Standing)

_SOON_OVER = frozenset(
    {Reason.COOLDOWN, Reason.STABILIZING, Reason.IN_PROGRESS, Reason.NOT_LEADER, Reason.OBSERVE_ONLY, Reason.NOT_READY}
)
"""What stands in the way for a while, as planned (or, in observe, always)."""

_NO_DATA = frozenset({Reason.NO_DATA, Reason.STALE_DATA})
_NEEDS_SOMEBODY = frozenset({Reason.UNKNOWN_OUTCOME, Reason.BREAKER_OPEN, Reason.PAYMENT_REQUIRED})

REFUSALS = 3
"""So many in a row are no accident; the alert AutoscalerOperationsRefused counts alike."""


def of(target: Json) -> Standing:
    """What a target of `GET /api/v1/targets` is at."""
    decision, operation = target["decision"], target["operation"]
    if refused_again(target) and target["mode"] != "off":
        return Standing.ALARM
    if target["error"] or target["overdue"] or (operation and operation["state"] == "unknown"):
        return Standing.ALARM
    if target["mode"] == "off":
        return Standing.OFF
    if decision is None:
        return Standing.STARTING
    # In observe what is under way is only imagined.
    moving = operation is not None or (decision["reason"] == Reason.IN_PROGRESS and target["mode"] != "observe")
    return _of_record(decision, moving=moving, by_hand=bool(target["pauses"] or target["override"]))


def refused_again(target: Json) -> bool:
    """Whether what is wanted was refused so often, one time after the other, that somebody has to look."""
    return bool(target["refused"] and target["refused"]["times"] >= REFUSALS)


def _of_record(decision: Json, *, moving: bool, by_hand: bool) -> Standing:
    if _NEEDS_SOMEBODY.intersection(decision["vetoes"]):
        return Standing.ALARM
    if decision["decision"] == "hold" and decision["reason"] in _NO_DATA:
        return Standing.BLIND
    if moving or decision["decision"] != "hold":
        return Standing.CHANGING
    if by_hand:
        return Standing.BY_HAND
    if _wants_more(decision) and decision["reason"] not in _SOON_OVER:
        return Standing.HELD_BACK
    return Standing.HOT if _wants_more(decision) or any(map(_beyond, decision["rules"])) else Standing.STEADY


def _wants_more(decision: Json) -> bool:
    """Whether the rules want more nodes than there are."""
    wanted = next((stage["desired"] for stage in decision["stages"] if stage["stage"] == "combine"), 0)
    return bool(wanted > decision["nodes"]["current"])


def _beyond(rule: Json) -> bool:
    """Whether a rule that has a say reads more than it is to; earlier versions' records do not tell."""
    value, above, tracked = rule["value"], rule.get("above"), rule.get("target")
    if value is None or rule.get("observe"):
        return False
    if tracked is not None:
        return bool(value > tracked * (1 + (rule.get("tolerance") or 0)))
    return above is not None and bool(value > above)

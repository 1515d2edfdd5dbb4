"""What a target is at, in one word."""

from typing import Any

import pytest

from autoscaler.web import attention
from autoscaler.web.attention import Standing
from tests.web.conftest import Json, held, operation, record, refused, target


def held_record(reason: str, *, wanted: int = 4, vetoes: tuple[str, ...] = ()):
    return record() | {"reason": reason, "vetoes": list(vetoes), "stages": [{"stage": "combine", "desired": wanted}]}


def reading(**compared: Any) -> Json:
    """A hold whose only rule reads 81.2, unless told otherwise, and says what that was compared with."""
    return record() | {"rules": [record()["rules"][0] | compared]}


STANDINGS = {
    "an error": ({"error": "no such group"}, Standing.ALARM),
    "an error of one that is off": ({"error": "no such group", "mode": "off"}, Standing.ALARM),
    "overdue": ({"overdue": True, "operation": operation()}, Standing.ALARM),
    "unknown": ({"operation": operation("unknown")}, Standing.ALARM),
    "the breaker": ({"decision": held_record("breaker_open", vetoes=("breaker_open",))}, Standing.ALARM),
    "a paused one whose breaker is open": (
        {"decision": held_record("paused", vetoes=("paused", "breaker_open")), "pauses": [held(all=False)]},
        Standing.ALARM,
    ),
    "refused three times": ({"decision": record(0, "out", "below_min"), "refused": refused(3)}, Standing.ALARM),
    "refused, and by hand": ({"refused": refused(45), "override": held(nodes=6)}, Standing.ALARM),
    "refused, and off": ({"mode": "off", "decision": None, "refused": refused(45)}, Standing.OFF),
    "refused twice": ({"decision": record(0, "out", "below_min"), "refused": refused(2)}, Standing.CHANGING),
    "no data": ({"decision": held_record("no_data", wanted=3)}, Standing.BLIND),
    "stale data": ({"decision": held_record("stale_data", wanted=3)}, Standing.BLIND),
    "out without data": ({"decision": record(0, "out", "no_data")}, Standing.CHANGING),
    "at max": ({"decision": held_record("at_max")}, Standing.HELD_BACK),
    "at min": ({"decision": held_record("at_min", wanted=2)}, Standing.STEADY),
    "sold out": ({"decision": held_record("sold_out")}, Standing.HELD_BACK),
    "a cooldown": ({"decision": held_record("cooldown")}, Standing.HOT),
    "a cooldown of a scale-in": ({"decision": held_record("cooldown", wanted=2)}, Standing.STEADY),
    "a window that is not full": ({"decision": reading(above=75)}, Standing.HOT),
    "as high as the threshold": ({"decision": reading(above=81.2)}, Standing.STEADY),
    "no value": ({"decision": reading(value=None, above=75)}, Standing.STEADY),
    "a rule in observe": ({"decision": reading(above=75, observe=True)}, Standing.STEADY),
    "above what is tracked": ({"decision": reading(target=70, tolerance=0.1)}, Standing.HOT),
    "within its tolerance": ({"decision": reading(target=75, tolerance=0.1)}, Standing.STEADY),
    "hot and paused": ({"decision": reading(above=75), "pauses": [held(all=False)]}, Standing.BY_HAND),
    "an operation": ({"operation": operation()}, Standing.CHANGING),
    "somebody else's": ({"decision": held_record("in_progress", vetoes=("in_progress",))}, Standing.CHANGING),
    "only imagined": (
        {"decision": held_record("in_progress", vetoes=("in_progress", "observe_only")), "mode": "observe"},
        Standing.HOT,
    ),
    "about to": ({"decision": record(0, "in", "below_threshold")}, Standing.CHANGING),
    "paused": ({"pauses": [held(all=False)]}, Standing.BY_HAND),
    "overridden": ({"override": held(nodes=6)}, Standing.BY_HAND),
    "new": ({"decision": None}, Standing.STARTING),
    "off": ({"mode": "off", "decision": None}, Standing.OFF),
    "at rest": ({}, Standing.STEADY),
}


@pytest.mark.parametrize(("state", "standing"), STANDINGS.values(), ids=STANDINGS)
def test_a_target_is_at(state, standing):
    assert attention.of(target(**state)) is standing


def test_a_slug_can_stand_in_an_address():
    assert [one.slug for one in (Standing.HELD_BACK, Standing.OFF)] == ["held-back", "off"]

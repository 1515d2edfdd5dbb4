"""What operators did, as it is stored: what of it holds for a target now."""

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.core import by_hand
from autoscaler.core.by_hand import ByHand, Intervention, Kind
from autoscaler.core.observation import Override, Pause
from tests.core.given import HOUR, NOW, ago, decided, observation, outcome, policy

SECOND = timedelta(seconds=1)


def done(kind: Kind = Kind.PAUSE, target: str | None = "orders", **more: Any) -> Intervention:
    return Intervention("id", kind, target, **{"from_": ago(5), "reason": "a move", "who": "ann", **more})


PAUSE = Pause(ago(5), None, "a move", who="ann")
HOLDS = {
    "nothing": ([], ByHand()),
    "a pause": ([done()], ByHand(pauses=(PAUSE,))),
    "a pause with an end": ([done(until=NOW + HOUR)], ByHand(pauses=(Pause(ago(5), NOW + HOUR, "a move", who="ann"),))),
    "a pause of another": ([done(target="stock")], ByHand()),
    "a pause of all": ([done(target=None)], ByHand(pauses=(Pause(ago(5), None, "a move", all=True, who="ann"),))),
    "a pause that is over": ([done(until=NOW)], ByHand()),
    "a pause that was taken back": ([done(ended_at=ago(1))], ByHand()),
    "taken back by a clock that was set back since": ([done(ended_at=NOW + HOUR)], ByHand()),
    "a pause that came after the moment holds from it on": (
        [done(from_=NOW + SECOND)],
        ByHand(pauses=(Pause(NOW, None, "a move", who="ann"),)),
    ),
    "several": ([done(), done(target=None), done(until=NOW)], 2),
    "an override": (
        [done(Kind.OVERRIDE, until=NOW + HOUR, nodes=6)],
        ByHand(overrides=(Override(ago(5), NOW + HOUR, 6, "a move", "ann"),)),
    ),
    "an override that is over": ([done(Kind.OVERRIDE, until=NOW, nodes=6)], ByHand()),
    "the last closed breaker, though it is long over": (
        [done(Kind.BREAKER_RESET, from_=ago(m), until=ago(m)) for m in (9000, 7000, 8000)],
        ByHand(breaker_reset=ago(7000)),
    ),
    "a closed breaker of all": ([done(Kind.BREAKER_RESET, None, until=ago(5))], ByHand(breaker_reset=ago(5))),
    "a closed breaker of another": ([done(Kind.BREAKER_RESET, "stock", until=ago(5))], ByHand()),
}


@pytest.mark.parametrize(("stored", "expected"), HOLDS.values(), ids=HOLDS)
def test_what_holds_for_a_target(stored, expected):
    held = by_hand.of_targets(stored, ["other", "orders"], NOW)["orders"]
    assert (len(held.pauses) if isinstance(expected, int) else held) == expected


def test_what_is_taken_back_keeps_all_but_its_end():
    over = done(until=NOW + HOUR, ended_at=NOW, ended_by="bob", ended_reason="it moved")
    assert done(until=NOW + HOUR).ended(NOW, "bob", "it moved") == over


def test_it_is_shown_whole():
    assert done(Kind.OVERRIDE, until=NOW, nodes=6, ended_at=ago(1), ended_by="bob", ended_reason="x").as_json() == {
        "id": "id",
        "kind": "override",
        "target": "orders",
        "from": "2026-11-23T11:55:00Z",
        "until": "2026-11-23T12:00:00Z",
        "nodes": 6,
        "reason": "a move",
        "who": "ann",
        "ended_at": "2026-11-23T11:59:00Z",
        "ended_by": "bob",
        "ended_reason": "x",
    }
    assert (done().as_json()["until"], done().as_json()["ended_at"]) == (None, None)


LAST = {
    "until it is resumed, before any end": ((Pause(ago(5), NOW + HOUR), Pause(ago(5), who="ann")), "by ann until it"),
    "the later end": ((Pause(ago(5), NOW + HOUR, who="ann"), Pause(ago(5), NOW + SECOND)), "by ann until 2026"),
    "of equal ones that of all": ((Pause(ago(5), all=True), Pause(ago(5))), "all targets are paused until it"),
    "one that is over is none": ((Pause(ago(5), NOW), Pause(ago(5), NOW + HOUR, who="ann")), "by ann until 2026"),
}


@pytest.mark.parametrize(("pauses", "words"), LAST.values(), ids=LAST)
def test_of_several_pauses_the_one_that_ends_last_is_told(pauses, words):
    seen = observation("", pauses=pauses, overrides=(Override(ago(5), NOW + HOUR, 6),))
    decision = decided(policy(), seen)
    assert outcome(decision) == ("hold", 6, "paused")
    assert words in decision.details["paused"]

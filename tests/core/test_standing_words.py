"""What holds by hand, in the words of the page and of `status`."""

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.core import standing_words
from tests.core.given import NOW


def held(**more: Any) -> dict[str, Any]:
    return {"from": "2026-11-23T11:00:00Z", "until": None, "reason": "", "who": "", **more}


PAUSES = {
    "until it is resumed": ({}, "paused until it is resumed"),
    "of all": ({"all": True, "who": "ann"}, "all targets are paused by ann until it is resumed"),
    "with an end": ({"until": "2026-11-23T13:05:00Z"}, "paused until 2026-11-23 13:05 UTC (1 h 5 min left)"),
    "with a reason": (
        {"until": "2026-11-23T13:05:00+01:00", "reason": "a move", "who": "ann"},
        "paused by ann until 2026-11-23 12:05 UTC (5 min left): a move",
    ),
}


@pytest.mark.parametrize(("fields", "words"), PAUSES.values(), ids=PAUSES)
def test_a_pause_in_words(fields, words):
    assert standing_words.pause_words(held(all=False) | fields, NOW) == words


@pytest.mark.parametrize(("nodes", "words"), [(1, "1 node set"), (6, "6 nodes set")])
def test_an_override_in_words(nodes, words):
    shown = standing_words.override_words(held(nodes=nodes, until="2026-11-23T12:00:30Z"), NOW)
    assert shown == f"{words} by hand until 2026-11-23 12:00 UTC (30 s left)"


SPANS = {
    0: "0 s",
    99.4: "99 s",
    100: "2 min",
    3540: "59 min",
    3600: "1 h 0 min",
    172_740: "47 h 59 min",
    172_800: "2 d 0 h",
}


@pytest.mark.parametrize(
    ("seconds", "words"), [*SPANS.items(), (-5, "0 s"), (180_000, "2 d 2 h"), (3 * 86_400, "3 d 0 h")]
)
def test_a_span_in_words(seconds, words):
    assert standing_words.span(timedelta(seconds=seconds).total_seconds()) == words


@pytest.mark.parametrize(
    ("led_by", "words"),
    [("ddm-1 (17)", "ddm-1 (17) leads"), ("", "which daemon leads is not known, if any does")],
    ids=["known", "not known"],
)
def test_who_leads_in_words(led_by, words):
    assert standing_words.who_leads(led_by) == words

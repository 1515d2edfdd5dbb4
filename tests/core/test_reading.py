"""A record tells what a value was compared with and how far a window is filled; the sentence says it."""

from datetime import timedelta
from typing import Any

import pytest

from autoscaler.core import sentence
from autoscaler.core.policy import Rule
from autoscaler.core.target import Mode
from tests.core.given import (
    CONNECTIONS,
    CPU,
    IN,
    MINUTE,
    OUT,
    ago,
    decided,
    observation,
    operation,
    policy,
    samples,
    schedule,
    step,
    threshold,
    tracking,
)

FIVE = threshold(out=[step("75", for_=5 * MINUTE)], in_=[step("30", for_=5 * MINUTE)])
THREE_OF_FIVE = threshold(out=[step("75", datapoints=(3, 5))], in_=[step("30", datapoints=(3, 5))])
NEWEST = threshold(out=[step("75")], in_=[step("30")])
LANES = threshold(out=[step("75", for_=5 * MINUTE), step("92", "2", for_=2 * MINUTE)])
MEAN = tracking(over=5 * MINUTE)
BIG = threshold(out=[step("75"), step("90", "3", for_=2 * MINUTE)])


def before(minutes: float) -> tuple[Any, ...]:
    return (operation(ended=ago(minutes)),)


CASES: dict[str, tuple[Rule, str, dict[str, Any], str]] = {
    "calm": (FIVE, "50x5", {}, "held at 3 nodes: no rule wants a change (cpu 50 is between 30 and 75)"),
    "calm, out only": (
        threshold(out=[step("75")]),
        "50",
        {},
        "held at 3 nodes: no rule wants a change (cpu 50 is not above 75)",
    ),
    "calm, in only": (
        threshold(in_=[step("30")]),
        "50",
        {},
        "held at 3 nodes: no rule wants a change (cpu 50 is not below 30)",
    ),
    "calm, tracking": (
        tracking(),
        "62",
        {},
        "held at 3 nodes: no rule wants a change (track 62 is within 10 % of its target 60)",
    ),
    "window not filled, out": (
        FIVE,
        "50x3 81.2x2",
        {},
        "held at 3 nodes: cpu 81.2 is above 75 for 2 of 5 samples",
    ),
    "window not filled, in": (FIVE, "50 20x4", {}, "held at 3 nodes: cpu 20 is below 30 for 4 of 5 samples"),
    "holds, out": (FIVE, "81.2x5", {}, "scaling out from 3 to 4 nodes: cpu 81.2 above 75 for 5 of 5 samples"),
    "holds, in": (FIVE, "20x5", {}, "scaling in from 3 to 2 nodes: cpu 20 below 30 for 5 of 5 samples"),
    "holds with a gap": (
        FIVE,
        "80 _ 80x3",
        {},
        "scaling out from 3 to 4 nodes: cpu 80 above 75 for 4 of 5 samples",
    ),
    "too many gaps": (FIVE, "80 _ _ 80x2", {}, "held at 3 nodes: cpu 80 is above 75 for 3 of 5 samples, 2 missing"),
    "datapoints not yet": (
        THREE_OF_FIVE,
        "50x3 80x2",
        {},
        "held at 3 nodes: cpu 80 is above 75 for 2 of 5 samples, 3 are needed",
    ),
    "datapoints hold": (
        THREE_OF_FIVE,
        "80x3 50 80",
        {},
        "scaling out from 3 to 4 nodes: cpu 80 above 75 for 4 of 5 samples",
    ),
    "datapoints hold, the newest does not": (
        THREE_OF_FIVE,
        "80x3 50x2",
        {},
        "scaling out from 3 to 4 nodes: cpu (now 50) above 75 for 3 of 5 samples",
    ),
    "datapoints hold in, the newest does not": (
        THREE_OF_FIVE,
        "20x3 50x2",
        {},
        "scaling in from 3 to 2 nodes: cpu (now 50) below 30 for 3 of 5 samples",
    ),
    "newest": (NEWEST, "80", {}, "scaling out from 3 to 4 nodes: cpu 80 above 75"),
    "the nearest of two lanes": (
        LANES,
        "50x4 95",
        {},
        "held at 3 nodes: cpu 95 is above 92 for 1 of 2 samples",
    ),
    "the largest step that holds": (
        BIG,
        "50 95x2",
        {},
        "scaling out from 3 to 6 nodes: cpu 95 above 90 for 2 of 2 samples",
    ),
    "a window over a change": (
        FIVE,
        "81x5",
        {"operations": before(2.5)},
        "held at 3 nodes: cpu 81 is above 75 for 2 of 5 samples; those before the last change (11:57 UTC) do not count",
    ),
    "only samples from before a change": (
        NEWEST,
        "81x5",
        {"operations": before(0.5)},
        "held at 3 nodes: cpu 81 is above 75, but samples before the last change (11:59 UTC) do not count",
    ),
    "a half sample, in": (
        NEWEST,
        "20h",
        {},
        "held at 3 nodes: cpu 20 is below 30, 1 without the values of some nodes (such never scale in)",
    ),
    "tracking, out": (tracking(), "90", {}, "scaling out from 3 to 5 nodes: track 90 above its target 60"),
    "tracking a mean, in": (
        MEAN,
        "20x5",
        {},
        "scaling in from 3 to 1 node: track 20 below its target 60, the mean of 5 samples",
    ),
    "tracking a mean, not there": (
        MEAN,
        "90x2",
        {},
        "held at 3 nodes: track 90 is above its target 60, but only 2 of 5 samples are there, 3 missing",
    ),
    "tracking a mean over a change": (
        MEAN,
        "90x5",
        {"operations": before(2.5)},
        (
            "held at 3 nodes: track 90 is above its target 60, but only 2 of 5 samples are there; "
            "those before the last change (11:57 UTC) do not count"
        ),
    ),
    "tracking rounds up": (
        tracking(),
        "50",
        {},
        "held at 3 nodes: track 50 is below its target 60, yet no other number of nodes comes nearer",
    ),
    "tracking, a half sample in": (
        tracking(),
        "20h",
        {},
        "held at 3 nodes: track 20 is below its target 60, 1 without the values of some nodes (such never scale in)",
    ),
}


@pytest.mark.parametrize(("rule", "load", "more", "expected"), CASES.values(), ids=CASES)
def test_the_sentence_says_how_far_a_rule_is(rule, load, more, expected):
    more = {"scale_in_stabilization": timedelta(0), **more}
    stabilization = more.pop("scale_in_stabilization")
    record = decided(policy(rule, nodes=(1, 16), scale_in_stabilization=stabilization), load, **more).as_json()

    assert sentence.sentence(record) == expected


def two(cpu: str, connections: str, *rules: Rule, **more: Any) -> dict[str, Any]:
    seen = observation({CPU: samples(cpu), CONNECTIONS: samples(connections)})
    return decided(policy(*rules, **more), seen).as_json()


OTHER = tracking(name="connections", metric=CONNECTIONS)


def test_what_other_rules_read_stands_behind():
    assert sentence.sentence(two("50x3 81.2x2", "61", FIVE, OTHER)) == (
        "held at 3 nodes: cpu 81.2 is above 75 for 2 of 5 samples (connections 61)"
    )


def test_a_scale_in_that_not_every_rule_wants_names_who_does_not():
    assert sentence.sentence(two("20x5", "61", FIVE, OTHER)) == (
        "held at 3 nodes: cpu (20) wants 2, but not every rule does: connections 61 is within 10 % of its target 60"
    )


def test_so_does_a_record_of_an_earlier_version():
    record = two("20x5", "61", FIVE, OTHER)
    for rule in record["rules"]:
        for key in ("above", "below", "target", "tolerance", "progress"):
            rule.pop(key, None)

    assert sentence.sentence(record) == ("held at 3 nodes: cpu (20) wants 2, but not every rule does: connections 61")


def test_a_threshold_without_in_does_not_stand_in_the_way():
    only_out = threshold(name="connections", metric=CONNECTIONS, out=[step("75")])

    assert two("20x5", "61", FIVE, only_out)["decision"] == "in"


def test_a_rule_in_observe_is_in_the_row_and_not_in_the_sentence():
    record = decided(threshold(out=[step("75", for_=5 * MINUTE)], mode=Mode.OBSERVE), "50x3 81x2").as_json()

    assert (
        sentence.sentence(record) == "held at 3 nodes: no rule wants a change (cpu 81 is above 75 for 2 of 5 samples)"
    )
    assert sentence.rows(record)[0].words == (
        "81 is above 75 for 2 of 5 samples, as of 11:59 UTC, observed only, without a say"
    )


def test_the_row_of_a_rule_that_holds_says_on_what():
    assert sentence.rows(decided(FIVE, "81x5").as_json())[0] == sentence.Row(
        "rule", "cpu", "wants 4", "81 above 75 for 5 of 5 samples, as of 11:59 UTC"
    )


def test_the_path_says_which_stage_changed_the_wish():
    record = decided(policy(NEWEST, schedule(6), nodes=(2, 4)), "81", operations=before(1)).as_json()

    assert sentence.path(record) == (
        "3 nodes → combine 6 (office) → stabilize 6 → limits 6 → bounds 4 → guards 3 (cooldown)"
    )


@pytest.mark.parametrize(("direction", "load"), [(OUT, "50x3 81x2"), (IN, "50x3 20x2")], ids=["out", "in"])
def test_a_step_that_waits_is_in_the_record(direction, load):
    record = decided(FIVE, load).as_json()["rules"][0]

    assert record["progress"] == {"direction": direction.value, "have": 2, "needed": 5, "of": 5}
    assert (record["reason"], record["samples"], record["wants"]) == ("within_bounds", 1, 3)


def test_a_missing_metric_is_compared_with_nothing():
    assert decided(FIVE, "").as_json()["rules"][0].keys() == {"rule", "value", "as_of", "samples", "wants", "reason"}

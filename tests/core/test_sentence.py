"""A decision record reads as one sentence; every reason has its words."""

from typing import Any

import pytest

from autoscaler.core import figures, sentence
from autoscaler.core.decision import VETO_ORDER, Reason
from tests.core.given import CONNECTIONS, CPU, MINUTE, decided, observation, policy, samples, step, threshold


def record(decision: str, reason: str, *, desired: int = 4, **more: Any) -> dict[str, Any]:
    return {
        "target": "orders",
        "at": "2026-11-23T10:05:00Z",
        "decision": decision,
        "change": 0 if decision == "hold" else desired - 3,
        "desired": desired,
        "reason": reason,
        "nodes": {"current": 3, "ready": 3, "min": 2, "max": 16},
        "rules": [
            {
                "rule": "cpu",
                "value": 81.2,
                "as_of": "2026-11-23T09:59:00Z",
                "samples": 5,
                "wants": desired,
                "reason": reason,
            }
        ],
        "stages": [{"stage": "combine", "desired": desired, "because": "cpu"}, {"stage": "guards", "desired": 3}],
        "vetoes": [],
        **more,
    }


def stopped(reason: str, detail: str | None = None, **more: Any) -> dict[str, Any]:
    details = {} if detail is None else {reason: detail}
    return record("hold", reason, wanted_reason="above_threshold", details=details, **more)


UNREAD = [{"rule": "cpu", "value": None, "as_of": None, "samples": 0, "wants": 3, "reason": "no_data"}]
COMBINE_MIN = [{"stage": "combine", "desired": 2, "because": "min"}]
OFFICE = [{"rule": "office", "value": None, "as_of": None, "samples": 0, "wants": 4, "reason": "schedule"}]
COMBINE_OFFICE = [{"stage": "combine", "desired": 4, "because": "office"}]
BY_HAND = [{"stage": "combine", "desired": 4, "because": "override"}]
TOLD = {"override": "4 nodes set by hand by ann until 2026-11-23T13:00:00Z: a sale"}
PAUSED = {"paused": "paused until 2026-11-23T13:00:00Z: a move"}

SENTENCES = {
    "above_threshold": (
        record("out", "above_threshold"),
        "scaling out from 3 to 4 nodes: cpu was 81.2, above its threshold",
    ),
    "below_threshold": (
        record("in", "below_threshold", desired=2),
        "scaling in from 3 to 2 nodes: cpu was 81.2, below its threshold",
    ),
    "above_target": (record("out", "above_target"), "scaling out from 3 to 4 nodes: cpu was 81.2, above its target"),
    "below_target": (
        record("in", "below_target", desired=1),
        "scaling in from 3 to 1 node: cpu was 81.2, below its target",
    ),
    "below_min": (
        record("out", "below_min", stages=COMBINE_MIN),
        "scaling out from 3 to 4 nodes: there were fewer nodes than min, which is 2",
    ),
    "above_max": (
        record("in", "above_max", desired=2),
        "scaling in from 3 to 2 nodes: there were more nodes than max, which is 16",
    ),
    "foreign": (record("out", "foreign"), "scaling out from 3 to 4 nodes: somebody else did it"),
    "no_data, out": (
        record("out", "no_data", rules=UNREAD),
        "scaling out from 3 to 4 nodes: cpu has brought no data for too long, and its policy says out",
    ),
    "within_bounds": (
        record("hold", "within_bounds", desired=3),
        "held at 3 nodes: no rule wants a change (cpu 81.2)",
    ),
    "no_data": (
        record("hold", "no_data", desired=3, rules=UNREAD),
        "held at 3 nodes: cpu has no data, and missing is never taken for zero",
    ),
    "stale_data": (
        record("hold", "stale_data", desired=3),
        "held at 3 nodes: the newest data of cpu is too old (cpu 81.2)",
    ),
    "stabilizing": (
        stopped("stabilizing", desired=2),
        "held at 3 nodes: cpu (81.2) wants 2, but a higher wish is too recent to scale in",
    ),
    "daily_limit": (
        stopped("daily_limit"),
        "held at 3 nodes: cpu (81.2) wants 4, but the limit of the last 24 hours is used up",
    ),
    "at_max": (
        stopped("at_max"),
        "held at 3 nodes: cpu (81.2) wants 4, but no more than 16 may be had (max, or the instance's 32)",
    ),
    "at_min": (stopped("at_min", desired=1), "held at 3 nodes: cpu (81.2) wants 1, but min is 2"),
    "unknown_outcome": (
        stopped("unknown_outcome", "operation 7 has no known outcome; it is being looked for"),
        "held at 3 nodes: cpu (81.2) wants 4, but operation 7 has no known outcome; it is being looked for",
    ),
    "in_progress, since yesterday": (
        stopped("in_progress", "operation 7 (out 1) is under way since 2026-11-22T23:50:00Z"),
        "held at 3 nodes: cpu (81.2) wants 4, but operation 7 (out 1) is under way since 2026-11-22 23:50 UTC",
    ),
    "not_ready": (
        stopped("not_ready", "the instance is GROWING, not RUNNING"),
        "held at 3 nodes: cpu (81.2) wants 4, but the instance is GROWING, not RUNNING",
    ),
    "cooldown": (
        stopped("cooldown", "until 2026-11-23T10:17:00.25Z"),
        "held at 3 nodes: cpu (81.2) wants 4, but cooldown until 10:17 UTC",
    ),
    "not_leader": (
        stopped("not_leader", "ddm-1 leads, this one stands by"),
        "held at 3 nodes: cpu (81.2) wants 4, but ddm-1 leads, this one stands by",
    ),
    "observe_only": (
        stopped("observe_only", "the mode is observe"),
        "held at 3 nodes: cpu (81.2) wants 4, but the mode is observe",
    ),
    "wanted by min": (
        stopped("in_progress", "job 1 runs", stages=COMBINE_MIN),
        "held at 3 nodes: min is 2, but job 1 runs",
    ),
    "schedule": (
        record("out", "schedule", stages=COMBINE_OFFICE, rules=OFFICE),
        "scaling out from 3 to 4 nodes: the schedule office is open and wants at least as many",
    ),
    "wanted by a schedule": (
        stopped("cooldown", stages=COMBINE_OFFICE, rules=OFFICE),
        "held at 3 nodes: office wants 4, but a cooldown is running",
    ),
    "kept by a schedule": (
        record("hold", "within_bounds", stages=COMBINE_OFFICE, rules=OFFICE),
        "held at 3 nodes: the schedule office wants no fewer",
    ),
    "override": (
        record("out", "override", stages=BY_HAND),
        "scaling out from 3 to 4 nodes: it was set by hand",
    ),
    "an override is satisfied": (
        record("hold", "within_bounds", stages=BY_HAND),
        "held at 3 nodes: it was set by hand",
    ),
    "an override is held": (
        stopped("paused", "paused until 2026-11-23T13:00:00Z: a move", stages=BY_HAND),
        "held at 3 nodes: 4 nodes were set by hand, but paused until 13:00 UTC: a move",
    ),
    "an override, by whom and until when": (
        record("out", "override", stages=BY_HAND, details=TOLD),
        "scaling out from 3 to 4 nodes: 4 nodes set by hand by ann until 13:00 UTC: a sale",
    ),
    "an override that is satisfied, by whom and until when": (
        record("hold", "within_bounds", stages=BY_HAND, details=TOLD),
        "held at 3 nodes: 4 nodes set by hand by ann until 13:00 UTC: a sale",
    ),
    "an override that is held, by whom and until when": (
        record("hold", "paused", wanted_reason="override", stages=BY_HAND, details=TOLD | PAUSED),
        "held at 3 nodes: 4 nodes set by hand by ann until 13:00 UTC: a sale, but paused until 13:00 UTC: a move",
    ),
    "above max, held": (
        record(
            "hold",
            "observe_only",
            wanted_reason="above_max",
            stages=[{"stage": "combine", "desired": 2, "because": "max"}],
        ),
        "held at 3 nodes: max is 16, but the mode is observe",
    ),
    "a wish of nobody": (
        stopped("cooldown", stages=[{"stage": "combine", "desired": 4}]),
        "held at 3 nodes: 4 nodes would be wanted, but a cooldown is running",
    ),
    "a record without stages": (
        stopped("cooldown", stages=[]),
        "held at 3 nodes: a change is wanted, but a cooldown is running",
    ),
    "a reason of another version": (stopped("full_moon"), "held at 3 nodes: cpu (81.2) wants 4, but full moon"),
}


@pytest.mark.parametrize(("given", "expected"), SENTENCES.values(), ids=SENTENCES)
def test_a_record_reads_as_one_sentence(given, expected):
    assert sentence.sentence(given) == expected


def test_every_reason_has_words_of_its_own():
    assert set(Reason) - sentence.KNOWN == set()


@pytest.mark.parametrize("veto", VETO_ORDER)
def test_every_veto_says_what_stopped_it_even_without_its_detail(veto):
    said = sentence.sentence(stopped(veto.value))

    assert said.startswith("held at 3 nodes: cpu (81.2) wants 4, but ")


def test_the_rows_hold_every_rule_stage_and_veto_in_the_records_order():
    given = stopped("cooldown", "until 2026-11-23T10:17:00Z", vetoes=["cooldown", "observe_only"])
    given["rules"][0] |= {"warming": 1, "observe": True}

    assert sentence.rows(given) == (
        sentence.Row(
            "rule",
            "cpu",
            "wants 4",
            "cooldown, 81.2 as of 09:59 UTC, 5 samples, 1 node warming up, observed only, without a say",
        ),
        sentence.Row("stage", "combine", "4", "cpu"),
        sentence.Row("stage", "guards", "3", ""),
        sentence.Row("veto", "cooldown", "hold", "cooldown until 10:17 UTC"),
        sentence.Row("veto", "observe_only", "hold", "the mode is observe"),
    )


def test_the_row_of_a_stage_says_why_in_words():
    given = record("hold", "daily_limit", stages=[{"stage": "limits", "desired": 3, "because": "daily_limit"}])
    assert sentence.rows(given)[1] == sentence.Row("stage", "limits", "3", "daily limit")


def test_the_row_of_a_rule_keeps_its_name_as_it_was_written():
    given = record("out", "above_threshold", stages=[{"stage": "combine", "desired": 4, "because": "busy_cpu"}])
    given["rules"][0]["rule"] = "busy_cpu"
    assert sentence.rows(given)[1].words == "busy_cpu"


def test_a_budget_that_is_nearly_used_up_has_a_row_of_its_own():
    words = "8 of 10 node-hours of the last 24 h are used (warn_at 80 %)"
    given = record("out", "above_threshold", details={"budget": words})
    assert sentence.rows(given)[-1] == sentence.Row("warning", "budget", "scarce", words)


def test_the_path_gives_a_reason_only_where_something_changed():
    stages = [
        {"stage": "combine", "desired": 3, "because": "override"},
        {"stage": "stabilize", "desired": 3},
        {"stage": "guards", "desired": 4, "because": "cpu"},
    ]
    assert (
        sentence.path(record("out", "above_threshold", stages=stages))
        == "3 nodes → combine 3 → stabilize 3 → guards 4 (cpu)"
    )


def test_of_two_rules_that_want_out_the_one_that_wants_more_speaks():
    one = threshold(name="one", out=[step("75")])
    two = threshold(name="two", out=[step("70", "2")], metric=CONNECTIONS)
    seen = observation({CPU: samples("80"), CONNECTIONS: samples("90")})
    said = sentence.sentence(decided(policy(one, two), seen).as_json())
    assert said == "scaling out from 3 to 5 nodes: two 90 above 70"


def test_of_two_rules_without_data_the_first_speaks():
    chosen = policy(
        threshold(name="one", out=[step("75")]), threshold(name="two", out=[step("70")], metric=CONNECTIONS)
    )
    said = sentence.sentence(decided(chosen, "").as_json())
    assert said == "held at 3 nodes: one has no data, and missing is never taken for zero"


WAITS = {
    "both wait": ("50x4 80", "50x4 90", "one 80 is above 75 for 1 of 5 samples; two 90 is above 70 for 1 of 5 samples"),
    "one waits": ("50x4 80", "50x5", "one 80 is above 75 for 1 of 5 samples (two 50)"),
    "none waits": ("50x5", "60x5", "no rule wants a change (one 50 is not above 75, two 60 is not above 70)"),
}


@pytest.mark.parametrize(("cpu", "connections", "words"), WAITS.values(), ids=WAITS)
def test_all_rules_that_wait_are_told_and_what_the_others_read(cpu, connections, words):
    one = threshold(name="one", out=[step("75", for_=5 * MINUTE)])
    two = threshold(name="two", out=[step("70", for_=5 * MINUTE)], metric=CONNECTIONS)
    seen = observation({CPU: samples(cpu), CONNECTIONS: samples(connections)})
    assert sentence.sentence(decided(policy(one, two), seen).as_json()) == f"held at 3 nodes: {words}"


RULE_ROWS = {
    "a schedule looks at no samples": (OFFICE[0], "schedule"),
    "a metric that is missing": (UNREAD[0], "no data, 0 samples"),
    "one sample": (UNREAD[0] | {"samples": 1}, "no data, 1 sample"),
}


@pytest.mark.parametrize(("rule", "words"), RULE_ROWS.values(), ids=RULE_ROWS)
def test_the_row_of_a_rule_says_what_it_looked_at(rule, words):
    assert sentence.rows(record("hold", "within_bounds", rules=[rule]))[0].words == words


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "—"), (0.0, "0"), (81.0, "81"), (81.2, "81.2"), (100.0, "100"), (66.666, "66.67"), (12345.5, "12,345.5")],
)
def test_a_value_is_written_for_people(value, expected):
    assert figures.number(value) == expected

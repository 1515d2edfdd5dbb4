"""The record that every evaluation leaves, as it is stored, served and printed."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from autoscaler.core.decision import rfc3339
from autoscaler.core.target import Mode
from tests.core.given import (
    CPU,
    HOT_OR_COLD,
    MINUTE,
    ago,
    decided,
    limits,
    observation,
    operation,
    policy,
    samples,
    step,
    threshold,
)


def test_the_record_of_a_scale_out():
    at = datetime(2026, 11, 23, 3, 5, tzinfo=UTC)
    rule = threshold(out=[step("75", for_=5 * MINUTE)])
    newest = at - 6 * MINUTE
    seen = observation({CPU: samples("60 80 80 80 80 81.2", last=newest)}, now=at, first_evaluated_at=at)
    assert decided(rule, seen).as_json() == {
        "target": "orders",
        "at": "2026-11-23T03:05:00Z",
        "decision": "out",
        "change": 1,
        "desired": 4,
        "reason": "above_threshold",
        "mode": "enforce",
        "nodes": {"current": 3, "ready": 3, "min": 2, "max": 16},
        "rules": [
            {
                "rule": "cpu",
                "value": 81.2,
                "as_of": "2026-11-23T02:59:00Z",
                "samples": 5,
                "wants": 4,
                "reason": "above_threshold",
                "above": 75.0,
                "progress": {"direction": "out", "have": 5, "needed": 5, "of": 5},
            }
        ],
        "stages": [
            {"stage": "combine", "desired": 4, "because": "cpu"},
            {"stage": "stabilize", "desired": 4},
            {"stage": "limits", "desired": 4},
            {"stage": "bounds", "desired": 4},
            {"stage": "guards", "desired": 4},
        ],
        "vetoes": [],
    }


def test_the_record_of_a_veto_keeps_what_was_wanted():
    record = decided(HOT_OR_COLD, "80", operations=(operation(ended=ago(1)),), mode=Mode.OBSERVE).as_json()
    assert (record["decision"], record["change"], record["desired"]) == ("hold", 0, 4)
    assert (record["reason"], record["wanted_reason"]) == ("cooldown", "above_threshold")
    assert record["vetoes"] == ["cooldown", "observe_only"]
    assert record["details"] == {"cooldown": "until 2026-11-23T12:09:00Z", "observe_only": "the mode is observe"}
    assert record["stages"][-1] == {"stage": "guards", "desired": 3, "because": "cooldown"}
    assert record["mode"] == "observe"


def test_the_record_of_a_calm_hold():
    record = decided(HOT_OR_COLD, "50").as_json()
    assert (record["decision"], record["change"], record["desired"], record["reason"]) == (
        "hold",
        0,
        3,
        "within_bounds",
    )
    assert [stage["desired"] for stage in record["stages"]] == [3, 3, 3, 3, 3]
    assert record["vetoes"] == []
    assert "details" not in record
    assert "wanted_reason" not in record


def test_the_record_of_missing_data_has_no_value():
    assert decided(HOT_OR_COLD, "").as_json()["rules"] == [
        {"rule": "cpu", "value": None, "as_of": None, "samples": 0, "wants": 3, "reason": "no_data"}
    ]


def test_nodes_that_are_not_warm_yet_are_counted():
    assert decided(HOT_OR_COLD, "50", warming={CPU: 2}).as_json()["rules"][0]["warming"] == 2


def test_all_five_stages_are_in_every_record():
    names = ["combine", "stabilize", "limits", "bounds", "guards"]
    for cpu, nodes in (("80", (2, 16)), ("20", (2, 16)), ("50", (2, 16)), ("", (2, 16)), ("", (5, 16)), ("50", (1, 2))):
        record = decided(policy(HOT_OR_COLD, nodes=nodes), cpu).as_json()
        assert [stage["stage"] for stage in record["stages"]] == names


def test_the_record_is_json():
    record = decided(HOT_OR_COLD, "80", operations=(operation(ended=ago(1)),)).as_json()
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        pytest.param(datetime(2026, 11, 23, 3, 5, tzinfo=UTC), "2026-11-23T03:05:00Z", id="utc"),
        pytest.param(datetime(2026, 11, 23, 3, 5, 0, 250000, tzinfo=UTC), "2026-11-23T03:05:00.250000Z", id="fraction"),
        pytest.param(
            datetime(2026, 11, 23, 4, 5, tzinfo=timezone(timedelta(hours=1))), "2026-11-23T03:05:00Z", id="another-zone"
        ),
    ],
)
def test_times_are_rfc_3339_in_utc(moment, expected):
    assert rfc3339(moment) == expected


def test_a_value_that_is_too_exact_for_a_float_is_rounded_not_refused():
    assert decided(HOT_OR_COLD, "33.333333333333333333333333").rules[0].value == Decimal("33.333333333333333333333333")
    assert decided(HOT_OR_COLD, "33.333333333333333333333333").as_json()["rules"][0]["value"] == pytest.approx(100 / 3)


LEFT = {
    "all of it": ({}, (5, 5)),
    "as many as the policy's max": ({"nodes": (2, 4)}, (5, 4)),
    "none of it": ({"nodes": (2, 3)}, (5, 3)),
    "as many as are allowed at once": ({"limits": limits(add="1")}, (5, 4)),
}


@pytest.mark.parametrize(("given", "expected"), LEFT.values(), ids=LEFT)
def test_what_is_wanted_stays_whatever_is_left_of_it(given, expected):
    made = decided(policy(threshold(out=[step("75", move="2")]), **given), "80")
    assert (made.wanted, made.desired) == expected


def test_a_record_without_stages_wants_what_it_desires():
    made = decided(threshold(out=[step("75")]), "80")
    assert made._replace(stages=()).wanted == made.desired == 4

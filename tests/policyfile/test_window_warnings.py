"""What `check` says of schedules and blackouts that are allowed and yet perhaps not meant."""

# ruff: noqa: E501 - a warning stands on one line, as it is printed

from datetime import UTC, datetime, timedelta

import pytest

from autoscaler import policyfile
from autoscaler.core import window
from autoscaler.policyfile import openings

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
"""A Monday."""

DAY = "cron: '0 8 * * *', duration: 10h"
NIGHT = "cron: '0 22 * * *', duration: 8h"

TARGET = """
targets:
  a:
    instance_id: i
    nodes: {min: 2, max: 16}
    interval: 5m
"""
METRIC = "{name: cpu, type: target_tracking, metric: ddm_cpu_util, target: 60}"


def told(rules: str, guards: str = "{}") -> tuple[str, ...]:
    policies = policyfile.parse(f"{TARGET}    rules: [{METRIC}, {rules}]\n    guards: {guards}\n", "p.yaml")
    return tuple(line.removeprefix("p.yaml:3: targets.a: ") for line in policyfile.warnings(policies, NOW))


def schedule(name: str, rest: str) -> str:
    return f"{{name: {name}, type: schedule, {rest}}}"


ONE_RULE = {
    "a floor and a cap within the bounds": (f"{DAY}, nodes: {{min: 4, max: 8}}", ()),
    "a floor above the target's max": (
        f"{DAY}, nodes: {{min: 20}}",
        ("rule 's' has the floor 20 above the target's max 16: it stops at 16",),
    ),
    "a floor at the target's max": (f"{DAY}, nodes: {{min: 16}}", ()),
    "a floor at the target's min": (
        f"{DAY}, nodes: {{min: 2}}",
        ("rule 's' has the floor 2 within the target's min 2: it changes nothing",),
    ),
    "a cap below the target's min": (
        f"{DAY}, nodes: {{max: 1}}",
        ("rule 's' has the cap 1 below the target's min 2: 2 nodes are kept",),
    ),
    "a cap at the target's min": (f"{DAY}, nodes: {{max: 2}}", ()),
    "a cap at the target's max": (
        f"{DAY}, nodes: {{max: 16}}",
        ("rule 's' has the cap 16 at or above the target's max 16: it changes nothing",),
    ),
    "a date that this year does not have": (
        "cron: '0 8 29 2 *', duration: 10h, nodes: {min: 4}",
        ("rule 's' does not open within the next 366 days",),
    ),
    "a day that is over": (
        "from: 2026-11-22T10:00:00Z, to: 2026-11-23T11:00:00+01:00, nodes: {min: 4}",
        ("rule 's' is over since 2026-11-23T10:00:00Z; take it out",),
    ),
    "a day that is almost over": ("from: 2026-11-22T10:00:00Z, to: 2026-11-23T10:00:01Z, nodes: {min: 4}", ()),
    "a day that is far away": ("from: 2036-11-22T10:00:00Z, to: 2036-11-23T10:00:00Z, nodes: {min: 4}", ()),
    "a window that opens again at its end": (
        "cron: '0 8 * * *', duration: 24h, nodes: {min: 4}",
        ("rule 's' is never closed within the next 366 days: it opens again before its duration is over",),
    ),
    "a window that is closed for a second each day": ("cron: '0 8 * * *', duration: 23h59m59s, nodes: {min: 4}", ()),
    "a window that is closed on Sundays alone": ("cron: '0 8 * * mon-sat', duration: 24h, nodes: {min: 4}", ()),
    "a window shorter than the interval": (
        "cron: '0 8 * * *', duration: 1m, nodes: {min: 4}",
        ("rule 's' is open for 1m, which may fall between two decisions (every 5m)",),
    ),
    "a window as long as the interval": ("cron: '0 8 * * *', duration: 5m, nodes: {min: 4}", ()),
}


@pytest.mark.parametrize(("rest", "expected"), ONE_RULE.values(), ids=ONE_RULE)
def test_a_schedule_that_is_odd_by_itself_is_a_warning(rest, expected):
    assert told(schedule("s", rest)) == expected


TWO_RULES = {
    "a floor and a cap that are never open at once": (DAY, NIGHT, None),
    "they meet tonight": (DAY, "cron: '0 17 * * *', duration: 8h", "2026-11-23T17:00:00Z"),
    "they have met already": (DAY, "cron: '0 9 * * *', duration: 8h", "2026-11-23T10:00:00Z"),
    "one ends where the other begins": (DAY, "cron: '0 18 * * *', duration: 2h", None),
    "one begins where the other ends": (DAY, "cron: '0 6 * * *', duration: 2h", None),
    "they meet by a second": (DAY, "cron: '0 6 * * *', duration: 2h1s", "2026-11-24T08:00:00Z"),
    "they meet on a feast": (
        DAY,
        "from: 2026-12-24T00:00:00+01:00, to: 2026-12-27T00:00:00+01:00",
        "2026-12-24T08:00:00Z",
    ),
    "two dates": (
        "from: 2026-12-24T00:00:00Z, to: 2026-12-26T00:00:00Z",
        "from: 2026-12-25T00:00:00Z, to: 2026-12-27T00:00:00Z",
        "2026-12-25T00:00:00Z",
    ),
    "they meet once in a year, by the first of January": (
        "cron: '0 8 * * fri', duration: 1h",
        "cron: '30 8 1 1 *', duration: 1h",
        "2027-01-01T08:30:00Z",
    ),
    "they meet beyond the next 366 days": (
        "cron: '0 8 * * *', duration: 1h",
        "from: 2028-01-01T00:00:00Z, to: 2028-01-02T00:00:00Z",
        None,
    ),
    "they meet once the clocks of one have changed": (
        "cron: '0 8 * * *', duration: 1h",
        "cron: '0 10 * * *', duration: 1h, timezone: Europe/Berlin",
        "2027-03-28T08:00:00Z",
    ),
}


@pytest.mark.parametrize(("floor", "cap", "first"), TWO_RULES.values(), ids=TWO_RULES)
def test_a_floor_that_meets_a_lower_cap_of_another_rule_is_a_warning_with_both_names_and_the_first_time(
    floor, cap, first
):
    meets = f"the floor 6 of rule 'day' meets the cap 5 of rule 'thrift', first at {first}: the floor wins"
    rules = [schedule("day", f"{floor}, nodes: {{min: 6}}"), schedule("thrift", f"{cap}, nodes: {{max: 5}}")]
    assert told(", ".join(rules)) == (() if first is None else (meets,))
    assert told(", ".join(reversed(rules))) == (() if first is None else (meets,))


def test_a_floor_at_the_cap_of_another_rule_is_none_and_neither_is_one_of_a_rule_in_observe():
    assert told(f"{schedule('f', f'{DAY}, nodes: {{min: 5}}')}, {schedule('c', f'{DAY}, nodes: {{max: 5}}')}") == ()
    observed = schedule("c", f"{DAY}, mode: observe, nodes: {{max: 4}}")
    assert told(f"{schedule('f', f'{DAY}, nodes: {{min: 5}}')}, {observed}") == ()


def test_blackouts_that_are_odd_are_warnings_too():
    blackout = "[{cron: '0 2 * * sun', duration: 3h}, {cron: '0 2 29 2 *', duration: 3h}, {cron: '0 * * * *', duration: 1h}, {from: 2026-01-01T00:00:00Z, to: 2026-01-02T00:00:00Z}]"
    assert told(METRIC.replace("cpu,", "more,"), f"{{blackout: {blackout}}}") == (
        "guards.blackout[1] does not open within the next 366 days",
        "guards.blackout[2] is never closed within the next 366 days: it opens again before its duration is over",
        "guards.blackout[3] is over since 2026-01-02T00:00:00Z; take it out",
    )


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/20 1-3 * * *", "0 8 * * mon-fri", "15 0 L * *"])
def test_openings_are_open_by_the_core_and_the_moments_before_them_are_not(zone, cron):
    opens = window.CronWindow(cron, timedelta(minutes=7), zone)
    found = list(openings.openings(opens, NOW))
    assert len(found) > 10
    for opening in found:
        assert window.open_until(opens, opening.start) == opening.end
        assert window.open_until(opens, opening.start - timedelta(seconds=1)) is None
        assert window.open_until(opens, opening.end) is None

"""The metrics as Prometheus sees them: no value, no series; every operation counted once; names that promtool likes."""

import re
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from autoscaler.core.by_hand import ByHand
from autoscaler.core.decision import Reason, StageRecord, Verdict
from autoscaler.core.fleet import Use
from autoscaler.core.history import Standing
from autoscaler.core.observation import Override, Pause
from autoscaler.core.operation import State
from autoscaler.core.policy import Budget, Direction, Fleet, FleetLimits, Metric, ThresholdRule
from autoscaler.core.target import Mode
from autoscaler.errors import NotFound
from autoscaler.ports import Backlog
from autoscaler.telemetry.metrics import Metrics
from tests.telemetry.conftest import MINUTE, START, Page, StandingClock, decision, planned, policy, snapshot, way

DOCS = Path(__file__).parents[2] / "docs/metrics.md"
FLEET = Fleet(FleetLimits(nodes=20, added_per_hour=4), Budget(300, Decimal("0.8")))
USE = Use(nodes=12, added=3, node_time=timedelta(hours=240, minutes=30))
COOLDOWNS = {Direction.OUT: 10 * MINUTE, Direction.IN: timedelta(0)}


def tell_everything(page: Page) -> None:
    """Give every metric a value."""
    metrics = page.metrics
    metrics.targets([replace(policy(), rules=(ThresholdRule("cpu", Metric("ddm_cpu_util")),))])
    metrics.observed(policy(), snapshot(), START)
    metrics.by_hand("orders", ByHand((), (Override(START, START + MINUTE, 6),)))
    metrics.decided(policy(), decision(), COOLDOWNS)
    metrics.breakers("orders", {direction: Standing(0, None) for direction in Direction})
    for step in way(State.SUBMITTED, State.SUCCEEDED):
        metrics.operation(step)
    metrics.cycle(interval=MINUTE, seconds=0.2, lateness=0.01, targets=1, errors=0)
    metrics.call("ddm", "enlarge", "200", 0.1)
    metrics.fleet(FLEET, USE)
    metrics.delivery("pager", "204", 0.1, given_up=False)
    metrics.backlogs({"pager": None})
    metrics.skew(-1.5)
    metrics.config_loaded(successful=True)
    metrics.failed("orders", NotFound("no such group"))
    metrics.decided(policy(), decision(), COOLDOWNS)


# What is told to webhooks.


def test_what_waits_for_a_webhook_grows_older_and_nothing_that_waits_is_zero(page):
    page.metrics.backlogs({"pager": Backlog(3, START), "chat": None})
    assert page.of("webhook_letters_waiting") == {("pager",): 3, ("chat",): 0}
    page.clock.at += MINUTE
    assert page.of("webhook_oldest_letter_age_seconds") == {("pager",): 60, ("chat",): 0}
    page.metrics.backlogs({})
    assert page.of("webhook_letters_waiting") == page.of("webhook_oldest_letter_age_seconds") == {}


def test_attempts_are_counted_by_how_they_ended(page):
    for code, given_up in [("204", False), ("TimeoutError", False), ("410", True)]:
        page.metrics.delivery("pager", code, 0.2, given_up=given_up)
    assert page.of("webhook_requests_total") == {
        ("204", "pager"): 1,
        ("TimeoutError", "pager"): 1,
        ("410", "pager"): 1,
    }
    assert page.of("webhook_letters_given_up_total") == {("pager",): 1}


# No value, no series.


def test_before_anything_happened_there_are_only_the_process_and_its_build(page):
    names = {name.removeprefix("autoscaler_") for name, _ in page.series() if not name.startswith("process_")}

    durations = ("cycle_duration", "operation_duration")  # histograms, which begin at 0
    assert {name for name in names if not name.startswith(durations)} == {"leader", "build_info"}


def test_a_new_target_shows_its_mode_and_bounds_and_that_nothing_is_under_way(page):
    page.metrics.targets([policy()])

    assert page.of("target_nodes") == {("min", "orders"): 2, ("max", "orders"): 16}
    assert page.of("target_mode") == {
        ("enforce", "orders"): 1,
        ("observe", "orders"): 0,
        ("out_only", "orders"): 0,
        ("off", "orders"): 0,
    }
    assert page.of("operation_in_progress") == {("orders",): 0}
    assert page.of("metric_value") == page.of("decisions_total") == page.of("cooldown_remaining_seconds") == {}


def test_under_a_ceiling_of_observe_no_target_shows_enforce():
    clock = StandingClock()
    page = Page(Metrics(clock, ceiling=Mode.OBSERVE), clock)
    page.metrics.targets([policy(), policy("idle", Mode.OFF)])

    shown = {labels for labels, value in page.of("target_mode").items() if value}
    assert shown == {("observe", "orders"), ("off", "idle")}


def test_an_evaluated_target_shows_nodes_load_age_and_cooldown(page):
    page.metrics.targets([policy()])
    page.metrics.observed(policy(), snapshot(ready=3, creating=1), START)
    page.metrics.decided(policy(), decision(Verdict.OUT, Reason.ABOVE_THRESHOLD), COOLDOWNS)
    page.clock.at += timedelta(minutes=4)

    nodes = {labels[0]: value for labels, value in page.of("target_nodes").items()}
    assert nodes == {"current": 4, "ready": 3, "desired": 4, "wanted": 4, "min": 2, "max": 16}
    assert page.of("metric_value") == {("cpu", "orders"): 81.2}
    assert page.of("metric_age_seconds") == {("cpu", "orders"): 600}  # of 09:54, at 10:04
    assert page.of("cooldown_remaining_seconds") == {("out", "orders"): 360, ("in", "orders"): 0}


def test_what_was_set_by_hand_is_shown_from_its_start_to_its_end(page):
    page.metrics.targets([policy(), policy("stock")])
    assert (page.of("target_paused"), page.of("target_override_nodes")) == ({}, {})
    held = ByHand((Pause(START, START + MINUTE),), (Override(START, START + 2 * MINUTE, 6),))
    page.metrics.by_hand("orders", held)
    page.metrics.by_hand("stock", ByHand())
    page.metrics.by_hand("gone", held)
    assert page.of("target_paused") == {("orders",): 1, ("stock",): 0}
    assert page.of("target_override_nodes") == {("orders",): 6}
    page.clock.at += MINUTE
    assert (page.of("target_paused")["orders",], page.of("target_override_nodes")) == (0, {("orders",): 6})
    page.clock.at += MINUTE
    assert page.of("target_override_nodes") == {}


def test_missing_data_is_no_series_and_never_zero(page):
    page.metrics.targets([policy()])
    page.metrics.decided(policy(), decision(), COOLDOWNS)
    page.metrics.decided(policy(), decision(reason=Reason.NO_DATA, value=None), COOLDOWNS)

    assert page.of("metric_value") == page.of("metric_age_seconds") == {}


WITHOUT_DATA = {
    "fresh": (Reason.WITHIN_BOUNDS, (0, 0)),
    "missing": (Reason.NO_DATA, (1, 0)),
    "stale": (Reason.STALE_DATA, (0, 1)),
}


@pytest.mark.parametrize(("reason", "expected"), WITHOUT_DATA.values(), ids=WITHOUT_DATA)
def test_a_rule_says_whether_it_is_without_data_and_why(page, reason, expected):
    cpu = ThresholdRule("cpu", Metric("ddm_cpu_util"))
    page.metrics.targets([replace(policy(), rules=(cpu,))])
    page.metrics.decided(policy(), decision(reason=reason, value=None), COOLDOWNS)

    shown = page.of("metric_missing")["cpu", "orders"], page.of("metric_stale")["cpu", "orders"]
    assert shown == expected


def test_a_rule_that_looks_at_the_time_is_never_without_data(page):
    page.metrics.targets([policy()])
    page.metrics.decided(policy(), decision(), COOLDOWNS)

    assert page.of("metric_missing") == page.of("metric_stale") == {}


def test_the_last_decision_is_the_only_one_shown_with_its_reason_and_time(page):
    page.metrics.targets([policy(), policy("idle", Mode.OFF)])
    page.metrics.decided(policy(), decision(reason=Reason.AT_MAX), COOLDOWNS)
    page.metrics.decided(policy(), decision(Verdict.OUT, Reason.ABOVE_THRESHOLD), COOLDOWNS)

    assert page.of("target_last_decision_timestamp_seconds") == {
        ("out", "above_threshold", "orders"): START.timestamp()
    }
    assert page.of("target_interval_seconds") == {("orders",): 60}


def test_a_breaker_is_open_until_its_rest_ends_and_the_failures_stay(page):
    page.metrics.targets([policy()])
    page.metrics.breakers("orders", {Direction.OUT: Standing(3, START + MINUTE), Direction.IN: Standing(0, None)})
    page.metrics.breakers("gone", {Direction.OUT: Standing(3, None)})

    assert page.of("breaker_open") == {("out", "orders"): 1, ("in", "orders"): 0}
    page.clock.at += MINUTE
    assert page.of("breaker_open") == {("out", "orders"): 0, ("in", "orders"): 0}
    assert page.of("operation_failures_in_a_row") == {("out", "orders"): 3, ("in", "orders"): 0}


def test_an_outcome_is_unknown_until_it_is_known(page):
    page.metrics.targets([policy()])
    seen = []
    for step in way(State.UNKNOWN, State.SUBMITTED):
        page.metrics.operation(step)
        seen.append(page.of("operation_unknown")["orders",])

    assert seen == [0, 1, 0]


def test_a_target_that_cannot_be_described_or_evaluated_shows_no_old_figures(page):
    page.metrics.targets([policy()])
    page.metrics.observed(policy(), snapshot(), START)
    page.metrics.decided(policy(), decision(), COOLDOWNS)
    page.metrics.observed(policy(), None, START)
    page.metrics.failed("orders", NotFound("gone"))

    assert {kind for kind, _ in page.of("target_nodes")} == {"min", "max"}
    assert page.of("metric_value") == {}


def test_all_series_of_a_removed_target_go_and_late_news_of_it_bring_none_back(page):
    tell_everything(page)
    page.metrics.targets([policy("other")])
    page.metrics.decided(policy(), decision(), COOLDOWNS)
    page.metrics.observed(policy(), snapshot(), START)
    page.metrics.operation(planned())
    page.metrics.failed("orders", NotFound("gone"))

    targets = {value for _, labels in page.series() for label, value in labels if label == "target"}
    assert targets == {"other"}


def test_a_target_that_is_removed_keeps_the_series_of_an_open_operation_until_that_has_ended(page):
    tell_everything(page)
    op = planned(id="open")
    page.metrics.operation(op)
    page.metrics.targets([policy("other")])
    page.metrics.decided(policy(), decision(), COOLDOWNS)

    assert page.of("operation_in_progress") == {("orders",): 1, ("other",): 0}
    families = {name for name, labels in page.series() if ("target", "orders") in labels}
    assert {name.removeprefix("autoscaler_operation")[:1] for name in families} == {"_", "s"}
    page.metrics.operation(op.step(State.REJECTED, at=START + MINUTE))
    assert not [name for name, labels in page.series() if ("target", "orders") in labels]


def test_a_removed_target_that_comes_back_shows_nothing_old(page):
    tell_everything(page)
    page.metrics.operation(planned(id="open"))
    page.metrics.targets([])
    page.metrics.targets([policy()])

    assert {kind for kind, _ in page.of("target_nodes")} == {"min", "max"}
    assert page.of("operation_in_progress") == {("orders",): 1}


def test_a_target_switched_off_keeps_only_its_mode_bounds_and_counters(page):
    tell_everything(page)
    page.metrics.targets([policy(mode=Mode.OFF)])

    assert {kind for kind, _ in page.of("target_nodes")} == {"min", "max"}
    assert page.of("metric_value") == page.of("cooldown_remaining_seconds") == {}
    assert page.of("decisions_total") == {("hold", "within_bounds", "orders"): 2}


def test_a_target_name_that_is_hostile_is_escaped(page):
    name = 'or"ders\\\n} 1'
    page.metrics.targets([policy(name)])

    assert ((name,)) in page.of("operation_in_progress")


# Counting.


WAYS = {
    "accepted and done": ((State.SUBMITTED, State.SUCCEEDED), {"succeeded"}, 1),
    "accepted and failed": ((State.SUBMITTED, State.FAILED), {"failed"}, 1),
    "refused": ((State.REJECTED,), {"rejected"}, 0),
    "unknown": ((State.UNKNOWN,), {"unknown"}, 0),
    "unknown, its job found": ((State.UNKNOWN, State.SUBMITTED, State.SUCCEEDED), {"unknown", "succeeded"}, 1),
    "unknown, its nodes seen": ((State.UNKNOWN, State.SUCCEEDED), {"unknown", "succeeded"}, 1),
    "unknown, never happened": ((State.UNKNOWN, State.NEVER_HAPPENED), {"unknown", "never_happened"}, 0),
}


@pytest.mark.parametrize(("states", "outcomes", "accepted"), WAYS.values(), ids=WAYS)
def test_an_operation_is_counted_once_for_each_outcome_and_once_as_accepted(page, states, outcomes, accepted):
    page.metrics.targets([policy()])
    for step in way(*states):
        page.metrics.operation(step)
        page.metrics.operation(step)  # told twice, counted once
        page.metrics.operation(step, overdue=step.open)

    assert page.of("operations_total") == {("out", outcome, "orders"): 1 for outcome in outcomes}
    assert sum(page.of("operations_submitted_total").values()) == accepted


def test_in_progress_and_overdue_hold_until_the_operation_ends(page):
    page.metrics.targets([policy()])
    seen = []
    for step in way(State.SUBMITTED, State.SUCCEEDED):
        page.metrics.operation(step, overdue=step.state is State.SUBMITTED)
        seen.append((*page.of("operation_in_progress").values(), *page.of("operation_overdue").values()))

    assert seen == [(1, 0), (1, 1), (0, 0)]


def test_what_is_wanted_is_told_beside_what_the_bounds_left_of_it(page):
    page.metrics.targets([policy()])
    stages = (StageRecord("combine", 9), StageRecord("limits", 5), StageRecord("bounds", 3))
    page.metrics.decided(policy(), decision(reason=Reason.DAILY_LIMIT)._replace(stages=stages), COOLDOWNS)

    assert (page.of("target_nodes")["wanted", "orders"], page.of("target_nodes")["desired", "orders"]) == (9, 3)


def test_refusals_in_a_row_are_told_for_each_direction(page):
    page.metrics.targets([policy()])
    refused = (planned(id="a", state=State.REJECTED), planned(id="b", state=State.REJECTED))
    page.metrics.breakers("orders", {Direction.OUT: Standing(0, None, refused), Direction.IN: Standing(0, None)})

    assert page.of("operation_refusals_in_a_row") == {("out", "orders"): 2, ("in", "orders"): 0}


def test_a_change_by_somebody_else_is_counted_once_from_zero_on_and_times_nothing(page):
    page.metrics.targets([policy()])
    assert page.of("foreign_changes_total") == {("out", "orders"): 0, ("in", "orders"): 0}
    seen = planned(Direction.IN, foreign=True, state=State.SUCCEEDED, ended_at=START + MINUTE)
    earlier = planned(id="earlier", foreign=True, state=State.SUCCEEDED, ended_at=START - MINUTE)
    for one in (seen, seen, earlier):
        page.metrics.operation(one)

    assert page.of("foreign_changes_total") == {("out", "orders"): 0, ("in", "orders"): 1}
    assert page.of("operation_duration_seconds_count") == {("out",): 0, ("in",): 0}


@pytest.mark.parametrize("whose", ["foreign", "shadow"])
def test_only_own_operations_are_counted(page, whose):
    page.metrics.targets([policy()])
    for step in way(
        State.SUBMITTED, State.SUCCEEDED, first=planned(foreign=whose == "foreign", shadow=whose == "shadow")
    ):
        page.metrics.operation(step)

    assert page.of("operations_total") == {}
    assert page.of("operations_submitted_total") == {("out", "orders"): 0, ("in", "orders"): 0}
    assert page.of("operation_in_progress") == {("orders",): 0}


def test_what_an_earlier_process_saw_is_under_way_but_not_counted_again(page):
    page.metrics.targets([policy()])
    earlier = planned(state=State.SUBMITTED, submitted_at=START - MINUTE, committed_at=START - 2 * MINUTE)
    page.metrics.operation(earlier)

    assert sum(page.of("operations_submitted_total").values()) == 0
    assert page.of("operation_in_progress") == {("orders",): 1}

    page.metrics.operation(earlier.step(State.SUCCEEDED, at=START + MINUTE))

    assert page.of("operations_total") == {("out", "succeeded", "orders"): 1}


def test_the_duration_of_an_operation_is_observed_at_its_end(page):
    page.metrics.targets([policy()])
    for step in way(State.SUBMITTED, State.SUCCEEDED):
        page.metrics.operation(step)

    assert page.of("operation_duration_seconds_sum") == {("out",): 120, ("in",): 0}
    assert page.of("operation_duration_seconds_count") == {("out",): 1, ("in",): 0}


def test_errors_are_counted_by_name_and_what_was_not_foreseen_as_internal(page):
    page.metrics.targets([policy()])
    page.metrics.failed("orders", NotFound("no such group"))
    page.metrics.failed("orders", ZeroDivisionError())

    assert page.of("evaluation_errors_total") == {("not_found", "orders"): 1, ("internal", "orders"): 1}


def test_cycles_calls_skew_and_loads_are_shown(page):
    tell_everything(page)
    page.clock.at += MINUTE
    page.metrics.config_loaded(successful=False)

    assert page.of("cycle_duration_seconds_count") == {(): 1}
    assert page.of("cycle_lateness_seconds") == {(): 0.01}
    assert page.of("last_cycle_timestamp_seconds") == {(): START.timestamp()}
    assert page.of("cloud_requests_total") == {("200", "enlarge", "ddm"): 1}
    assert page.of("cloud_clock_skew_seconds") == {(): -1.5}
    assert page.of("config_last_reload_successful") == {(): 0}
    assert page.of("config_last_reload_success_timestamp_seconds") == {(): START.timestamp()}


# What a scrape is given.


ACCEPTS = {
    "nothing": ("", "text/plain"),
    "anything": ("*/*", "text/plain"),
    "a browser": ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain"),
    "Prometheus": (
        "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.3",
        "application/openmetrics-text",
    ),
    "text preferred": ("application/openmetrics-text;q=0.4, text/plain;q=0.5", "text/plain"),
    "the first of equals": ("application/openmetrics-text, text/plain", "application/openmetrics-text"),
    "refused": ("application/openmetrics-text;q=0", "text/plain"),
    "a quality that is none": ("application/openmetrics-text;q=much", "text/plain"),
}


@pytest.mark.parametrize(("accept", "expected"), ACCEPTS.values(), ids=ACCEPTS)
def test_the_format_is_the_one_that_is_asked_for(page, accept, expected):
    body, content_type = page.metrics.exposition(accept)

    assert content_type.split(";")[0] == expected
    assert body.endswith(b"# EOF\n") == (expected == "application/openmetrics-text")


def test_a_scrape_is_given_the_page_of_the_last_rendering_in_either_format(page):
    page.metrics.targets([policy()])
    before = page.metrics.exposition(""), page.metrics.exposition("application/openmetrics-text")
    page.metrics.decided(policy(), decision(), COOLDOWNS)

    assert (page.metrics.exposition(""), page.metrics.exposition("application/openmetrics-text")) == before

    page.metrics.render()

    for accept in ("", "application/openmetrics-text"):
        assert b"autoscaler_decisions_total{" in page.metrics.exposition(accept)[0]


def test_openmetrics_is_read_by_the_strict_parser(page):
    tell_everything(page)

    assert "autoscaler_decisions" in page.openmetrics()


def test_it_may_be_rendered_while_targets_come_and_go(page):
    done = threading.Event()

    def render() -> None:  # an exception in a thread fails the test
        while not done.is_set():
            page.metrics.render()

    thread = threading.Thread(target=render)
    thread.start()
    for number in range(300):
        name = f"t{number % 7}"
        page.metrics.targets([policy(name), policy(f"u{number}")])
        page.metrics.decided(policy(name), decision(target=name), COOLDOWNS)
        page.metrics.operation(planned(id=str(number), target=name).step(State.REJECTED, at=START + MINUTE))
    done.set()
    thread.join()

    assert {target for (target,) in page.of("operation_in_progress")} == {"t5", "u299"}


def test_promtool_finds_nothing_to_say(page, require_tool):
    tell_everything(page)
    page.metrics.render()
    body, _ = page.metrics.exposition("")
    checked = subprocess.run(
        [require_tool("promtool"), "check", "metrics"], input=body, capture_output=True, check=False
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


# The fleet.


def fleet_of(page: Page) -> dict[str, float]:
    page.metrics.render()
    return {
        name.removeprefix("autoscaler_fleet_"): value for (name, _), value in page.series().items() if "fleet" in name
    }


def test_the_fleet_shows_what_it_has_and_what_it_may(page):
    page.metrics.fleet(FLEET, USE)

    limits = {
        "nodes_limit": 20,
        "added_nodes_limit": 4,
        "node_seconds_budget": 300 * 3600,
        "node_seconds_warn_at": 240 * 3600,
    }
    assert fleet_of(page) == {"nodes": 12, "added_nodes": 3, "node_seconds": 240.5 * 3600, **limits}


def test_what_is_not_limited_has_no_limit_and_what_is_not_known_no_value(page):
    page.metrics.fleet(Fleet(FleetLimits(nodes=20)), replace(USE, unknown=("orders",)))

    assert fleet_of(page) == {"nodes_limit": 20}


def test_a_fleet_that_is_no_longer_there_has_no_series(page):
    page.metrics.fleet(FLEET, USE)
    page.metrics.targets([replace(policy(), fleet=FLEET)])
    assert fleet_of(page)
    page.metrics.targets([policy()])
    assert fleet_of(page) == {}


# docs/metrics.md


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    rows = re.findall(r"^\| `(autoscaler_\w+)` \| (\w+) \|([^|]*)\|", DOCS.read_text(), re.MULTILINE)
    return {name: (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def served(page: Page) -> dict[str, tuple[str, frozenset[str]]]:
    body, _ = page.metrics.exposition("")
    kinds = dict(re.findall(r"^# TYPE (autoscaler_\w+) (\w+)$", body.decode(), re.MULTILINE))
    labels: dict[str, set[str]] = {name: set() for name in kinds}
    for name, found in page.series():
        family = name if name in kinds else re.sub(r"_(bucket|sum|count)$", "", name)
        labels.get(family, set()).update(label for label, _ in found if label != "le")
    return {name: (kind, frozenset(labels[name])) for name, kind in kinds.items()}


def test_the_reference_names_every_metric_with_its_type_and_labels(page):
    tell_everything(page)
    page.metrics.render()

    assert served(page) == documented()

"""The invariants hold for any policy and any observation; what they say is in `invariants.py`."""

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import autoscaler.core
from tests.core import invariants
from tests.core.invariants import ANY, CALM, GOOD, HOLDING, OPEN

pytestmark = pytest.mark.exhaustive

thoroughly = settings(
    max_examples=1000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@thoroughly
@given(ANY)
def test_i8_every_evaluation_ends_in_one_decision(world):
    invariants.always_decides(world)


@thoroughly
@given(ANY)
def test_a_record_does_not_contradict_itself(world):
    invariants.adds_up(world)


@thoroughly
@given(OPEN)
def test_i1_one_operation_at_a_time(world):
    invariants.one_operation_at_a_time(world)


@thoroughly
@given(OPEN)
def test_i3_an_unknown_outcome_holds(world):
    invariants.unknown_holds(world)


@thoroughly
@given(ANY)
def test_i4_never_past_max(world):
    invariants.never_past_max(world)


@thoroughly
@given(ANY)
def test_i4_never_past_32(world):
    invariants.never_past_32(world)


@thoroughly
@given(GOOD)
def test_i4_never_past_the_fleet(world):
    invariants.never_past_the_fleet(world)


@thoroughly
@given(ANY)
def test_the_fleet_only_takes_away(world):
    invariants.the_fleet_only_takes_away(world)


@thoroughly
@given(GOOD)
def test_i4_never_below_min(world):
    invariants.never_below_min(world)


@thoroughly
@given(ANY)
def test_i5_what_is_no_number_is_missing(world):
    invariants.no_number_is_missing(world)


@thoroughly
@given(GOOD)
def test_i5_without_data_nothing_is_wanted(world):
    invariants.without_data_nothing_is_wanted(world)


@thoroughly
@given(GOOD)
def test_i5_stale_data_wants_nothing(world):
    invariants.stale_data_wants_nothing(world)


@thoroughly
@given(CALM)
def test_i5_one_missing_metric_holds_all_in(world):
    invariants.one_missing_metric_holds_all_in(world)


@thoroughly
@given(HOLDING)
def test_i5_missing_data_never_flips_a_direction(world):
    invariants.missing_data_never_flips(world)


@thoroughly
@given(CALM)
def test_i5_half_samples_never_scale_in(world):
    invariants.half_samples_never_scale_in(world)


@thoroughly
@given(GOOD)
def test_i6_no_move_within_a_cooldown(world):
    invariants.no_move_within_a_cooldown(world)


@thoroughly
@given(ANY)
def test_i6_the_order_of_operations_does_not_matter(world):
    invariants.the_order_of_operations_does_not_matter(world)


@thoroughly
@given(ANY)
def test_i6_what_was_rejected_changes_nothing(world):
    invariants.what_was_rejected_changes_nothing(world)


@thoroughly
@given(ANY)
def test_i6_the_past_of_another_group_changes_nothing(world):
    invariants.the_past_of_another_group_changes_nothing(world)


@thoroughly
@given(GOOD)
def test_i6_failed_scale_ins_never_delay_scaling_out(world):
    invariants.failed_scale_ins_never_delay_scaling_out(world)


@thoroughly
@given(GOOD)
def test_i6_no_window_reaches_back_before_a_change(world):
    invariants.no_window_reaches_back_before_a_change(world)


@thoroughly
@given(GOOD)
def test_i4_schedules_are_kept(world):
    invariants.schedules_are_kept(world)


@thoroughly
@given(ANY)
def test_a_pause_holds(world):
    invariants.a_pause_holds(world)


@thoroughly
@given(GOOD)
def test_a_blackout_holds(world):
    invariants.a_blackout_holds(world)


@thoroughly
@given(GOOD)
def test_an_override_is_obeyed(world):
    invariants.an_override_is_obeyed(world)


@thoroughly
@given(GOOD)
def test_i6_a_breaker_holds(world):
    invariants.a_breaker_holds(world)


@thoroughly
@given(ANY)
def test_a_breaker_that_was_closed_just_now_vetoes_nothing(world):
    invariants.a_breaker_that_was_closed_just_now_vetoes_nothing(world)


@thoroughly
@given(ANY)
def test_closing_a_breaker_only_takes_its_veto_away(world):
    invariants.closing_a_breaker_only_takes_its_veto_away(world)


@thoroughly
@given(ANY)
def test_i10_observe_never_moves(world):
    invariants.observe_never_moves(world)


@thoroughly
@given(ANY)
def test_out_only_never_scales_in(world):
    invariants.out_only_never_scales_in(world)


@thoroughly
@given(GOOD)
def test_more_load_is_never_fewer_nodes(world):
    invariants.more_load_is_never_fewer_nodes(world)


def test_i3_an_unknown_outcome_is_never_sent_again():
    invariants.unknown_is_never_sent_again()


CLOCKS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}


def test_i7_the_core_reads_no_clock():
    """`now` is an argument: no call in the core asks for the time."""
    root = Path(autoscaler.core.__file__).parent
    calls = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert calls == []

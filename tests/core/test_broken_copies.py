"""The tests of the invariants can fail: on a copy of the core with one line broken, the property no longer holds.

Each break has a world made by hand in which it shows, so that nothing here depends on what chance finds.
"""

from dataclasses import dataclass
from inspect import getsource
from types import ModuleType

import pytest

from autoscaler.core import engine, fleet, guard, history, operation, sample, stages
from autoscaler.core.rules import threshold, view
from tests.core import invariants
from tests.core.witnesses import WITNESSES


@dataclass(frozen=True)
class Break:
    """One line of a module, and what a careless hand might have made of it."""

    module: ModuleType
    line: str
    broken: str

    def load(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the functions and tables of the broken copy in the place of the good ones; classes stay what they are."""
        source = getsource(self.module)
        assert source.count(self.line) == 1, f"{self.module.__name__} has no single {self.line!r}"
        copy = ModuleType(self.module.__name__)
        exec(source.replace(self.line, self.broken), copy.__dict__)  # noqa: S102  # the project's own source
        for name, good in vars(self.module).items():
            if isinstance(good, type):
                setattr(copy, name, good)
        for name, value in vars(copy).items():
            if not name.startswith("__"):
                monkeypatch.setattr(self.module, name, value)


MAX = "min(policy.bounds.max, flow.current + room)"

BREAKS = {
    "i1-open-operations-do-not-hold": (
        Break(guard, "if op.open and op.state is not State.UNKNOWN and", "if not op.open and"),
        invariants.one_operation_at_a_time,
    ),
    "i3-unknown-does-not-hold": (
        Break(guard, "if op.state is State.UNKNOWN]", "if op.state is State.REJECTED]"),
        invariants.unknown_holds,
    ),
    "i4-max-is-not-kept": (Break(stages, MAX, "flow.current + room"), invariants.never_past_max),
    "i4-32-is-not-kept": (Break(stages, MAX, "policy.bounds.max"), invariants.never_past_32),
    "i4-an-old-count-of-nodes-is-believed": (
        Break(
            stages,
            "max(newest.instance_nodes, observation.snapshot.instance_nodes, observation.snapshot.current)",
            "observation.snapshot.instance_nodes",
        ),
        invariants.never_past_32,
    ),
    "i4-the-fleet-is-not-asked": (
        Break(fleet, "if fleet is None or room(fleet.limits, known) != 0:", "if True:"),
        invariants.never_past_the_fleet,
    ),
    "i4-the-fleet-shortens-nothing": (
        Break(fleet, "left for left in lefts if left", "left for left in () if left"),
        invariants.never_past_the_fleet,
    ),
    "i4-the-budget-is-not-asked": (
        Break(fleet, "or affordable(fleet.budget, known) > 0", "or True"),
        invariants.never_past_the_fleet,
    ),
    "i4-min-is-not-kept": (Break(stages, "else policy.bounds.min)", "else 0)"), invariants.never_below_min),
    "i5-missing-is-zero": (
        Break(
            sample,
            "[value for node in counted if is_number(value := points.get(node, {}).get(time))]",
            "[value if is_number(value := points.get(node, {}).get(time)) else Decimal(0) for node in counted]",
        ),
        invariants.without_data_nothing_is_wanted,
    ),
    "i5-a-huge-number-is-a-number": (
        Break(sample, "value.is_finite() and abs(value) <= LARGEST", "value.is_finite()"),
        invariants.no_number_is_missing,
    ),
    "i5-stale-is-fresh": (
        Break(view, "if view.now - view.as_of > rule.max_metric_age", "if False"),
        invariants.stale_data_wants_nothing,
    ),
    "i5-missing-data-has-no-say-on-scaling-in": (
        Break(view, "why, Say.FULL", "why, Say.OUT_ONLY"),
        invariants.one_missing_metric_holds_all_in,
    ),
    "i5-missing-data-flips": (
        Break(view, "why, Say.FULL", "why, Say.OUT_ONLY"),
        invariants.missing_data_never_flips,
    ),
    "i5-half-samples-scale-in": (
        Break(threshold, " or sample.half", ""),
        invariants.half_samples_never_scale_in,
    ),
    "i6-cooldown-is-forgotten": (
        Break(guard, "if left <= NO_TIME:", "if True:"),
        invariants.no_move_within_a_cooldown,
    ),
    "i6-only-the-first-operation-read-counts": (
        Break(
            guard,
            "_cooldown_left(case, case.observation.of_group)",
            "_cooldown_left(case, case.observation.of_group[:1])",
        ),
        invariants.the_order_of_operations_does_not_matter,
    ),
    "i6-what-was-rejected-rests": (
        Break(history, "(State.FAILED, State.NEVER_HAPPENED)", "(State.FAILED, State.NEVER_HAPPENED, State.REJECTED)"),
        invariants.what_was_rejected_changes_nothing,
    ),
    "i6-another-group-rests": (
        Break(
            guard,
            "_cooldown_left(case, case.observation.of_group)",
            "_cooldown_left(case, case.observation.operations)",
        ),
        invariants.the_past_of_another_group_changes_nothing,
    ),
    "i6-a-failed-scale-in-rests-both-directions": (
        Break(history, "if op.state in FAILURES and op.direction is direction", "if op.state in FAILURES"),
        invariants.failed_scale_ins_never_delay_scaling_out,
    ),
    "i6-windows-reach-back-before-a-change": (
        Break(view, "rule.metric.period, observation.last_change", "rule.metric.period, None"),
        invariants.no_window_reaches_back_before_a_change,
    ),
    "i4-a-cap-is-not-kept": (
        Break(stages, "max(flow.current, cap.nodes), stop", "min(flow.desired, highest), stop"),
        invariants.schedules_are_kept,
    ),
    "i4-a-floor-is-not-kept": (
        Break(stages, "if floor is None or floor.nodes <= min(flow.desired, flow.current):", "if True:"),
        invariants.schedules_are_kept,
    ),
    "a-pause-is-forgotten": (
        Break(guard, "if pause is None:", "if True:"),
        invariants.a_pause_holds,
    ),
    "a-blackout-is-forgotten": (
        Break(guard, "if case.direction in one.directions", "if case.direction not in one.directions"),
        invariants.a_blackout_holds,
    ),
    "an-override-is-forgotten": (
        Break(engine, "if observation.override is not None:", "if False:"),
        invariants.an_override_is_obeyed,
    ),
    "i6-the-breaker-is-forgotten": (
        Break(guard, "if until is None or until <= observation.now:", "if True:"),
        invariants.a_breaker_holds,
    ),
    "i8-a-target-without-data-is-an-error": (
        Break(
            view, "    if view.as_of is None:\n        return Reason.NO_DATA\n", "    assert view.as_of is not None\n"
        ),
        invariants.always_decides,
    ),
    "i10-observe-is-forgotten": (
        Break(guard, "if mode is Mode.OBSERVE or mode is Mode.OFF", "if mode is Mode.OFF"),
        invariants.observe_never_moves,
    ),
    "out-only-is-forgotten": (
        Break(guard, "if case.observation.mode is Mode.OUT_ONLY", "if case.observation.mode is Mode.OFF"),
        invariants.out_only_never_scales_in,
    ),
    "of-the-steps-that-hold-the-smallest-counts": (
        Break(threshold, "largest = max(", "largest = min("),
        invariants.more_load_is_never_fewer_nodes,
    ),
    "a-vetoed-change-is-made-all-the-same": (
        Break(engine, "change=end - flow.current", "change=flow.desired - flow.current"),
        invariants.adds_up,
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_property_holds_in_the_witness_and_fails_there_on_a_broken_copy(name, monkeypatch):
    broken, holds = BREAKS[name]
    holds(WITNESSES[name])
    broken.load(monkeypatch)
    with pytest.raises(AssertionError):
        holds(WITNESSES[name])


def test_every_witness_is_of_a_break():
    assert set(WITNESSES) == set(BREAKS)


def test_i3_fails_where_an_unknown_outcome_may_be_sent_again(monkeypatch):
    line = "State.UNKNOWN: frozenset({State.SUBMITTED,"
    Break(operation, line, "State.UNKNOWN: frozenset({State.REJECTED, State.SUBMITTED,").load(monkeypatch)
    with pytest.raises(AssertionError):
        invariants.unknown_is_never_sent_again()


def test_a_break_that_breaks_nothing_is_noticed(monkeypatch):
    with pytest.raises(AssertionError, match="has no single"):
        Break(stages, "a line that is not there", "").load(monkeypatch)

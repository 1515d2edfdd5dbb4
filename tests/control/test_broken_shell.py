"""The tests of the shell's invariants can fail: on a copy with one line broken the named test no longer holds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import getsource, signature
from types import ModuleType
from typing import Any

import pytest

from autoscaler.control import cycle, executor, poller, reconciler, scheduler
from autoscaler.core.target import Mode
from autoscaler.errors import Unavailable
from tests.control import test_cycle, test_executor, test_reconciler, test_scheduler
from tests.control.house import House
from tests.fakes import MemoryStore


@dataclass(frozen=True)
class Break:
    """One line of a module, and what a careless hand might have made of it."""

    module: ModuleType
    line: str
    broken: str

    @property
    def name(self) -> str:
        return self.module.__name__.rpartition(".")[2]

    def copy(self) -> ModuleType:
        """The module with the broken line, beside the good one."""
        source = getsource(self.module)
        assert source.count(self.line) == 1, f"{self.module.__name__} has no single {self.line!r}"
        copy = ModuleType(self.module.__name__)
        exec(source.replace(self.line, self.broken), copy.__dict__)  # noqa: S102  # the project's own source
        return copy


class CarelessStore(MemoryStore):
    """One without the index that lets only one operation be open on an instance."""

    async def commit_intent(self, operation, decision):
        self.stored[operation.id] = operation
        self.decisions.append(decision)


ONE_TARGET = "except Exception as error:  # noqa: BLE001  # one target's end: whatever it was, the others go on"
OBSERVED = {"mode": Mode.OBSERVE, "ceiling": Mode.ENFORCE}
CEILING = {"mode": Mode.ENFORCE, "ceiling": Mode.OBSERVE}

BREAKS: dict[str, tuple[Break, Callable[..., Awaitable[None]], dict[str, Any]]] = {
    "i2-nothing-is-committed": (
        Break(executor, "await self._store.commit_intent(intent, decision)", "pass"),
        test_executor.test_i2_the_intent_is_in_the_store_when_the_call_is_made,
        {},
    ),
    "i2-sent-though-it-could-not-be-committed": (
        Break(executor, "del self._give_up[intent.id]\n            raise", "pass"),
        test_executor.test_i2_an_intent_that_cannot_be_stored_is_not_sent,
        {},
    ),
    "i3-an-unclear-answer-counts-as-refused": (
        Break(executor, "State.UNKNOWN, str(error) or", "State.REJECTED, str(error) or"),
        test_executor.test_i3_an_unclear_answer_is_never_sent_again,
        {},
    ),
    "i3-quiet-is-believed-too-early": (
        Break(reconciler, "SETTLE_TIME = timedelta(minutes=10)", "SETTLE_TIME = timedelta(minutes=9)"),
        test_reconciler.test_never_happened_needs_ten_minutes_of_quiet_after_the_last_moment_it_may_have_arrived,
        {},
    ),
    "i3-quiet-is-measured-by-the-wall-clock": (
        Break(reconciler, "now = clock.monotonic()", "now = clock.now().timestamp()"),
        test_reconciler.test_a_wall_clock_that_jumps_ahead_makes_no_time_pass,
        {},
    ),
    "i3-any-job-will-do": (
        Break(reconciler, "{other.job_id for other in others}", "set()"),
        test_reconciler.test_a_job_that_is_another_operations_is_not_adopted,
        {},
    ),
    "i8-a-surprise-ends-the-round": (
        Break(cycle, ONE_TARGET, "except OSError as error:"),
        test_cycle.test_i8_an_intent_that_breaks_is_one_error_and_the_others_move,
        {},
    ),
    "i8-a-forgotten-target-ends-the-poll": (
        Break(poller, ONE_TARGET, "except OSError as error:"),
        test_cycle.test_i8_a_target_that_the_answer_forgets_is_one_error_and_the_others_go_on,
        {},
    ),
    "i8-a-cloud-that-is-down-is-no-error": (
        Break(cycle, "return self._all_failed([policy.name for policy in policies], error)", "return 0"),
        test_cycle.test_i8_a_cloud_that_cannot_be_asked_is_one_error_for_each_target,
        {"error": Unavailable("down")},
    ),
    "i9-a-cut-off-call-is-forgotten": (
        Break(
            executor,
            'await self._write(intent, State.UNKNOWN, "the call was cut off while the daemon stopped")',
            "pass",
        ),
        test_executor.test_i9_a_cancelled_call_is_recorded_as_unknown_before_the_cancellation_goes_on,
        {},
    ),
    "i9-stopping-waits-for-nothing": (
        Break(scheduler, "(left := until - self._clock.monotonic()) > 0", "(left := 0.0) > 0"),
        test_scheduler.test_i9_stopping_waits_for_a_call_under_way,
        {},
    ),
    "i10-what-would-move-moves": (
        Break(cycle, "if second.moves else second", "if _would_move(second.decision) else second"),
        test_cycle.test_i10_observe_sends_nothing_whatever_happens,
        OBSERVED,
    ),
    "i10-the-ceiling-is-not-kept": (
        Break(poller, "return Mode.OBSERVE if ceiling is", "return mode if ceiling is"),
        test_cycle.test_i10_observe_sends_nothing_whatever_happens,
        CEILING,
    ),
}


async def _run(test: Callable[..., Awaitable[None]], given: dict[str, Any]) -> None:
    wants_house = "house" in signature(test).parameters and "house" not in given
    await test(**given, **({"house": House()} if wants_house else {}))


@pytest.mark.parametrize(("broken", "test", "given"), BREAKS.values(), ids=BREAKS)
async def test_an_invariants_test_holds_on_the_good_copy_and_fails_on_a_broken_one(broken, test, given, monkeypatch):
    await _run(test, given)
    monkeypatch.setattr(House, "broken", {broken.name: broken.copy()})
    with pytest.raises((AssertionError, KeyError)):  # the surprise of one target that ended the round is a KeyError
        await _run(test, given)


async def test_i1_is_kept_by_the_store_and_without_its_index_the_test_fails():
    i1 = test_cycle.test_i1_an_operation_begun_at_the_last_moment_makes_a_hold
    await _run(i1, {"house": House()})
    with pytest.raises(AssertionError):
        await _run(i1, {"house": House(store=CarelessStore())})

"""The simulator can fail: with one line of the daemon broken the watch complains, and with all whole it does not.

Each plan is short, and made so that the broken line is gone through while it matters.
"""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest

from autoscaler.control import console, correspondence, cycle, deliverer, executor, poller, reconciler
from autoscaler.core import guard, outcome, permissible, window
from autoscaler.core import history as operations
from autoscaler.core.rules import view
from autoscaler.huaweicloud import scaling, series
from autoscaler.storage import leased, transactions
from tests.simulation import history, plans
from tests.simulation.broken import Break
from tests.simulation.plans import Disturbance, Plan
from tests.simulation.test_kills import ONE_SCALE_OUT, stopped

HOT = dataclasses.replace(ONE_SCALE_OUT, steady=2.6, most=6)
"""Two nodes at 130 %, three at 87: the second scale-out waits for the cooldown of the first."""

COOL = dataclasses.replace(ONE_SCALE_OUT, steady=1.0, nodes=5, most=6, length=2400.0)
"""Five nodes at 20 %: one could go after a quarter of an hour; at 60 %, by `steady=3.0`, none."""

DONE = 60.0
"""Seconds in which the first scale-out has ended."""


def plan(base: Plan, *disturbances: tuple[float, str, dict], **more: object) -> Plan:
    fields: dict = {"disturbances": tuple(Disturbance(*one) for one in disturbances), **more}
    return dataclasses.replace(base, **fields)


def lost(kind: str) -> tuple[float, str, dict]:
    return (0.0, "cloud", {"kind": kind, "service": "ddm", "operation": "enlarge"})


def by_the_hand(does: str, at: float = 0.0, when: str = "pre-flight", **more: object) -> tuple[float, str, dict]:
    values = {"lasts": 600.0, "all": False, "back_after": 60.0, "override": False, "breaker": False, "nodes": 3}
    return (at, "hand", {**values, "does": does, "when": when, **more})


def of_metrics(how: str) -> tuple[float, str, dict]:
    return (0.0, "cloud", {"kind": f"{how}_datapoints", "service": "cloud_eye", "count": 2000})


BUSY = (0.0, "cloud", {"kind": "data_node_busy", "seconds": 2000.0})
"""Nothing is changed before half an hour is over."""

FORGETFUL = (0.0, "cloud", {"kind": "job_list_forgets", "count": 8})


SPOILED = (DONE + 40, "row", {"table": "operations", "column": "change", "seconds": 900.0})
REMOVED = {"what": "removed", "how": "request", "more": 0}

BROKEN: dict[str, tuple[Break, list[Plan] | Callable[[], list[Plan]], str]] = {
    "an unknown outcome is sent again": (
        Break(executor, "State.UNKNOWN, str(error) or", "State.REJECTED, str(error) or"),
        [
            plan(ONE_SCALE_OUT, lost(kind), FORGETFUL, enlarge=300.0, status_delay=120.0)
            for kind in ("timeout_after", "reset_after", "http_error_after")
        ],
        "a second call while",
    ),
    "quiet counts from the intent": (
        Break(
            reconciler,
            "quiet = self.quiet.setdefault(op.id, _Quiet(now))",
            "quiet = self.quiet.setdefault(op.id, _Quiet(now - (clock.now() - op.committed_at).total_seconds()))",
        ),
        [
            plan(ONE_SCALE_OUT, (0.0, "held", {"seconds": held}), (20.0, "kill", {"steps": 1, "after": 600.0}))
            for held in (800.0, 900.0, 1000.0)
        ],
        "told as never_happened",
    ),
    "a job is adopted by its time": (
        Break(outcome, "if job.id not in op.known_jobs\n", "if job.created_at and job.created_at >= op.committed_at\n"),
        [
            plan(
                ONE_SCALE_OUT,
                (0.0, "clock", {"off": off, "seconds": 2000.0}),
                (0.0, "cloud", {"kind": "sold_out", "seconds": 60.0}),
                (0.1, "cloud", {"kind": "foreign_scale_out", "nodes": 1}),
                lost("timeout_after"),
            )
            for off in (-280.0, -240.0)
        ],
        "told as failed",
    ),
    "an intent is not committed": (
        Break(executor, "await self._store.commit_intent(intent, decision)", "pass"),
        [plan(ONE_SCALE_OUT)],
        "0 committed intents",
    ),
    "a cooldown is lost at a restart": (
        Break(
            poller,
            "if back_to is None or back_to >= since:\n            return operations",
            "if True:\n            begun = self._memory.of(policy.name).first_evaluated_at\n"
            "            return tuple(op for op in operations if op.open or (begun and op.ended_at > begun))",
        ),
        [plan(HOT, (at, "kill", {"steps": 1, "after": 1.0})) for at in (100.0, 150.0, 200.0)],
        "after EnlargeNode Completed ended",
    ),
    "a pause is read once a cycle": (
        Break(cycle, "            pauses=hand.pauses,\n", ""),
        [plan(ONE_SCALE_OUT, by_the_hand("pause", all=every)) for every in (True, False)],
        "though it is paused",
    ),
    "any number of nodes may be set by hand": (
        Break(permissible, "if not low <= nodes <= high:", "if False:"),
        [plan(ONE_SCALE_OUT, by_the_hand("override", when="now", at=30.0, nodes=9))],
        "9 nodes were accepted",
    ),
    "an operation is closed by hand while its job runs": (
        Break(console, "if at_work:", "if False:"),
        [plan(ONE_SCALE_OUT, by_the_hand("resolve", when="now", at=30.0), enlarge=300.0)],
        "was closed by hand while",
    ),
    "whether the policy still holds is not asked": (
        Break(cycle, "if not self._roster.holds(policy, second.observation.mode):", "if False:"),
        [
            plan(
                ONE_SCALE_OUT,
                (0.0, "reload", {"what": what, "how": "request", "more": 2, "when": "pre-flight", "seconds": 900.0}),
                files=True,
            )
            for what in ("max", "observe", "ceiling", "removed")
        ],
        "by a policy that does not hold",
    ),
    "the operation of a removed target is forgotten": (
        Break(
            reconciler,
            "for op in [op for op in operations if not self.in_flight(op.id)]",
            "for op in [op for op in operations if op.target in self._memory.targets]",
        ),
        [plan(ONE_SCALE_OUT, (30.0, "reload", {**REMOVED, "seconds": 900.0}), files=True, enlarge=300.0)],
        "its removed target's operation is still open",
    ),
    "a row that cannot be read is left out": (
        Break(
            transactions,
            "return tuple(rows.to_operation(row) for row in found)",
            "return self._sieve.readable(found, rows.to_operation)",
        ),
        [plan(HOT, SPOILED, beside=True)],
        "cannot be read",
    ),
    "a window may have gaps": (
        Break(view, "return found if 5 * len(found) >= 4 * due else ()", "return found"),
        [plan(COOL, of_metrics("lost"))],
        "and the cloud told of",
    ),
    "no number is taken for zero": (
        Break(
            series,
            "if type(value) is not Decimal or not value.is_finite():\n        return None",
            "if type(value) is not Decimal or not value.is_finite():\n        return Decimal(0)",
        ),
        [plan(COOL, of_metrics("nan"), steady=3.0)],
        "and the cloud told of",
    ),
    "of a value that comes twice the first one counts": (
        Break(series, "points[instant] = value", "points.setdefault(instant, value)"),
        [plan(COOL, of_metrics("duplicated"), steady=3.0)],
        "and the cloud told",
    ),
    "a new store learns of no job that has ended": (
        Break(poller, "await self._import_jobs_of_new_group(policy, instance, answer, jobs, now)", "pass"),
        [plan(ONE_SCALE_OUT, (DONE + 20, "volume", {"after": 1.0}))],
        "had ended before the store was lost",
    ),
    "data may be of any age": (
        Break(view, "return Reason.STALE_DATA if view.now - view.as_of > rule.max_metric_age else None", "return None"),
        [plan(COOL, BUSY, (900.0, *of_metrics("stale")[1:]), length=3000.0)],
        "in on data that is",
    ),
    "samples are of any size of the group": (
        Break(view, "if self._too_early(newest - (count - 1) * self.period):", "if self._too_early(newest):"),
        [plan(HOT, lag=360.0)],
        "of before the change of",
    ),
    "half a cooldown is enough": (
        Break(operations, "until = [max(ends) + normal]", "until = [max(ends) + normal / 2]"),
        [plan(HOT)],
        "after EnlargeNode Completed ended",
    ),
    "what never happened is no failure": (
        Break(operations, "FAILURES = (State.FAILED, State.NEVER_HAPPENED)", "FAILURES = (State.FAILED,)"),
        [plan(ONE_SCALE_OUT, lost("reset_before"))],
        "after one that never happened",
    ),
    "a job that failed is no failure": (
        Break(operations, "FAILURES = (State.FAILED, State.NEVER_HAPPENED)", "FAILURES = (State.NEVER_HAPPENED,)"),
        [plan(ONE_SCALE_OUT, (0.0, "short", {})), plan(ONE_SCALE_OUT, (0.0, "cloud", {"kind": "failed_job"}))],
        "after EnlargeNode",
    ),
    "a call that never happened is looked for as long as ever": (
        Break(reconciler, "SETTLE_READINGS = 10", "SETTLE_READINGS = 10**9"),
        [plan(ONE_SCALE_OUT, lost("reset_before"))],
        "it is still not known in the end",
    ),
    "what never happened is under way for good": (
        Break(
            guard,
            "if op.open and op.state is not State.UNKNOWN and not op.shadow:",
            "if (op.open or op.state is State.NEVER_HAPPENED) and not op.shadow:",
        ),
        [plan(ONE_SCALE_OUT, lost("reset_before"), length=2.5 * plans.HOUR)],
        "records it was held: ['in_progress']",
    ),
    "one node more is asked for": (
        Break(
            scaling,
            '"node_number": operation.change}\n    return body',
            '"node_number": operation.change + 1}\n    return body',
        ),
        [plan(ONE_SCALE_OUT)],
        "and the call asks for 2",
    ),
    "of a failed job no nodes came": (
        Break(reconciler, "else max(0, min(outcome.moved(op, snapshot), op.change))", "else 0"),
        [plan(HOT, (DONE, "cloud", {"kind": "enlargefail", "nodes": 1}), steady=3.3, most=9)],
        "nodes are told of",
    ),
    "an order that may be paid yet never happened": (
        Break(outcome, " or may_arrive or op.prepaid else", " or may_arrive else"),
        [plan(HOT, (0.0, "unpaid", {"seconds": 1800.0}), lost("timeout_after"), prepaid=True)],
        "was accepted, and is told as never_happened",
    ),
    "an end is dated by a clock that is wrong": (
        Break(reconciler, "if apart(self._cloud.skew):", "if False:"),
        [plan(HOT, (20.0, "clock", {"off": 10800.0, "seconds": 90.0}), steady=4.6, most=8, length=2.5 * plans.HOUR)],
        "and nothing is done",
    ),
    "the clocks of a window are those of Greenwich": (
        Break(window, "zone = ZoneInfo(timezone)", "zone = ZoneInfo('UTC')"),
        [plan(COOL, start=plans.IN_AUTUMN + timedelta(hours=18), length=4 * plans.HOUR, nodes=2, windows=True)],
        "by a schedule, to",
    ),
    "nobody is told how an operation ended": (
        Break(correspondence, "return () if told is None else self.letters([told])", "return ()"),
        [plan(ONE_SCALE_OUT)],
        "never told to the webhook: ['",
    ),
    "a letter that nobody took is not tried again": (
        Break(deliverer, "else letter.failed(due, str(error))", "else letter.delivered()"),
        [plan(HOT)],
        "never told to the webhook: ['",
    ),
    "whoever thinks so leads": (
        Break(leased, "lease_row.hold(connection, self._held, self._site.name)", "pass"),
        lambda: [stopped(-1, seconds) for seconds in (30.0, 60.0)],
        "commits an intent, and the lease is of",
    ),
    "the lease is not looked at before a call": (
        Break(executor, "if not self._leadership.leads:", "if False:"),
        lambda: [stopped(steps, 17.0) for steps in (1, 2)],
        "writes a call, and the lease is of",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_watch_complains_of_a_broken_piece_and_not_of_a_whole_one(name, tmp_path_factory, monkeypatch):
    broken, told, words = BROKEN[name]
    histories = told() if callable(told) else told
    for whole in histories:
        assert history.play(whole, tmp_path_factory.mktemp("whole")).problems == []
    broken.load(monkeypatch)
    for one in histories:
        found = history.play(one, tmp_path_factory.mktemp("broken")).problems
        assert any(words in problem for problem in found), found


def test_a_break_that_breaks_nothing_is_noticed(monkeypatch):
    with pytest.raises(AssertionError, match="has no single"):
        Break(executor, "a line that is not there", "").load(monkeypatch)

"""One scale-out, and the process killed at every step of it in turn: after every few awaits, and at every commit."""

import contextlib
import dataclasses
import sqlite3
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.simulation import history
from tests.simulation.plans import HOUR, Disturbance, Plan

STRIDE = 13
"""Every so many steps one is tried here; `make soak` tries them all."""

ONE_SCALE_OUT = Plan(seed=1, length=0.75 * HOUR, steady=1.7, nodes=2, most=4, enlarge=40.0, status_delay=5.0, lag=60.0)
"""Two nodes at 85 %, three at 57: the first cycle adds a node, and that is all there is to do."""

ORDERS: dict[str, dict[str, Any]] = {
    "": {},
    "early": {"completion_delay": 15.0},
    "late": {"completion_delay": -20.0},
    "unseen": {"late_status": True},
}
"""Nodes serve when their job ends, or before, or after it; or nothing shows at the instance until then."""

INTERESTING = 240.0
"""Seconds in which all of it happens."""


def killed(kind: str, number: int, order: str = "") -> Plan:
    """The same, killed at that step (or commit) of its life, and started again a second later."""
    values = {"steps": number, "commits": number, "after": 1.0}
    return dataclasses.replace(ONE_SCALE_OUT, **ORDERS[order], disturbances=(Disturbance(0.0, kind, values),))


def steps_of_it(disk, what: str) -> int:
    """How many there are until the scale-out has succeeded."""
    report = history.play(dataclasses.replace(ONE_SCALE_OUT, length=INTERESTING), disk)
    assert (report.problems, report.accepted) == ([], 1)
    return {"steps": report.steps, "commits": report.commits}[what]


@cache
def step_of_the_commit() -> int:
    """In which the first of two daemons commits its intent."""
    with TemporaryDirectory() as folder:
        two = dataclasses.replace(ONE_SCALE_OUT, daemons=2, length=60.0)
        return history.play(two, Path(folder)).intents[0]


def stopped(steps: int, seconds: float) -> Plan:
    """The same by the first of two daemons, which is stopped (SIGSTOP) so many steps after its commit, for so long.

    Where the other one has the time to find out that nothing happened, it waits for a cooldown before it buys.
    """
    still = Disturbance(0.0, "still", {"steps": step_of_the_commit() + steps, "seconds": seconds})
    return dataclasses.replace(
        ONE_SCALE_OUT, disturbances=(still,), daemons=2, length=900.0 if seconds < 600.0 else 2400.0
    )


def wrong(report: history.Report, end: int = 3) -> list[str]:
    """What is wrong with one of these: one node more, bought once, whenever the process ended."""
    came_to = (report.accepted, report.nodes)
    return report.problems + ([] if came_to == (1, end) else [f"calls accepted, nodes in the end: {came_to}"])


def check(report: history.Report, end: int = 3) -> None:
    assert wrong(report, end) == []


@pytest.mark.parametrize("seconds", [17.0, 60.0])
def test_a_leader_that_was_stopped_around_its_commit_buys_nothing_twice(seconds, tmp_path_factory):
    """At every step there, and longer than its lease; make soak does it at more of them, and for longer."""
    for steps in range(-2, 6):
        check(history.play(stopped(steps, seconds), tmp_path_factory.mktemp(f"step{steps}")))


@pytest.mark.parametrize("kind", ["kill", "term"])
def test_the_process_ends_after_any_await(kind, disk, tmp_path_factory):
    last = steps_of_it(disk, "steps")

    for step in range(1, last, STRIDE):
        check(history.play(killed(kind, step), tmp_path_factory.mktemp(f"step{step}")))


def test_the_process_is_killed_between_its_commit_and_its_call(disk, tmp_path_factory):
    """Every step of it: nothing was sent, and that is found out, and the node is bought by another intent."""
    (commit,) = history.play(dataclasses.replace(ONE_SCALE_OUT, length=INTERESTING), disk).intents
    steps, outcomes = range(commit - 2, commit + 10), []

    for step in steps:
        folder = tmp_path_factory.mktemp(f"step{step}")
        check(history.play(killed("kill", step), folder))
        with contextlib.closing(sqlite3.connect(folder / "autoscaler.db")) as file:
            outcomes.append([state for (state,) in file.execute("SELECT state FROM operations ORDER BY committed_at")])

    assert ["never_happened", "succeeded"] in outcomes
    assert outcomes[0] == outcomes[-1] == ["succeeded"]


def test_the_process_is_killed_at_any_commit(disk, tmp_path_factory):
    last = steps_of_it(disk, "commits")

    for commit in range(1, last + 1):
        check(history.play(killed("kill_commit", commit), tmp_path_factory.mktemp(f"commit{commit}")))

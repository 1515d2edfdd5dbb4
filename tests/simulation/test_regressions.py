"""Bugs that the simulator found, each with the plan that showed it and one sentence on what it was."""

import pytest

from tests.simulation import history, plans

FOUND = {
    "a store lost during a scale-out forgot its cooldown": (
        # The new store took a node that was being made for one that had always been there, so that nothing told of the
        # change when it began to serve, and the next node was bought five seconds later.
        plans.alone("lost volume", seed=1)
    ),
    "a store lost between the nodes that serve and the end of their job forgot its cooldown": (
        # The new store saw only nodes that served, and a job that was no finished one: when that ended, nothing told of
        # the change, and more nodes were bought at once, on samples from before it.
        plans.Plan(
            seed=1,
            length=1800.0,
            nodes=2,
            steady=6.0,
            enlarge=300.0,
            completion_delay=90.0,
            disturbances=(plans.Disturbance(215.0, "volume", {"after": 1.0}),),
        )
    ),
    "an operation that ended while a clock was ahead held its target until that time": (
        # Its end was dated in the future, over restarts, too: no sample was new enough for a scale-out before that.
        plans.Plan(
            seed=1,
            length=9000.0,
            nodes=2,
            steady=4.6,
            most=8,
            enlarge=40.0,
            lag=60.0,
            disturbances=(plans.Disturbance(20.0, "clock", {"off": 10800.0, "seconds": 90.0}),),
        )
    ),
    "somebody else took the last node, and the emulated cloud broke": (
        # It refused that to the daemon only; of a group without nodes it could not answer any more.
        plans.Plan(
            seed=1,
            length=1200.0,
            nodes=2,
            steady=0.5,
            disturbances=(plans.Disturbance(5.0, "cloud", {"kind": "foreign_scale_in", "nodes": 2}),),
        )
    ),
}


@pytest.mark.parametrize("plan", FOUND.values(), ids=FOUND)
def test_what_was_found_once_does_not_come_back(plan, disk):
    assert history.play(plan, disk).problems == []

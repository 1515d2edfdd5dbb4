"""What the cloud's words mean: a word not known is never good news."""

import pytest

from autoscaler.core.policy import Direction
from autoscaler.core.target import Node
from tests.core.given import CPU, HOT_OR_COLD, job, policy, snapshot, threshold


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("normal", "ready"),
        ("RUNNING", "ready"),
        ("Normal", "ready"),
        ("creating", "changing"),
        ("resizing", "changing"),
        ("restarting", "changing"),
        ("CREATING", "changing"),
        ("abnormal", "faulty"),
        ("createfail", "faulty"),
        ("enlargefail", "faulty"),
        ("", "faulty"),
        ("of a new kind", "faulty"),
    ],
)
def test_a_nodes_status(word, expected):
    assert Node("n", word).state.value == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("RUNNING", True), ("running", True), ("GROWING", False), ("", False), ("RUNNING_SLOWLY", False)],
)
def test_only_running_accepts_an_operation(word, expected):
    assert snapshot(status=word).running is expected


@pytest.mark.parametrize(
    ("word", "finished", "succeeded"),
    [
        ("Completed", True, True),
        ("COMPLETED", True, True),
        ("Failed", True, False),
        ("RollbackSuccess", True, False),
        ("CancelSuccess", True, False),
        ("Running", False, False),
        ("RollbackFailed", False, False),
        ("", False, False),
        ("of a new kind", False, False),
    ],
)
def test_a_jobs_status(word, finished, succeeded):
    assert (job(word).finished, job(word).succeeded) == (finished, succeeded)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("EnlargeNode", Direction.OUT), ("ReduceNode", Direction.IN), ("RestartInstance", None)],
)
def test_a_jobs_direction(name, expected):
    assert job(name=name).direction is expected


def test_a_snapshot_counts_its_nodes():
    seen = snapshot(4, ready=3, others=5)
    assert (seen.current, seen.ready, seen.instance_nodes) == (4, 3, 9)
    assert seen.node_ids == {"n0", "n1", "n2", "n3"}
    assert seen.ready_ids == {"n0", "n1", "n2"}


def test_a_policy_tells_each_metric_once():
    assert policy(HOT_OR_COLD, threshold(name="again")).metrics == (CPU,)

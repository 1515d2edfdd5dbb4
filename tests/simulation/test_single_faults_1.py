"""One fault again and again, in a cloud that is well otherwise: every second of plans.FAULTS."""

import pytest

from tests.simulation import history, plans


@pytest.mark.parametrize("name", sorted(plans.FAULTS)[::2])
def test_one_fault_again_and_again(name, disk):
    report = history.play(plans.alone(name, seed=1), disk)

    assert report.problems == []
    assert report.names == {name}
    assert report.accepted > 0
    assert "enlarge" in report.struck or name not in plans.OF_CALLS

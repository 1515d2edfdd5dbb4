"""Days of the real daemon against the emulated cloud, in virtual time, with everything going wrong that can."""

import pytest

from tests.simulation import history, plans

SEEDS = range(1, 21)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_in_which_everything_is_mixed(seed, disk):
    report = history.play(plans.of_seed(seed), disk)

    assert report.problems == [], f"seed {seed}: python -m tests.simulation.soak --seed {seed} plays it again"


@pytest.mark.parametrize("name", sorted(plans.FAULTS))
def test_one_fault_again_and_again(name, disk):
    report = history.play(plans.alone(name, seed=1), disk)

    assert report.problems == []
    assert report.names == {name}
    assert report.accepted > 0


def test_a_calm_day_is_decided_every_minute_and_follows_the_load(disk):
    report = history.play(plans.Plan(seed=1), disk)

    assert (report.problems, report.lives, report.decisions) == ([], 1, 24 * 60)
    assert report.accepted > 10


def test_a_seed_is_one_history(disk, tmp_path_factory):
    plan = plans.of_seed(5, length=8 * plans.HOUR)
    first = history.play(plan, disk)
    again = history.play(plan, tmp_path_factory.mktemp("again"))

    assert first.happened == again.happened
    assert (first.steps, first.calls, first.decisions) == (again.steps, again.calls, again.decisions)
    assert first.calls > 100

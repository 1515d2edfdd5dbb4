"""Days of the real daemon in which everything goes wrong that can, mixed: seeds 16 to 20."""

import pytest

from tests.simulation import history, plans


@pytest.mark.parametrize("seed", range(16, 21))
def test_a_day_in_which_everything_is_mixed(seed, disk):
    report = history.play(plans.of_seed(seed), disk)

    assert report.problems == [], f"python -m tests.simulation.soak --seed {seed} --days 1 plays it again"

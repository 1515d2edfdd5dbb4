"""A calm day, and that a seed is one history. The days in which things go wrong are in several files, so that more than
one worker can play them at a time.
"""

from tests.simulation import history, plans


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

"""The soak of `make soak`, in short: it runs, and a measure that rises is told."""

import pytest

from tests.e2e import soak
from tests.e2e.soak import Bounds, Measured, Report

LOOSE = Bounds(megabytes=15, files=15, threads=6)
"""For a run in which whatever is filled once is not full yet: more is no filling any more."""


@pytest.mark.process
def test_a_daemon_with_visitors_and_trouble_goes_on_and_does_not_grow_without_bounds(tmp_path, started):
    report = soak.play(tmp_path, minutes=0.4, days=0.1, started=started)
    report.judge(LOOSE)
    assert report.problems == []
    assert report.evaluations > 100
    assert set(report.visits) == {"scrape", "look", "follow", "go_away", "steer", "edit", "trouble"}


@pytest.mark.parametrize(
    ("values", "grown"),
    [
        ([5.0] * 10, 0),
        ([*range(10)], 9),
        ([5.0, 5.0, 90.0, 5.0, 5.0, 5.0], 0),
        ([100.0 - place for place in range(10)], -9),
        ([5.0], 0),
    ],
    ids=["flat", "rising", "one outlier", "falling", "one measurement"],
)
def test_growth_is_the_median_slope_over_the_time(values, grown):
    assert soak.growth([(float(at), value) for at, value in enumerate(values)]) == pytest.approx(grown)


@pytest.mark.parametrize("what", ["megabytes", "files", "threads"])
def test_what_grows_beyond_its_bound_is_told(what):
    flat = {"megabytes": 100.0, "files": 20.0, "threads": 6.0}
    report = Report([Measured(at=float(at), **flat | {what: flat[what] + at}) for at in range(60)])
    report.judge(Bounds())
    assert [problem.split()[0] for problem in report.problems] == [what]

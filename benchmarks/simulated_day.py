"""How long a simulated day of one target takes: `.venv/bin/python -m benchmarks.simulated_day`, a part of `make bench`.

It is a calm day (tests/simulation): the real daemon evaluates each minute against the emulated cloud, and nothing goes
wrong. The figure is the processor time of the process, so that it does not depend on what else the machine does.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence

from tests.simulation import soak
from tests.simulation.plans import HOUR, Plan

BUDGET = 5.0
"""Seconds of processor time that a day may take."""


def measured(days: int) -> list[float]:
    """Seconds of each of so many days; every one is the same history."""
    times = []
    for _ in range(days):
        begun = time.process_time()
        report = soak.played(Plan(seed=1, length=24 * HOUR))
        times.append(time.process_time() - begun)
        assert (report.problems, report.decisions) == ([], 24 * 60)  # noqa: S101  # or the figures lie
    return times


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long a simulated day of one target takes.")
    parser.add_argument("--days", type=int, default=5, help="how many are played (default 5)")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    times = measured(chosen.days)
    middle = statistics.median(times)
    if chosen.format == "json":
        print(json.dumps({"unit": "s of processor time a day", "budget": BUDGET, "median": middle, "days": times}))
    else:
        print(
            f"a simulated day: {middle:.2f} s in the median of {chosen.days} ({min(times):.2f} to {max(times):.2f}); "
            f"the budget is {BUDGET:.0f} s on a quiet machine"
        )


if __name__ == "__main__":
    main(sys.argv[1:])

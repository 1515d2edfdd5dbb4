"""Many histories in many processes: `make soak SEEDS=200`, or one again: `python -m tests.simulation.soak --seed 17`.

Seeds are played for `--days` each; then the one scale-out of test_kills.py, killed at every step and commit. A seed
that fails is printed with what was wrong; the same seed is the same history on any machine.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.simulation import history, plans, test_kills
from tests.simulation.plans import HOUR, Plan


def played(plan: Plan) -> history.Report:
    """One history, its store thrown away."""
    memory = Path("/dev/shm")  # noqa: S108  # a file there costs no wait for a disk
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        return history.play(plan, Path(folder))


def kills() -> Iterator[Plan]:
    """A kill, and a stop, at every step and commit of one scale-out."""
    told = played(test_kills.ONE_SCALE_OUT)
    share = test_kills.INTERESTING / test_kills.ONE_SCALE_OUT.length
    for kind, count in (("kill", told.steps), ("term", told.steps), ("kill_commit", told.commits)):
        yield from (test_kills.killed(kind, number) for number in range(1, round(count * share) + 50))


def main() -> int:
    """Play them; the exit code is 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--days", type=float, default=3.0, help="simulated days of each")
    parser.add_argument("--kills", action=argparse.BooleanOptionalAction, default=True, help="kill at every step, too")
    wanted = parser.parse_args()
    seeds = [wanted.seed] if wanted.seed is not None else range(wanted.first, wanted.first + wanted.seeds)
    all_plans = [plans.of_seed(seed, length=wanted.days * 24 * HOUR) for seed in seeds]
    if wanted.kills and wanted.seed is None:
        all_plans += kills()
    return _told(all_plans)


def _told(all_plans: list[Plan]) -> int:
    begun, failed, calls, accepted, ended = time.monotonic(), 0, 0, 0, 0
    with ProcessPoolExecutor() as workers:
        for number, report in enumerate(workers.map(partial(played), all_plans), start=1):
            calls, accepted, ended = calls + report.calls, accepted + report.accepted, ended + report.lives - 1
            if report.problems:
                failed += 1
                sys.stdout.write(f"seed {report.plan.seed} {report.plan.disturbances}\n")
                sys.stdout.writelines(f"    {problem}\n" for problem in report.problems)
            if number % 50 == 0 or number == len(all_plans):
                sys.stdout.write(
                    f"{number} of {len(all_plans)} histories, {failed} failed, {time.monotonic() - begun:.0f} s\n"
                )
                sys.stdout.flush()
    sys.stdout.write(f"{calls} calls, {accepted} changes accepted, {ended} times the process ended and began again\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

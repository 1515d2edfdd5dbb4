"""Many histories in many processes: `make soak SEEDS=200`, or one again: `python -m tests.simulation.soak --seed 17`.

Seeds are played for `--days` each; then the one scale-out of test_kills.py, killed at every step and commit. What
fails is printed as the command that plays it again, with what was wrong; a history is the same on any machine.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
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


def kills() -> Iterator[tuple[str, Plan]]:
    """A kill, and a stop, at every step and commit of one scale-out, in each order of what the cloud shows.

    Then, of two daemons, the one that leads is stopped for a while at every step around its commit, and goes on.
    """
    told = played(test_kills.ONE_SCALE_OUT)
    share = test_kills.INTERESTING / test_kills.ONE_SCALE_OUT.length
    for order in test_kills.ORDERS:
        for kind, count in (("kill", told.steps), ("term", told.steps), ("kill_commit", told.commits)):
            for number in range(1, round(count * share) + 50):
                yield f"--end {kind}:{number}:{order}".rstrip(":"), test_kills.killed(kind, number, order)
    for steps in range(-20, 31):
        for seconds in (17, 60, 700, 1500):
            yield f"--end still:{steps}:{seconds}", test_kills.stopped(steps, seconds)


def main() -> int:
    """Play them; the exit code is 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--days", type=float, default=3.0, help="simulated days of each")
    parser.add_argument("--kills", action=argparse.BooleanOptionalAction, default=True, help="kill at every step, too")
    parser.add_argument("--end", metavar="KIND:NUMBER[:MORE]", help="only the scale-out that ends so, such as kill:17")
    wanted = parser.parse_args()
    if wanted.end is not None:
        return _told([(f"--end {wanted.end}", plan) for plan in _ends(wanted.end, parser)])
    seeds = [wanted.seed] if wanted.seed is not None else range(wanted.first, wanted.first + wanted.seeds)
    named = [
        (f"--seed {seed} --days {wanted.days:g}", plans.of_seed(seed, length=wanted.days * 24 * HOUR)) for seed in seeds
    ]
    if wanted.kills and wanted.seed is None:
        named += kills()
    return _told(named)


def _ends(text: str, parser: argparse.ArgumentParser) -> Iterator[Plan]:
    match text.split(":"):
        case ["still", steps, seconds] if steps.lstrip("-").isdigit() and seconds.isdigit():
            yield test_kills.stopped(int(steps), int(seconds))
        case ["kill" | "term" | "kill_commit" as kind, number, *order] if (
            number.isdigit() and ":".join(order) in test_kills.ORDERS
        ):
            yield test_kills.killed(kind, int(number), *order)
        case _:
            parser.error(f"--end is like kill:17, term:17, kill_commit:3, kill:17:early or still:2:60, and not {text}")


def _told(named: Sequence[tuple[str, Plan]]) -> int:
    begun, failed, calls, accepted, ended = time.monotonic(), 0, 0, 0, 0
    with ProcessPoolExecutor() as workers:
        reports = workers.map(partial(played), [plan for _, plan in named])
        for number, ((name, _), report) in enumerate(zip(named, reports, strict=True), start=1):
            calls, accepted, ended = calls + report.calls, accepted + report.accepted, ended + report.lives - 1
            problems = test_kills.wrong(report) if name.startswith("--end") else report.problems
            if problems:
                failed += 1
                sys.stdout.write(f"python -m tests.simulation.soak {name}\n")
                sys.stdout.writelines(f"    {problem}\n" for problem in problems)
            if number % 50 == 0 or number == len(named):
                sys.stdout.write(
                    f"{number} of {len(named)} histories, {failed} failed, {time.monotonic() - begun:.0f} s\n"
                )
                sys.stdout.flush()
    sys.stdout.write(f"{calls} calls, {accepted} changes accepted, {ended} times the process ended and began again\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

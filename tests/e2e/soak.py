"""A day of a real daemon in some minutes, with visitors and trouble: its memory, files and threads must stay flat.

`make soak MINUTES=6` or `python -m tests.e2e.soak --minutes 6`: a real daemon watches a real emulated cloud whose clock
(and its own) runs so fast that a day passes in that time. After a warm-up (what is filled once is full by then) it is
measured each second. The slope is the median of those between all pairs of measurements: no single one decides.
"""

import argparse
import contextlib
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

from tests.e2e.processes import FLAVOR, EmulatedCloud, Program, RunningDaemon, policy, write_config
from tests.e2e.visitors import Visitors

DAY = 24 * 60.0
"""Minutes."""

TARGETS = 10
WARM_UP = 0.6
"""Of the time: events, windows, caches and the pools of threads fill up in it."""

ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""So that memory is what is held: the C library keeps what a thread has freed for that thread, for hours ever more."""

EVERY = 1.0
"""Real seconds between two measurements."""

MOST_PAIRS_OF = 200
"""Measurements; of more, each so many-th."""


@dataclass(frozen=True)
class Measured:
    """A process at a moment."""

    at: float  # real seconds
    megabytes: float
    files: float
    threads: float

    @classmethod
    def of(cls, pid: int, at: float) -> "Measured":
        """As the kernel tells it."""
        process = Path(f"/proc/{pid}")
        pages = int((process / "statm").read_text().split()[1])
        return cls(
            at=at,
            megabytes=pages * resource.getpagesize() / 1e6,
            files=len(list((process / "fd").iterdir())),
            threads=len(list((process / "task").iterdir())),
        )

    def __str__(self) -> str:
        return f"{self.megabytes:.1f} MB, {self.files:.0f} files, {self.threads:.0f} threads"


@dataclass(frozen=True)
class Bounds:
    """What may be more at the end than after the warm-up, by the slope."""

    megabytes: float = 6.0  # of some 6,000 evaluations: a kilobyte of each; Python's own heap alone frays by some of it
    files: float = 4.0
    threads: float = 2.0


@dataclass
class Report:
    """What a run came to."""

    measured: list[Measured] = field(default_factory=list)  # after the warm-up
    problems: list[str] = field(default_factory=list)
    evaluations: float = 0
    due: float = 0  # evaluations, on a machine that keeps up
    operations: int = 0
    visits: dict[str, int] = field(default_factory=dict)

    def grown(self, what: str) -> float:
        """By how much it rises over the whole of the measured time."""
        values = [(one.at, float(getattr(one, what))) for one in self.measured]
        return growth(values)

    def judge(self, bounds: Bounds) -> None:
        """Whatever grew beyond its bound is a problem."""
        for what, most in vars(bounds).items():
            if self.grown(what) > most:
                self.problems.append(f"{what} grew by {self.grown(what):.1f}, more than {most:g}")

    def __str__(self) -> str:
        first, last = (str(self.measured[place]) if self.measured else "nothing measured" for place in (0, -1))
        grown = ", ".join(f"{what} {self.grown(what):+.2f}" for what in vars(Bounds()))
        visits = ", ".join(f"{name} {count}" for name, count in sorted(self.visits.items()))
        return (
            f"after the warm-up: {first}\nat the end:        {last}\ngrown by slope:    {grown}\n"
            f"evaluations {self.evaluations:.0f} of {self.due:.0f}, operations {self.operations}; visits: {visits}"
        )


def growth(values: Sequence[tuple[float, float]]) -> float:
    """The median slope (Theil and Sen) of (time, value), times the time from the first to the last."""
    step = max(1, len(values) // MOST_PAIRS_OF)
    slopes = [(one[1] - other[1]) / (one[0] - other[0]) for other, one in combinations(values[::step], 2)]
    return median(slopes) * (values[-1][0] - values[0][0]) if slopes else 0.0


def targets() -> dict[str, Any]:
    """Policies that grow and shrink with the day's load."""
    return {
        f"orders-{number}": policy(
            instance_id=f"shop{number}in09",
            group_id=f"shop{number}-gr09",
            interval="1m",
            warm_up="0s",
            cooldown={"out": "5m", "in": "10m", "failed": "10m"},
            rules=[
                {
                    "name": "cpu",
                    "type": "threshold",
                    "metric": "ddm_cpu_util",
                    "out": [{"above": 75, "for": "3m", "add": 1}],
                    "in": [{"below": 40, "for": "10m", "remove": 1}],
                }
            ],
        )
        for number in range(1, TARGETS + 1)
    }


def scenario() -> dict[str, Any]:
    """As many instances, each with a recorded day of its own size."""
    return {
        "load": {"trace": "nasa_http_5min", "begin": "1995-07-05T00:00:00", "peak_nodes": 8},
        "jobs": {"enlarge": "5m", "reduce": "5m", "status_delay": "30s"},
        "metrics": {"lag": "2m", "calls_per_minute": 100_000},
        "data_nodes": [{"id": "rds-1"}],
        "instances": [
            {
                "id": f"shop{number}in09",
                "name": f"shop{number}",
                "groups": [{"id": f"shop{number}-gr09", "flavor": FLAVOR, "nodes": 2, "load_share": number / TARGETS}],
                "schemas": [{"name": "orders", "data_nodes": ["rds-1"]}],
            }
            for number in range(1, TARGETS + 1)
        ],
    }


def play(
    folder: Path, *, minutes: float, started: Callable[[Program], object], seed: int = 1, days: float = 1.0
) -> Report:
    """So many days in so many real minutes. `started` is told of each process, to end it whatever happens."""
    report, speed = Report(due=TARGETS * days * DAY), days * DAY / minutes
    cloud = EmulatedCloud(folder / "cloud", scenario(), speed=speed)
    started(cloud)
    environment = write_config(folder / "daemon", cloud, targets=targets())
    daemon = RunningDaemon(folder / "daemon", environment | ONE_ARENA)
    started(daemon)
    daemon.ready(60)
    visitors = Visitors(cloud, daemon, folder / "daemon" / "policies.yaml", targets(), seed)
    with visitors.about():
        report.measured = list(_measured(daemon, seconds=60 * minutes, report=report))
    report.problems += visitors.problems
    report.visits = dict(visitors.visits)
    report.evaluations = daemon.count("decisions_total") + daemon.count("evaluation_errors_total")
    if (code := daemon.stop(30)) != 0:
        report.problems.append(f"the daemon ended with {code}")
    report.problems += [line for line in daemon.log().splitlines() if "Traceback" in line or "internal" in line][:5]
    report.operations = _intents(folder / "daemon" / "state" / "autoscaler.db")
    calls = len(cloud.mutations())
    if calls > report.operations:
        report.problems.append(f"{calls} calls for {report.operations} intents")
    return report


def _intents(store: Path) -> int:
    with contextlib.closing(sqlite3.connect(store)) as connection:
        return int(connection.execute('SELECT count(*) FROM operations WHERE NOT "foreign"').fetchone()[0])


def _measured(daemon: RunningDaemon, *, seconds: float, report: Report) -> Iterator[Measured]:
    """Each second after the warm-up; ends early where the daemon does."""
    begun = told = time.monotonic()
    while (at := time.monotonic() - begun) < seconds:
        if not daemon.alive():
            report.problems.append("the daemon ended")
            return
        now = Measured.of(daemon.process.pid, at)
        if at >= WARM_UP * seconds:
            yield now
        if time.monotonic() - told > seconds / 20:
            told = time.monotonic()
            sys.stdout.write(f"{at:4.0f} s: {now}\n")
            sys.stdout.flush()
        time.sleep(EVERY)


def main() -> int:
    """Play it; the exit code is 1 where something grew, or went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="real minutes that it takes")
    parser.add_argument("--days", type=float, default=1.0, help="days that pass in them")
    parser.add_argument("--seed", type=int, default=1, help="who comes when")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ending:
        report = play(
            Path(folder),
            minutes=wanted.minutes,
            days=wanted.days,
            seed=wanted.seed,
            started=lambda program: ending.callback(program.end),
        )
    report.judge(Bounds())
    sys.stdout.write(f"{report}\n")
    sys.stdout.writelines(f"wrong: {problem}\n" for problem in report.problems)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())

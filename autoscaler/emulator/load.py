"""The load on a group as a function of time: a recorded trace from the start on, looping, or a constant."""

import csv
import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autoscaler import errors
from autoscaler.emulator import scenario

TRACES = Path(__file__).parent / "traces"


@dataclass(frozen=True)
class Load:
    """What is asked of the nodes, and what one of them can carry.

    `offsets` are seconds from the trace's first row, rising, one per value; the load is that of the newest row that is
    not later (a gap goes on with the last value), and after `span` seconds it begins again.
    """

    start: datetime
    offsets: Sequence[float]
    values: Sequence[float]
    span: float
    capacity: float

    def at(self, moment: datetime) -> float:
        """The load then, in the trace's unit; before `start` the loop runs backwards."""
        offset = (moment - self.start).total_seconds() % self.span
        return self.values[max(bisect_right(self.offsets, offset) - 1, 0)]

    def utilisation(self, moment: datetime, *, ready: int, share: float = 1.0) -> float:
        """Percent of what `ready` nodes can carry; over 100 where the load is more than that."""
        return 100 * self.at(moment) * share / (ready * self.capacity) if ready else 0.0


def build(wanted: scenario.Load, start: datetime) -> Load:
    """Make the load of a scenario, playing from `start` on.

    Raises:
        errors.BadConfig: the trace is unknown, cannot be read, or is no `timestamp,value` file.
    """
    if wanted.constant is not None and wanted.capacity_per_node is not None:
        return Load(start, (0.0,), (wanted.constant,), 1.0, wanted.capacity_per_node)
    found = rows(wanted)
    first = found[0][0]
    offsets = [(moment - first).total_seconds() for moment, _ in found]
    values = [value for _, value in found]
    begin = wanted.begin.replace(tzinfo=wanted.begin.tzinfo or UTC) if wanted.begin else first
    capacity = wanted.capacity_per_node or _capacity(wanted, values)
    return Load(start - (begin - first), offsets, values, _span(offsets), capacity)


def rows(wanted: scenario.Load) -> list[tuple[datetime, float]]:
    """The recorded trace of a load as it stands in its file, in order of time.

    Raises:
        errors.BadConfig: the trace is unknown, cannot be read, or is no `timestamp,value` file.
    """
    return _rows(_path(wanted))


def trace_names() -> list[str]:
    """The traces that ship with the package."""
    return sorted(path.stem for path in TRACES.glob("*.csv"))


def nearest_rank(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` % of the values do not exceed."""
    return sorted(values)[max(math.ceil(len(values) * percent / 100), 1) - 1]


def _capacity(wanted: scenario.Load, values: Sequence[float]) -> float:
    peak = nearest_rank(values, 99)
    if peak <= 0:
        raise _bad(_path(wanted), 0, "has no load in it: its 99th percentile is 0")
    return peak / wanted.peak_nodes * 100 / wanted.utilisation_at_peak


def _span(offsets: Sequence[float]) -> float:
    """One loop: to the last row and one step (the smallest) more."""
    steps = [later - earlier for earlier, later in itertools.pairwise(offsets)]
    return offsets[-1] + (min(steps) if steps else 60.0)


def _path(wanted: scenario.Load) -> Path:
    if wanted.file is not None:
        return wanted.file
    if wanted.trace not in trace_names():
        message = f"there is no trace {wanted.trace!r}; there are {', '.join(trace_names())}"
        raise errors.BadConfig([errors.Problem("scenario", 0, 0, "load.trace", message)])
    return TRACES / f"{wanted.trace}.csv"


def _rows(path: Path) -> list[tuple[datetime, float]]:
    """The rows in order of time; of repeated times the last one counts."""
    found: dict[datetime, float] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            next(reader, None)
            for row in filter(None, reader):
                found[_moment(row[0])] = float(row[1])
    except OSError as error:
        raise _bad(path, 0, f"cannot be read: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise _bad(path, reader.line_num, f"is no `timestamp,value` row: {error}") from error
    if not found or any(not math.isfinite(value) or value < 0 for value in found.values()):
        raise _bad(path, 0, "needs rows of `timestamp,value`, each value a number from 0 on")
    return sorted(found.items())


def _moment(text: str) -> datetime:
    """A time without an offset is UTC."""
    moment = datetime.fromisoformat(text.strip())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bad(path: Path, line: int, message: str) -> errors.BadConfig:
    return errors.BadConfig([errors.Problem(str(path), line, 1 if line else 0, "", message)])

"""A small picture of a load, as the coordinates of an SVG: some hundred bytes, so that a thousand of them are quick."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler.web.gauge import Gauge

WIDTH, HEIGHT = 120, 30
"""Units of the picture's own."""

GAP = 3
"""Steps between two minutes that are usual in it: with more, the line is broken."""

Minutes = Sequence[tuple[float, Mapping[str, float | None]]]


@dataclass(frozen=True)
class Sparkline:
    """A line, and a line for each threshold."""

    path: str
    out: tuple[float, ...]  # heights of thresholds
    in_: tuple[float, ...]
    end: tuple[float, float] | None  # where the newest value is
    minutes: int  # how long a time it shows


def of(gauge: Gauge, minutes: Minutes) -> Sparkline:
    """The values of a gauge's rule over the minutes that are known."""
    values = [(at, rules.get(gauge.rule)) for at, rules in minutes]
    scale = gauge.scale([value for _, value in values if value is not None])
    first, last = (values[0][0], values[-1][0]) if values else (0.0, 0.0)
    points = [None if value is None else _point(at, value, first, last, scale) for at, value in values]
    return Sparkline(
        path=_path(points, _breaks([at for at, _ in values])),
        out=tuple(_height(limit, scale) for limit in gauge.above),
        in_=tuple(_height(limit, scale) for limit in gauge.below),
        end=points[-1] if points else None,
        minutes=round((last - first) / 60),
    )


_Point = tuple[float, float]


def _point(at: float, value: float, first: float, last: float, scale: float) -> _Point:
    return round(WIDTH * (at - first) / max(last - first, 1.0)) if last > first else WIDTH, _height(value, scale)


def _height(value: float, scale: float) -> float:
    """From above, as SVG counts; a unit is left at both ends so that no line is cut."""
    share = min(1.0, max(0.0, value / scale))
    return round(HEIGHT - 1 - share * (HEIGHT - 2), 1)


def _breaks(times: Sequence[float]) -> set[int]:
    """Places before which there was no record for long."""
    steps = sorted(later - earlier for earlier, later in itertools.pairwise(times))
    usual = steps[len(steps) // 2] if steps else 0.0
    return {place for place in range(1, len(times)) if times[place] - times[place - 1] > GAP * usual}


def _path(points: Sequence[_Point | None], breaks: set[int]) -> str:
    """`M0 20L2 18…`: a move where the line begins anew."""
    written, going = [], False
    for place, point in enumerate(points):
        going = going and place not in breaks
        if point is not None:
            written.append(f"{'L' if going else 'M'}{point[0]:g} {point[1]:g}")
        going = point is not None
    return "".join(written)

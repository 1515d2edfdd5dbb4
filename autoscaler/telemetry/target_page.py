"""The series of all targets as lines, written once for both text formats, which differ in the heads alone.

The client library makes an object of every sample and a dictionary of its labels, and for each format anew: with ten
thousand targets that took a core 1.5 s for each page, and five times a minute more than it had.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from prometheus_client.core import CounterMetricFamily
from prometheus_client.utils import floatToGoString

from autoscaler.telemetry import target_series
from autoscaler.telemetry.latest import Latest
from autoscaler.telemetry.target_series import Family

Lines = tuple[tuple[Family, bytes], ...]
"""Of each family those of all targets."""


def lines(targets: Mapping[str, Latest], now: datetime) -> Lines:
    """As they are now; for a thread, while targets come and go."""
    there = {_escaped(name): target for name, target in dict(targets).items()}
    return tuple((family, "".join(_of_family(family, there, now)).encode()) for family in target_series.FAMILIES)


def page(written: Lines, *, openly: bool) -> bytes:
    """With the heads of OpenMetrics, or of the text format."""
    return b"".join(part for family, body in written for part in (_head(family, openly=openly), body))


def _of_family(family: Family, targets: Mapping[str, Latest], now: datetime) -> Iterator[str]:
    kind, name, _, labels, values = family
    sample = f"autoscaler_{name}{'_total' if kind is CounterMetricFamily else ''}"
    begins: dict[tuple[str, ...], str] = {}  # the same few for every target
    for target_name, target in targets.items():
        if target.removed and name not in target_series.OF_OPERATIONS:
            continue
        for label_values, value in values(target, now):
            begin = begins.get(label_values)
            if begin is None:
                begin = begins[label_values] = _begin(sample, labels, label_values)
            yield f'{begin}{target_name}"}} {floatToGoString(value)}\n'  # type: ignore[no-untyped-call]  # the library's


def _begin(sample: str, labels: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Up to the target's name: every other label comes before it in the alphabet, by which the library sorts them."""
    pairs = (f'{label}="{_escaped(value)}",' for label, value in sorted(zip(labels, values, strict=True)))
    return f'{sample}{{{"".join(pairs)}target="'


def _head(family: Family, *, openly: bool) -> bytes:
    kind, name, words, _, _ = family
    counts = kind is CounterMetricFamily
    full = f"autoscaler_{name}{'_total' if counts and not openly else ''}"
    return f"# HELP {full} {words}\n# TYPE {full} {'counter' if counts else 'gauge'}\n".encode()


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')

"""One rule's value beside its thresholds, in words and in marks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.core import figures

Json = dict[str, Any]


@dataclass(frozen=True)
class Gauge:
    """What a rule reads now, and where its thresholds are; none of them is taken for zero."""

    rule: str
    value: float | None
    unit: str
    above: tuple[float, ...]  # out beyond these (or the target of tracking)
    below: tuple[float, ...]  # in beyond these
    limits: tuple[str, ...]  # the thresholds in words
    tracked: float | None = None

    @property
    def words(self) -> str:
        """The value with its unit."""
        return figures.number(self.value) + (f" {self.unit}" if self.unit and self.value is not None else "")

    @property
    def state(self) -> str:
        """`high`, `low`, `calm` or `missing`."""
        if self.value is None:
            return "missing"
        if self.tracked is not None:
            return "calm"
        if self.above and self.value > min(self.above):
            return "high"
        return "low" if self.below and self.value < max(self.below) else "calm"

    @property
    def pressure(self) -> float:
        """How near it is to scaling out: 1 at its lowest threshold."""
        limit = min(self.above, default=0.0)
        return 0.0 if self.value is None or limit <= 0 else self.value / limit

    def scale(self, seen: Sequence[float] = ()) -> float:
        """What the full height stands for, so that thresholds and values have room; of per cent at least 100."""
        values = [*self.above, *self.below, *seen, *([] if self.value is None else [self.value])]
        percent = self.unit == "%"
        return max([100.0 if percent else 0.0, *(value if percent else value * 1.25 for value in values)]) or 1.0


def gauges(target: Json) -> tuple[Gauge, ...]:
    """Those of a target's rules that look at a metric."""
    decision = target["decision"]
    seen = {one["rule"]: one["value"] for one in decision["rules"]} if decision else {}
    return tuple(_gauge(rule, seen.get(rule["name"])) for rule in target["rules"] if rule["thresholds"])


def foremost(found: Sequence[Gauge]) -> Gauge | None:
    """The one to show where there is room for one: whatever is nearest to scaling out."""
    return max(found, key=lambda one: one.pressure, default=None)


def _gauge(rule: Json, value: float | None) -> Gauge:
    limits = rule["thresholds"]
    tracked = limits.get("target")
    above = limits.get("above") or ([] if tracked is None else [tracked])
    below = limits.get("below") or []
    return Gauge(rule["name"], value, rule["unit"], tuple(above), tuple(below), _words(limits), tracked)


def _words(limits: Json) -> tuple[str, ...]:
    words = [("out above", limits.get("above") or []), ("in below", limits.get("below") or [])]
    said = [f"{name} {', '.join(map(figures.number, values))}" for name, values in words if values]
    return (*said, *([f"target {figures.number(limits['target'])}"] if "target" in limits else []))

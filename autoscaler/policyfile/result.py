"""What came of a case: each expectation against the record of its moment; only what is written is compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from autoscaler.core import sentence
from autoscaler.policyfile import trial
from autoscaler.policyfile.case import Case, Expectation
from autoscaler.yamlfile import node

_CLOSE = Decimal("1e-9")
"""A record's values are floats, whose last digits nobody writes."""


@dataclass(frozen=True)
class Difference:
    """One key of a record that is not as expected."""

    key: str  # its path in the record: stages[0].desired
    expected: Any
    got: Any  # None: the record has no such key


@dataclass(frozen=True)
class Mismatch:
    """One expectation that is not met."""

    expectation: Expectation
    differences: tuple[Difference, ...]
    record: Mapping[str, Any]  # of the decision, as it is stored

    @property
    def words(self) -> str:
        """What was decided instead, and why, in a sentence."""
        return f"{sentence.sentence(dict(self.record))}."


@dataclass(frozen=True)
class Result:
    """A case and all that was not as expected."""

    case: Case
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.mismatches


def of(case: Case) -> Result:
    """Play a case and compare."""
    decisions = trial.play(case)
    mismatches = []
    for expectation in case.expectations:
        record = decisions[expectation.at].as_json()
        differences = tuple(_mapping("", expectation.keys, record))
        if differences:
            mismatches.append(Mismatch(expectation, differences, record))
    return Result(case, tuple(mismatches))


def _mapping(path: str, expected: Mapping[str, Any], got: Mapping[str, Any]) -> Iterator[Difference]:
    for key, value in expected.items():
        if key in got:
            yield from _value(node.join(path, key), value, got[key])
        elif value:  # what a record leaves out is empty, or none
            yield Difference(node.join(path, key), value, None)


def _value(path: str, expected: Any, got: Any) -> Iterator[Difference]:
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        yield from _mapping(path, expected, got)
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        yield from _items(path, expected, got)
    elif not _same(expected, got):
        yield Difference(path, expected, got)


def _items(path: str, expected: Sequence[Any], got: Sequence[Any]) -> Iterator[Difference]:
    """A list of words differs as a whole, a list of mappings where they do."""
    if any(isinstance(each, Mapping) for each in expected):
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _value(node.join(path, index), one, other)
    elif expected != got:
        yield Difference(path, expected, got)


def _same(expected: Any, got: Any) -> bool:
    """Values as decimals, everything else as it is."""
    if isinstance(got, float) and isinstance(expected, int | Decimal):
        wanted = Decimal(expected)
        return abs(wanted - Decimal(str(got))) <= _CLOSE * max(Decimal(1), abs(wanted))
    return bool(expected == got)

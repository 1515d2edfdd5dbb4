"""The results of policy tests in words, and as JSON."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from autoscaler.core import sentence
from autoscaler.policyfile.result import Difference, Mismatch, Result
from autoscaler.yamlfile import quantities


def summary(results: Sequence[Result]) -> str:
    """`N passed, N failed`."""
    passed = sum(one.passed for one in results)
    return f"{passed} passed, {len(results) - passed} failed"


def lines(one: Result) -> Iterator[str]:
    """A line for the case, and below it all that was not as expected."""
    place = one.case.place
    yield f"{'ok  ' if one.passed else 'FAIL'}  {place.file}:{place.line}: {one.case.name}"
    for mismatch in one.mismatches:
        for line in lines_of(mismatch):
            yield f"      {line}"


def headline(mismatch: Mismatch) -> str:
    """Where and when: the line of the expectation, and the time since the start."""
    place = mismatch.expectation.place
    return f"at {quantities.write_duration(mismatch.expectation.at)} ({mismatch.record['at']}), expected in {place}"


def lines_of(mismatch: Mismatch) -> Iterator[str]:
    """Expected against got, then the record of the decision in words."""
    yield f"{headline(mismatch)}:"
    for difference in mismatch.differences:
        yield f"  - {difference.key}: {_shown(difference.expected)}   (expected)"
        yield f"  + {difference.key}: {_shown(difference.got)}   (got)"
    yield f"  {mismatch.words}"
    for row in sentence.rows(dict(mismatch.record)):
        yield f"    {row.kind:<5}  {row.name}: {row.outcome}{f', {row.words}' if row.words else ''}"


def _shown(value: Any) -> str:
    """As it would be written in a test."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "nothing" if value is None else str(value)


def as_json(results: Sequence[Result]) -> dict[str, Any]:
    """All results, for programs."""
    return {
        "passed": sum(one.passed for one in results),
        "failed": sum(not one.passed for one in results),
        "cases": [_case_json(one) for one in results],
    }


def _case_json(one: Result) -> dict[str, Any]:
    place = one.case.place
    return {
        "file": place.file,
        "line": place.line,
        "name": one.case.name,
        "passed": one.passed,
        "failures": [_mismatch_json(mismatch) for mismatch in one.mismatches],
    }


def _mismatch_json(mismatch: Mismatch) -> dict[str, Any]:
    return {
        "at": quantities.write_duration(mismatch.expectation.at),
        "line": mismatch.expectation.place.line,
        "differences": [_difference_json(difference) for difference in mismatch.differences],
        "why": mismatch.words,
        "record": mismatch.record,
    }


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {"key": difference.key, "expected": _plain(difference.expected), "got": difference.got}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value

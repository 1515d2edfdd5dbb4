"""The results of policy tests as JUnit XML, which continuous integration shows: a suite per file, a case per test."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from autoscaler.policyfile import report
from autoscaler.policyfile.result import Result

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(results: Sequence[Result]) -> str:
    """The document."""
    root = ET.Element("testsuites", _counts(results))
    for file, group in groupby(results, key=lambda one: one.case.place.file):
        of_file = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": _clean(file), **_counts(of_file)})
        suite.extend(_case(one) for one in of_file)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _counts(results: Iterable[Result]) -> dict[str, str]:
    passed = [one.passed for one in results]
    return {"tests": str(len(passed)), "failures": str(passed.count(False)), "errors": "0", "skipped": "0"}


def _case(one: Result) -> ET.Element:
    place = one.case.place
    known = {"name": one.case.name, "classname": place.file, "file": place.file, "line": str(place.line)}
    case = ET.Element("testcase", {key: _clean(value) for key, value in known.items()})
    for mismatch in one.mismatches:
        failure = ET.SubElement(case, "failure", {"message": _clean(report.headline(mismatch))})
        failure.text = _clean("\n".join(report.lines_of(mismatch)))
    return case


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)

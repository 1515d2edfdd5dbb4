"""docs/policies.md and docs/configuration.md name each key that there is, with its default, and no other."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from autoscaler import policyfile
from autoscaler.core import ddm_metrics, history
from autoscaler.core.decision import VETO_ORDER, Reason
from autoscaler.policyfile import model
from autoscaler.settings.keys import ConfigKeys
from autoscaler.yamlfile import quantities

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \|", re.MULTILINE)
SAID_IN_WORDS = {"targets.NAME.nodes", "targets.NAME.nodes.min", "targets.NAME.nodes.max"}
"""Required once the defaults are applied, which the model cannot say."""


def keys(kind: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            below = f"{path}.{field.alias or name}".lstrip(".")
            yield below, default(field)
            if below != "defaults":  # the same keys again
                yield from keys(field.annotation, below)
    else:
        suffix = {tuple: "[]", dict: ".NAME"}.get(get_origin(kind), "")
        for inner in get_args(kind):
            yield from keys(inner, path + suffix)


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    match field.get_default(call_default_factory=True):
        case bool() as value:
            return str(value).lower()
        case timedelta() as value:
            return quantities.write_duration(value)
        case Decimal() as value:
            return quantities.write_ratio(value)
        case Enum() as value:
            return str(value.value)
        case None | () | BaseModel():
            return "–"
        case {}:
            return "–"
        case tuple() as value:
            return f"[{', '.join(value)}]"
        case value:
            return str(value)


PAGES = {"policies.md": model.PolicyFileKeys, "configuration.md": ConfigKeys}


@pytest.mark.parametrize(("page", "kind"), PAGES.items())
def test_the_page_names_every_key_with_its_default_and_no_other(page, kind):
    rows = {path: said.strip() for path, said in ROW.findall((DOCS / page).read_text()) if _is_key(path, kind)}
    expected = dict(keys(kind, ""))
    assert set(rows) == set(expected)
    differing = {path for path in rows if rows[path] != expected[path]}
    assert differing <= SAID_IN_WORDS | {"targets.NAME.scale_in_stabilization"}


def _is_key(path: str, kind: type[BaseModel]) -> bool:
    """The pages also have tables of metrics and of credentials."""
    if kind is ConfigKeys:
        return path not in {"password", "access_key", "agency"}
    return path not in ddm_metrics.FACTS


def test_the_page_names_every_metric_with_its_range():
    page = (DOCS / "policies.md").read_text()
    for fact in ddm_metrics.FACTS.values():
        assert f"| `{fact.name}` | {fact.description} | {fact.unit or '–'} | {fact.range} |" in page


def test_the_example_of_the_page_is_valid():
    page = (DOCS / "policies.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert policyfile.parse(example, "policies.md", cloud=policyfile.CloudKind("huawei", "v2"))


@pytest.mark.parametrize(("page", "kind"), PAGES.items())
def test_the_page_names_what_is_refused_in_this_version(page, kind):
    later = {key for key, sentence in kind.refused.items() if "not in this version" in sentence}
    assert all(f"`{key}`" in (DOCS / page).read_text() for key in later | set(kind.refused_types))


WANTS = set(list(Reason)[: list(Reason).index(Reason.WITHIN_BOUNDS)])
"""Why a group moves: told by the tables of rules and keys rather than by name."""


@pytest.mark.parametrize("reason", [each for each in Reason if each not in WANTS - {Reason.SCHEDULE}])
def test_the_page_tells_every_reason_of_a_hold_and_the_one_of_a_schedule(reason):
    assert f"`{reason.value}`" in (DOCS / "policies.md").read_text()


def test_the_page_tells_the_guards_in_their_order():
    page = (DOCS / "policies.md").read_text()
    (guards,) = re.findall(r"^The guards, in their order: (.*?)\n\n", page, re.DOTALL | re.MULTILINE)
    named = [word for word in re.findall(r"`([a-z_]+)`", guards) if word in {veto.value for veto in VETO_ORDER}]
    assert named == [veto.value for veto in VETO_ORDER]


def test_the_page_tells_how_long_the_breaker_rests():
    shortest, longest = (quantities.write_duration(rest) for rest in (history.SHORTEST_REST, history.LONGEST_REST))
    page = " ".join((DOCS / "policies.md").read_text().split())
    assert f"It rests for {shortest} from the last failure" in page
    assert f"doubles the rest, up to {longest}" in page


@pytest.mark.parametrize(
    "subject",
    ["Samples", "Windows", "Comparing", "Wants", "Missing", "Stages", "Cooldowns", "Schedules", "Edges", "Modes"],
)
def test_the_page_tells_each_meaning_under_a_heading_of_its_own(subject):
    assert f"\n### {subject}\n" in (DOCS / "policies.md").read_text()

"""The checked-in JSON Schemas and the shipped files agree with the parser, and so does whatever the model allows."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler import errors, policyfile
from autoscaler.cli import schema
from autoscaler.core import ddm_metrics
from autoscaler.yamlfile import reader

ROOT = Path(__file__).parents[2]
SHIPPED = {
    "config/autoscaler.yaml": schema.Kind.CONFIG,
    "config/policies/orders.yaml": schema.Kind.POLICIES,
}


def validator(kind: schema.Kind) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schema.written(kind)))


def as_json(text: bytes | str) -> Any:
    return json.loads(json.dumps(reader.parse(text, "f.yaml").plain(), default=float))


@pytest.mark.parametrize("kind", schema.Kind)
def test_the_checked_in_schema_is_what_the_command_prints(kind):
    name = {schema.Kind.POLICIES: "policies", schema.Kind.CONFIG: "autoscaler"}[kind]
    assert (ROOT / "config" / f"{name}.schema.json").read_text() == schema.written(kind)


@pytest.mark.parametrize("kind", schema.Kind)
def test_the_schema_is_itself_valid(kind):
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.written(kind)))


@pytest.mark.parametrize(("file", "kind"), SHIPPED.items())
def test_the_shipped_files_obey_the_schema_that_their_first_line_names(file, kind):
    content = (ROOT / file).read_bytes()
    first = content.decode().splitlines()[0]
    named = (ROOT / file).parent / first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads(named.read_text()) == json.loads(schema.written(kind))
    assert list(validator(kind).iter_errors(as_json(content))) == []


LATER = {
    "a fleet of a target": "targets: {a: {instance_id: i, fleet: {}}}",
    "forecast": "targets: {a: {instance_id: i, rules: [{name: a, type: forecast}]}}",
}


@pytest.mark.parametrize("text", LATER.values(), ids=LATER)
def test_the_schema_holds_nothing_that_is_not_obeyed(text):
    assert list(validator(schema.Kind.POLICIES).iter_errors(as_json(text)))


MIXED_UP = {
    "a query without a source": "{query: up}",
    "a query to Cloud Eye": "{source: cloud_eye, name: ddm_cpu_util, query: up}",
    "a label at Cloud Eye": "{name: ddm_cpu_util, node_label: node_id}",
    "a name elsewhere": "{source: prom, query: up, name: ddm_cpu_util}",
    "a statistic elsewhere": "{source: prom, query: up, statistic: max}",
    "a source without a query": "{source: prom}",
    "no label": "{source: prom, query: up, node_label: node-id}",
    "nothing": "{}",
}


@pytest.mark.parametrize("metric", MIXED_UP.values(), ids=MIXED_UP)
def test_the_schema_refuses_what_does_not_go_together(metric):
    text = (
        f"targets: {{a: {{instance_id: i, rules: [{{name: a, type: target_tracking, target: 1, metric: {metric}}}]}}}}"
    )
    assert list(validator(schema.Kind.POLICIES).iter_errors(as_json(text)))
    with pytest.raises(errors.BadConfig):
        policyfile.parse(text, "p.yaml")


durations = st.sampled_from(["1m", "5m", "90s", "2h", "1h30m", "1d"])
sizes = st.one_of(st.integers(1, 40), st.sampled_from(["50%", "12.5%", "100%"]))
missing = st.sampled_from(["hold", "ignore", "out"])
metrics = st.one_of(
    st.sampled_from(list(ddm_metrics.FACTS)),
    st.fixed_dictionaries(
        {"name": st.sampled_from(list(ddm_metrics.FACTS))},
        optional={
            "source": st.just("cloud_eye"),
            "statistic": st.sampled_from(["average", "max", "min"]),
            "across_nodes": st.sampled_from(["mean", "max", "min", "sum", "p50", "p99"]),
            "period": st.sampled_from(["1m", "5m"]),
        },
    ),
    st.fixed_dictionaries(
        {"source": st.just("prom"), "query": st.sampled_from(["up", "sum(rate(errors_total[5m]))"])},
        optional={
            "node_label": st.just("node_id"),
            "across_nodes": st.sampled_from(["mean", "sum"]),
            "period": st.sampled_from(["15s", "1m"]),
        },
    ),
)
windows = st.one_of(
    st.just({}), st.builds(lambda span: {"for": span}, st.sampled_from(["5m", "1h"])), st.just({"datapoints": "3/5"})
)
out_steps = st.builds(
    lambda step, window: {**step, **window},
    st.fixed_dictionaries({"above": st.sampled_from([0.5, 0.75]), "add": sizes}, optional={"cooldown": durations}),
    windows,
)
in_steps = st.builds(
    lambda step, window: {**step, **window},
    st.fixed_dictionaries(
        {"below": st.sampled_from([0.25, 0.125]), "remove": st.one_of(st.integers(1, 40), st.just("25%"))},
        optional={"cooldown": durations},
    ),
    windows,
)
common: dict[str, Any] = {
    "mode": st.sampled_from(["enforce", "observe"]),
    "on_missing_metric": missing,
    "max_metric_age": st.sampled_from(["10m", "1h"]),
}
thresholds = st.fixed_dictionaries(
    {"type": st.just("threshold"), "metric": metrics, "out": st.lists(out_steps, min_size=1, max_size=3)},
    optional={"in": st.lists(in_steps, max_size=2), **common},
)
trackings = st.fixed_dictionaries(
    {"type": st.just("target_tracking"), "metric": metrics, "target": st.sampled_from([1, 0.5])},
    optional={"tolerance": st.sampled_from(["0%", "10%", "12.5%"]), "over": st.just("5m"), **common},
)
windows_of_time = st.one_of(
    st.fixed_dictionaries(
        {
            "cron": st.sampled_from(["0 8 * * mon-fri", "*/30 2 1,15 * *", "59 23 L jan-mar 0,7"]),
            "duration": st.sampled_from(["90s", "10h", "1d"]),
        },
        optional={"timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])},
    ),
    st.just({"from": "2026-12-24T08:00:00+01:00", "to": "2026-12-26T08:00Z"}),
)
schedules = st.builds(
    lambda rule, window: {**rule, **window},
    st.fixed_dictionaries(
        {
            "type": st.just("schedule"),
            "nodes": st.sampled_from([{"min": 4}, {"max": 6}, {"min": 4, "max": 4}, {"min": 32, "max": 50}]),
        },
        optional={"mode": common["mode"]},
    ),
    windows_of_time,
)
directions = st.lists(st.sampled_from(["out", "in"]), min_size=1, max_size=2)
blackouts = st.builds(
    lambda window, stops: {**window, **stops},
    windows_of_time,
    st.fixed_dictionaries({}, optional={"directions": directions}),
)
guards = st.fixed_dictionaries(
    {},
    optional={
        "data_nodes": st.sampled_from([{"available": False}, {"max_cpu": 85}, {"max_cpu": "82.5%"}]),
        "blackout": st.lists(blackouts, max_size=2),
        "breaker": st.fixed_dictionaries({}, optional={"failures": st.integers(1, 9)}),
    },
)
rules = st.lists(st.one_of(thresholds, trackings, schedules), max_size=3).map(
    lambda found: [{"name": f"rule {index}", **rule} for index, rule in enumerate(found)]
)
targets = st.fixed_dictionaries(
    {"instance_id": st.uuids().map(str), "nodes": st.just({"min": 2, "max": 40}), "interval": st.just("5m")},
    optional={
        "group_id": st.just("g"),
        "flavor_id": st.just("f"),
        "zones": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "subnet_id": st.just("s"),
        "auto_pay": st.booleans(),
        "mode": st.sampled_from(["observe", "enforce", "out_only", "off"]),
        "rules": rules,
        "cooldown": st.fixed_dictionaries({}, optional={"out": durations, "in": durations, "failed": durations}),
        "scale_in_stabilization": durations,
        "limits": st.fixed_dictionaries(
            {}, optional={"add": sizes, "remove": st.just("50%"), "added_per_day": st.integers(1, 99)}
        ),
        "on_missing_metric": missing,
        "max_metric_age": st.sampled_from(["10m", "1h"]),
        "warm_up": durations,
        "guards": guards,
    },
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.from_regex(r"\A[a-z][a-z0-9._-]{0,10}\Z"), targets, max_size=3))
def test_whatever_the_model_allows_is_valid_by_the_schema_and_by_the_parser(written):
    text = yaml.safe_dump({"targets": written}, sort_keys=False)
    assert list(validator(schema.Kind.POLICIES).iter_errors(as_json(text))) == []
    assert [policy.name for policy in policyfile.parse(text, "p.yaml")] == list(written)

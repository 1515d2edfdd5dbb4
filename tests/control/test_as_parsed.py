"""A policy as it was understood: every key, in words that give the same policy again, and where it came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler import policyfile
from autoscaler.control import as_parsed
from autoscaler.core.policy import Policy
from autoscaler.policyfile import model
from autoscaler.yamlfile import shape

CONFIG = Path(__file__).parents[2] / "config"

EVERYTHING = """
defaults:
  mode: enforce
  cooldown: {out: 5m}
  rules: [{name: never, type: threshold, metric: ddm_cpu_util, out: [{above: 1, add: 1}]}]
targets:
  orders:
    instance_id: i
    group_id: g
    flavor_id: f
    zones: [z1, z2]
    subnet_id: s
    nodes: {min: 2, max: 16}
    interval: 1m
    cooldown: {in: 1h30m}
    limits: {add: 50%, remove: 1, added_per_day: 8, actions_per_day: 9}
    scale_in_stabilization: 0s
    on_missing_metric: out
    rules:
      - name: cpu
        type: threshold
        metric: {name: ddm_cpu_util, statistic: max, across_nodes: p90, period: 1m}
        out: [{above: 75.5, for: 5m, add: 12.5%}, {above: 92, datapoints: 2/3, add: 2, cooldown: 3m}]
        in: [{below: 30, for: 30m, remove: 1}]
        on_missing_metric: ignore
        max_metric_age: 20m
      - {name: load, type: target_tracking, metric: ddm_cpu_util, target: 60, tolerance: 12.5%, over: 5m, mode: observe}
      - {name: asked, type: target_tracking, target: .5, metric: {source: prom, query: up, node_label: id, period: 30s}}
      - {name: whole, type: target_tracking, target: 1, metric: {source: prom, query: up, period: 30s}}
      - {name: office, type: schedule, cron: "0 8 * * mon-fri", duration: 10h, timezone: Europe/Berlin, nodes: {min: 4}}
      - {name: sale, type: schedule, from: 2026-11-27T00:00:00Z, to: 2026-11-28T00:00:00Z, nodes: {min: 4, max: 9}}
    guards:
      data_nodes: {max_cpu: 85}
      blackout: [{cron: "0 2 * * sun", duration: 3h, directions: [in]}, {cron: "0 3 * * *", duration: 1h}]
"""


def parsed(text: str) -> Policy:
    (policy,) = policyfile.parse(text, "policies.yaml")
    return policy


def again(policy: Policy) -> str:
    """The policy file that says what is shown."""
    tree: dict[str, Any] = {}
    for one in as_parsed.settings(policy):
        *above, leaf = one["key"].split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        if one["value"] is not None and one["value"] != []:
            place[leaf] = one["value"]
    return yaml.safe_dump({"targets": {policy.name: tree}})


POLICIES = {"every key": EVERYTHING, "the shipped one": (CONFIG / "policies/orders.yaml").read_text()}


@pytest.mark.parametrize("text", POLICIES.values(), ids=POLICIES)
def test_what_is_shown_is_the_policy(text):
    policy = parsed(text)
    shown = parsed(again(policy))
    assert as_parsed.settings(shown) == [
        one | {"from": "default" if one["value"] in (None, []) else "target"} for one in as_parsed.settings(policy)
    ]
    assert shown == Policy(
        **{name: getattr(policy, name) for name in vars(policy) if name != "place"}, place=shown.place
    )


def leaves(keys: type[shape.Keys], above: str = "") -> Iterator[str]:
    for name, field in keys.model_fields.items():
        path = f"{above}{field.alias or name}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, shape.Keys):
            yield from leaves(inner, f"{path}.")
        else:
            yield path


def test_every_key_that_a_target_may_have_is_shown():
    assert {one["key"] for one in as_parsed.settings(parsed(EVERYTHING))} == set(leaves(model.TargetKeys))


def test_every_value_says_where_it_came_from():
    origins = {one["key"]: one["from"] for one in as_parsed.settings(parsed(EVERYTHING))}

    assert {key: origins[key] for key in ("mode", "cooldown.out", "cooldown.in", "cooldown.failed", "rules")} == {
        "mode": "defaults",
        "cooldown.out": "defaults",
        "cooldown.in": "target",
        "cooldown.failed": "default",
        "rules": "target",
    }
    assert {key: origins[key] for key in ("auto_pay", "zones", "guards.blackout", "guards.breaker.failures")} == {
        "auto_pay": "default",
        "zones": "target",
        "guards.blackout": "target",
        "guards.breaker.failures": "default",
    }


def test_a_value_that_is_written_by_an_alias_stands_where_the_alias_does():
    policy = parsed(
        """
defaults: {interval: &minute 1m, nodes: {min: 1, max: 2}}
targets: {orders: {instance_id: i, warm_up: *minute}}
"""
    )
    origins = {one["key"]: one["from"] for one in as_parsed.settings(policy)}
    assert (origins["interval"], origins["warm_up"], origins["nodes.min"]) == ("defaults", "target", "defaults")


def test_where_a_value_stands_makes_no_other_policy():
    nodes, instance = "nodes: {min: 1, max: 2}", "instance_id: i"
    here = parsed(f"targets: {{orders: {{{instance}, {nodes}}}}}")
    there = parsed(f"{{defaults: {{{nodes}}}, targets: {{orders: {{{instance}}}}}}}")
    assert here.written != there.written
    assert Policy(here.target, here.bounds) == Policy(there.target, there.bounds, written=there.written)

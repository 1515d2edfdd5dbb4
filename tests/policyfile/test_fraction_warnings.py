"""A fraction where a percentage is meant is allowed, and warned of with its key."""

from datetime import UTC, datetime

import pytest

from autoscaler import policyfile

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RULES = {
    "an out-threshold": (
        "{type: threshold, metric: ddm_cpu_util, out: [{above: 80, add: 1}, {above: 0.75, add: 2}]}",
        "rules[0].out[1].above: 0.75 is less than 1 %, as percentages are 0 to 100; perhaps 75 is meant",
    ),
    "an in-threshold": (
        "{type: threshold, metric: ddm_cpu_util, in: [{below: 0.3, remove: 1}]}",
        "rules[0].in[0].below: 0.3 is less than 1 %, as percentages are 0 to 100; perhaps 30 is meant",
    ),
    "a target": (
        "{type: target_tracking, metric: ddm_connection_util, target: 0.6}",
        "rules[0].target: 0.6 is less than 1 %, as percentages are 0 to 100; perhaps 60 is meant",
    ),
    "a percentage": ("{type: threshold, metric: ddm_cpu_util, out: [{above: 1.5, add: 1}]}", None),
    "a number of another unit": ("{type: threshold, metric: ddm_slow_log, out: [{above: 0.5, add: 1}]}", None),
    "a variance": (
        "{type: threshold, metric: {name: ddm_cpu_util, statistic: variance, period: 5m}, out: [{above: 0.5, add: 1}]}",
        None,
    ),
    "a schedule": ("{type: schedule, cron: '0 8 * * *', duration: 1h, nodes: {min: 1}}", None),
}


def odd(rule: str, more: str = "") -> list[str]:
    named = rule.replace("{type", "{name: r, type", 1)
    target = f"  a: {{instance_id: i, interval: 5m, nodes: {{min: 1, max: 2}}, rules: [{named}]{more}}}"
    found = policyfile.warnings(policyfile.parse(f"targets:\n{target}\n", "p.yaml"), NOW)
    return [line for line in found if "percentages" in line]


@pytest.mark.parametrize(("rule", "warning"), RULES.values(), ids=RULES)
def test_a_threshold_of_a_percentage_may_be_a_fraction(rule, warning):
    assert odd(rule) == ([] if warning is None else [f"p.yaml:2: targets.a.{warning}"])


def test_so_may_a_limit_of_the_data_nodes_cpu():
    (line,) = odd(RULES["a percentage"][0], ", guards: {data_nodes: {max_cpu: 0.85}}")
    assert line.startswith("p.yaml:2: targets.a.guards.data_nodes.max_cpu: 0.85 is less than 1 %")

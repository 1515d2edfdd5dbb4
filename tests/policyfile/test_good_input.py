"""What a policy file may hold, and what becomes of it."""

import textwrap
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from autoscaler import errors, policyfile
from autoscaler.core import policy as core
from autoscaler.core import window
from autoscaler.core.target import Mode

MINUTE = timedelta(minutes=1)


def one(text: str) -> core.Policy:
    (policy,) = policyfile.parse(text, "p.yaml")
    return policy


SMALLEST = "targets:\n  orders: {instance_id: a, nodes: {min: 2, max: 16}}\n"


def test_what_is_left_out_has_the_documented_default():
    policy = one(SMALLEST)
    assert policy.mode is Mode.OBSERVE
    assert policy.interval == MINUTE
    assert policy.cooldown == core.Cooldown(out=10 * MINUTE, in_=30 * MINUTE, failed=15 * MINUTE)
    assert policy.on_missing_metric is core.OnMissing.HOLD
    assert policy.max_metric_age == 15 * MINUTE
    assert policy.warm_up == 5 * MINUTE
    assert policy.limits == core.Limits()
    assert policy.check_data_nodes
    assert policy.blackouts == ()
    assert policy.breaker == core.Breaker(failures=3)
    assert policy.place == "p.yaml:2"


FULL = """
defaults:
  cooldown: {out: 4m, in: 20m}
  limits: {add: 3}
  rules: [{name: d, type: target_tracking, metric: ddm_mem_util, target: 50}]
targets:
  orders:
    instance_id: i
    group_id: g
    flavor_id: f
    zones: [z1, z2]
    subnet_id: s
    auto_pay: true
    mode: out_only
    interval: 5m
    nodes: {min: 2, max: 40}
    cooldown: {in: 1h30m}
    limits: {remove: 50%, added_per_day: 8, actions_per_day: 9}
    on_missing_metric: ignore
    max_metric_age: 20m
    warm_up: 0s
    scale_in_stabilization: 0s
    guards: {data_nodes: {available: false}}
    rules:
      - name: cpu
        type: threshold
        metric: {name: ddm_cpu_util, statistic: max, across_nodes: p90, period: 5m}
        mode: observe
        on_missing_metric: out
        max_metric_age: 10m
        out: [{above: 75.10, add: 1, for: 5m}, {above: 92, add: 50%, datapoints: 3/5, cooldown: 3m}]
        in: [{below: 30, remove: 012}]
      - {name: tracking, type: target_tracking, metric: ddm_qps, target: 1e3, tolerance: 12.5%, over: 5m}
  other: {instance_id: o, nodes: {min: 1, max: 1}}
"""


def test_every_key_reaches_the_policy():
    orders = policyfile.parse(FULL, "p.yaml")[0]
    assert orders.target.zones == ("z1", "z2")
    assert (orders.target.group_id, orders.target.flavor_id, orders.target.subnet_id) == ("g", "f", "s")
    assert orders.target.auto_pay
    assert orders.mode is Mode.OUT_ONLY
    assert orders.bounds == core.Bounds(2, 40)
    assert orders.interval == 5 * MINUTE
    assert orders.on_missing_metric is core.OnMissing.IGNORE
    assert (orders.max_metric_age, orders.warm_up) == (20 * MINUTE, timedelta(0))
    assert orders.scale_in_stabilization == timedelta(0)
    assert not orders.check_data_nodes
    cpu, tracking = orders.rules
    assert cpu == core.ThresholdRule(
        name="cpu",
        metric=core.Metric("ddm_cpu_util", statistic=core.Statistic.MAX, across_nodes="p90", period=5 * MINUTE),
        out=(
            core.Step(Decimal("75.10"), core.Size(Decimal(1)), for_=5 * MINUTE),
            core.Step(
                Decimal(92), core.Size(Decimal(50), percent=True), datapoints=(3, 5), cooldown=timedelta(minutes=3)
            ),
        ),
        in_=(core.Step(Decimal(30), core.Size(Decimal(12))),),
        mode=Mode.OBSERVE,
        on_missing_metric=core.OnMissing.OUT,
        max_metric_age=10 * MINUTE,
    )
    assert tracking == core.TargetTrackingRule(
        name="tracking",
        metric=core.Metric("ddm_qps"),
        target=Decimal(1000),
        tolerance=Decimal("0.125"),
        over=5 * MINUTE,
        on_missing_metric=core.OnMissing.IGNORE,
        max_metric_age=20 * MINUTE,
    )


def test_mappings_merge_over_defaults_and_over_the_built_in_ones():
    orders, other = policyfile.parse(FULL, "p.yaml")
    assert orders.cooldown == core.Cooldown(out=4 * MINUTE, in_=90 * MINUTE, failed=15 * MINUTE)
    assert orders.limits == core.Limits(
        add=core.Size(Decimal(3)),
        remove=core.Size(Decimal(50), percent=True),
        added_per_day=8,
        actions_per_day=9,
    )
    assert other.cooldown == core.Cooldown(out=4 * MINUTE, in_=20 * MINUTE, failed=15 * MINUTE)


def test_lists_replace_those_of_defaults():
    orders, other = policyfile.parse(FULL, "p.yaml")
    assert [rule.name for rule in orders.rules] == ["cpu", "tracking"]
    assert [rule.name for rule in other.rules] == ["d"]


SCHEDULES = """
targets:
  orders:
    instance_id: i
    nodes: {min: 2, max: 16}
    rules:
      - name: office hours
        type: schedule
        cron: " 0 8 *  * MON-fri"
        duration: 10h
        timezone: Europe/Berlin
        nodes: {min: 4}
      - {name: night, type: schedule, cron: "30 22 * * 0,7", duration: 1h30m, nodes: {min: 1, max: 3}, mode: observe}
      - {name: once, type: schedule, from: 2026-12-24T08:00+01:00, to: "2026-12-26T08:00:30Z", nodes: {max: 6}}
    guards:
      blackout:
        - {cron: "0 2 * * sun", duration: 3h, timezone: UTC}
        - {from: 2026-12-24T00:00:00Z, to: 2026-12-27T00:00:00Z, directions: [in, in]}
      breaker: {failures: 5}
"""


def test_schedules_are_windows_with_a_floor_or_a_cap():
    office = window.CronWindow("0 8 * * MON-fri", timedelta(hours=10), "Europe/Berlin")
    night = window.CronWindow("30 22 * * 0,7", timedelta(minutes=90), "UTC")
    once = window.DateWindow(
        datetime(2026, 12, 24, 7, tzinfo=UTC), datetime(2026, 12, 26, 8, second=30, minute=0, tzinfo=UTC)
    )
    assert one(SCHEDULES).rules == (
        core.ScheduleRule("office hours", office, min=4),
        core.ScheduleRule("night", night, min=1, max=3, mode=Mode.OBSERVE),
        core.ScheduleRule("once", once, max=6),
    )


def test_blackouts_are_windows_that_stop_both_directions_unless_they_name_one():
    sundays = window.CronWindow("0 2 * * sun", timedelta(hours=3), "UTC")
    feast = window.DateWindow(datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 27, tzinfo=UTC))
    policy = one(SCHEDULES)
    assert policy.blackouts == (
        core.Blackout(sundays, frozenset({core.Direction.OUT, core.Direction.IN})),
        core.Blackout(feast, frozenset({core.Direction.IN})),
    )
    assert policy.breaker == core.Breaker(failures=5)


def test_guards_merge_over_defaults_and_their_blackouts_are_replaced():
    text = """
defaults:
  guards: {data_nodes: {available: false}, blackout: [{cron: "0 2 * * *", duration: 1h}], breaker: {failures: 2}}
targets:
  a: {instance_id: i, nodes: {min: 1, max: 2}, guards: {blackout: []}}
  b: {instance_id: j, nodes: {min: 1, max: 2}, guards: {breaker: {failures: 4}}}
"""
    a, b = policyfile.parse(text, "p.yaml")
    assert (a.check_data_nodes, len(a.blackouts), a.breaker.failures) == (False, 0, 2)
    assert (b.check_data_nodes, len(b.blackouts), b.breaker.failures) == (False, 1, 4)


@pytest.mark.parametrize(("written", "limit"), [("85", "85"), ("82.5", "82.5"), ("85%", "85"), ("100", "100")])
def test_a_limit_of_the_data_nodes_cpu_keeps_the_default_of_the_other_key(written, limit):
    guards = f"guards: {{data_nodes: {{max_cpu: {written}}}}}"
    (policy,) = policyfile.parse(f"targets: {{a: {{instance_id: i, nodes: {{min: 1, max: 2}}, {guards}}}}}", "p.yaml")
    assert (policy.data_node_max_cpu, policy.check_data_nodes) == (Decimal(limit), True)


RULE = "targets: {{a: {{instance_id: i, nodes: {{min: 1, max: 2}}, rules: [{{name: r, metric: ddm_cpu_util, {}}}]}}}}"


@pytest.mark.parametrize(
    ("rule", "expected"),
    {
        "each in step has a for": ("type: threshold, in: [{below: 30, for: 30m, remove: 1}]", timedelta(0)),
        "nothing scales in": ("type: threshold, out: [{above: 30, add: 1}]", timedelta(0)),
        "an in step without a for": ("type: threshold, in: [{below: 30, remove: 1}]", 15 * MINUTE),
        "tracking scales in at once": ("type: target_tracking, target: 60", 15 * MINUTE),
        "a rule in observe is not asked": ("type: target_tracking, target: 60, mode: observe", timedelta(0)),
    }.values(),
)
def test_the_default_stabilization_depends_on_the_rules(rule, expected):
    assert one(RULE.format(rule)).scale_in_stabilization == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("2h", 7200), ("21d", 1814400), ("1h30m", 5400), ("1d2h3m4s", 93784), ("0s", 0)],
)
def test_durations_are_read_as_they_are_written(text, seconds):
    assert one(SMALLEST.replace("nodes", f"warm_up: {text}, nodes")).warm_up == timedelta(seconds=seconds)


def test_policies_come_in_the_order_of_the_files_and_of_their_keys(tmp_path):
    for name, targets in (("b.yaml", ("z", "y")), ("a.yaml", ("x", "w"))):
        lines = [f"  {target}: {{instance_id: {target}, nodes: {{min: 1, max: 2}}}}\n" for target in targets]
        (tmp_path / name).write_text("targets:\n" + "".join(lines))
    policies = policyfile.load([tmp_path / "b.yaml", tmp_path / "a.yaml"])
    assert [policy.name for policy in policies] == ["z", "y", "x", "w"]


def test_the_errors_of_all_files_are_told_at_once_and_twice_named_targets_name_both_places(tmp_path):
    (tmp_path / "a.yaml").write_text("targets:\n  t: {instance_id: i, nodes: {min: 1, max: 2}}\n  u: {mode: x}\n")
    (tmp_path / "b.yaml").write_text("targets:\n  t: {instance_id: j, nodes: {min: 1, max: 2}}\n")
    (tmp_path / "c.yaml").write_text("targets: [\n")
    with pytest.raises(errors.BadConfig) as refused:
        policyfile.load([tmp_path / name for name in ("a.yaml", "b.yaml", "c.yaml", "d.yaml")])
    lines = str(refused.value).replace(f"{tmp_path}/", "").splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "c.yaml:2:1",
        "d.yaml",
        "a.yaml:3:3",
        "a.yaml:3:3",
        "a.yaml:3:13",
        "b.yaml:2:3",
    ]
    assert lines[-1] == "b.yaml:2:3: targets.t: a target named t stands at a.yaml:2:3; give each its own name"


def test_an_anchor_may_be_used_again():
    text = """
targets:
  a: {instance_id: i, nodes: &n {min: 1, max: 2}}
  b: {instance_id: j, nodes: *n}
"""
    assert [policy.bounds for policy in policyfile.parse(text, "p.yaml")] == [core.Bounds(1, 2)] * 2


def test_what_is_odd_is_a_warning():
    text = """
targets:
  a: {instance_id: i, nodes: {min: 1, max: 40}, mode: off, cooldown: {in: 2d}}
"""
    assert policyfile.warnings(policyfile.parse(text, "p.yaml"), datetime(2026, 11, 23, tzinfo=UTC)) == (
        "p.yaml:3: targets.a: mode off: it is neither polled nor recorded",
        "p.yaml:3: targets.a: it has no rules, so only its bounds are kept",
        "p.yaml:3: targets.a: max 40 is beyond the 32 nodes that an instance can have",
        "p.yaml:3: targets.a: cooldown.in 2d is longer than a day",
    )


def test_a_query_is_a_metric_of_its_source():
    text = """
        targets:
          orders:
            instance_id: a
            nodes: {min: 2, max: 8}
            rules:
              - {name: g, type: target_tracking, metric: {source: prom, query: 'sum(up)'}, target: 60}
              - name: n
                type: threshold
                metric: {source: prom, query: up, node_label: node_id, across_nodes: max, period: 15s}
                in: [{below: -5, remove: 1}]
                out: [{above: -1, add: 1}]
    """
    (policy,) = policyfile.parse(textwrap.dedent(text), "p.yaml", sources={"prom"})
    assert policy.metrics == (
        core.Metric("sum(up)", source="prom"),
        core.Metric("up", source="prom", across_nodes="max", period=timedelta(seconds=15), node_label="node_id"),
    )


def test_a_query_goes_to_a_source_that_there_is_where_they_are_known():
    text = (
        "targets: {a: {instance_id: i, nodes: {min: 1, max: 2}, rules: "
        "[{name: t, type: target_tracking, target: 1, metric: {source: pron, query: up}}]}}"
    )
    assert policyfile.parse(text, "p.yaml")
    with pytest.raises(errors.BadConfig) as refused:
        policyfile.parse(text, "p.yaml", sources={"prom"})
    assert str(refused.value) == (
        "p.yaml:1:125: targets.a.rules[0].metric.source: 'pron' is no metric source, did you mean prom?; known: "
        "cloud_eye, prom; add others under sources in the configuration"
    )


FLEET = "fleet: {limits: {nodes: 200, added_per_hour: 10}, budget: {node_hours_per_day: 4000, warn_at: 80%}}\n"


def test_a_fleet_is_part_of_every_policy_of_every_file(tmp_path):
    for name, fleet in (("a", ""), ("b", FLEET)):
        (tmp_path / name).write_text(
            f"{fleet}targets: {{{name}: {{instance_id: {name}, nodes: {{min: 1, max: 2}}}}}}\n"
        )
    limits, budget = core.FleetLimits(nodes=200, added_per_hour=10), core.Budget(4000, warn_at=Decimal("0.8"))
    expected = core.Fleet(limits, budget, place=f"{tmp_path}/b:1")
    assert [one.fleet for one in policyfile.load([tmp_path / "a", tmp_path / "b"])] == [expected, expected]
    assert [one.fleet for one in policyfile.load([tmp_path / "a"])] == [None]


def test_a_fleet_may_limit_nothing():
    assert one(f"fleet: {{}}\n{SMALLEST}").fleet == core.Fleet(place="p.yaml:1")


def test_a_second_fleet_names_both_places(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(
            f"targets: {{{name}: {{instance_id: {name}, nodes: {{min: 1, max: 2}}}}}}\n{FLEET}"
        )
    with pytest.raises(errors.BadConfig) as refused:
        policyfile.load([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert str(refused.value).replace(f"{tmp_path}/", "").splitlines() == [
        f"{name}:2:1: fleet: a fleet stands at a:2:1; it holds for all targets, so keep one of them" for name in "bc"
    ]


ODD_FLEETS = {
    "enough for all min": ("{limits: {nodes: 5}, budget: {node_hours_per_day: 120}}", ()),
    "too few nodes": (
        "{limits: {nodes: 4}}",
        ("p.yaml:2: fleet.limits.nodes 4 is below the 5 of all min: not all can have theirs",),
    ),
    "too few hours": (
        "{budget: {node_hours_per_day: 119}}",
        (
            (
                "p.yaml:2: fleet.budget.node_hours_per_day 119 is below the 120 node-hours of all min (5 nodes), "
                "so it lets nothing be added but up to min"
            ),
        ),
    ),
}


@pytest.mark.parametrize(("fleet", "expected"), ODD_FLEETS.values(), ids=ODD_FLEETS)
def test_a_fleet_that_cannot_hold_all_min_is_a_warning(fleet, expected):
    text = """
fleet: FLEET
targets:
  a: {instance_id: i, nodes: {min: 2, max: 4}}
  b: {instance_id: j, nodes: {min: 3, max: 4}}
  c: {instance_id: k, nodes: {min: 3, max: 4}, mode: off}
"""
    policies = policyfile.parse(text.replace("FLEET", fleet), "p.yaml")
    told = policyfile.warnings(policies, datetime(2026, 11, 23, tzinfo=UTC))
    assert tuple(line for line in told if "targets." not in line) == expected


def test_nothing_is_odd_about_no_policies():
    assert policyfile.warnings((), datetime(2026, 11, 23, tzinfo=UTC)) == ()

"""What other autoscalers are known to decide, right or wrong, restated as policy tests of this one.

Each row is a fact of the field in the words of this project; the autoscaler it is known from stands in its name. Where a
row says `unlike`, that autoscaler decides otherwise, and its users have paid for it.
"""

# ruff: noqa: E501 - a policy, and a short case, stand on one line, as people write them

import textwrap

import pytest

from autoscaler.policyfile import cases, report, result

THRESHOLD = "{name: cpu, type: threshold, metric: ddm_cpu_util, %s}"
TRACKING = "{name: cpu, type: target_tracking, metric: ddm_cpu_util, %s}"


def target(rule: str, more: str = "", nodes: str = "{min: 1, max: 20}") -> str:
    """The one target of a case, in flow style."""
    return f"{{targets: {{orders: {{instance_id: a, nodes: {nodes}, rules: [{rule}]{more}}}}}}}"


def steps(text: str, more: str = "", nodes: str = "{min: 1, max: 20}") -> str:
    return target(THRESHOLD % text, more, nodes)


def tracking(text: str, more: str = "", nodes: str = "{min: 1, max: 20}") -> str:
    return target(TRACKING % text, more, nodes)


def both(first: str, second: str, more: str) -> str:
    """Two rules."""
    return target(f"{first}, {second}", more)


CPU_AT_50 = TRACKING % "target: 50"
MEMORY_AT_50 = "{name: mem, type: target_tracking, metric: ddm_mem_util, target: 50}"
NO_WAIT = ", cooldown: {out: 0s, in: 0s, failed: 0s}, scale_in_stabilization: 0s"

NOMAD = {
    "threshold: a value on the bound is not beyond it": (
        steps("out: [{above: 80, add: 1}], in: [{below: 20, remove: 1}]", NO_WAIT),
        """
        nodes: 5
        carry_out: false
        metrics: {ddm_cpu_util: "80 20 80.1 19.9 50"}
        expect:
          - {at: 0m, decision: hold, reason: within_bounds}
          - {at: 1m, decision: hold, reason: within_bounds}
          - {at: 2m, decision: out, desired: 6}
          - {at: 3m, decision: in, desired: 4}
          - {at: 4m, decision: hold}
        """,
    ),
    "threshold: so many of the last values have to be beyond it": (
        steps("out: [{above: 80, datapoints: 3/5, add: 1}]", NO_WAIT),
        """
        nodes: 5
        carry_out: false
        metrics: {ddm_cpu_util: "90 10 90 10 10 90 90"}
        expect:
          - {at: 4m, decision: hold}
          - {at: 5m, decision: hold}
          - {at: 6m, decision: out, desired: 6}
        """,
    ),
    "threshold: a percentage is of the count, and moves one at least": (
        steps("out: [{above: 80, add: 10%}], in: [{below: 20, remove: 10%}]", NO_WAIT),
        """
        nodes: 4
        carry_out: false
        metrics: {ddm_cpu_util: "90 10"}
        expect: [{at: 0m, change: 1}, {at: 1m, change: -1}]
        """,
    ),
    "threshold: a percentage rounds up going out and down going in": (
        steps("out: [{above: 80, add: 50%}], in: [{below: 20, remove: 50%}]", NO_WAIT),
        """
        nodes: 5
        carry_out: false
        metrics: {ddm_cpu_util: "90 10"}
        expect: [{at: 0m, change: 3}, {at: 1m, change: -2}]
        """,
    ),
    "target-value: the count times value over target, rounded up": (
        tracking("target: 50, tolerance: 1%", NO_WAIT),
        """
        nodes: 2
        carry_out: false
        metrics: {ddm_cpu_util: "75 100 51 50.5 50 25 24"}
        expect:
          - {at: 0m, desired: 3, reason: above_target}
          - {at: 1m, desired: 4}
          - {at: 2m, desired: 3}
          - {at: 3m, desired: 2, reason: within_bounds}
          - {at: 4m, desired: 2}
          - {at: 5m, desired: 1, reason: below_target}
          - {at: 6m, desired: 1}
        """,
    ),
    "several checks: the largest wins, and in only if all want it": (
        both(CPU_AT_50, MEMORY_AT_50, NO_WAIT),
        """
        nodes: 4
        carry_out: false
        metrics: {ddm_cpu_util: "75 25 25 75", ddm_mem_util: "100 50 10 10"}
        expect:
          - {at: 0m, decision: out, desired: 8, stages: [{because: mem}, {}, {}, {}, {}]}
          - {at: 1m, decision: hold}
          - {at: 2m, decision: in, desired: 2, stages: [{because: cpu}, {}, {}, {}, {}]}
          - {at: 3m, decision: out, desired: 6}
        """,
    ),
    "unlike: a dry run does not use up what the real run needs": (
        steps("out: [{above: 80, add: 1}]"),
        """
        mode: observe
        metrics: {ddm_cpu_util: "90x60"}
        expect:
          - {at: 0m, reason: observe_only}
          - {at: 9m, reason: in_progress}
          - {at: 19m, reason: cooldown}
          - {at: 20m, reason: observe_only, nodes: {current: 1}}
        """,
    ),
}

HPA = {
    "tolerance: a tenth off the target is near enough, on either side": (
        tracking("target: 100, tolerance: 10%", NO_WAIT).replace("ddm_cpu_util", "ddm_connections"),
        """
        nodes: 10
        carry_out: false
        metrics: {ddm_connections: "110 111 90 89"}
        expect:
          - {at: 0m, decision: hold, reason: within_bounds}
          - {at: 1m, decision: out, desired: 12}
          - {at: 2m, decision: hold, reason: within_bounds}
          - {at: 3m, decision: in, desired: 9}
        """,
    ),
    "the mean of the pods decides": (
        tracking("target: 30", NO_WAIT),
        """
        nodes: 3
        metrics: {ddm_cpu_util: {n1: "30", n2: "50", n3: "70"}}
        expect: [{at: 0m, decision: out, desired: 5, rules: [{value: 50, wants: 5}]}]
        """,
    ),
    "stabilisation: in to the largest wish of the window only": (
        tracking("target: 50", ", cooldown: {out: 0s, in: 0s}, scale_in_stabilization: 5m"),
        """
        nodes: 10
        carry_out: false
        metrics: {ddm_cpu_util: "20 30 25 20x9"}
        expect:
          - {at: 0m, decision: hold, reason: stabilizing}
          - {at: 4m, decision: hold, reason: stabilizing}
          - {at: 5m, decision: in, desired: 6}
          - {at: 6m, decision: in, desired: 5}
          - {at: 7m, decision: in, desired: 4}
        """,
    ),
    "stabilisation: out is never delayed by it": (
        tracking("target: 50", ", cooldown: {out: 0s}, scale_in_stabilization: 5m"),
        '{nodes: 4, metrics: {ddm_cpu_util: "20x2 100"}, expect: [{at: 2m, decision: hold}, {at: 3m, decision: out, desired: 8}]}',
    ),
    "rates: so many pods, or per cent of them, at once": (
        tracking(
            "target: 10", ", limits: {add: 50%, remove: 2}, cooldown: {out: 0s, in: 0s}, scale_in_stabilization: 0s"
        ),
        """
        nodes: 6
        metrics: {ddm_cpu_util: "90x1 1x9"}
        expect:
          - {at: 0m, decision: out, desired: 9}
          - {at: 1m, decision: out, desired: 14}
          - {at: 2m, decision: in, desired: 12}
          - {at: 3m, decision: in, desired: 10}
        """,
    ),
    "bounds: never past max, and the record says so": (
        tracking("target: 10", nodes="{min: 2, max: 5}"),
        """
        nodes: 5
        metrics: {ddm_cpu_util: "90x9"}
        expect: [{at: 0m, decision: hold, desired: 5, reason: at_max, stages: [{desired: 45}, {}, {}, {desired: 5}, {}]}]
        """,
    ),
    "bounds: below min is mended at once, without any metric": (
        tracking("target: 10", nodes="{min: 3, max: 5}"),
        "{nodes: 1, expect: [{at: 0m, decision: out, desired: 3, reason: below_min}]}",
    ),
    "missing: a pod without its metric lets nothing scale in": (
        tracking("target: 60", NO_WAIT),
        """
        nodes: 3
        metrics: {ddm_cpu_util: {n1: "10x9", n2: "10x9", n3: "_x10"}}
        expect: [{at: 2m, decision: hold, reason: within_bounds, rules: [{value: 10}]}, {at: 8m, decision: hold}]
        """,
    ),
    "missing: one of two metrics gone, the other still scales out, and nothing scales in": (
        both(CPU_AT_50, MEMORY_AT_50, NO_WAIT),
        """
        nodes: 4
        carry_out: false
        metrics: {ddm_cpu_util: "10 90"}
        expect: [{at: 0m, decision: hold, reason: no_data}, {at: 1m, decision: out, desired: 8}]
        """,
    ),
}

SPANNER = {
    "linear: the size times utilisation over threshold, rounded up": (
        tracking("target: 65, tolerance: 5%", NO_WAIT),
        """
        nodes: 3
        carry_out: false
        metrics: {ddm_cpu_util: "85 68 69 62 61"}
        expect:
          - {at: 0m, decision: out, desired: 4}
          - {at: 1m, decision: hold, reason: within_bounds}
          - {at: 2m, decision: out, desired: 4}
          - {at: 3m, decision: hold}
          - {at: 4m, decision: hold, reason: within_bounds}
        """,
    ),
    "linear: no more than so many nodes fewer at once": (
        tracking("target: 65", ", limits: {remove: 1}, cooldown: {in: 0s}, scale_in_stabilization: 0s"),
        '{nodes: 6, metrics: {ddm_cpu_util: "20"}, expect: [{at: 0m, decision: in, desired: 5, stages: [{desired: 2}, {}, {desired: 5}, {}, {}]}]}',
    ),
    "stepwise: the same step however far, and a larger one in overload": (
        steps("out: [{above: 65, add: 2}, {above: 90, add: 5}], in: [{below: 40, remove: 2}]", NO_WAIT),
        """
        nodes: 5
        carry_out: false
        metrics: {ddm_cpu_util: "70 89 91 39 50"}
        expect:
          - {at: 0m, desired: 7}
          - {at: 1m, desired: 7}
          - {at: 2m, desired: 10}
          - {at: 3m, desired: 3}
          - {at: 4m, desired: 5}
        """,
    ),
    "cooldowns: five minutes out, thirty in, after a scale-out": (
        steps(
            "out: [{above: 65, add: 2}], in: [{below: 40, remove: 2}]",
            ", cooldown: {out: 5m, in: 30m}, scale_in_stabilization: 0s",
        ),
        """
        nodes: 5
        carry_out: false
        operations: [{direction: out, change: 2, finished: 0m, outcome: succeeded}]
        metrics: {ddm_cpu_util: "_ _ _ _ 90 90 20x30"}
        expect:
          - {at: 4m, decision: hold, reason: cooldown}
          - {at: 5m, decision: out}
          - {at: 29m, decision: hold, reason: cooldown}
          - {at: 30m, decision: in, desired: 3}
        """,
    ),
    "cooldowns: out does not wait after a scale-in": (
        steps("out: [{above: 65, add: 2}]", ", cooldown: {out: 5m, in: 30m}"),
        """
        nodes: 5
        operations: [{direction: in, change: 2, finished: -1m, outcome: succeeded}]
        metrics: {ddm_cpu_util: "90"}
        expect: [{at: 0m, decision: out, desired: 7}]
        """,
    ),
    "unlike: a metrics outage is not 0 %": (
        steps("in: [{below: 40, remove: 2}]", NO_WAIT),
        '{nodes: 9, metrics: {ddm_cpu_util: "50 _x60"}, expect: [{at: 5m, decision: hold, reason: within_bounds}, {at: 60m, decision: hold, reason: stale_data}]}',
    ),
    "unlike: an operation of unknown outcome is not a success": (
        steps("out: [{above: 65, add: 2}]", NO_WAIT),
        '{outcome: unknown, metrics: {ddm_cpu_util: "90x600"}, expect: [{at: 0m, decision: out}, {at: 9h, decision: hold, reason: unknown_outcome, nodes: {current: 1}}]}',
    ),
    "unlike: an operation that failed does not end the cooldown": (
        steps("out: [{above: 65, add: 2}]", ", cooldown: {out: 10m, failed: 20m}"),
        """
        nodes: 5
        operations:
          - {direction: out, change: 2, finished: -5m, outcome: succeeded}
          - {direction: out, change: 2, finished: -1m, outcome: failed}
        metrics: {ddm_cpu_util: "90x60"}
        expect: [{at: 18m, decision: hold, reason: cooldown}, {at: 19m, decision: out}]
        """,
    ),
}

KEDA = {
    "fallback: nothing is known, so what runs goes on": (
        tracking("target: 50, max_metric_age: 3m", NO_WAIT),
        '{nodes: 6, metrics: {ddm_cpu_util: "50"}, expect: [{at: 3m, reason: within_bounds}, {at: 4m, decision: hold, desired: 6, reason: stale_data}]}',
    ),
    "fallback: one node more, once, where the policy says so": (
        tracking("target: 50, max_metric_age: 3m, on_missing_metric: out"),
        """
        nodes: 6
        metrics: {ddm_cpu_util: "50 _x60 50x5"}
        expect:
          - {at: 3m, decision: hold, reason: within_bounds}
          - {at: 4m, decision: out, desired: 7, reason: no_data}
          - {at: 30m, decision: hold, desired: 7}
          - {at: 60m, decision: hold, desired: 7, reason: stale_data}
        """,
    ),
    "fallback: a metric that may be ignored stands in nobody's way": (
        both(
            THRESHOLD % "in: [{below: 40, remove: 1}]",
            "{name: qps, type: target_tracking, metric: ddm_qps, target: 50, on_missing_metric: ignore}",
            NO_WAIT,
        ),
        '{nodes: 6, metrics: {ddm_cpu_util: "10"}, expect: [{at: 0m, decision: in, desired: 5}]}',
    ),
    "unlike: an outage never scales below what runs": (
        tracking("target: 50", NO_WAIT, nodes="{min: 2, max: 20}"),
        "{nodes: 9, expect: [{at: 0m, decision: hold, desired: 9, reason: no_data}, {at: 9h, decision: hold, desired: 9, reason: no_data}]}",
    ),
    "cron: as many as the schedule says while it is open, and the load beyond that": (
        both(CPU_AT_50, '{name: day, type: schedule, cron: "0 8 * * *", duration: 2h, nodes: {min: 5}}', NO_WAIT),
        """
        nodes: 2
        start: 2026-11-23T07:59:00Z
        metrics: {ddm_cpu_util: "50 50 50 90"}
        expect:
          - {at: 0m, decision: hold}
          - {at: 1m, decision: out, desired: 5, reason: schedule}
          - {at: 3m, decision: out, desired: 9, reason: above_target}
        """,
    ),
}

OTHERS = {
    "escalator: a slow and a fast removal": (
        steps("in: [{below: 40, remove: 1}, {below: 20, remove: 3}]", NO_WAIT),
        '{nodes: 9, carry_out: false, metrics: {ddm_cpu_util: "30 10"}, expect: [{at: 0m, change: -1}, {at: 1m, change: -3}]}',
    ),
    "escalator, unlike: nodes that were asked for and are not there yet are not asked for again": (
        steps("out: [{above: 70, add: 50%}]", NO_WAIT),
        """
        nodes: 4
        operation_time: 10m
        metrics: {ddm_cpu_util: "95x60"}
        expect:
          - {at: 0m, decision: out, desired: 6}
          - {at: 9m, decision: hold, reason: in_progress, nodes: {current: 4}}
          - {at: 10m, decision: out, desired: 9, nodes: {current: 6}}
        """,
    ),
    "cluster-autoscaler, unlike: the back-off after failures is derived from them, so no restart loses it": (
        steps("out: [{above: 70, add: 1}]", NO_WAIT),
        """
        operations:
          - {direction: out, change: 1, finished: -3m, outcome: failed}
          - {direction: out, change: 1, finished: -2m, outcome: never_happened}
          - {direction: out, change: 1, finished: -1m, outcome: failed}
        metrics: {ddm_cpu_util: "95x60"}
        expect:
          - {at: 0m, decision: hold, reason: breaker_open}
          - {at: 13m, decision: hold, reason: breaker_open}
          - {at: 14m, decision: out}
        """,
    ),
    "cluster-autoscaler: each failure more doubles the back-off": (
        steps("out: [{above: 70, add: 1}]", NO_WAIT),
        """
        outcome: failed
        metrics: {ddm_cpu_util: "95x600"}
        expect:
          - {at: 2m, decision: out}
          - {at: 16m, decision: hold, reason: breaker_open}
          - {at: 17m, decision: out}
          - {at: 46m, decision: hold, reason: breaker_open}
          - {at: 47m, decision: out}
          - {at: 106m, reason: breaker_open}
          - {at: 107m, decision: out}
        """,
    ),
    "mercari: the size for a target, within bounds, in by steps of so many": (
        tracking(
            "target: 50",
            ", limits: {remove: 2}, cooldown: {out: 0s, in: 0s}, scale_in_stabilization: 0s",
            "{min: 2, max: 10}",
        ),
        """
        nodes: 5
        carry_out: false
        metrics: {ddm_cpu_util: "25 50 30 10 100 61"}
        expect:
          - {at: 0m, desired: 3}
          - {at: 1m, desired: 5}
          - {at: 2m, desired: 3}
          - {at: 3m, desired: 3}
          - {at: 4m, desired: 10}
          - {at: 5m, desired: 7}
        """,
    ),
    "all: a node that somebody added by hand above max goes again, one at a time": (
        tracking("target: 50", ", cooldown: {in: 5m}, scale_in_stabilization: 0s", "{min: 1, max: 4}"),
        """
        nodes: 6
        metrics: {ddm_cpu_util: "50x20"}
        expect: [{at: 0m, decision: in, desired: 5, reason: above_max}, {at: 5m, decision: in, desired: 4}, {at: 10m, decision: hold}]
        """,
    ),
}

ALL = {
    f"{name}, {fact}": row
    for name, rows in {"Nomad": NOMAD, "HPA": HPA, "Spanner": SPANNER, "KEDA": KEDA, "others": OTHERS}.items()
    for fact, row in rows.items()
}


@pytest.mark.parametrize(("policies", "case"), ALL.values(), ids=ALL)
def test_a_fact_of_the_field(policies, case, tmp_path):
    file = tmp_path / "fact.test.yaml"
    body = textwrap.indent(textwrap.dedent(case).strip(), "    ")
    file.write_text(f"policies:\n  {policies}\ntests:\n  -\n{body}\n", encoding="utf-8")
    (one,) = (result.of(each) for each in cases.load([file]))
    assert one.passed, "\n".join(report.lines(one))

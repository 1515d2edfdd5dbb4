"""Policy tests: how a case is played, what a failure says, and every mistake in a file of tests at its place."""

# ruff: noqa: E501 - a message stands on one line, as it is printed

import textwrap
from pathlib import Path

import pytest

from autoscaler import errors
from autoscaler.policyfile import cases, report, result

POLICY = """\
policies:
  targets:
    orders:
      instance_id: a
      mode: enforce
      nodes: {min: 2, max: 10}
      rules:
        - {name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1}], in: [{below: 30, for: 2m, remove: 1}]}
tests:
"""
"""Lines 1 to 9 of most files; the first test begins in line 10, column 5."""


@pytest.fixture
def played(tmp_path: Path):
    """`played(yaml)` is the text that is printed of the tests in it, `played(yaml, head="")` of a whole file."""

    def play(text: str, head: str = POLICY) -> str:
        file = tmp_path / "orders.test.yaml"
        file.write_text(head + textwrap.indent(textwrap.dedent(text), "  "), encoding="utf-8")
        results = [result.of(case) for case in cases.load([file])]
        lines = [line for one in results for line in report.lines(one)]
        return "\n".join([*lines, report.summary(results)]).replace(f"{tmp_path}/", "")

    return play


def problems(played, text: str, head: str = POLICY) -> list[str]:
    with pytest.raises(errors.BadConfig) as raised:
        played(text, head)
    return [f"{one.line}:{one.column}: {one.path}: {one.message}" for one in raised.value.problems]


PLAYED = {
    "nodes begin at min": "expect: [{at: 0m, decision: hold, nodes: {current: 2, ready: 2, min: 2, max: 10}}]",
    "nodes that are not ready are abnormal: they block in, not out": """
        nodes: {current: 4, ready: 3}
        metrics: {ddm_cpu_util: "10x5 80x5"}
        expect:
          - {at: 5m, decision: hold, reason: not_ready, nodes: {current: 4, ready: 3}}
          - {at: 6m, decision: out, desired: 5, nodes: {current: 4, ready: 3}}
          - {at: 7m, nodes: {current: 5, ready: 4}}
        """,
    "a sample is there at its own time": """
        metrics: {ddm_cpu_util: "_ 80"}
        start: 2026-11-23T10:00:00+01:00
        expect:
          - {at: 0m, reason: no_data, rules: [{value: null, as_of: null, samples: 0}]}
          - {at: 1m, decision: out, rules: [{value: 80, as_of: "2026-11-23T09:01:00Z"}]}
        """,
    "after its last value a series is missing": """
        metrics: {ddm_cpu_util: "50"}
        expect: [{at: 15m, reason: within_bounds}, {at: 16m, reason: stale_data}, {at: 5h, reason: stale_data}]
        """,
    "a metric without a series is missing": "expect: [{at: 1m, decision: hold, reason: no_data}]",
    "infinite is missing": "{metrics: {ddm_cpu_util: Inf}, expect: [{at: 0m, reason: no_data}]}",
    "the interval counts as the period": """
        interval: 5m
        nodes: 3
        metrics: {ddm_cpu_util: "10x9"}
        expect: [{at: 0m, decision: in, desired: 2}]
        """,
    "a scale-out is carried out at once": """
        metrics: {ddm_cpu_util: "80x30"}
        expect:
          - {at: 0m, decision: out, nodes: {current: 2}}
          - {at: 1m, reason: cooldown, nodes: {current: 3, ready: 3}}
          - {at: 9m, reason: cooldown}
          - {at: 10m, decision: out, desired: 4}
        """,
    "a scale-in takes nodes away": """
        nodes: 4
        metrics: {ddm_cpu_util: "10x60"}
        expect: [{at: 1m, decision: in, change: -1}, {at: 2m, nodes: {current: 3, ready: 3}}, {at: 31m, decision: in}]
        """,
    "an operation that takes time is in progress until its end": """
        operation_time: 5m
        metrics: {ddm_cpu_util: "80x60"}
        expect:
          - {at: 0m, decision: out}
          - {at: 4m, decision: hold, reason: in_progress, vetoes: [in_progress], nodes: {current: 2}}
          - {at: 5m, decision: hold, reason: cooldown, nodes: {current: 3}}
          - {at: 15m, decision: out}
        """,
    "its end may lie between two intervals": """
        operation_time: 90s
        metrics: {ddm_cpu_util: "80x60"}
        expect:
          - {at: 1m, reason: in_progress}
          - {at: 2m, reason: cooldown, nodes: {current: 3}, details: {cooldown: "until 2026-01-01T00:11:30Z"}}
        """,
    "one that fails brings no node and starts its own cooldown": """
        outcome: failed
        metrics: {ddm_cpu_util: "80x60"}
        expect: [{at: 1m, reason: cooldown, nodes: {current: 2}}, {at: 15m, decision: out, desired: 3}]
        """,
    "one that never happened is of unknown outcome first": """
        outcome: never_happened
        operation_time: 10m
        metrics: {ddm_cpu_util: "80x60"}
        expect: [{at: 9m, reason: unknown_outcome}, {at: 10m, reason: cooldown}, {at: 25m, decision: out}]
        """,
    "one that is refused starts no cooldown": """
        outcome: rejected
        metrics: {ddm_cpu_util: "80x60"}
        expect: [{at: 0m, decision: out}, {at: 1m, decision: out, desired: 3}]
        """,
    "one of unknown outcome holds everything": """
        outcome: unknown
        metrics: {ddm_cpu_util: "80x600"}
        expect: [{at: 10h, decision: hold, reason: unknown_outcome}]
        """,
    "without carrying out everything stays as it was, history included": """
        carry_out: false
        metrics: {ddm_cpu_util: "80x9"}
        expect: [{at: 0m, decision: out, desired: 3}, {at: 1m, decision: out, desired: 3, vetoes: []}]
        """,
    "in observe a shadow does what enforce would have done, and changes no node": """
        mode: observe
        metrics: {ddm_cpu_util: "80x60"}
        expect:
          - {at: 0m, decision: hold, desired: 3, reason: observe_only, vetoes: [observe_only]}
          - {at: 9m, reason: in_progress, vetoes: [in_progress, observe_only]}
          - {at: 10m, reason: cooldown, nodes: {current: 2}}
          - {at: 20m, reason: observe_only, vetoes: [observe_only]}
        """,
    "the case may lock a direction": """
        mode: out_only
        nodes: 4
        metrics: {ddm_cpu_util: "10x9"}
        expect: [{at: 1m, reason: direction_locked, desired: 3}]
        """,
    "an operation before the start": """
        nodes: 3
        operations: [{direction: out, change: 1, finished: -5m, outcome: succeeded}]
        metrics: {ddm_cpu_util: "80x60"}
        expect: [{at: 4m, reason: cooldown}, {at: 5m, decision: out}]
        """,
    "one of unknown outcome before the start": """
        operations: [{direction: in, change: 1, outcome: unknown}]
        metrics: {ddm_cpu_util: "80x60"}
        expect: [{at: 5m, reason: unknown_outcome}]
        """,
    "an open one before the start": """
        operations: [{direction: in, change: 1}]
        metrics: {ddm_cpu_util: "80x60"}
        expect: [{at: 5m, reason: in_progress}]
        """,
    "a failed one before the start": """
        operations: [{direction: out, change: 1, finished: -5m, outcome: failed}]
        metrics: {ddm_cpu_util: "80x60"}
        expect: [{at: 9m, reason: cooldown}, {at: 10m, decision: out}]
        """,
    "somebody else's change before the start": """
        operations: [{direction: in, change: 1, finished: -5m, outcome: succeeded, foreign: true}]
        nodes: 4
        metrics: {ddm_cpu_util: "10x60"}
        expect: [{at: 24m, reason: cooldown}, {at: 25m, decision: in}]
        """,
    "data nodes that are busy": """
        data_nodes: busy
        metrics: {ddm_cpu_util: "80x9"}
        expect: [{at: 0m, decision: hold, reason: data_node_busy, vetoes: [data_node_busy]}]
        """,
    "a data node at its limit": """
        data_nodes: {cpu: 93}
        policies: {targets: {orders: {instance_id: a, nodes: {min: 2, max: 8}, guards: {data_nodes: {max_cpu: 85}},
          rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1}]}]}}}
        metrics: {ddm_cpu_util: "80x9"}
        expect: [{at: 0m, decision: hold, desired: 3, reason: data_node_bottleneck, vetoes: [data_node_bottleneck]}]
        """,
    "a CPU of the data nodes stops nothing where no guard asks for it": """
        data_nodes: {cpu: 93}
        metrics: {ddm_cpu_util: "80x9"}
        expect: [{at: 0m, decision: out}]
        """,
    "a pause": """
        pauses: [{from: -5m, for: 10m, reason: migration}]
        metrics: {ddm_cpu_util: "80x9"}
        expect: [{at: 4m, reason: paused}, {at: 5m, decision: out}]
        """,
    "a pause without an end": """
        pauses: [{from: 1m}]
        metrics: {ddm_cpu_util: "_ 80x60"}
        expect: [{at: 1m, reason: paused}, {at: 60m, reason: paused}]
        """,
    "an override": """
        overrides: [{from: 3m, for: 10m, nodes: 6}]
        metrics: {ddm_cpu_util: "50x60"}
        expect:
          - {at: 2m, decision: hold}
          - {at: 3m, decision: out, desired: 6, reason: override}
          - {at: 4m, decision: hold, reason: within_bounds}
        """,
    "values per node are folded over the nodes that are named": """
        nodes: 3
        metrics: {ddm_cpu_util: {n1: "80x9", n2: "90x9"}}
        expect: [{at: 0m, decision: out, rules: [{value: 85}]}]
        """,
    "a query of the group, to a source that no configuration has": """
        policies: {targets: {orders: {instance_id: a, nodes: {min: 2, max: 8}, rules: [{name: q, type: threshold,
          metric: {source: prom, query: 'sum(rate(x{a="b"}[5m]))', across_nodes: sum}, out: [{above: 75, add: 1}]}]}}}
        metrics: {'sum(rate(x{a="b"}[5m]))': "70 80"}
        expect: [{at: 0m, decision: hold}, {at: 1m, decision: out, rules: [{value: 80}]}]
        """,
    "a query of nodes": """
        policies: {targets: {orders: {instance_id: a, nodes: {min: 2, max: 8}, rules: [{name: q, type: threshold,
          metric: {source: prom, query: load, node_label: id, across_nodes: sum}, out: [{above: 75, add: 1}]}]}}}
        metrics: {load: {n1: "40", n2: "41"}}
        expect: [{at: 0m, decision: out, rules: [{value: 81}]}]
        """,
    "a half sample is complete two intervals later": """
        metrics: {ddm_cpu_util: {n1: "80x9", n2: "_x10"}}
        expect:
          - {at: 1m, decision: hold, reason: no_data}
          - {at: 2m, decision: out, rules: [{value: 80, as_of: "2026-01-01T00:00:00Z"}]}
        """,
    "fewer than half of the nodes are no sample": """
        metrics: {ddm_cpu_util: {n1: "80x9", n2: "_", n3: "_"}}
        expect: [{at: 9m, decision: hold, reason: no_data}]
        """,
    "lists are compared whole, mappings by the keys that are written": """
        metrics: {ddm_cpu_util: "80"}
        expect:
          - at: 0m
            stages: [{stage: combine, desired: 3, because: cpu}, {desired: 3}, {}, {}, {stage: guards, because: ""}]
            rules: [{rule: cpu, warming: 0, observe: false}]
        """,
    "two expectations of one moment": "{metrics: {ddm_cpu_util: 80}, expect: [{at: 0m, decision: out}, {at: 0m, change: 1}]}",
}


@pytest.mark.parametrize("text", PLAYED.values(), ids=PLAYED)
def test_a_case_is_played(text, played):
    body = textwrap.dedent(text).strip()
    assert played(f"-\n{textwrap.indent(body, '  ')}") == "ok    orders.test.yaml:11: test 1\n1 passed, 0 failed"


def test_a_failure_shows_expected_and_got_and_the_record_in_words(played):
    text = """
        - name: three hot minutes
          metrics: {ddm_cpu_util: "60x2 80"}
          expect:
            - {at: 1m, decision: hold}
            - {at: 3m, decision: hold, desired: 2, vetoes: [cooldown, sold_out], nodes: {ready: 2}, stages: []}
        - {name: calm, metrics: {ddm_cpu_util: 50}, expect: [{at: 0m, decision: hold}]}
        """
    assert played(text).splitlines() == [
        "FAIL  orders.test.yaml:11: three hot minutes",
        "      at 3m (2026-01-01T00:03:00Z), expected in orders.test.yaml:15:9:",
        "        - decision: hold   (expected)",
        "        + decision: out   (got)",
        "        - desired: 2   (expected)",
        "        + desired: 3   (got)",
        "        - vetoes: [cooldown, sold_out]   (expected)",
        "        + vetoes: []   (got)",
        "        - stages: []   (expected)",
        "        + stages: [{stage: combine, desired: 3, because: cpu}, {stage: stabilize, desired: 3}, {stage: limits, desired: 3}, {stage: bounds, desired: 3}, {stage: guards, desired: 3}]   (got)",
        "        scaling out from 2 to 3 nodes: cpu 80 above 75.",
        "          rule   cpu: wants 3, 80 above 75, as of 00:03 UTC",
        "          stage  combine: 3, cpu",
        "          stage  stabilize: 3",
        "          stage  limits: 3",
        "          stage  bounds: 3",
        "          stage  guards: 3",
        "ok    orders.test.yaml:16: calm",
        "1 passed, 1 failed",
    ]


DIFFERENT = {
    "missing is not zero": ("value: 0", "value: 0   (expected)", "value: nothing   (got)"),
    "a key that the record leaves out": ("warming: 1", "warming: 1   (expected)", "warming: nothing   (got)"),
}


@pytest.mark.parametrize(("key", "expected", "got"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_difference(key, expected, got, played):
    shown = played(f"- expect: [{{at: 0m, rules: [{{{key}}}]}}]")
    assert f"- rules[0].{expected}" in shown
    assert f"+ rules[0].{got}" in shown


def test_policies_are_read_relative_to_the_file_of_tests(played, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/both.yaml").write_text(
        "targets: {one: {instance_id: a, nodes: {min: 1, max: 2}}, two: {instance_id: b, nodes: {min: 3, max: 4}}}"
    )
    text = """
        - {name: the first target is meant, expect: [{at: 0m, target: one, nodes: {min: 1}}]}
        - {name: or the one that is named, target: two, expect: [{at: 0m, target: two, nodes: {current: 3}}]}
        """
    assert played(text, "policies: more/both.yaml\ntests:\n").endswith("2 passed, 0 failed")


def test_a_policy_that_observes_is_tested_as_if_it_acted(played):
    head = "policies: {targets: {o: {instance_id: a, nodes: {min: 2, max: 3}}}}\ntests:\n"
    assert played("- {nodes: 1, expect: [{at: 0m, decision: out, reason: below_min, mode: enforce}]}", head).startswith(
        "ok"
    )


MISTAKES = {
    "an unknown key": (
        "- {metrcs: {}, expect: [{at: 0m, decision: out}]}",
        "10:6: tests[0].metrcs: is not a key here, did you mean metrics?; allowed: name, policies, target, mode, nodes, start, interval, metrics, operations, pauses, overrides, data_nodes, carry_out, operation_time, outcome, expect",
    ),
    "an unknown key of a record": (
        "- expect: [{at: 0m, decisio: out}]",
        "10:23: tests[0].expect[0].decisio: is not a key here, did you mean decision?; allowed: at, decision, change, desired, reason, wanted_reason, target, mode, nodes, rules, stages, vetoes, details",
    ),
    "an unknown key inside a record": (
        "- expect: [{at: 0m, nodes: {curent: 3}}]",
        "10:31: tests[0].expect[0].nodes.curent: is not a key here, did you mean current?; allowed: current, ready, min, max",
    ),
    "no expectation": (
        "- name: a",
        "10:5: tests[0].expect: is missing; it says: what is decided when, such as {at: 5m, decision: out}",
    ),
    "expectations that are empty": (
        "- {name: a, expect: []}",
        "10:23: tests[0].expect: is empty, so the test could not fail; write what is decided when",
    ),
    "an expectation that says nothing": (
        "- expect: [{at: 0m}]",
        "10:14: tests[0].expect[0]: expects nothing; write a key of the record, such as decision",
    ),
    "a time off the interval": (
        "- {interval: 5m, expect: [{at: 6m, decision: out}]}",
        "10:34: tests[0].expect[0].at: 6m is no multiple of the interval 5m, so nothing is decided then",
    ),
    "a time before the start": (
        "- expect: [{at: -1m, decision: out}]",
        "10:19: tests[0].expect[0].at: -1m is before the start; the first decision is at 0m",
    ),
    "a time of too many intervals": (
        "- expect: [{at: 99d, decision: out}]",
        "10:19: tests[0].expect[0].at: is more than 100000 intervals away; test a shorter time",
    ),
    "a time without a unit": (
        "- expect: [{at: 5, decision: out}]",
        "10:19: tests[0].expect[0].at: 5 is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",
    ),
    "a series that is none": (
        '- {metrics: {ddm_cpu_util: "80 8O"}, expect: [{at: 0m, decision: out}]}',
        "10:30: tests[0].metrics.ddm_cpu_util: '8O' is no part of a series; write values as 80, 80x5 (six of them), 60+5x3, 60-5x3, _ or _x5 for gaps, NaN or Inf, with spaces between",
    ),
    "a series of a node that is none": (
        "- {metrics: {ddm_cpu_util: {n1: [80]}}, expect: [{at: 0m, decision: out}]}",
        '10:35: tests[0].metrics.ddm_cpu_util.n1: a list is not allowed; it must be a series such as "60x4 80x9"',
    ),
    "series of no node": (
        "- {metrics: {ddm_cpu_util: {}}, expect: [{at: 0m, decision: out}]}",
        "10:30: tests[0].metrics.ddm_cpu_util: names no node; write a series for each, such as {n1: 60x9, n2: 80x9}, or one for the group",
    ),
    "a metric that nothing looks at and nobody knows": (
        "- {metrics: {ddm_cpu: 80}, expect: [{at: 0m, decision: out}]}",
        "10:25: tests[0].metrics.ddm_cpu: no rule of orders looks at 'ddm_cpu', did you mean ddm_cpu_util?",
    ),
    "a query that is not as the policy has it": (
        "- {policies: {targets: {o: {instance_id: a, nodes: {min: 1, max: 2}, rules: [{name: q, type: target_tracking, target: 1, metric: {source: prom, query: sum(up)}}]}}}, metrics: {sum(uq): 1}, expect: [{at: 0m, decision: out}]}",
        "10:188: tests[0].metrics.sum(uq): no rule of o looks at 'sum(uq)', did you mean sum(up)?",
    ),
    "series of nodes for a query of the group": (
        "- {policies: {targets: {o: {instance_id: a, nodes: {min: 1, max: 2}, rules: [{name: q, type: target_tracking, target: 1, metric: {source: prom, query: up}}]}}}, metrics: {up: {n1: 1}}, expect: [{at: 0m, decision: out}]}",
        "10:178: tests[0].metrics.up: has no node_label, so it gives one value for the group; write one series",
    ),
    "a target that is not there": (
        "- {target: order, expect: [{at: 0m, decision: out}]}",
        "10:14: tests[0].target: there is no target 'order', did you mean orders?; known: orders",
    ),
    "more ready nodes than nodes": (
        "- {nodes: {current: 2, ready: 3}, expect: [{at: 0m, decision: out}]}",
        "10:33: tests[0].nodes.ready: 3 ready nodes are more than there are (2)",
    ),
    "a number of nodes that is none": (
        "- {nodes: -1, expect: [{at: 0m, decision: out}]}",
        "10:13: tests[0].nodes: -1 is not allowed; it must be a number of nodes, 0 to 1000",
    ),
    "a finished operation without an outcome": (
        "- {operations: [{direction: out, change: 1, finished: -5m}], expect: [{at: 0m, decision: out}]}",
        "10:19: tests[0].operations[0].outcome: is missing; an operation that is finished has an outcome",
    ),
    "an outcome without an end": (
        "- {operations: [{direction: out, change: 1, outcome: failed}], expect: [{at: 0m, decision: out}]}",
        "10:19: tests[0].operations[0].finished: is missing; an operation that has ended has a time",
    ),
    "an unknown outcome that has ended": (
        "- {operations: [{direction: out, change: 1, finished: -5m, outcome: unknown}], expect: [{at: 0m, decision: out}]}",
        "10:57: tests[0].operations[0].finished: an operation of unknown outcome is not finished; take finished out",
    ),
    "an operation after the start": (
        "- {operations: [{direction: out, change: 1, finished: 5m, outcome: failed}], expect: [{at: 0m, decision: out}]}",
        "10:57: tests[0].operations[0].finished: 5m is after the start; it is what happened before, such as -20m",
    ),
    "an override beyond the bounds": (
        "- {overrides: [{for: 2h, nodes: 11}], expect: [{at: 0m, decision: out}]}",
        "10:35: tests[0].overrides[0].nodes: 11 is refused; an override is between min and max, 2 to 10",
    ),
    "an override without an end": (
        "- {overrides: [{nodes: 3}], expect: [{at: 0m, decision: out}]}",
        "10:18: tests[0].overrides[0].for: is missing; it says: how long it holds, such as 2h",
    ),
    "data nodes in a state that is none": (
        "- {data_nodes: bussy, expect: [{at: 0m, decision: out}]}",
        "10:18: tests[0].data_nodes: 'bussy' is not allowed, did you mean busy?; allowed: normal, busy",
    ),
    "a mode that decides nothing": (
        "- {mode: off, expect: [{at: 0m, decision: out}]}",
        "10:12: tests[0].mode: 'off' is not allowed; allowed: enforce, out_only, observe",
    ),
    "a start that is no time": (
        "- {start: noon, expect: [{at: 0m, decision: out}]}",
        "10:13: tests[0].start: 'noon' is no time; write one as 2026-11-23T10:00:00Z",
    ),
    "a policy file that is not there": (
        "- {policies: no.yaml, expect: [{at: 0m, decision: out}]}",
        "10:16: tests[0].policies: there is no file FOLDER/no.yaml; the path is relative to this file",
    ),
    "policies of no target": (
        "- {policies: {targets: {}}, expect: [{at: 0m, decision: out}]}",
        "10:16: tests[0].policies: holds no target; a test needs one",
    ),
    "a policy in place that is wrong": (
        "- {policies: {targets: {o: {instance_id: a, nodes: {min: 3, max: 2}}}}, expect: [{at: 0m, decision: out}]}",
        "10:60: tests[0].policies.targets.o.nodes.min: min 3 is above max 2; lower min or raise max",
    ),
    "a target that is off": (
        "- {policies: {targets: {o: {instance_id: a, mode: off, nodes: {min: 1, max: 2}}}}, expect: [{at: 0m, decision: out}]}",
        "10:5: tests[0].mode: o is off, so nothing is decided; write mode: enforce to test it all the same",
    ),
    "a test that is none": ("- 5", "10:5: tests[0]: 5 is not allowed; it must be a mapping of keys"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_at_its_place(text, said, played, tmp_path):
    assert problems(played, text) == [said.replace("FOLDER", str(tmp_path))]


def test_no_test_hides_the_mistakes_of_another(played):
    text = """
        - {expect: [{at: 30s, decision: out}]}
        - {expct: []}
        - {nodes: many, expect: [{at: 0m, reason: hot}]}
        """
    assert [one.split(": ")[:2] for one in problems(played, text)] == [
        ["11:20", "tests[0].expect[0].at"],
        ["12:5", "tests[1].expect"],
        ["12:6", "tests[1].expct"],
        ["13:13", "tests[2].nodes"],
        ["13:45", "tests[2].expect[0].reason"],
    ]


def test_a_file_without_policies_or_without_tests(played):
    assert problems(played, "- {expect: [{at: 0m, decision: out}]}", "tests:\n") == [
        "2:5: tests[0].policies: is missing; name a policy file, or write its content here, for the file or for this test"
    ]
    assert [one.split(";")[0] for one in problems(played, "", "policies: {targets: {}}\n")] == [
        "1:1: tests: is missing"
    ]
    assert problems(played, "[]", POLICY)[-1] == "10:3: tests: is empty; write at least one test"


def test_the_mistakes_of_a_policy_file_are_told_once_and_under_its_own_name(played, tmp_path):
    (tmp_path / "bad.yaml").write_text("targets: {o: {instance_id: a}}")
    text = """
        - {expect: [{at: 0m, decision: out}]}
        - {expect: [{at: 0m, decision: out}]}
        """
    with pytest.raises(errors.BadConfig) as raised:
        played(text, "policies: bad.yaml\ntests:\n")
    assert [(Path(one.file).name, one.line, one.path) for one in raised.value.problems] == [
        ("bad.yaml", 1, "targets.o.nodes")
    ]

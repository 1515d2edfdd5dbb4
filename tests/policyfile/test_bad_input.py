"""What a policy file may not hold: every row is one mistake and exactly what is said about it."""

# ruff: noqa: E501 - a message stands on one line, as it is printed

import textwrap

import pytest

from autoscaler import errors, policyfile

HEAD = "targets:\n  orders:\n    instance_id: a\n    nodes: {min: 2, max: 8}\n"
"""Lines 1 to 4 of each file of the first and third table; the mistake begins in line 5, column 5."""

IN_A_TARGET = {
    "an unknown key names the nearest known one": (
        "intervall: 5m",
        (
            "5:5: targets.orders.intervall: is not a key here, did you mean interval?; allowed: mode, interval, nodes, rules, cooldown, scale_in_stabilization, limits, on_missing_metric, max_metric_age, warm_up, guards, flavor_id, zones, subnet_id, auto_pay, instance_id, group_id",
        ),
    ),
    "an unknown key with nothing near lists what is allowed": (
        "nodes2: {}\nguards: {zzz: 1}",
        (
            "5:5: targets.orders.nodes2: is not a key here, did you mean nodes?; allowed: mode, interval, nodes, rules, cooldown, scale_in_stabilization, limits, on_missing_metric, max_metric_age, warm_up, guards, flavor_id, zones, subnet_id, auto_pay, instance_id, group_id",
            "6:14: targets.orders.guards.zzz: is not a key here; allowed: data_nodes, blackout, breaker",
        ),
    ),
    "a bare number is no duration": (
        "interval: 60",
        ("5:15: targets.orders.interval: 60 is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "an ISO duration is no duration": (
        "interval: PT5M",
        ("5:15: targets.orders.interval: 'PT5M' is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "a fraction is no duration": (
        "interval: 1.5h",
        ("5:15: targets.orders.interval: '1.5h' is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "units out of order are no duration": (
        "interval: 30m1h",
        ("5:15: targets.orders.interval: '30m1h' is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "an empty duration": (
        "interval: ''",
        ("5:15: targets.orders.interval: '' is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "an interval of nothing": (
        "interval: 0s",
        ("5:15: targets.orders.interval: 0s is not allowed; an interval is 1s to 24h",),
    ),
    "a negative cooldown": (
        "cooldown: {out: -5m}",
        ("5:21: targets.orders.cooldown.out: '-5m' is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "a cooldown of a number": (
        "cooldown: {in: 30}",
        ("5:20: targets.orders.cooldown.in: 30 is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "an unknown cooldown": (
        "cooldown: {up: 5m}",
        ("5:16: targets.orders.cooldown.up: is not a key here; allowed: out, in, failed",),
    ),
    "a cooldown that is no mapping": (
        "cooldown: 5m",
        ("5:15: targets.orders.cooldown: '5m' is not allowed; it must be a mapping of keys",),
    ),
    "a cooldown longer than a year": (
        "cooldown: {failed: 400d}",
        ("5:24: targets.orders.cooldown.failed: is longer than 366d; write a shorter span",),
    ),
    "a wrong mode": (
        "mode: enforced",
        (
            "5:11: targets.orders.mode: 'enforced' is not allowed, did you mean enforce?; allowed: observe, enforce, out_only, off",
        ),
    ),
    "a mode of YAML 1.1 stays a word": (
        "mode: yes",
        ("5:11: targets.orders.mode: 'yes' is not allowed; allowed: observe, enforce, out_only, off",),
    ),
    "a wrong on_missing_metric": (
        "on_missing_metric: scale",
        ("5:24: targets.orders.on_missing_metric: 'scale' is not allowed; allowed: hold, ignore, out",),
    ),
    "auto_pay as a word": (
        "auto_pay: yes",
        ("5:15: targets.orders.auto_pay: 'yes' is not allowed; it must be true or false",),
    ),
    "zones as one word": (
        "zones: eu-de-01",
        ("5:12: targets.orders.zones: 'eu-de-01' is not allowed; it must be a list",),
    ),
    "an id that is a number": (
        "group_id: 12",
        ("5:15: targets.orders.group_id: 12 is not allowed; it must be a text, so put it in quotes",),
    ),
    "an id with a slash": (
        "flavor_id: a/b",
        ("5:16: targets.orders.flavor_id: 'a/b' is no id; it is not empty and holds no space, /, ?, # or %",),
    ),
    "an empty id": (
        "flavor_id: ''",
        ("5:16: targets.orders.flavor_id: '' is no id; it is not empty and holds no space, /, ?, # or %",),
    ),
    "limits of nothing": (
        "limits: {add: 0}",
        (
            "5:19: targets.orders.limits.add: 0 is not allowed; it must be a whole number, 1 or more, or a share such as 50%",
        ),
    ),
    "limits that would never let anything be added, or done, or removed": (
        "limits: {added_per_day: 0, actions_per_day: 0, remove: 0}",
        (
            "5:29: targets.orders.limits.added_per_day: 0 is not allowed; it must be a whole number, 1 or more",
            "5:49: targets.orders.limits.actions_per_day: 0 is not allowed; it must be a whole number, 1 or more",
            "5:60: targets.orders.limits.remove: 0 is not allowed; it must be a whole number, 1 or more, or a share such as 50%",
        ),
    ),
    "limits below nothing": (
        "limits: {remove: -1}",
        (
            "5:22: targets.orders.limits.remove: -1 is not allowed; it must be a whole number, 1 or more, or a share such as 50%",
        ),
    ),
    "limits as a fraction": (
        "limits: {added_per_day: 1.5}",
        ("5:29: targets.orders.limits.added_per_day: 1.5 is not allowed; it must be a whole number, 1 or more",),
    ),
    "limits of no percentage": (
        "limits: {add: 50 %}",
        ("5:19: targets.orders.limits.add: '50 %' is no percentage; write one as 10% or 12.5%",),
    ),
    "limits of zero per cent": (
        "limits: {add: 0%}",
        ("5:19: targets.orders.limits.add: 0% is nothing; write a share such as 50%, or a whole number of nodes",),
    ),
    "limits that remove more than all": (
        "limits: {remove: 120%}",
        ("5:22: targets.orders.limits.remove: 120% is more than there is; at most 100% can be removed",),
    ),
    "a daily limit as a percentage": (
        "limits: {added_per_day: 50%}",
        ("5:29: targets.orders.limits.added_per_day: '50%' is not allowed; it must be a whole number, 1 or more",),
    ),
    "a limit of a later kind": (
        "limits: {nodes: 200}",
        ("5:14: targets.orders.limits.nodes: is not a key here; allowed: add, remove, added_per_day, actions_per_day",),
    ),
    **{
        f"a limit of {value} of the data nodes' CPU": (
            f"guards: {{data_nodes: {{max_cpu: {value}}}}}",
            (
                f"5:36: targets.orders.guards.data_nodes.max_cpu: {shown} is not allowed; it must be a percentage above 0, 100 at most, as in 85",
            ),
        )
        for value, shown in {
            "0": "0",
            "-5": "-5",
            "100.1": "100.1",
            ".nan": "NaN",
            "true": "true",
            "hot": "'hot'",
            "0%": "'0%'",
        }.items()
    },
    "data_nodes.available as a number": (
        "guards: {data_nodes: {available: 1}}",
        ("5:38: targets.orders.guards.data_nodes.available: 1 is not allowed; it must be true or false",),
    ),
    "a fleet in a target": (
        "fleet: {}",
        ("5:5: targets.orders.fleet: holds for all targets together; write it at the top of one policy file",),
    ),
    "rules that are no list": (
        "rules: {cpu: 1}",
        ("5:12: targets.orders.rules: a mapping is not allowed; it must be a list",),
    ),
    "a rule that is no mapping": (
        "rules: [cpu]",
        ("5:13: targets.orders.rules[0]: 'cpu' is not allowed; it must be a mapping of keys",),
    ),
    "a rule without a type": (
        "rules: [{name: cpu, metric: ddm_cpu_util}]",
        ("5:13: targets.orders.rules[0]: has no type; give it one of threshold, target_tracking, schedule",),
    ),
    "no space after a colon in braces": (
        "limits: {add:1}",
        ("5:14: targets.orders.limits.add:1: needs a space after the colon; write add: 1",),
    ),
    "no space after a colon where a mapping is meant": (
        "limits: add:1",
        (
            "5:13: targets.orders.limits: 'add:1' is not allowed; it must be a mapping of keys, with a space after the colon: add: 1",
        ),
    ),
    "a rule of an unknown type": (
        "rules: [{name: cpu, type: thresold}]",
        (
            "5:31: targets.orders.rules[0].type: 'thresold' is not a type, did you mean threshold?; allowed: threshold, target_tracking, schedule",
        ),
    ),
    "forecast rules are refused by name": (
        "rules: [{name: day, type: forecast, metric: ddm_cpu_util}]",
        (
            "5:31: targets.orders.rules[0].type: forecast rules are not in this version of the autoscaler; take it out; allowed: threshold, target_tracking, schedule",
        ),
    ),
    "a rule without a name": (
        "rules: [{type: target_tracking, metric: ddm_cpu_util, target: 60}]",
        (
            "5:13: targets.orders.rules[0].name: is missing; it says: the rule's name in records, metrics and explanations; once per target",
        ),
    ),
    "a rule with an empty name": (
        "rules: [{name: '', type: target_tracking, metric: ddm_cpu_util, target: 60}]",
        ("5:20: targets.orders.rules[0].name: '' is no name; it is a text of 1 to 63 characters",),
    ),
    "a rule without a metric": (
        "rules: [{name: cpu, type: target_tracking, target: 60}]",
        (
            "5:13: targets.orders.rules[0].metric: is missing; it says: the metric: a Cloud Eye name such as ddm_cpu_util, or a mapping",
        ),
    ),
    "two rules of one name": (
        "rules:\n  - {name: a, type: target_tracking, metric: ddm_cpu_util, target: 60}\n  - {name: a, type: target_tracking, metric: ddm_mem_util, target: 60}",
        ("7:16: targets.orders.rules[1].name: a rule named 'a' stands at p.yaml:6:16; give each its own name",),
    ),
    "a rule mode that only targets have": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 60, mode: out_only}]",
        ("5:86: targets.orders.rules[0].mode: 'out_only' is not allowed; allowed: enforce, observe",),
    ),
    "an unknown metric names the nearest known one": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_utl, target: 60}]",
        (
            "5:54: targets.orders.rules[0].metric: 'ddm_cpu_utl' is not a metric of SYS.DDMS, did you mean ddm_cpu_util?",
        ),
    ),
    "a query without a source": (
        "rules: [{name: t, type: target_tracking, metric: {query: up}, target: 60}]",
        (
            "5:62: targets.orders.rules[0].metric.query: query belongs to a prometheus source; name that in source, or give the name of a Cloud Eye metric",
        ),
    ),
    "a label of a Cloud Eye metric": (
        "rules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, node_label: n}, target: 60}]",
        (
            "5:87: targets.orders.rules[0].metric.node_label: node_label belongs to a prometheus source; name that in source, or give the name of a Cloud Eye metric",
        ),
    ),
    "a name at another source": (
        "rules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, source: prom}, target: 60}]",
        (
            "5:46: targets.orders.rules[0].metric.query: is missing; it says: the query, in PromQL",
            "5:61: targets.orders.rules[0].metric.name: name belongs to cloud_eye; write the query in query",
        ),
    ),
    "a statistic of a query": (
        "rules: [{name: t, type: target_tracking, metric: {source: prom, query: up, statistic: max}, target: 60}]",
        (
            "5:91: targets.orders.rules[0].metric.statistic: statistic belongs to cloud_eye; take it out, a query folds its points itself",
        ),
    ),
    "an empty query": (
        "rules: [{name: t, type: target_tracking, metric: {source: prom, query: ' '}, target: 60}]",
        ("5:76: targets.orders.rules[0].metric.query: is empty; write a query in PromQL",),
    ),
    "a label that is none": (
        "rules: [{name: t, type: target_tracking, metric: {source: prom, query: up, node_label: node-id}, target: 60}]",
        (
            "5:92: targets.orders.rules[0].metric.node_label: 'node-id' is no name of a label; it begins with a letter or underscore and goes on with letters, digits and underscores, such as node_id",
        ),
    ),
    "a period longer than a day": (
        "interval: 24h\nrules: [{name: t, type: target_tracking, metric: {source: prom, query: up, period: 25h}, target: 60}]",
        ("6:88: targets.orders.rules[0].metric.period: 1d1h is not a period of a query; allowed: 1s to 1d",),
    ),
    "a period of a query longer than the interval": (
        "interval: 1m\nrules: [{name: t, type: target_tracking, metric: {source: prom, query: up, period: 2m}, target: 60}]",
        (
            "5:15: targets.orders.interval: the interval 1m is shorter than the period 2m of rule 't'; decide every 2m or less often",
        ),
    ),
    "a target of a query that cannot be kept": (
        "rules: [{name: t, type: target_tracking, metric: {source: prom, query: up}, target: 0}]",
        (
            "5:89: targets.orders.rules[0].target: 0 cannot be kept: nodes are wanted in proportion to the metric; write more than 0",
        ),
    ),
    "a metric without a name": (
        "rules: [{name: t, type: target_tracking, metric: {period: 1m}, target: 60}]",
        (
            "5:46: targets.orders.rules[0].metric.name: is missing; it says: name of the metric in namespace SYS.DDMS, such as ddm_cpu_util",
        ),
    ),
    "a metric that is a number": (
        "rules: [{name: t, type: target_tracking, metric: 12, target: 60}]",
        ("5:54: targets.orders.rules[0].metric: 12 is not allowed; it must be the name of a metric, or a mapping",),
    ),
    "a wrong statistic": (
        "rules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, statistic: mean}, target: 60}]",
        (
            "5:86: targets.orders.rules[0].metric.statistic: 'mean' is not allowed; allowed: average, max, min, sum, variance",
        ),
    ),
    "a wrong fold": (
        "rules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, across_nodes: p100}, target: 60}]",
        (
            "5:89: targets.orders.rules[0].metric.across_nodes: 'p100' is not allowed; allowed: mean, max, min, sum, p50 to p99",
        ),
    ),
    "a period that Cloud Eye does not have": (
        "rules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, period: 2m}, target: 60}]",
        (
            "5:83: targets.orders.rules[0].metric.period: 2m is not a period of Cloud Eye; allowed: 1m, 5m, 20m, 1h, 4h, 1d",
        ),
    ),
    "a written interval shorter than the period": (
        "interval: 1m\nrules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, period: 5m}, target: 60}]",
        (
            "5:15: targets.orders.interval: the interval 1m is shorter than the period 5m of rule 't'; decide every 5m or less often",
        ),
    ),
    "the built-in interval shorter than the period": (
        "rules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, period: 5m}, target: 60}]",
        (
            "5:83: targets.orders.rules[0].metric.period: the interval 1m is shorter than the period 5m of rule 't'; decide every 5m or less often",
        ),
    ),
    "an age under two periods": (
        "interval: 20m\nrules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, period: 20m}, target: 60}]",
        (
            "6:13: targets.orders.rules[0].max_metric_age: 15m is shorter than two periods of the metric of rule 't', which would often be stale; 40m or more",
        ),
    ),
    "a target's age under two periods": (
        "max_metric_age: 90s\nrules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 60}]",
        (
            "5:21: targets.orders.max_metric_age: 1m30s is shorter than two periods of the metric of rule 't', which would often be stale; 2m or more",
        ),
    ),
    "a target of nothing": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 0}]",
        (
            "5:76: targets.orders.rules[0].target: 0 cannot be kept: ddm_cpu_util is 0 to 100 %; write more than 0, 100 or less",
        ),
    ),
    "a target beyond the metric's range": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 120}]",
        (
            "5:76: targets.orders.rules[0].target: 120 cannot be kept: ddm_cpu_util is 0 to 100 %; write more than 0, 100 or less",
        ),
    ),
    "a target that is a text": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: high}]",
        ("5:76: targets.orders.rules[0].target: 'high' is not allowed; it must be a number such as 75 or 62.5",),
    ),
    "a target that is infinite": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: .inf}]",
        ("5:76: targets.orders.rules[0].target: Infinity is not allowed; it must be a number such as 75 or 62.5",),
    ),
    "a target that is no number": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: .nan}]",
        ("5:76: targets.orders.rules[0].target: NaN is not allowed; it must be a number such as 75 or 62.5",),
    ),
    "a negative tolerance": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 60, tolerance: -10%}]",
        ("5:91: targets.orders.rules[0].tolerance: '-10%' is no percentage; write one as 10% or 12.5%",),
    ),
    "a tolerance as a ratio": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 60, tolerance: 0.1}]",
        ("5:91: targets.orders.rules[0].tolerance: 0.1 is no percentage; write one as 10% or 12.5%",),
    ),
    "a tolerance of all": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 60, tolerance: 100%}]",
        ("5:91: targets.orders.rules[0].tolerance: 100% is not allowed; a tolerance is 0% or more and below 100%",),
    ),
    "an over shorter than the period": (
        "rules: [{name: t, type: target_tracking, metric: ddm_cpu_util, target: 60, over: 30s}]",
        (
            "5:86: targets.orders.rules[0].over: 30s is not allowed; at least the metric's period 1m and at most 24h, or no over: then the newest sample decides",
        ),
    ),
    "a threshold rule that tracks": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, target: 60, out: [{above: 75, add: 1}]}]",
        (
            "5:64: targets.orders.rules[0].target: is not a key here; allowed: name, metric, mode, on_missing_metric, max_metric_age, type, out, in",
        ),
    ),
    "a rule without steps": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: []}]",
        ("5:13: targets.orders.rules[0]: the rule has no steps, so it never acts; give it steps under out or in",),
    ),
    "a step without a threshold": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{add: 1}]}]",
        (
            "5:70: targets.orders.rules[0].out[0].above: is missing; it says: the step holds while the value is strictly above this number",
        ),
    ),
    "a step without a size": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75}]}]",
        (
            "5:70: targets.orders.rules[0].out[0].add: is missing; it says: how many nodes to add: a number, or a share of the ready ones such as 50%",
        ),
    ),
    "an out step with below": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{below: 75, add: 1, above: 80}]}]",
        ("5:71: targets.orders.rules[0].out[0].below: belongs to a step of `in`; a step of `out` has above",),
    ),
    "an in step with add": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, in: [{below: 30, remove: 1, add: 1}]}]",
        ("5:92: targets.orders.rules[0].in[0].add: belongs to a step of `out`; a step of `in` has remove",),
    ),
    "a step with for and datapoints": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1, for: 5m, datapoints: 3/5}]}]",
        (
            "5:111: targets.orders.rules[0].out[0].datapoints: a step has for or datapoints, not both; take one of them out",
        ),
    ),
    "a for shorter than the period": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1, for: 30s}]}]",
        (
            "5:95: targets.orders.rules[0].out[0].for: 30s is not allowed; at least the metric's period 1m and at most 24h, or no for: then the newest sample decides",
        ),
    ),
    "a for of more than a day": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1, for: 25h}]}]",
        (
            "5:95: targets.orders.rules[0].out[0].for: 1d1h is not allowed; at least the metric's period 1m and at most 24h, or no for: then the newest sample decides",
        ),
    ),
    "datapoints the wrong way round": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1, datapoints: 5/3}]}]",
        (
            "5:102: targets.orders.rules[0].out[0].datapoints: 5/3 can never be; of N datapoints at least 1 and at most N must be beyond, as in 3/5",
        ),
    ),
    "datapoints of nothing": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1, datapoints: 0/3}]}]",
        (
            "5:102: targets.orders.rules[0].out[0].datapoints: 0/3 can never be; of N datapoints at least 1 and at most N must be beyond, as in 3/5",
        ),
    ),
    "datapoints as a number": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1, datapoints: 3}]}]",
        (
            "5:102: targets.orders.rules[0].out[0].datapoints: 3 is not allowed; write M/N, such as 3/5 for three of the last five",
        ),
    ),
    "datapoints over more than a day": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1, datapoints: 3/1500}]}]",
        ("5:102: targets.orders.rules[0].out[0].datapoints: 1500 samples of 1m are more than 24h; look at fewer",),
    ),
    "an above that nothing reaches": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 100, add: 1}]}]",
        (
            "5:78: targets.orders.rules[0].out[0].above: nothing is ever above 100: ddm_cpu_util is 0 to 100 %; write less than 100",
        ),
    ),
    "an above under the range": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: -1, add: 1}]}]",
        (
            "5:78: targets.orders.rules[0].out[0].above: -1 is always exceeded: ddm_cpu_util is 0 to 100 %; write 0 or more",
        ),
    ),
    "a below that nothing reaches": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, in: [{below: 0, remove: 1}]}]",
        (
            "5:77: targets.orders.rules[0].in[0].below: nothing is ever below 0: ddm_cpu_util is 0 to 100 %; write more than 0",
        ),
    ),
    "a below that all reach": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, in: [{below: 101, remove: 1}]}]",
        (
            "5:77: targets.orders.rules[0].in[0].below: everything is below 101: ddm_cpu_util is 0 to 100 %; write 100 or less",
        ),
    ),
    "an in-threshold at the out-threshold": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 1}, {above: 60, add: 1}], in: [{below: 60, remove: 1}]}]",
        (
            "5:126: targets.orders.rules[0].in[0].below: the in-threshold 60 is not below the out-threshold 60, so the group would swing; write less than 60",
        ),
    ),
    "a removal of more than all": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, in: [{below: 30, remove: 101%}]}]",
        ("5:89: targets.orders.rules[0].in[0].remove: 101% is more than there is; at most 100% can be removed",),
    ),
    "an addition of half a node": (
        "rules: [{name: cpu, type: threshold, metric: ddm_cpu_util, out: [{above: 75, add: 0.5}]}]",
        (
            "5:87: targets.orders.rules[0].out[0].add: 0.5 is not allowed; it must be a whole number, 1 or more, or a share such as 50%",
        ),
    ),
}

SCHEDULE = "rules: [{name: s, type: schedule, %s}]"

IN_A_SCHEDULE = {
    "a cron expression of four fields": (
        "cron: '0 8 * *', duration: 1h, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: '0 8 * *' has 4 fields; a cron expression has five: minute, hour, day of the month, month and weekday, such as '0 8 * * mon-fri'",
        ),
    ),
    "a cron expression with seconds": (
        "cron: '0 0 8 * * *', duration: 1h, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: '0 0 8 * * *' has 6 fields; a cron expression has five: minute, hour, day of the month, month and weekday, such as '0 8 * * mon-fri'",
        ),
    ),
    "a nickname of cron": (
        "cron: '@daily', duration: 1h, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: '@daily' has 1 field; a cron expression has five: minute, hour, day of the month, month and weekday, such as '0 8 * * mon-fri'",
        ),
    ),
    "a cron expression that is a number, and a duration that is one": (
        "cron: 5, duration: 5, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: 5 is no cron expression; write a text of five fields such as '0 8 * * mon-fri'",
            "5:58: targets.orders.rules[0].duration: 5 is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",
        ),
    ),
    "every wrong field of a cron expression": (
        "cron: '60 a ? 13 8', duration: 1h, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: '60' cannot be the minute; it is 0 to 59; and 'a' cannot be the hour; it is 0 to 23; and '?' cannot be the day of the month; it is 1 to 31, or L for the last; and '13' cannot be the month; it is 1 to 12, or jan to dec; and '8' cannot be the weekday; it is 0 to 7 (0 and 7 are Sunday), or sun to sat",
        ),
    ),
    "a cron step of nothing": (
        "cron: '*/0 8 * * *', duration: 1h, nodes: {min: 4}",
        ("5:45: targets.orders.rules[0].cron: '*/0' cannot be the minute; it is 0 to 59",),
    ),
    "a cron number of more digits than anybody reads": (
        f"cron: '0 {'9' * 5000} * * *', duration: 1h, nodes: {{min: 4}}",
        (
            f"5:45: targets.orders.rules[0].cron: '0 {'9' * 37}… is no cron expression; write a text of five fields such as '0 8 * * mon-fri'",
        ),
    ),
    "a cron range of hours that goes down": (
        "cron: '0 22-6 * * *', duration: 1h, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: '22-6' cannot be the hour; it is 0 to 23, and a range goes upwards: in place of 22-6 write 22-23,0-6, of fri-mon write fri-sat,sun-mon",
        ),
    ),
    "a cron range of weekdays that goes down": (
        "cron: '0 8 * * mon-sun', duration: 1h, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: 'mon-sun' cannot be the weekday; it is 0 to 7 (0 and 7 are Sunday), or sun to sat, and a range goes upwards: in place of 22-6 write 22-23,0-6, of fri-mon write fri-sat,sun-mon",
        ),
    ),
    "a day that no month has": (
        "cron: '0 8 30 2 *', duration: 1h, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].cron: '0 8 30 2 *' never comes: none of its months has such a day; write another day",
        ),
    ),
    "a time zone that is misspelt": (
        "cron: '0 8 * * *', duration: 1h, timezone: Europe/Berln, nodes: {min: 4}",
        ("5:82: targets.orders.rules[0].timezone: 'Europe/Berln' is not a time zone, did you mean Europe/Berlin?",),
    ),
    "an offset is no time zone": (
        "cron: '0 8 * * *', duration: 1h, timezone: '+01:00', nodes: {min: 4}",
        (
            "5:82: targets.orders.rules[0].timezone: '+01:00' is not a time zone; write a name such as UTC or Europe/Berlin",
        ),
    ),
    "what the machine is set to is no time zone": (
        "cron: '0 8 * * *', duration: 1h, timezone: localtime, nodes: {min: 4}",
        (
            "5:82: targets.orders.rules[0].timezone: 'localtime' is not a time zone; write a name such as UTC or Europe/Berlin",
        ),
    ),
    "a duration of nothing": (
        "cron: '0 8 * * *', duration: 0s, nodes: {min: 4}",
        ("5:68: targets.orders.rules[0].duration: 0s is not allowed; a window stays open for 1s to 366d",),
    ),
    "a duration of more than a year": (
        "cron: '0 8 * * *', duration: 367d, nodes: {min: 4}",
        ("5:68: targets.orders.rules[0].duration: 367d is not allowed; a window stays open for 1s to 366d",),
    ),
    "cron without a duration": (
        "cron: '0 8 * * *', nodes: {min: 4}",
        ("5:13: targets.orders.rules[0].duration: is missing; say how long the window stays open, such as 10h",),
    ),
    "a duration without cron": (
        "duration: 1h, nodes: {min: 4}",
        ("5:13: targets.orders.rules[0].cron: is missing; say when the window opens, such as '0 8 * * mon-fri'",),
    ),
    "null is as good as left out": (
        "cron: null, duration: 1h, nodes: {min: 4}",
        ("5:45: targets.orders.rules[0].cron: is missing; say when the window opens, such as '0 8 * * mon-fri'",),
    ),
    "a schedule without a time": (
        "nodes: {min: 4}",
        (
            "5:13: targets.orders.rules[0]: has no time; give it cron and duration, such as '0 8 * * mon-fri' and 10h, or from and to",
        ),
    ),
    "both kinds of time": (
        "cron: '0 8 * * *', duration: 1h, from: 2026-12-24T08:00:00Z, to: 2026-12-24T18:00:00Z, nodes: {min: 4}",
        (
            "5:78: targets.orders.rules[0].from: a window has cron and duration, or from and to, not both; take one pair out",
        ),
    ),
    "an end of nothing": (
        "from: 2026-12-24T08:00:00Z, nodes: {min: 4}",
        ("5:13: targets.orders.rules[0].to: is missing; say when the window closes, such as 2026-12-24T18:00:00Z",),
    ),
    "a beginning of nothing": (
        "to: 2026-12-24T08:00:00Z, nodes: {min: 4}",
        ("5:13: targets.orders.rules[0].from: is missing; say when the window opens, such as 2026-12-24T08:00:00Z",),
    ),
    "instants without an offset": (
        "from: 2026-12-24T08:00, to: 2026-12-25, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].from: '2026-12-24T08:00' has no offset from UTC; write it as 2026-12-24T08:00:00Z or 2026-12-24T08:00:00+01:00",
            "5:67: targets.orders.rules[0].to: '2026-12-25' has no offset from UTC; write it as 2026-12-24T08:00:00Z or 2026-12-24T08:00:00+01:00",
        ),
    ),
    "an instant of another form, and one that no calendar has": (
        "from: 2026-12-24 08:00:00Z, to: 2026-02-30T08:00:00Z, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].from: '2026-12-24 08:00:00Z' is no instant; write one as 2026-12-24T08:00:00Z or 2026-12-24T08:00:00+01:00",
            "5:71: targets.orders.rules[0].to: '2026-02-30T08:00:00Z' is no instant; write one as 2026-12-24T08:00:00Z or 2026-12-24T08:00:00+01:00",
        ),
    ),
    "an instant before all time": (
        "from: 0001-01-01T00:00:00+01:00, to: 2026-12-24T08:00:00Z, nodes: {min: 4}",
        (
            "5:45: targets.orders.rules[0].from: '0001-01-01T00:00:00+01:00' is no instant; write one as 2026-12-24T08:00:00Z or 2026-12-24T08:00:00+01:00",
        ),
    ),
    "an end at the beginning, whatever the offsets": (
        "from: 2026-12-24T08:00:00Z, to: 2026-12-24T09:00:00+01:00, nodes: {min: 4}",
        ("5:71: targets.orders.rules[0].to: is not after from, so the window never opens; write a later instant",),
    ),
    "a time zone beside instants": (
        "from: 2026-12-24T08:00:00Z, to: 2026-12-25T08:00:00Z, timezone: Europe/Berlin, nodes: {min: 4}",
        (
            "5:103: targets.orders.rules[0].timezone: belongs to cron; from and to have their own offset, so take it out",
        ),
    ),
    "a schedule without nodes": (
        "cron: '0 8 * * *', duration: 1h",
        (
            "5:13: targets.orders.rules[0].nodes: is missing; it says: how few nodes (min), or how many (max), while it is open",
        ),
    ),
    "a schedule with neither min nor max": (
        "cron: '0 8 * * *', duration: 1h, nodes: {}",
        (
            "5:79: targets.orders.rules[0].nodes: has neither min nor max; say how few nodes while it is open, how many, or both",
        ),
    ),
    "a floor of nothing": (
        "cron: '0 8 * * *', duration: 1h, nodes: {min: 0}",
        ("5:85: targets.orders.rules[0].nodes.min: 0 is not allowed; it must be a whole number, 1 or more",),
    ),
    "a floor above its own cap": (
        "cron: '0 8 * * *', duration: 1h, nodes: {min: 5, max: 4}",
        ("5:85: targets.orders.rules[0].nodes.min: the floor 5 is above the cap 4; lower min or raise max",),
    ),
    "a floor beyond what an instance can have": (
        "cron: '0 8 * * *', duration: 1h, nodes: {min: 33}",
        ("5:85: targets.orders.rules[0].nodes.min: min 33 can never be; an instance has at most 32 nodes",),
    ),
    "what a metric rule has, and a floor out of place": (
        "cron: '0 8 * * *', duration: 1h, metric: ddm_cpu_util, min: 4, on_missing_metric: hold",
        (
            "5:13: targets.orders.rules[0].nodes: is missing; it says: how few nodes (min), or how many (max), while it is open",
            "5:72: targets.orders.rules[0].metric: a schedule looks at the time, not at a metric; take it out",
            "5:94: targets.orders.rules[0].min: belongs under nodes, as in nodes: {min: 4}",
            "5:102: targets.orders.rules[0].on_missing_metric: a schedule looks at the time, not at a metric; take it out",
        ),
    ),
}

IN_GUARDS = {
    "a blackout that is no list": (
        "blackout: {cron: '0 2 * * sun', duration: 3h}",
        ("5:24: targets.orders.guards.blackout: a mapping is not allowed; it must be a list",),
    ),
    "a blackout in no time, and one in no direction": (
        "blackout: [{}, {cron: '0 2 * * sun', duration: 3h, directions: []}]",
        (
            "5:25: targets.orders.guards.blackout[0]: has no time; give it cron and duration, such as '0 8 * * mon-fri' and 10h, or from and to",
            "5:77: targets.orders.guards.blackout[1].directions: is empty, so it stops nothing; write out, in, or both",
        ),
    ),
    "a direction that there is not": (
        "blackout: [{cron: '0 2 * * sun', duration: 3h, directions: [up, in]}]",
        ("5:74: targets.orders.guards.blackout[0].directions[0]: 'up' is not allowed; allowed: out, in",),
    ),
    "directions as one word": (
        "blackout: [{cron: '0 2 * * sun', duration: 3h, directions: in}]",
        ("5:73: targets.orders.guards.blackout[0].directions: 'in' is not allowed; it must be a list",),
    ),
    "a blackout that never opens": (
        "blackout: [{from: 2026-12-24T08:00:00Z, to: 2026-12-24T08:00:00Z}]",
        (
            "5:58: targets.orders.guards.blackout[0].to: is not after from, so the window never opens; write a later instant",
        ),
    ),
    "a breaker that opens at once": (
        "breaker: {failures: 0}",
        ("5:34: targets.orders.guards.breaker.failures: 0 is not allowed; it must be a whole number, 1 or more",),
    ),
    "a breaker as a number": (
        "breaker: 3",
        ("5:23: targets.orders.guards.breaker: 3 is not allowed; it must be a mapping of keys",),
    ),
}

IN_A_FILE = {
    "no targets": (
        "defaults: {}\n",
        ("1:1: targets: is missing; it says: the node groups to keep the right size, by name",),
    ),
    "a list": (
        "- orders\n",
        ("1:1: a list is not allowed; it must be a mapping of keys",),
    ),
    "an unknown key": (
        "target: {}\ntargets: {}\n",
        ("1:1: target: is not a key here, did you mean targets?; allowed: defaults, targets, fleet",),
    ),
    "a fleet of nothing": (
        "fleet:\ntargets: {}\n",
        ("1:7: fleet: null is not allowed; it must be a mapping of keys",),
    ),
    "a fleet of none, with half a budget": (
        "fleet: {limits: {nodes: 0, added_per_day: 3}, budget: {warn_at: 80}}\ntargets: {}\n",
        (
            "1:25: fleet.limits.nodes: 0 is not allowed; it must be a whole number, 1 or more",
            "1:28: fleet.limits.added_per_day: is not a key here, did you mean added_per_hour?; allowed: nodes, added_per_hour",
            "1:47: fleet.budget.node_hours_per_day: is missing; it says: most node-hours that all targets together may use within 24 hours before nothing more is added",
            "1:65: fleet.budget.warn_at: 80 is no percentage; write one as 10% or 12.5%",
        ),
    ),
    "a budget of half hours, and a warning that is always or never given": (
        "fleet: {budget: {node_hours_per_day: 1.5, warn_at: 101%}}\ntargets: {}\n",
        (
            "1:38: fleet.budget.node_hours_per_day: 1.5 is not allowed; it must be a whole number, 1 or more",
            "1:52: fleet.budget.warn_at: 101% is not allowed; it must be above 0% and at most 100%",
        ),
    ),
    "a fleet in the defaults": (
        "defaults: {fleet: {}}\ntargets: {}\n",
        ("1:12: defaults.fleet: holds for all targets together; write it at the top of one policy file",),
    ),
    "targets as a list": (
        "targets: [orders]\n",
        ("1:10: targets: a list is not allowed; it must be a mapping of keys",),
    ),
    "defaults of nothing": (
        "defaults:\ntargets: {}\n",
        ("1:10: defaults: null is not allowed; it must be a mapping of keys",),
    ),
    "an instance in defaults": (
        "defaults: {instance_id: a}\ntargets: {}\n",
        ("1:12: defaults.instance_id: belongs to one target; write it there",),
    ),
    "a target of nothing": (
        "targets:\n  orders:\n",
        ("2:10: targets.orders: null is not allowed; it must be a mapping of keys",),
    ),
    "a target without an instance": (
        "targets:\n  orders: {nodes: {min: 1, max: 2}}\n",
        ("2:3: targets.orders.instance_id: is missing; it says: id of the DDM instance (ends in in09)",),
    ),
    "a target without nodes": (
        "targets:\n  orders: {instance_id: a}\n",
        ("2:3: targets.orders.nodes: is missing; say how few and how many nodes, such as {min: 2, max: 8}",),
    ),
    "a target without a max": (
        "targets:\n  orders: {instance_id: a, nodes: {min: 2}}\n",
        ("2:28: targets.orders.nodes.max: is missing; say the most nodes, min or more",),
    ),
    "a min above the max": (
        "targets:\n  orders: {instance_id: a, nodes: {min: 5, max: 2}}\n",
        ("2:41: targets.orders.nodes.min: min 5 is above max 2; lower min or raise max",),
    ),
    "a min above a max from defaults": (
        "defaults: {nodes: {max: 2}}\ntargets:\n  orders: {instance_id: a, nodes: {min: 5}}\n",
        ("3:41: targets.orders.nodes.min: min 5 is above max 2; lower min or raise max",),
    ),
    "a min of nothing": (
        "targets:\n  orders: {instance_id: a, nodes: {min: 0, max: 2}}\n",
        ("2:41: targets.orders.nodes.min: 0 is not allowed; it must be a whole number, 1 or more",),
    ),
    "a min beyond what an instance can have": (
        "targets:\n  orders: {instance_id: a, nodes: {min: 33, max: 64}}\n",
        ("2:41: targets.orders.nodes.min: min 33 can never be; an instance has at most 32 nodes",),
    ),
    "a name with a space": (
        "targets:\n  office hours: {instance_id: a, nodes: {min: 1, max: 2}}\n",
        (
            "2:3: targets.office hours: 'office hours' is no name for a target; it begins with a letter or digit and goes on with letters, digits, dots, dashes and underscores, 63 at most",
        ),
    ),
    "an error in defaults is told once, where it stands": (
        "defaults: {cooldown: {out: 10}}\ntargets:\n  a: {instance_id: a, nodes: {min: 1, max: 2}}\n  b: {instance_id: b, nodes: {min: 1, max: 2}}\n",
        ("1:28: defaults.cooldown.out: 10 is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",),
    ),
    "a group twice names both places": (
        "targets:\n  a: {instance_id: i, group_id: g, nodes: {min: 1, max: 2}}\n  b: {instance_id: i, group_id: g, nodes: {min: 1, max: 2}}\n",
        ("3:3: targets.b: the same instance and group as the target at p.yaml:2:3; keep one of them",),
    ),
    "an instance twice without a group": (
        "targets:\n  a: {instance_id: i, nodes: {min: 1, max: 2}}\n  b: {instance_id: i, group_id: g, nodes: {min: 1, max: 2}}\n",
        (
            "2:3: targets.a.group_id: is missing; two targets of one instance each need it (the other stands at p.yaml:3:3)",
        ),
    ),
    "a target twice is a key twice": (
        "targets:\n  a: {instance_id: i, nodes: {min: 1, max: 2}}\n  a: {instance_id: j, nodes: {min: 1, max: 2}}\n",
        ("3:3: targets.a: is here twice, first at p.yaml:2:3; keep one of them",),
    ),
    "all errors at once": (
        "targets:\n  a: {instance_id: i, nodes: {min: 3, max: 2}, mode: on, rules: [{name: x, type: threshold, metric: ddm_cpu, out: [{above: 75, add: 0}, {above: 80, add: 1, for: 10s}]}]}\n  b: {instance_id: j, interval: 5}\n",
        (
            "2:36: targets.a.nodes.min: min 3 is above max 2; lower min or raise max",
            "2:54: targets.a.mode: 'on' is not allowed; allowed: observe, enforce, out_only, off",
            "2:101: targets.a.rules[0].metric: 'ddm_cpu' is not a metric of SYS.DDMS, did you mean ddm_cpu_util?",
            "2:133: targets.a.rules[0].out[0].add: 0 is not allowed; it must be a whole number, 1 or more, or a share such as 50%",
            "2:162: targets.a.rules[0].out[1].for: 10s is not allowed; at least the metric's period 1m and at most 24h, or no for: then the newest sample decides",
            "3:3: targets.b.nodes: is missing; say how few and how many nodes, such as {min: 2, max: 8}",
            "3:33: targets.b.interval: 5 is no duration; write one as 90s, 5m, 2h, 21d or 1h30m",
        ),
    ),
}

FOR_A_CLOUD = {
    "v2 without a flavor": (
        policyfile.CloudKind(dialect="huawei", ddm_api="v2"),
        "",
        (
            "2:3: targets.orders.flavor_id: is missing; the v2 API needs the id of the group's node flavor (or set cloud.ddm_api: v3)",
        ),
    ),
    "v2 with zones": (
        policyfile.CloudKind(dialect="huawei", ddm_api="v2"),
        "flavor_id: f\nzones: [a]",
        ("6:12: targets.orders.zones: the v2 API cannot choose zones; take it out, or set cloud.ddm_api: v3",),
    ),
    "v2 with a subnet": (
        policyfile.CloudKind(dialect="huawei", ddm_api="v2"),
        "flavor_id: f\nsubnet_id: s",
        ("6:16: targets.orders.subnet_id: the v2 API cannot choose subnet_id; take it out, or set cloud.ddm_api: v3",),
    ),
    "otc with auto_pay": (
        policyfile.CloudKind(dialect="otc", ddm_api="v3"),
        "auto_pay: true",
        ("5:15: targets.orders.auto_pay: otc has no prepaid instances to pay for; take it out",),
    ),
    "otc has raw points only at one minute": (
        policyfile.CloudKind(dialect="otc", ddm_api="v3"),
        "rules: [{name: t, type: target_tracking, metric: {name: ddm_cpu_util, statistic: max}, target: 60}]",
        (
            "5:86: targets.orders.rules[0].metric.statistic: at otc Cloud Eye has only raw points at a period of 1m, so max needs a period of 5m or longer",
        ),
    ),
}


def told(text: str, cloud: policyfile.CloudKind | None = None) -> list[str]:
    with pytest.raises(errors.BadConfig) as refused:
        policyfile.parse(text, "p.yaml", cloud=cloud)
    return [line.removeprefix("p.yaml:") for line in str(refused.value).splitlines()]


def under_target(text: str) -> str:
    return HEAD + textwrap.indent(text, "    ") + "\n"


@pytest.mark.parametrize(("text", "expected"), IN_A_TARGET.values(), ids=IN_A_TARGET)
def test_a_mistake_in_a_target_is_told_with_its_place_and_what_is_allowed(text, expected):
    assert told(under_target(text)) == list(expected)


@pytest.mark.parametrize(("text", "expected"), IN_A_SCHEDULE.values(), ids=IN_A_SCHEDULE)
def test_a_mistake_in_a_schedule_is_told_with_its_place_and_what_is_allowed(text, expected):
    assert told(under_target(SCHEDULE % text)) == list(expected)


@pytest.mark.parametrize(
    "zone", ["America", "America/", "../etc/passwd", "/etc/localtime", "right/UTC", "posix/UTC", ""]
)
def test_what_the_host_s_database_has_besides_zones_is_no_time_zone(zone):
    (line,) = told(under_target(SCHEDULE % f"cron: '0 8 * * *', duration: 1h, timezone: '{zone}', nodes: {{min: 4}}"))
    assert f"'{zone}' is not a time zone" in line


@pytest.mark.parametrize(("text", "expected"), IN_GUARDS.values(), ids=IN_GUARDS)
def test_a_mistake_in_the_guards_is_told_with_its_place_and_what_is_allowed(text, expected):
    assert told(under_target(f"guards: {{{text}}}")) == list(expected)


@pytest.mark.parametrize(("text", "expected"), IN_A_FILE.values(), ids=IN_A_FILE)
def test_a_mistake_in_a_file_is_told_with_its_place_and_what_is_allowed(text, expected):
    assert told(text) == list(expected)


@pytest.mark.parametrize(("cloud", "text", "expected"), FOR_A_CLOUD.values(), ids=FOR_A_CLOUD)
def test_what_the_cloud_cannot_do_is_told_where_the_cloud_is_known(cloud, text, expected):
    assert told(under_target(text), cloud) == list(expected)


@pytest.mark.parametrize(("cloud", "text", "expected"), FOR_A_CLOUD.values(), ids=FOR_A_CLOUD)
def test_what_the_cloud_cannot_do_is_not_told_where_the_cloud_is_not_known(cloud, text, expected):
    assert policyfile.parse(under_target(text), "p.yaml")


def test_a_mistake_in_defaults_is_told_once_and_as_one_of_defaults():
    text = "defaults: {intervall: 1m}\ntargets:\n" + "".join(
        f"  {name}: {{instance_id: {name}, nodes: {{min: 1, max: 2}}}}\n" for name in "abc"
    )
    with pytest.raises(errors.BadConfig) as bad:
        policyfile.parse(text, "p.yaml")
    (line,) = str(bad.value).splitlines()
    assert line.startswith("p.yaml:1:12: defaults.intervall: is not a key here, did you mean interval?; allowed: ")
    assert "instance_id" not in line

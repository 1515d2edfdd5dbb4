"""What the demo plays: a day of a recorded trace, scaled so that two nodes carry its quiet part and eight its peak."""

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autoscaler import policyfile
from autoscaler.core.policy import Policy
from autoscaler.emulator import load, scenario

TARGET = "orders"
DEFAULT_TRACE = "nasa_http_5min"
WORKING_DAY = datetime(1995, 7, 11, 5, 30, tzinfo=UTC)
"""Of the default trace: a Tuesday whose load rises from 06:00, stays until 17:00, and falls."""

DAY = timedelta(days=1)
PEAK_NODES = 8
BUSY_PERCENT = 72
"""How busy the eight nodes are at the day's peak: a little more than the policy's out threshold."""

Rows = Sequence[tuple[datetime, float]]


def day_of(trace: str) -> scenario.Load:
    """The load of the demo: a shipped trace by its name, or a file of `timestamp,value`.

    Raises:
        BadConfig: there is no such trace, or the file is none.
    """
    named = trace in load.trace_names() or not trace.endswith(".csv")
    whole = scenario.Load(trace=trace) if named else scenario.Load(file=Path(trace))
    rows = load.rows(whole)
    begin = WORKING_DAY if trace == DEFAULT_TRACE else before_the_rise(rows)
    peak = load.nearest_rank([value for time, value in rows if begin <= time < begin + DAY], 95)
    capacity = max(peak, 1e-9) * 100 / (PEAK_NODES * BUSY_PERCENT)
    return whole.model_copy(update={"begin": begin, "capacity_per_node": capacity})


def before_the_rise(rows: Rows) -> datetime:
    """The quietest hour's start within the day before the busiest hour; the first row where there is none before it."""
    hours = _hourly(rows)
    busiest = max(hours, key=lambda hour: hours[hour])
    before = [hour for hour in hours if busiest - DAY <= hour <= busiest]
    return max(min(before, key=lambda hour: hours[hour]), rows[0][0])


def _hourly(rows: Rows) -> dict[datetime, float]:
    grouped = itertools.groupby(rows, key=lambda row: row[0].replace(minute=0, second=0, microsecond=0))
    return {hour: math.fsum(value for _, value in group) for hour, group in grouped}


POLICY = """
defaults:
  mode: enforce
  interval: 5m
  max_metric_age: 30m
targets:
  {target}:
    instance_id: {instance}
    group_id: {group}
    flavor_id: {flavor}
    nodes: {{min: 2, max: 12}}
    rules:
      - name: cpu
        type: threshold
        metric: ddm_cpu_util
        out:
          - {{above: 70, for: 10m, add: 1}}
          - {{above: 90, for: 5m, add: 50%}}
        in:
          - {{below: 45, for: 30m, remove: 1}}
"""


def policy_of(wanted: scenario.Scenario) -> Policy:
    """The policy that the demo runs: what config/policies/orders.yaml shows, on a day in fifty seconds."""
    instance = wanted.instances[0]
    group = instance.groups[0]
    text = POLICY.format(target=TARGET, instance=instance.id, group=group.id, flavor=group.flavor)
    (policy,) = policyfile.parse(text, "the demo's policy")
    return policy

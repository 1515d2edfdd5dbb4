"""What a fault of docs/failures.md shows in Prometheus: series that its words and metrics stand for, for promtool.

A daemon that is sound shows `SOUND`; a fault replaces some of that. All last two hours and more.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

LASTING = 130
"""Minutes."""

Series = Mapping[str, str]
"""A series' labels, after those of every series, and its values; by both its name and its labels."""


def series(name: str, values: str, instance: str = "a", **labels: str) -> dict[str, str]:
    """One of them; of the target orders unless it is the process's."""
    written = {"job": "ddm-autoscaler", "instance": instance, **labels}
    inside = ", ".join(f'{key}="{value}"' for key, value in written.items())
    return {f"{name}{{{inside}}}": values}


def of_target(name: str, values: str, **labels: str) -> dict[str, str]:
    return series(f"autoscaler_{name}", values, target="orders", **labels)


STANDS, RISES, ON, OFF = f"0x{LASTING}", f"0+60x{LASTING}", f"1x{LASTING}", f"0x{LASTING}"
BY_TURNS = "0x9 1x9 2x9 3x99"
DECISION = "autoscaler_target_last_decision_timestamp_seconds"

SOUND: Series = {
    **series("up", ON),
    **series("autoscaler_leader", ON),
    **series("autoscaler_last_cycle_timestamp_seconds", RISES),
    **series("autoscaler_cloud_requests_total", RISES, service="ddm", operation="list", code="200"),
    **of_target("target_interval_seconds", f"60x{LASTING}"),
    **of_target("target_last_decision_timestamp_seconds", RISES, decision="hold", reason="within_bounds"),
    **{
        key: value
        for kind, nodes in {"current": 3, "ready": 3, "desired": 3, "wanted": 3, "min": 2, "max": 16}.items()
        for key, value in of_target("target_nodes", f"{nodes}x{LASTING}", kind=kind).items()
    },
}

WANTED = of_target("target_nodes", f"5x{LASTING}", kind="wanted")
BOUNDED = {"at_max", "daily_limit"}
"""Reasons that leave the desired number where it is."""

METRICS: dict[str, Series] = {
    "up": series("up", OFF),
    "autoscaler_leader": series("autoscaler_leader", OFF),
    "autoscaler_operation_unknown": of_target("operation_unknown", ON),
    "autoscaler_operation_in_progress": of_target("operation_in_progress", ON),
    "autoscaler_operation_overdue": of_target("operation_overdue", ON) | of_target("operation_in_progress", ON),
    "autoscaler_operation_failures_in_a_row": of_target("operation_failures_in_a_row", ON, direction="out"),
    "autoscaler_operation_refusals_in_a_row": of_target("operation_refusals_in_a_row", "0+1x130", direction="out"),
    "autoscaler_operations_submitted_total": of_target("operations_submitted_total", BY_TURNS, direction="out")
    | of_target("operations_submitted_total", BY_TURNS, direction="in"),
    "autoscaler_breaker_open": of_target("breaker_open", ON, direction="out"),
    "autoscaler_foreign_changes_total": of_target("foreign_changes_total", "0x99 1x31", direction="out"),
    "autoscaler_metric_missing": of_target("metric_missing", ON, rule="cpu"),
    "autoscaler_metric_stale": of_target("metric_stale", ON, rule="cpu"),
    "autoscaler_target_nodes": {},  # the reason tells whether more is wanted
    "autoscaler_target_last_decision_timestamp_seconds": {},  # the reason
    "autoscaler_evaluation_errors_total": {},  # the error
    "autoscaler_target_paused": of_target("target_paused", OFF),
    "autoscaler_cycle_lateness_seconds": series("autoscaler_cycle_lateness_seconds", f"400x{LASTING}"),
    "autoscaler_last_cycle_timestamp_seconds": series("autoscaler_last_cycle_timestamp_seconds", STANDS),
    "autoscaler_cloud_requests_total": series(
        "autoscaler_cloud_requests_total", RISES, service="ddm", operation="list", code="503"
    ),
    "autoscaler_cloud_clock_skew_seconds": series("autoscaler_cloud_clock_skew_seconds", f"-400x{LASTING}"),
    "autoscaler_config_last_reload_successful": series("autoscaler_config_last_reload_successful", OFF),
    "autoscaler_fleet_node_seconds": series("autoscaler_fleet_node_seconds", f"100x{LASTING}")
    | series("autoscaler_fleet_node_seconds_budget", f"100x{LASTING}"),
    "autoscaler_webhook_oldest_letter_age_seconds": series(
        "autoscaler_webhook_oldest_letter_age_seconds", RISES, webhook="pager"
    ),
}
"""What a metric shows while the fault lasts."""


def of_reason(reason: str) -> dict[str, str]:
    """The last decision is a hold for that reason while more is wanted, or one that moves."""
    if reason in ("within_bounds", "no_data", "stale_data"):
        return of_target("target_last_decision_timestamp_seconds", RISES, decision="hold", reason=reason)
    decision = "out" if reason in ("above_threshold", "below_min") else "hold"
    desired = {} if reason in BOUNDED else of_target("target_nodes", f"5x{LASTING}", kind="desired")
    last = of_target("target_last_decision_timestamp_seconds", RISES, decision=decision, reason=reason)
    return {**WANTED, **desired, **last}


def of_error(error: str) -> dict[str, str]:
    """Evaluations end in it, so that there is no last decision."""
    return of_target("evaluation_errors_total", RISES, error=error)


def phases(words: str, metrics: str) -> list[Series]:
    """What a row's third and fourth cells stand for: one set of series for each phase, which a semicolon parts."""
    named = re.findall(r"`(\w+)`", metrics)
    shown = {key: value for metric in named for key, value in METRICS[metric].items()}
    if {"up", "autoscaler_leader"} <= set(named):  # one is gone, and another leads
        shown = {**series("up", OFF), **series("up", ON, "b"), **series("autoscaler_leader", ON, "b")}
    without = {key: value for key, value in SOUND.items() if not key.startswith(DECISION)}
    if "up" in named:
        without = {key: value for key, value in without.items() if key.startswith("up{")}
    return [{**without, **_told(phase), **shown} for phase in words.split(";")]


def _told(phase: str) -> dict[str, str]:
    of = of_error if "error" in phase else of_reason
    return {key: value for word in re.findall(r"`(\w+)`", phase) for key, value in of(word).items()}


def fired(promtool: str, rules: Sequence[Path], shown: Series, folder: Path) -> set[str]:
    """The alerts that fire at the end.

    Debian's promtool has no other way to be asked than a test that fails: it then prints what it found.
    """
    asked = {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{LASTING - 10}m", "exp_samples": []}
    inputs = [{"series": name, "values": values} for name, values in shown.items()]
    case = {"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]}
    written = {"rule_files": [str(path) for path in rules], "evaluation_interval": "1m", "tests": [case]}
    (folder / "case.yaml").write_text(yaml.safe_dump(written))
    done = subprocess.run(
        [promtool, "test", "rules", folder / "case.yaml"], capture_output=True, text=True, timeout=60, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 or "got:" in said, said
    return set(re.findall(r'alertname="(\w+)"', said))

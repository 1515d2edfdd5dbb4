"""`autoscaler check`: everything that can be known about a configuration without asking the cloud."""

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from autoscaler import clock, configuration, daemon, settings
from autoscaler.cli import check_live
from autoscaler.cli.form import Format
from autoscaler.core import plain
from autoscaler.core.policy import KINDS, Policy, ScheduleRule
from autoscaler.core.target import Mode
from autoscaler.telemetry import logs
from autoscaler.yamlfile import quantities

DEFAULT_CONFIG = Path("config/autoscaler.yaml")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("check")(check)


def check(
    config: Annotated[Path, typer.Option("--config", help="The configuration file.")] = DEFAULT_CONFIG,
    output: Annotated[Format, typer.Option("--format", help="How to print the result.")] = Format.TEXT,
    live: Annotated[
        bool, typer.Option("--live", help="Also ask the cloud what would stop a scale-out; changes nothing.")
    ] = False,
) -> None:
    """Validate the configuration and all policies; with --live also against the cloud, changing nothing.

    Exits 2 where the configuration is wrong, 1 where the cloud would stop a scale-out or cannot be asked.
    """
    its_clock = clock.from_environment(os.environ, clock.SystemClock())
    read = configuration.read(config, os.environ, its_clock.now())
    findings = _live(read, its_clock) if live else []
    if output is Format.JSON:
        more = {"live": [finding.as_json() for finding in findings]} if live else {}
        typer.echo(json.dumps(as_json(read) | more, indent=2))
    else:
        found = [line for finding in findings for line in finding.lines()]
        for line in [*as_text(read), *found]:
            typer.echo(plain.lines(line))
    if any(finding.stops for finding in findings):
        raise typer.Exit(1)


def _live(read: configuration.Configuration, its_clock: clock.Clock) -> list[check_live.Finding]:
    logs.configure(level="error", style="text", secrets=read.settings.secrets())
    return asyncio.run(check_live.look(daemon.setup_of(read), its_clock))


def as_json(read: configuration.Configuration) -> dict[str, Any]:
    """The configuration with secrets masked, and what each target would do."""
    return {
        "config": read.settings.masked(),
        "targets": [_target(policy, read.settings) for policy in read.policies],
        "warnings": list(read.warnings),
    }


def as_text(read: configuration.Configuration) -> list[str]:
    """A line for each target, a line for each warning, and a last one that says that all is well."""
    lines = [_line(_target(policy, read.settings)) for policy in read.policies]
    lines += [f"warning: {warning}" for warning in read.warnings]
    count = len(read.policies)
    return [*lines, f"{read.settings.file}: valid, {count} target{'' if count == 1 else 's'}"]


def _target(policy: Policy, found: settings.Settings) -> dict[str, Any]:
    observed = found.mode_ceiling.value == Mode.OBSERVE.value and policy.mode is not Mode.OFF
    mode = Mode.OBSERVE if observed else policy.mode
    return {
        "name": policy.name,
        "place": policy.place,
        "mode": mode.value,
        "policy_mode": policy.mode.value,
        "instance_id": policy.target.instance_id,
        "group_id": policy.target.group_id,
        "nodes": {"min": policy.bounds.min, "max": policy.bounds.max},
        "interval": quantities.write_duration(policy.interval),
        "rules": [
            {
                "name": rule.name,
                "type": KINDS[type(rule)],
                "metric": None if isinstance(rule, ScheduleRule) else rule.metric.name,
                "mode": rule.mode.value,
            }
            for rule in policy.rules
        ],
        "effect": _EFFECTS[mode],
    }


_EFFECTS = {
    Mode.OBSERVE: "decides and records, sends nothing",
    Mode.ENFORCE: "adds and removes nodes",
    Mode.OUT_ONLY: "adds nodes, never removes any",
    Mode.OFF: "is left alone",
}


def _line(target: dict[str, Any]) -> str:
    rules = ", ".join(
        f"{rule['name']} ({rule['metric'] or rule['type']}{', observed' if rule['mode'] == Mode.OBSERVE.value else ''})"
        for rule in target["rules"]
    )
    bounds = f"{target['nodes']['min']} to {target['nodes']['max']} nodes"
    every = f"every {target['interval']}"
    mode, wanted = target["mode"], target["policy_mode"]
    held = mode if mode == wanted else f"{wanted}, held at {mode} by mode_ceiling"
    return f"{target['name']}: {held} ({target['effect']}), {bounds}, {every}, rules: {rules or 'none'}"

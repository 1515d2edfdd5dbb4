"""`autoscaler check`: everything that can be known about a configuration without asking the cloud."""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from autoscaler import clock, daemon, errors, policyfile, settings
from autoscaler.cli import check_live
from autoscaler.cli.form import Format
from autoscaler.core.policy import KINDS, Policy, ScheduleRule
from autoscaler.core.target import Mode
from autoscaler.telemetry import logs
from autoscaler.yamlfile import quantities

DEFAULT_CONFIG = Path("config/autoscaler.yaml")


@dataclass(frozen=True)
class Configuration:
    """A configuration that can be obeyed: the settings, all policies, and what looks odd about them."""

    settings: settings.Settings
    policies: tuple[Policy, ...]
    warnings: tuple[str, ...]


def validate(config: Path, environ: Mapping[str, str], now: datetime) -> Configuration:
    """Read the settings and all policies; what will look odd is told as of `now`.

    Raises:
        BadConfig: with all that is wrong in the settings and in the policies.
    """
    problems: list[errors.Problem] = []
    found: settings.Settings | None = None
    try:
        found = settings.load(config, environ)
    except errors.BadConfig as bad:
        problems += bad.problems
    policies = _policies(config, settings.outline(config, environ), problems)
    if problems or found is None:
        raise errors.BadConfig(problems)
    return Configuration(found, policies, (*found.warnings, *policyfile.warnings(policies, now)))


def _policies(config: Path, outline: settings.Outline, problems: list[errors.Problem]) -> tuple[Policy, ...]:
    cloud = None
    if outline.dialect is not None and outline.ddm_api is not None:
        cloud = policyfile.CloudKind(dialect=outline.dialect.value, ddm_api=outline.ddm_api.value)
    try:
        return policyfile.load(_files(config.parent, outline, problems), cloud=cloud, sources=outline.sources)
    except errors.BadConfig as bad:
        problems += bad.problems
        return ()


def _files(folder: Path, outline: settings.Outline, problems: list[errors.Problem]) -> tuple[Path, ...]:
    """The policy files of the patterns that match any; the others are problems."""
    files: list[Path] = []
    for pattern in outline.policy_patterns:
        try:
            files += settings.find_policy_files(folder, [pattern])
        except errors.BadConfig as bad:
            problems += bad.problems
    return tuple(dict.fromkeys(files))


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
    configuration = validate(config, os.environ, its_clock.now())
    findings = _live(configuration, its_clock) if live else []
    if output is Format.JSON:
        more = {"live": [finding.as_json() for finding in findings]} if live else {}
        typer.echo(json.dumps(as_json(configuration) | more, indent=2))
    else:
        found = [line for finding in findings for line in finding.lines()]
        for line in [*as_text(configuration), *found]:
            typer.echo(line)
    if any(finding.stops for finding in findings):
        raise typer.Exit(1)


def _live(configuration: Configuration, its_clock: clock.Clock) -> list[check_live.Finding]:
    logs.configure(level="error", style="text", secrets=daemon.secrets_of(configuration.settings))
    return asyncio.run(check_live.look(daemon.setup_of(configuration.settings, configuration.policies), its_clock))


def as_json(configuration: Configuration) -> dict[str, Any]:
    """The configuration with secrets masked, and what each target would do."""
    return {
        "config": configuration.settings.masked(),
        "targets": [_target(policy, configuration.settings) for policy in configuration.policies],
        "warnings": list(configuration.warnings),
    }


def as_text(configuration: Configuration) -> list[str]:
    """A line for each target, a line for each warning, and a last one that says that all is well."""
    lines = [_line(_target(policy, configuration.settings)) for policy in configuration.policies]
    lines += [f"warning: {warning}" for warning in configuration.warnings]
    count = len(configuration.policies)
    return [*lines, f"{configuration.settings.file}: valid, {count} target{'' if count == 1 else 's'}"]


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

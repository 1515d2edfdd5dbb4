"""`autoscaler run`: the daemon, until a signal ends it."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from autoscaler import clock, configuration, daemon
from autoscaler.cli import check
from autoscaler.telemetry import logs


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("run")(run)


def run(
    config: Annotated[Path, typer.Option("--config", help="The process's own file.")] = check.DEFAULT_CONFIG,
) -> None:
    """Run the daemon: watch the targets of the policy files and keep them the right size.

    SIGHUP has it read its files anew, as it does by itself where they change. SIGTERM and SIGINT stop it after what is
    under way is finished or written down.
    """
    its_clock = clock.from_environment(os.environ, clock.SystemClock())
    found, origin = configuration.Files(config, os.environ, its_clock.now).first()
    settings = found.settings
    logs.configure(level=settings.log_level.value, style=settings.log_format.value, secrets=settings.secrets())
    for warning in found.warnings:
        logs.write("warning", warning, {})
    asyncio.run(_serve(daemon.setup_of(found), its_clock, origin))


async def _serve(setup: daemon.Setup, its_clock: clock.SystemClock, origin: configuration.Origin) -> None:
    await daemon.until_signal(daemon.Daemon(setup, its_clock, origin=origin))

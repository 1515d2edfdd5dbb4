"""`autoscaler emulator`: only the emulated cloud."""

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.emulator import command


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("emulator")(emulator)


def emulator(
    scenario: Annotated[
        Path | None, typer.Option("--scenario", help="A YAML file of instances, load and faults.")
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            "--port", min=0, max=65532, help="Of IAM; DDM, Cloud Eye and RDS have the next three. 0: free ones."
        ),
    ] = 9000,
    seed: Annotated[int | None, typer.Option("--seed", help="Of everything that is drawn by lot.")] = None,
    speed: Annotated[float, typer.Option("--speed", min=0.001, help="How many times as fast as real.")] = 1.0,
    write_config: Annotated[
        Path | None,
        typer.Option("--write-config", help="Write a config/ that points at it into this folder, and exit."),
    ] = None,
) -> None:
    """Run only the emulated cloud.

    Prints one line of JSON with its addresses when it is ready. SIGTERM and SIGINT end it.
    """
    command.run(
        scenario_file=scenario,
        port=port,
        seed=seed,
        speed=speed,
        write_config=write_config,
        say=typer.echo,
    )

"""Commands that are promised and not in this version: each is refused by its name."""

import typer

from autoscaler.cli import main


def register(app: typer.Typer) -> None:
    """Add them all, whatever arguments they are given."""
    anything = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    for name in main.NOT_YET:
        app.command(name, hidden=True, context_settings=anything)(_refuse)


def _refuse(context: typer.Context) -> None:
    """Not in this version."""
    typer.echo(f"error: autoscaler {context.info_name} is not in this version", err=True)
    raise typer.Exit(2)

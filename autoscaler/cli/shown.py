"""How answers of a daemon are printed, and the options that every command that asks one has."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoscaler.cli.form import Format
from autoscaler.errors import BadConfig, Problem

TOKEN = "AUTOSCALER_SERVER__TOKEN"  # noqa: S105  # the variable's name
WIDE = 200
"""Columns of a table that goes into a pipe, where there is no terminal to fit."""

TargetName = Annotated[str, typer.Argument(help="The target's name.")]
Url = Annotated[str, typer.Option("--url", envvar="AUTOSCALER_URL", help="The daemon's address.")]
Output = Annotated[Format, typer.Option("--format", help="How to print the result.")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help=f"A file with the token [default: {TOKEN}].")]
DEFAULT_URL = "http://127.0.0.1:9178"


def token(file: Path | None) -> str:
    """The token, without the line's end that editors add.

    Raises:
        BadConfig: the file cannot be read.
    """
    if file is None:
        return os.environ.get(TOKEN, "")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig([Problem("--token-file", 0, 0, "", f"{file} cannot be read ({error})")]) from error


def table(*columns: str) -> Table:
    """An empty table without lines."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def show(what: Table | Text | str) -> None:
    """A terminal's own width and colours; none of both for a pipe."""
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else WIDE, markup=False, highlight=False, emoji=False).print(what)


def show_json(value: dict[str, Any]) -> None:
    """As a program reads it."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))

"""How answers of a daemon are printed, and the options that every command that asks one has."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoscaler.cli.form import Format
from autoscaler.core import plain
from autoscaler.errors import BadConfig, Problem

TOKEN = "AUTOSCALER_SERVER__TOKEN"  # noqa: S105  # the variable's name

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


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """For a terminal folded to its width; for a pipe a line a row, its columns aligned, without an end to its width."""
    rows = [[plain.lines(word) for word in row] for row in rows]
    if not sys.stdout.isatty():
        for line in _aligned([columns, *rows] if columns else rows):
            typer.echo(line)
        return
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=bool(columns))
    for place in range(len(rows[0]) if rows else 0):
        made.add_column(columns[place] if columns else "", overflow="fold")
    for row in rows:
        made.add_row(*map(Text, row))
    _console().print(made)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()


def show(text: str) -> None:
    """A line; a terminal folds it at words. Nothing in it is obeyed: much of what is shown was written by others."""
    text = plain.lines(text)
    if sys.stdout.isatty():
        _console().print(Text(text))
    else:
        typer.echo(text)


def remark(text: str) -> None:
    """A line beside the answer, on stderr."""
    typer.echo(plain.lines(text), err=True)


def _console() -> Console:
    return Console(markup=False, highlight=False, emoji=False)


def show_json(value: dict[str, Any]) -> None:
    """As a program reads it; what a terminal would obey is written as its number."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    typer.echo("".join(f"\\u{ord(one):04x}" if one != "\n" and plain.is_obeyed(one) else one for one in text))

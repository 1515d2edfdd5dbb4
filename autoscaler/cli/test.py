"""`autoscaler test`: policies against what their authors expect of them, before they go live."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.form import Format
from autoscaler.errors import BadConfig, Problem
from autoscaler.policyfile import cases, junit, report, result
from autoscaler.policyfile.result import Result


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("test")(check_policies)


def check_policies(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files of policy tests.")],
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write the results there, as JUnit XML.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print the result.")] = Format.TEXT,
) -> None:
    """Run unit tests of policies: recorded or invented values in, expected decisions out.

    Exits 1 where a test fails, 2 where a file of tests or its policies cannot be read. docs/testing-policies.md tells
    how a test is written.
    """
    found = cases.load(files)
    results = [result.of(case) for case in found]
    if junit_file is not None:
        _write(junit_file, junit.write(results))
    if output is Format.JSON:
        typer.echo(json.dumps(report.as_json(results), indent=2))
    else:
        _print(results)
    if not all(one.passed for one in results):
        raise typer.Exit(1)


def _print(results: list[Result]) -> None:
    for one in results:
        for line in report.lines(one):
            _line(line, {"ok  ": "green", "FAIL": "red"}.get(line[:4]))
    typer.echo(report.summary(results))


def _line(line: str, colour: str | None) -> None:
    """The verdict in its colour on a terminal; none in a pipe, nor where NO_COLOR is set."""
    if colour is None or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        typer.echo(line)
    else:
        typer.echo(typer.style(line[:4], fg=colour) + line[4:])


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadConfig([Problem("--junit", 0, 0, "", f"{file} cannot be written ({error.strerror})")]) from error

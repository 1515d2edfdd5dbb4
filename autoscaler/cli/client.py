"""`status`, `history`, `explain`, `resolve`: what people ask of a running daemon."""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autoscaler.cli.daemon_api import DaemonApi, DaemonError
from autoscaler.cli.form import Format
from autoscaler.core import sentence
from autoscaler.core.decision import rfc3339
from autoscaler.errors import BadConfig, Problem
from autoscaler.yamlfile import quantities

TOKEN = "AUTOSCALER_SERVER__TOKEN"  # noqa: S105  # the variable's name
WIDE = 200
"""Columns of a table that goes into a pipe, where there is no terminal to fit."""

TargetName = Annotated[str, typer.Argument(help="The target's name.")]
Url = Annotated[str, typer.Option("--url", envvar="AUTOSCALER_URL", help="The daemon's address.")]
Output = Annotated[Format, typer.Option("--format", help="How to print the result.")]
DEFAULT_URL = "http://127.0.0.1:9178"


class Outcome(StrEnum):
    """How an operation ended, by an operator's own eyes."""

    SUCCEEDED = "succeeded"  # the nodes are there (or gone)
    FAILED = "failed"  # the cloud tried, and failed
    NEVER_HAPPENED = "never_happened"  # the call never had an effect


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("status")(status)
    app.command("history")(history)
    app.command("explain")(explain)
    app.command("resolve")(resolve)


def status(url: Url = DEFAULT_URL, form: Output = Format.TEXT) -> None:
    """Show every target: nodes, load, the last decision, open operations."""
    found = DaemonApi(url).get("targets")
    if form is Format.JSON:
        _print_json(found)
        return
    table = _table("target", "mode", "nodes", "min–max", "load", "last decision", "operation")
    for target in found["targets"]:
        table.add_row(*map(Text, _status_row(target)))
    _print(table if found["targets"] else "The daemon has no targets.")


def history(
    target: TargetName,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")] = 20,
    since: Annotated[
        str | None, typer.Option("--since", help="Not older than this: a duration (2h), or an RFC 3339 time.")
    ] = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """List the decisions of a target, newest first."""
    api = DaemonApi(url)
    found = api.get("targets", target, "decisions", limit=limit, since=_since(since, api))
    if form is Format.JSON:
        _print_json(found)
        return
    table = _table("at", "decision", "why")
    for record in found["decisions"]:
        table.add_row(*map(Text, (record["at"], record["decision"], sentence.sentence(record))))
    _print(table if found["decisions"] else f"There is no decision of {target} in that time.")


def explain(
    target: TargetName,
    at: Annotated[str | None, typer.Option("--at", help="The decision that held at this RFC 3339 time.")] = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """Say why a target was scaled, or was not.

    The newest decision, or with --at the one that held then: one sentence, then every rule, stage and veto.
    """
    # `before` excludes its instant, and the decision of exactly that time is meant too.
    before = rfc3339(_instant("--at", at) + timedelta(microseconds=1)) if at else None
    records = DaemonApi(url).get("targets", target, "decisions", limit=1, before=before)["decisions"]
    if not records:
        raise DaemonError(f"there is no decision of {target} {f'at or before {at}' if at else 'yet'}")
    if form is Format.JSON:
        _print_json(records[0])
        return
    _print(Text(f"{records[0]['at']}  {target}: {sentence.sentence(records[0])}."))
    table = _table("", "name", "outcome", "why")
    for row in sentence.rows(records[0]):
        table.add_row(*map(Text, (row.kind, row.name, row.outcome, row.words)))
    _print(table)


def resolve(
    target: TargetName,
    outcome: Annotated[Outcome, typer.Option("--as", help="How the operation really ended.")],
    reason: Annotated[str, typer.Option("--reason", help="What you saw; kept in the history.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help=f"A file with the token [default: {TOKEN}].")
    ] = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """Close an operation that the daemon cannot close itself.

    Look at the instance in the cloud's console first: the daemon takes your word for it. It is refused while a job of
    the instance is running.
    """
    api = DaemonApi(url, _token(token_file))
    operation = api.get("targets", target)["operation"]
    if operation is None:
        raise DaemonError(f"{target} has no open operation; there is nothing to resolve")
    said = f"operation {operation['id']} ({operation['direction']} by {operation['change']}, {operation['state']}"
    typer.echo(f"closes {said} since {operation['committed_at']}) of {target} as {outcome.value}: {reason}", err=True)
    if not yes and sys.stdin.isatty() and not typer.confirm("Go on?", err=True):
        raise DaemonError("nothing was changed")
    closed = api.post("targets", target, "resolve", body={"as": outcome.value, "reason": reason})
    if form is Format.JSON:
        _print_json(closed)
        return
    _print(Text(f"operation {closed['id']} of {target} is {closed['state']}"))


def _status_row(target: dict[str, Any]) -> tuple[str, ...]:
    nodes, decision, operation = target["nodes"], target["decision"], target["operation"]
    count = "—"
    if nodes:
        moved = nodes["desired"] is not None and nodes["desired"] != nodes["current"]
        count = f"{nodes['current']} → {nodes['desired']}" if moved else str(nodes["current"])
    said = sentence.sentence(decision) if decision else "not evaluated yet"
    return (
        target["name"],
        target["mode"],
        count,
        f"{nodes['min']}–{nodes['max']}" if nodes else "—",
        ", ".join(f"{rule['rule']} {sentence.number(rule['value'])}" for rule in decision["rules"])
        if decision
        else "—",
        f"{said} (last evaluation failed: {target['error']})" if target["error"] else said,
        f"{operation['state']}{', overdue' if target['overdue'] else ''}" if operation else "—",
    )


def _since(text: str | None, api: DaemonApi) -> str | None:
    """A point in the daemon's own time, which may run faster than ours."""
    if text is None:
        return None
    try:
        span = quantities.duration(text)
    except ValueError:
        return rfc3339(_instant("--since", text))
    return rfc3339(datetime.fromisoformat(api.get("targets")["now"]) - span)


def _instant(option: str, text: str) -> datetime:
    """An RFC 3339 time; without an offset it is UTC.

    Raises:
        BadConfig: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        words = f"{text!r} is no time such as 2026-11-23T03:05:00Z{' or duration such as 2h' * (option == '--since')}"
        raise BadConfig([Problem(option, 0, 0, "", words)]) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _token(file: Path | None) -> str:
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


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(what: Table | Text | str) -> None:
    """A terminal's own width and colours; none of both for a pipe."""
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else WIDE, markup=False, highlight=False, emoji=False).print(what)


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))

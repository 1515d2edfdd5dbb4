"""`status`, `history`, `explain`: what people ask of a running daemon."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from autoscaler.cli import shown
from autoscaler.cli.daemon_api import DaemonApi, DaemonError
from autoscaler.cli.form import Format
from autoscaler.cli.shown import DEFAULT_URL, Output, TargetName, Url
from autoscaler.core import figures, sentence, standing_words
from autoscaler.core.decision import rfc3339
from autoscaler.errors import BadConfig, Problem
from autoscaler.yamlfile import quantities


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("status")(status)
    app.command("history")(history)
    app.command("explain")(explain)


def status(url: Url = DEFAULT_URL, form: Output = Format.TEXT) -> None:
    """Show every target: nodes, load, the last decision, open operations, what was set by hand."""
    found = DaemonApi(url).get("targets")
    if form is Format.JSON:
        shown.show_json(found)
        return
    table = shown.table("target", "mode", "nodes", "min–max", "load", "last decision", "operation")
    for target in found["targets"]:
        table.add_row(*map(Text, _status_row(target)))
    shown.show(table if found["targets"] else "The daemon has no targets.")
    for line in _by_hand(found):
        shown.show(Text(line))


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
        shown.show_json(found)
        return
    table = shown.table("at", "decision", "why")
    for record in found["decisions"]:
        table.add_row(*map(Text, (record["at"], record["decision"], sentence.sentence(record))))
    shown.show(table if found["decisions"] else f"There is no decision of {target} in that time.")


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
        shown.show_json(records[0])
        return
    shown.show(Text(f"{records[0]['at']}  {target}: {sentence.sentence(records[0])}."))
    table = shown.table("", "name", "outcome", "why")
    for row in sentence.rows(records[0]):
        table.add_row(*map(Text, (row.kind, row.name, row.outcome, row.words)))
    shown.show(table)


def _by_hand(found: dict[str, Any]) -> list[str]:
    """A line for each pause and override; a pause of all is told once."""
    now = datetime.fromisoformat(found["now"])
    lines = []
    for target in found["targets"]:
        for pause in target["pauses"]:
            words = standing_words.pause_words(pause, now)
            lines.append(words if pause["all"] else f"{target['name']}: {words}")
        if target["override"]:
            lines.append(f"{target['name']}: {standing_words.override_words(target['override'], now)}")
    return list(dict.fromkeys(lines))


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
        ", ".join(f"{rule['rule']} {figures.number(rule['value'])}" for rule in decision["rules"]) if decision else "—",
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

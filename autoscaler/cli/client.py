"""`status`, `history`, `explain`: what people ask of a running daemon."""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

import typer

from autoscaler.cli import shown
from autoscaler.cli.daemon_api import DaemonApi, DaemonError
from autoscaler.cli.form import Format
from autoscaler.cli.shown import DEFAULT_URL, Output, TargetName, Url
from autoscaler.core import explanation, figures, reload_words, sentence, spells, standing_words
from autoscaler.core.decision import rfc3339
from autoscaler.core.spells import Spell
from autoscaler.errors import BadConfig, Problem
from autoscaler.yamlfile import quantities

PAGE, MOST_PAGES = 500, 20
"""How many decisions are read at a time, and how often: a week of minutes."""


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
    if found.get("led_by") is not None:
        shown.show(f"This daemon stands by: {standing_words.who_leads(found['led_by'])}. It would refuse any change.\n")
    if found.get("unobeyed") is not None:
        shown.show(f"Not obeyed: {reload_words.unobeyed(found['unobeyed'])}\n")
    rows = [_status_row(target) for target in found["targets"]]
    if rows:
        shown.show_table(("target", "mode", "nodes", "min–max", "load", "operation", "last decision"), rows)
    else:
        shown.show("The daemon has no targets.")
    for line in _by_hand(found):
        shown.show(line)


def history(
    target: TargetName,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many lines at most.")] = 20,
    since: Annotated[
        str | None, typer.Option("--since", help="Not older than this: a duration (2h), or an RFC 3339 time.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", "-v", help="A line for every decision, equal ones too.")] = False,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """List the decisions of a target, newest first.

    Equal holds in a row are one line; as JSON every decision is listed.
    """
    api = DaemonApi(url)
    begin = _since(since, api)
    if form is Format.JSON or every:
        found = api.get("targets", target, "decisions", limit=limit, since=begin)
    if form is Format.JSON:
        shown.show_json(found)
        return
    told = [Spell(one, one, 1) for one in found["decisions"]] if every else _spells(api, target, begin, limit)
    if not told:
        shown.show(f"There is no decision of {target} in that time.")
        return
    shown.show_table(("at (UTC)", "decision", "why"), [_history_row(spell) for spell in told])


def explain(
    target: TargetName,
    at: Annotated[
        str | None, typer.Option("--at", help="The decision that held then: an RFC 3339 time, or HH:MM UTC.")
    ] = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """Say why a target was scaled, or was not.

    The newest decision, or with --at the newest one at or before that time: one sentence, then what every rule read,
    what every stage left, and all that stood in the way.
    """
    api = DaemonApi(url)
    moment = _moment(at, api) if at else None
    # `before` excludes its instant; a time is read to the second, as `history` shows it.
    before = rfc3339(moment + timedelta(microseconds=1 if moment.microsecond else 1_000_000)) if moment else None
    records = api.get("targets", target, "decisions", limit=1, before=before)["decisions"]
    if not records:
        raise DaemonError(_no_decision(api, target, moment))
    if form is Format.JSON:
        shown.show_json(records[0])
        return
    known = api.get("targets", target)
    shown.show(f"{explanation.head(records[0])}\n")
    shown.show_table((), explanation.table(records[0]))
    shown.show("")
    shown.show_table((), explanation.facts(records[0], known, newest=moment is None))


def _no_decision(api: DaemonApi, target: str, moment: datetime | None) -> str:
    first = api.get("targets", target, "decisions", limit=1, order="oldest")["decisions"]
    if moment is None or not first:
        return f"there is no decision of {target} yet"
    asked, begun = figures.moment(rfc3339(moment)), figures.moment(first[0]["at"])
    return f"there is no decision of {target} at or before {asked} UTC; the first is of {begun} UTC"


def _spells(api: DaemonApi, target: str, since: str | None, limit: int) -> list[Spell]:
    """So many lines, read a page at a time."""
    records: list[dict[str, Any]] = []
    for _ in range(MOST_PAGES):
        before = records[-1]["at"] if records else None
        page = api.get("targets", target, "decisions", limit=PAGE, since=since, before=before)["decisions"]
        records += page
        if len(page) < PAGE or len(spells.folded(records)) > limit:
            break
    return spells.folded(records)[:limit]


def _history_row(spell: Spell) -> tuple[str, str, str]:
    newest = figures.moment(spell.newest["at"])
    if spell.times == 1:
        return newest, spell.newest["decision"], sentence.sentence(spell.newest)
    begun = figures.moment(spell.oldest["at"])
    until = newest.removeprefix(begun[:11])  # the time alone, where it is of the same day
    return f"{begun} – {until}", f"{spell.newest['decision']} ×{spell.times}", sentence.sentence(spell.newest)


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
    nodes, decision = target["nodes"], target["decision"]
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
        _operation_words(target),
        f"{said} (last evaluation failed: {target['error']})" if target["error"] else said,
    )


def _operation_words(target: dict[str, Any]) -> str:
    operation, shadow, refused = target["operation"], target.get("shadow_operation"), target.get("refused")
    if operation:
        return f"{operation['state']}{', overdue' if target['overdue'] else ''}"
    if refused:
        return f"{refused['direction']} refused, {figures.counted(refused['times'], 'time')} in a row"
    return f"{shadow['direction']} by {shadow['change']} would be under way (observe)" if shadow else "—"


def _since(text: str | None, api: DaemonApi) -> str | None:
    """A point in the daemon's own time, which may run faster than ours."""
    if text is None:
        return None
    try:
        span = quantities.duration(text)
    except ValueError:
        return rfc3339(_instant("--since", text))
    return rfc3339(datetime.fromisoformat(api.get("targets")["now"]) - span)


def _moment(text: str, api: DaemonApi) -> datetime:
    """A time; one of day is the last one that has come, by the daemon's clock."""
    try:
        alone = time.fromisoformat(text)
    except ValueError:
        return _instant("--at", text)
    now = datetime.fromisoformat(api.get("targets")["now"])
    today = datetime.combine(now.date(), alone if alone.tzinfo else alone.replace(tzinfo=UTC))
    return today if today <= now else today - timedelta(days=1)


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

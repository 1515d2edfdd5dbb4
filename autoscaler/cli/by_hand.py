"""`pause`, `resume`, `override`, `resolve`: the operator's hand on a running daemon; all of them need its token.

What spends money or cannot be taken back (override, resolve) asks first; where there is nobody to ask it needs --yes.
"""

import getpass
import sys
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from autoscaler.cli import shown
from autoscaler.cli.daemon_api import DaemonApi, DaemonError
from autoscaler.cli.form import Format
from autoscaler.cli.shown import DEFAULT_URL, Output, TargetName, TokenFile, Url
from autoscaler.core import standing_words
from autoscaler.errors import BadConfig, Problem
from autoscaler.yamlfile import quantities

Json = dict[str, Any]
TargetOrAll = Annotated[str | None, typer.Argument(metavar="TARGET", help="The target's name, or else --all.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the history and shown.")]


class Outcome(StrEnum):
    """How an operation ended, by an operator's own eyes."""

    SUCCEEDED = "succeeded"  # the nodes are there (or gone)
    FAILED = "failed"  # the cloud tried, and failed
    NEVER_HAPPENED = "never_happened"  # the call never had an effect


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    for command in (pause, resume, override, resolve):
        app.command(command.__name__)(command)


def pause(
    target: TargetOrAll = None,
    everything: Annotated[bool, typer.Option("--all", help="Every target, also those that come later.")] = False,
    lasts: Annotated[
        str | None, typer.Option("--for", help="How long, such as 2h; without it until it is resumed.")
    ] = None,
    reason: Why = "",
    token_file: TokenFile = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """Have nothing changed on a target, or on all.

    The daemon goes on looking and recording. What it has begun already goes on. Several pauses may stand beside each
    other; the target is paused until the last of them ends.
    """
    place = _place(target, everything)
    body = {"reason": reason, "who": _who()} | ({} if lasts is None else {"for": _span(lasts)})
    answer = DaemonApi(url, shown.token(token_file)).post(*place, "pause", body=body)
    _tell(answer, form, [])


def resume(
    target: TargetOrAll = None,
    everything: Annotated[bool, typer.Option("--all", help="Every pause there is, of single targets too.")] = False,
    breaker: Annotated[
        bool, typer.Option("--breaker", help="Close the breaker, too: failures up to now no longer count.")
    ] = False,
    override: Annotated[bool, typer.Option("--override", help="End the override, too.")] = False,
    reason: Why = "",
    token_file: TokenFile = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """End the pauses of a target, or all pauses.

    A single target cannot be resumed while all are paused: resume all.
    """
    place = _place(target, everything)
    body = {"breaker": breaker, "override": override, "reason": reason, "who": _who()}
    answer = DaemonApi(url, shown.token(token_file)).post(*place, "resume", body=body)
    _tell(answer, form, [_ended(answer)])


def override(
    target: TargetName,
    nodes: Annotated[int, typer.Option("--nodes", help="How many, inside the policy's min and max.")],
    lasts: Annotated[str, typer.Option("--for", help="How long, such as 2h; at most 30d.")],
    reason: Why = "",
    yes: Yes = False,
    token_file: TokenFile = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """Set the number of nodes by hand for a while.

    Past what rules, schedules, limits, cooldown and blackouts say; not past a pause or the guards of state. It takes
    the place of an earlier override and ends by itself, or by resume --override.
    """
    _check_somebody_can_say_yes(yes)
    span = _span(lasts)
    api = DaemonApi(url, shown.token(token_file))
    _ask(yes, f"{target} {_now(api.get('targets', target))} is set to {nodes} nodes for {span}.")
    body = {"nodes": nodes, "for": span, "reason": reason, "who": _who()}
    _tell(api.post("targets", target, "override", body=body), form, [])


def resolve(
    target: TargetName,
    outcome: Annotated[Outcome, typer.Option("--as", help="How the operation really ended.")],
    reason: Annotated[str, typer.Option("--reason", help="What you saw; kept in the history.")],
    yes: Yes = False,
    token_file: TokenFile = None,
    url: Url = DEFAULT_URL,
    form: Output = Format.TEXT,
) -> None:
    """Close an operation that the daemon cannot close itself.

    Look at the instance in the cloud's console first: the daemon takes your word for it. It is refused while the
    instance is at work.
    """
    _check_somebody_can_say_yes(yes)
    api = DaemonApi(url, shown.token(token_file))
    operation = api.get("targets", target)["operation"]
    if operation is None:
        raise DaemonError(f"{target} has no open operation; there is nothing to resolve")
    what = f"{operation['direction']} by {operation['change']}, {operation['state']} since {operation['committed_at']}"
    _ask(yes, f"operation {operation['id']} ({what}) of {target} is closed as {outcome.value}: {reason}")
    body = {"as": outcome.value, "reason": reason, "who": _who()}
    closed = api.post("targets", target, "resolve", body=body)
    if form is Format.JSON:
        shown.show_json(closed)
        return
    shown.show(f"operation {closed['id']} of {target} is {closed['state']} ({what} before)")


def _place(target: str | None, everything: bool) -> tuple[str, ...]:
    """The path of a target, or of all.

    Raises:
        BadConfig: both are named, or none.
    """
    if (target is None) != everything:
        raise BadConfig([Problem("TARGET", 0, 0, "", "name one target, or say --all")])
    return () if target is None else ("targets", target)


def _span(text: str) -> str:
    """A span as it was written.

    Raises:
        BadConfig: it is none, or takes no time.
    """
    try:
        lasts = quantities.duration(text)
    except ValueError as error:
        raise BadConfig([Problem("--for", 0, 0, "", str(error))]) from None
    if lasts <= timedelta(0):
        raise BadConfig([Problem("--for", 0, 0, "", "it must be longer than 0s")])
    return text


def _check_somebody_can_say_yes(yes: bool) -> None:
    """Raises BadConfig where the answer is not given and stdin is no terminal: silence is no consent."""
    if not yes and not sys.stdin.isatty():
        raise BadConfig([Problem("--yes", 0, 0, "", "is needed where there is no terminal to ask")])


def _ask(yes: bool, what: str) -> None:
    """Raises DaemonError where somebody at the terminal says no."""
    if not yes:
        shown.remark(what)
        if not typer.confirm("Go on?", err=True):
            raise DaemonError("nothing was changed")


def _who() -> str:
    """The login name, for the audit; nothing where the system has none for us."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user id without a name; KeyError before Python 3.13
        return ""


def _now(target: Json) -> str:
    nodes = target["nodes"]
    return f"({nodes['current']} now, {nodes['min']} to {nodes['max']} allowed)" if nodes else "(not looked at yet)"


def _tell(answer: Json, form: Format, lines: list[str]) -> None:
    """What was done and what holds now; what else one should know goes to stderr."""
    if form is Format.JSON:
        shown.show_json(answer)
        return
    for line in (*lines, *_holding(answer)):
        shown.show(f"{answer['target']}: {line}" if answer["target"] else line)
    for note in answer["notes"]:
        shown.remark(f"note: {note}")


def _holding(answer: Json) -> list[str]:
    now = datetime.fromisoformat(answer["now"])
    lines = [standing_words.pause_words(one, now) for one in answer["pauses"]]
    if answer["override"]:
        lines.append(standing_words.override_words(answer["override"], now))
    return lines


def _ended(answer: Json) -> str:
    """`2 pauses ended, breaker closed`."""
    kinds = [one["kind"] for one in answer["changed"]]
    counts = {name: kinds.count(name) for name in ("pause", "override")}
    ended = [f"{count} {name}{'' if count == 1 else 's'} ended" for name, count in counts.items() if count]
    if not kinds:
        ended.append("was not paused" if answer["target"] else "nothing was paused")
    return ", ".join([*ended, *(["breaker closed"] if "breaker_reset" in kinds else [])])

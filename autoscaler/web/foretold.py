"""What a change by an operator would do, said before it is made; from the API's own JSON, and pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from autoscaler.core import figures, permissible, standing_words
from autoscaler.core.operation import State
from autoscaler.core.target import Mode

Json = dict[str, Any]

UNTOUCHED = "What was begun goes on to its end."


class NothingToSayError(Exception):
    """What is asked for cannot be done; the text says what is wrong."""


def pause(target: Json, lasts: timedelta | None, now: datetime) -> str:
    """Nothing is changed for a while."""
    _check(permissible.against_span(lasts))
    until = "until somebody resumes it" if lasts is None else _until(lasts, now)
    words = [
        f"{target['name']} is left at {_nodes(target)} {until}: no node is added or removed, whatever its load does."
    ]
    words.append("It goes on being watched and every decision is recorded.")
    if target["operation"]:
        words.append(f"The operation that is under way is not stopped. {UNTOUCHED}")
    if target["override"]:
        words.append("The override waits until it is resumed, and ends at its own time.")
    return " ".join(words)


def resume(target: Json, *, override: bool, breaker: bool) -> str:
    """Pauses end, and what else is asked for."""
    pauses = target["pauses"]
    words = []
    for one in pauses:
        if one["all"]:
            _check(permissible.against_resuming(target["name"], who=one["who"], until=one["until"]))
    if pauses:
        count = "its pause ends" if len(pauses) == 1 else f"its {len(pauses)} pauses end"
        words.append(f"For {target['name']} {count} now; the next look, within {_interval(target)}, may change nodes.")
    else:
        words.append(f"{target['name']} is not paused.")
    if override and target["override"]:
        words.append(f"The override of {figures.nodes(target['override']['nodes'])} ends: the rules decide again.")
    elif target["override"]:
        words.append(f"The override of {figures.nodes(target['override']['nodes'])} stays.")
    if breaker:
        words.append("Failures up to now no longer count: what was held by the breaker is tried at the next look.")
    return " ".join(words)


def override(target: Json, nodes: int, lasts: timedelta, now: datetime) -> str:
    """So many nodes for a while."""
    policy = target["policy"]
    low, high = policy["min"], policy["max"]
    _check(permissible.against_override(target["name"], nodes, lasts, low=low, high=high))
    _check(permissible.against_overriding(target["name"], Mode(policy["mode"])))
    words = [_step(target, nodes), f"The number stays {_until(lasts, now)}; then the rules decide again."]
    words.append("Rules, stabilisation, limits, cooldowns and blackouts are passed by; guards of state are not.")
    if target["pauses"]:
        words.append("It is paused: nothing happens until it is resumed.")
    if target["mode"] == "observe":
        words.append("The mode is observe: nothing is sent to the cloud.")
    elif target["mode"] == "out_only" and nodes < _current(target):
        words.append("The mode is out_only: it does not scale in.")
    if target["operation"]:
        words.append(f"First the operation under way has to end. {UNTOUCHED}")
    return " ".join(words)


_OUTCOMES: Mapping[str, str] = {
    "succeeded": "It counts as done: all of its nodes {came}, and its cooldowns begin now.",
    "failed": "It counts as failed: the nodes that are seen to have {come} count, and the breaker counts a failure.",
    "never_happened": "It counts as never carried out: no node {came}, and the breaker counts a failure.",
}


def resolve(target: Json, outcome: str) -> str:
    """The open operation is closed by hand."""
    operation = target["operation"]
    if operation is None:
        raise NothingToSayError(f"{target['name']} has no open operation; there is nothing to resolve.")
    if outcome not in _OUTCOMES:
        raise NothingToSayError(f"An operation can be closed as {', '.join(_OUTCOMES)}.")
    _check(permissible.against_resolving(State(operation["state"]), State(outcome)))
    came, come = ("came", "come") if operation["direction"] == "out" else ("went", "gone")
    what = f"{operation['direction']} by {figures.nodes(operation['change'])} ({operation['id']})"
    return (
        f"The daemon stops following {what}. {_OUTCOMES[outcome].format(came=came, come=come)} "
        "The cloud is not asked to do or undo anything. Look at the instance in the cloud's console first: "
        "while it is at work this is refused. After it the target scales again."
    )


def _check(words: str) -> None:
    """Raises NothingToSayError where there are words against it."""
    if words:
        raise NothingToSayError(f"{words[0].upper()}{words[1:]}.")


def _step(target: Json, nodes: int) -> str:
    current = _current(target)
    if nodes == current:
        return f"{target['name']} stays at {figures.nodes(nodes)}."
    moved = figures.nodes(abs(nodes - current))
    what = (
        f"at the next look {moved} more will be bought"
        if nodes > current
        else f"at the next look {moved} will be removed"
    )
    return f"{target['name']} goes from {current} to {figures.nodes(nodes)}: {what}."


def _current(target: Json) -> int:
    return int(target["nodes"]["current"]) if target["nodes"] else 0


def _nodes(target: Json) -> str:
    return figures.nodes(_current(target)) if target["nodes"] else "its present size"


def _interval(target: Json) -> str:
    return standing_words.span(target["interval_seconds"])


def _until(lasts: timedelta, now: datetime) -> str:
    return f"until {now + lasts:%Y-%m-%d %H:%M} UTC"

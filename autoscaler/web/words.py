"""Times and operations as the pages say them; pure, so that a table test can hold it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.core import figures, standing_words

Json = dict[str, Any]

OPERATION_WORDS = {
    "planned": "being sent",
    "submitted": "under way",
    "unknown": "outcome unknown, being looked for",
    "rejected": "rejected, nothing changed",
    "succeeded": "succeeded",
    "failed": "failed",
    "never_happened": "never happened",
}


def clock(instant: str, now: datetime | None = None) -> str:
    """A time of day, with its date where that is not today's."""
    moment = datetime.fromisoformat(instant).astimezone(UTC)
    if now is None or moment.date() == now.astimezone(UTC).date():
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%m-%d %H:%M:%S" if moment.year == now.year else "%Y-%m-%d %H:%M")


def ago(instant: str, now: datetime) -> str:
    """How long before now."""
    return f"{since(instant, now)} ago"


def since(instant: str, now: datetime) -> str:
    """How long it has been."""
    return standing_words.span((now - datetime.fromisoformat(instant)) / timedelta(seconds=1))


def operation_state(operation: Json) -> str:
    """Where an operation stands."""
    state = str(operation["state"])
    return OPERATION_WORDS.get(state, state)


def operation_line(operation: Json, now: datetime) -> str:
    """`out by 1 node: under way, since 3 min`."""
    nodes, lasting = figures.nodes(operation["change"]), since(operation["committed_at"], now)
    return f"{operation['direction']} by {nodes}: {operation_state(operation)}, since {lasting}"


def under_way(target: Json, now: datetime) -> str:
    """The open operation, or what observe did not send; empty where there is none."""
    if target["operation"]:
        return operation_line(target["operation"], now)
    shadow = target.get("shadow_operation")
    if not shadow:
        return ""
    nodes, lasting = figures.nodes(shadow["change"]), since(shadow["committed_at"], now)
    return f"{shadow['direction']} by {nodes} would be under way (observe), since {lasting}"


def alarm(target: Json) -> str:
    """What somebody has to do about the open operation."""
    if target["overdue"]:
        return "overdue: look at the instance, then resolve it"
    operation = target["operation"]
    return "unknown outcome" if operation and operation["state"] == "unknown" else ""


def refused(target: Json, now: datetime) -> str:
    """What the cloud does not take, though it is still wanted; empty where there is nothing."""
    row = target["refused"]
    if row is None:
        return ""
    times = "once" if row["times"] == 1 else f"{row['times']} times in a row, for {since(row['since'], now)}"
    return f"scaling {row['direction']} was refused {times}" + (f": {row['detail']}" if row["detail"] else "")


def by_hand(target: Json, now: datetime) -> tuple[str, ...]:
    """What holds by an operator's hand."""
    pauses = (standing_words.pause_words(pause, now) for pause in target["pauses"])
    override = target["override"]
    return (*pauses, *([standing_words.override_words(override, now)] if override else []))


def cooldowns(target: Json) -> tuple[str, ...]:
    """`out 9 min`, for each direction that has to wait."""
    return tuple(f"{way} {standing_words.span(left)}" for way, left in target["cooldowns"].items() if left > 0)


def took(operation: Json) -> str:
    """From the commit to the end."""
    if operation["ended_at"] is None:
        return ""
    span = datetime.fromisoformat(operation["ended_at"]) - datetime.fromisoformat(operation["committed_at"])
    return standing_words.span(span.total_seconds())


def operation_row(operation: Json) -> Json:
    """An operation with its words for a table."""
    who = "somebody else" if operation["foreign"] else "observe" if operation["shadow"] else ""
    return operation | {"words": operation_state(operation), "who": who, "took": took(operation)}

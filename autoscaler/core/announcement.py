"""What is told to those outside who subscribed to it, as an event of CloudEvents 1.0.

An id is derived from what happened, not from when it was noticed: a process that begins anew and notices it again
says the same, and whoever keeps announcements can tell. Format: CloudEvents 1.0.2, "JSON Event Format".
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from autoscaler.core import by_hand, figures, sentence
from autoscaler.core.by_hand import Intervention
from autoscaler.core.decision import Decision, rfc3339
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation, State
from autoscaler.core.operation_json import operation_json
from autoscaler.core.policy import Direction

TYPE_PREFIX = "ddm-autoscaler."


class Kind(StrEnum):
    """What can be subscribed to."""

    DECISION = "decision"  # a decision to scale was committed: the cloud is about to be called
    OPERATION_ENDED = "operation_ended"  # succeeded, failed, rejected, or it never happened
    OPERATION_UNKNOWN = "operation_unknown"  # no clear answer: it is looked into, and nothing is sent meanwhile
    OPERATION_OVERDUE = "operation_overdue"  # it takes longer than any should
    BREAKER = "breaker"  # too many failed in a row: no more is tried for a while; or that is over
    OVERRIDE = "override"  # an operator set the number of nodes, or took that back
    PAUSE = "pause"  # an operator had nothing changed, or took that back
    RELOAD_FAILED = "reload_failed"  # the configuration was changed to one that cannot be obeyed


@dataclass(frozen=True)
class Announcement:
    """One thing that happened, in one sentence and as data."""

    id: str
    kind: Kind
    target: str | None  # None: of none, or of all
    at: datetime
    summary: str
    data: Mapping[str, Any]  # JSON, beside the summary

    def cloud_event(self, source: str) -> str:
        """The event as one line of ASCII; `source` says whose ids these are."""
        event = {
            "specversion": "1.0",
            "id": self.id,
            "source": source,
            "type": TYPE_PREFIX + self.kind.value,
            **({} if self.target is None else {"subject": self.target}),
            "time": rfc3339(self.at),
            "datacontenttype": "application/json",
            "data": {"summary": self.summary, **self.data},
        }
        return json.dumps(event, separators=(",", ":"))


@dataclass(frozen=True)
class Subscription:
    """Who wants to be told of what."""

    name: str
    kinds: frozenset[Kind] = frozenset(Kind)
    targets: tuple[str, ...] = ("*",)  # names, or patterns of them

    def wants(self, announcement: Announcement) -> bool:
        """What is of no target, or of all, concerns everybody."""
        if announcement.kind not in self.kinds:
            return False
        return announcement.target is None or self.covers(announcement.target)

    def covers(self, target: str) -> bool:
        """Whether a target is meant by any of the names and patterns."""
        return any(fnmatchcase(target, pattern) for pattern in self.targets)


def letters(
    announcements: Iterable[Announcement], subscriptions: Sequence[Subscription], source: str
) -> tuple[Letter, ...]:
    """One to each subscriber who wants it."""
    return tuple(
        Letter(
            webhook=one.name,
            id=announcement.id,
            kind=announcement.kind.value,
            target=announcement.target,
            at=announcement.at,
            body=announcement.cloud_event(source),
            due=announcement.at,
        )
        for announcement in announcements
        for one in subscriptions
        if one.wants(announcement)
    )


def of_intent(operation: Operation, decision: Decision) -> Announcement:
    """An intent was committed."""
    record = decision.as_json()
    words = f"{operation.target}: {sentence.sentence(record)}"
    data = {"decision": record, "operation": operation_json(operation)}
    return Announcement(
        f"{operation.id}-decision", Kind.DECISION, operation.target, operation.committed_at, words, data
    )


def of_step(operation: Operation, at: datetime) -> Announcement | None:
    """An operation of ours took a step; None: a step on the way that nobody has to be told of."""
    if operation.foreign or operation.shadow or operation.state in {State.PLANNED, State.SUBMITTED}:
        return None
    if operation.state is State.UNKNOWN:
        kind = Kind.OPERATION_UNKNOWN
        words = "has no known outcome; it is looked into and never sent again"
    else:
        kind = Kind.OPERATION_ENDED
        words = operation.state.value.replace("_", " ")
    detail = f": {operation.detail}" if operation.detail else ""
    return _of_operation(kind, operation, at, f"{words}{detail}")


def of_overdue(operation: Operation, at: datetime) -> Announcement:
    """An operation is still open long after it should have ended."""
    since = _moment(operation.committed_at)
    return _of_operation(Kind.OPERATION_OVERDUE, operation, at, f"is overdue: still {operation.state} since {since}")


def of_breaker(
    target: str, direction: Direction, failures: int, open_until: datetime, *, opens: bool, at: datetime
) -> Announcement:
    """A breaker opened, or one that was open until then has closed."""
    until = _moment(open_until)
    if opens:
        words = f"the breaker of scale-{direction} is open until {until}, after {failures} failures in a row"
    else:
        words = f"the breaker of scale-{direction} is closed again"
    identity = f"breaker-{target}-{direction}-{int(open_until.timestamp())}-{'open' if opens else 'closed'}"
    data = {
        "breaker": {
            "direction": direction.value,
            "open": opens,
            "failures": failures,
            "open_until": rfc3339(open_until),
        }
    }
    return Announcement(identity, Kind.BREAKER, target, at, f"{target}: {words}", data)


_BY_HAND = {by_hand.Kind.PAUSE: Kind.PAUSE, by_hand.Kind.OVERRIDE: Kind.OVERRIDE}
"""A breaker that was closed by hand is told as one that is closed."""


def of_interventions(
    begun: Iterable[Intervention], ended: Iterable[Intervention], at: datetime
) -> tuple[Announcement, ...]:
    """What an operator did, and took back."""
    return tuple(
        announcement
        for ones, over in ((ended, True), (begun, False))
        for one in ones
        if (announcement := _of_intervention(one, at, over=over)) is not None
    )


def _of_intervention(one: Intervention, at: datetime, *, over: bool) -> Announcement | None:
    kind = _BY_HAND.get(one.kind)
    if kind is None:
        return None
    what = f"an override to {figures.nodes(one.nodes)}" if one.nodes is not None else f"a {one.kind}"
    if over:
        words = f"{what} was ended by {one.ended_by}" + (f": {one.ended_reason}" if one.ended_reason else "")
    else:
        until = "until it is taken back" if one.until is None else f"until {_moment(one.until)}"
        reason = f": {one.reason}" if one.reason else ""
        words = f"{what} was set by {one.who}, {until}{reason}"
    data = {"intervention": {**one.as_json(), "ended": over}}
    identity = f"{one.id}-{'ended' if over else 'begun'}"
    return Announcement(identity, kind, one.target, at, f"{one.target or 'all targets'}: {words}", data)


def of_failed_reload(identity: str, problems: Sequence[str], reload: Mapping[str, Any], at: datetime) -> Announcement:
    """The configuration was read anew and refused; `problems` in words, at least one."""
    more = f" (and {figures.counted(len(problems) - 1, 'more problem')})" if len(problems) > 1 else ""
    words = f"the changed configuration cannot be obeyed, the last good one goes on: {problems[0]}{more}"
    return Announcement(f"reload-{identity}", Kind.RELOAD_FAILED, None, at, words, {"reload": dict(reload)})


def _of_operation(kind: Kind, operation: Operation, at: datetime, words: str) -> Announcement:
    summary = f"{operation.target}: scale-{operation.direction} of {figures.nodes(operation.change)} {words}"
    identity = f"{operation.id}-{operation.state if kind is not Kind.OPERATION_OVERDUE else 'overdue'}"
    return Announcement(identity, kind, operation.target, at, summary, {"operation": operation_json(operation)})


def _moment(at: datetime) -> str:
    """For people."""
    return f"{figures.moment(rfc3339(at))} UTC"

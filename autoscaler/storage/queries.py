"""The questions asked of the tables that are more than a line, portable between databases."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Delete, Select, and_, bindparam, delete, func, or_, select, text

from autoscaler.core import letter
from autoscaler.core.by_hand import Kind
from autoscaler.core.operation import State
from autoscaler.core.target import InstanceKey
from autoscaler.storage import tables

_O = tables.operations.c


def _not_ended(state: ColumnElement[str]) -> ColumnElement[bool]:
    """Written out: SQLAlchemy would make the text of a `NOT IN` anew each time that it is asked."""
    return and_(*(state != word for word in tables.ENDED_WORDS))


OPEN_OR_UNREADABLE = _not_ended(_O.state)
"""Open, or in a state that this version does not know: that may be open, too."""

OPEN = select(tables.operations).where(OPEN_OR_UNREADABLE).order_by(_O.committed_at, _O.seq)
"""Every operation that is, or may be, open; oldest first."""

UNREADABLE_STATE = _O.state.not_in([state.value for state in State])

ENDED = func.coalesce(_O.ended_at, _O.committed_at)
"""When an ended operation ended."""

_LAST_OF_ITS_KIND = (
    func.row_number()
    .over(
        partition_by=(
            _O.region,
            _O.project_id,
            _O.instance_id,
            _O.target,
            _O.direction,
            _O.state,
            _O.arrived > 0,  # a failed one that brought nodes starts a cooldown that one without must not hide
        ),
        order_by=(ENDED.desc(), _O.seq.desc()),
    )
    .label("place")
)


def of_instance(instance: InstanceKey) -> ColumnElement[bool]:
    """Whether an operation is of that instance."""
    return and_(
        _O.region == instance.region,
        _O.project_id == instance.project_id,
        _O.instance_id == instance.instance_id,
    )


def seen_nodes() -> Select[Any]:
    """The nodes last seen of a group, by the columns of its key as parameters."""
    s = tables.seen_nodes.c
    return select(s.nodes).where(
        *(s[name] == bindparam(name) for name in ("region", "project_id", "instance_id", "group_id"))
    )


def open_or_since() -> Select[Any]:
    """Operations of an instance that are open, ended at or after `since`, or the last of their kind, as parameters."""
    here = and_(*(_O[name] == bindparam(name) for name in ("region", "project_id", "instance_id")))
    ranked = select(tables.operations, _LAST_OF_ITS_KIND).where(here).subquery()
    recent = or_(
        _not_ended(ranked.c.state),
        func.coalesce(ranked.c.ended_at, ranked.c.committed_at) >= bindparam("since"),
        ranked.c.place == 1,
    )
    return select(ranked).where(recent).order_by(ranked.c.committed_at, ranked.c.seq)


def forget_operations(before: int) -> Delete:
    """Delete operations that ended before that (microseconds), but never the last of a kind."""
    ranked = select(_O.seq, _LAST_OF_ITS_KIND).subquery()
    last = select(ranked.c.seq).where(ranked.c.place == 1)
    return delete(tables.operations).where(_O.state.in_(tables.ENDED_WORDS), before > ENDED, _O.seq.not_in(last))


def forget_decisions(before: int, at_most: int) -> Delete:
    """Delete the records of before that (microseconds), oldest first, no more than so many."""
    d = tables.decisions.c
    oldest = select(d.id).where(d.at < before).order_by(d.at).limit(at_most)
    return delete(tables.decisions).where(d.id.in_(oldest))


_I = tables.interventions.c


def _last_resets() -> Select[Any]:
    """The last closed breaker of each target, and of all: its failures stay closed whatever its age."""
    return select(func.max(_I.seq)).where(_I.kind == Kind.BREAKER_RESET.value).group_by(_I.target)


def standing() -> Select[Any]:
    """What was done by hand and is not over `at` that time (microseconds), and the last closed breakers."""
    held = and_(_I.ended_at.is_(None), or_(_I.until.is_(None), _I.until > bindparam("at")))
    return select(tables.interventions).where(or_(held, _I.seq.in_(_last_resets()))).order_by(_I.seq)


def forget_interventions(before: int) -> Delete:
    """Delete what was over before that (microseconds), but never the last closed breaker of a target."""
    over = func.coalesce(_I.ended_at, _I.until)
    return delete(tables.interventions).where(over < before, _I.seq.not_in(_last_resets()))


_B = tables.outbox.c

POST = text(
    "INSERT INTO outbox (webhook, event, kind, target, at, body, due, state, attempts, error) VALUES "
    "(:webhook, :event, :kind, :target, :at, :body, :due, :state, :attempts, :error) ON CONFLICT DO NOTHING"
)
"""Stores a letter, unless it is there: one that is told twice must never keep an intent from being stored."""

_WAITING = _B.state == letter.State.WAITING.value


def due_letters() -> Select[Any]:
    """A webhook's letters to be tried `at` that time; also those whose time a clock that was set back put off.

    Those that failed less often come first: one that its receiver does not like must not stand before all others.
    """
    at, longest = bindparam("at", type_=BigInteger), bindparam("longest", type_=BigInteger)
    return (
        select(tables.outbox)
        .where(_B.webhook == bindparam("webhook"), _WAITING, or_(_B.due <= at, _B.due > at + longest))
        .order_by(_B.attempts, _B.seq)
        .limit(bindparam("limit"))
    )


def waiting_letters() -> Select[Any]:
    """Of each webhook how many letters wait, and since when the oldest does."""
    return select(_B.webhook, func.count(), func.min(_B.at)).where(_WAITING).group_by(_B.webhook)


def forget_letters(before: int, at_most: int) -> Delete:
    """Delete letters of before that (microseconds), delivered or not, no more than so many."""
    oldest = select(_B.seq).where(_B.at < before).order_by(_B.at).limit(at_most)
    return delete(tables.outbox).where(_B.seq.in_(oldest))

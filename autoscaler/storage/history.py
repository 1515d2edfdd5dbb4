"""What the API reads of the past, over a connection of its own that cannot write (port `History`)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Engine, RowMapping, Select, false, or_, select, tuple_

from autoscaler.core.by_hand import Intervention
from autoscaler.core.operation import Operation
from autoscaler.errors import StoreError
from autoscaler.storage import queries, rows, tables
from autoscaler.storage.transactions import Site
from autoscaler.storage.unreadable import Sieve

TURN_SECONDS = 3.0
"""How long one waits for others who ask: threads are few, and where the database hangs they are not all to wait for it.
"""

_RECORDS_AT_ONCE = 200
"""Some 3 ms: who shows something else waits no longer for the connection."""


class SqlHistory:
    """May be asked from any thread. A row that cannot be read is left out and reported once; the rest is there."""

    def __init__(self, engine: Engine, site: Site, sieve: Sieve) -> None:
        self._engine = engine
        self._site = site
        self._sieve = sieve
        self._lock = Lock()
        self._closed = False

    def decisions(
        self,
        target: str,
        *,
        before: datetime | None = None,
        since: datetime | None = None,
        limit: int = 100,
        oldest_first: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        d = tables.decisions.c
        query = select(d.id, d.record).where(_is(d.target, target), *_between(d.at, since, before))
        ordered = query.order_by(*_order(d.at, d.id, oldest_first=oldest_first))
        found = self._read(ordered.limit(max(limit, 0)))
        return self._sieve.readable(found, rows.to_record)

    def records(self, target: str, *, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        d = tables.decisions.c
        query = (
            select(d.id, d.at, d.record)
            .where(_is(d.target, target), d.at < rows.micros(until))
            .order_by(d.at, d.id)
            .limit(_RECORDS_AT_ONCE)
        )
        found = self._read(query.where(d.at >= rows.micros(since)))
        while found:
            yield from self._sieve.readable(found, rows.to_record)
            last = found[-1]
            # The first condition is the index's, whose order the second cannot use everywhere.
            later = query.where(d.at >= last["at"], tuple_(d.at, d.id) > tuple_(last["at"], last["id"]))
            found = self._read(later) if len(found) == _RECORDS_AT_ONCE else ()

    def operations(
        self,
        target: str | None = None,
        *,
        before: datetime | None = None,
        since: datetime | None = None,
        limit: int = 100,
        oldest_first: bool = False,
    ) -> tuple[Operation, ...]:
        o = tables.operations.c
        query = select(tables.operations).where(*_between(o.committed_at, since, before))
        if target is not None:
            query = query.where(_is(o.target, target))
        found = self._read(
            query.order_by(*_order(o.committed_at, o.seq, oldest_first=oldest_first)).limit(max(limit, 0))
        )
        return self._sieve.readable(found, rows.to_operation)

    def open_operations(self) -> tuple[Operation, ...]:
        found = self._read(queries.OPEN)
        return self._sieve.readable(found, rows.to_operation)

    def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        found = self._read(queries.standing(), {"at": rows.micros(at)})
        return self._sieve.readable(found, rows.to_intervention)

    def interventions(self, target: str | None = None, *, limit: int = 100) -> tuple[Intervention, ...]:
        i = tables.interventions.c
        query = select(tables.interventions)
        if target is not None:
            query = query.where(or_(_is(i.target, target), i.target.is_(None)))
        found = self._read(query.order_by(i.seq.desc()).limit(max(limit, 0)))
        return self._sieve.readable(found, rows.to_intervention)

    def close(self) -> None:
        """Close the connection; what is asked after that raises StoreError."""
        self._closed = True
        self._site.interrupt()
        with self._lock:
            self._engine.dispose()

    def _read(self, query: Select[Any], values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        if not self._lock.acquire(timeout=TURN_SECONDS):
            raise StoreError(f"{self._site.name}: others wait for its answer since {TURN_SECONDS:g} s; try again")
        try:
            with self._site.guarded(), self._open() as connection:
                return connection.execute(query, values).mappings().all()
        finally:
            self._lock.release()

    def _open(self) -> Connection:
        if self._closed:  # the engine would quietly connect anew
            raise StoreError(f"{self._site.name}: the store is closed")
        return self._engine.connect()


def _is(column: Column[str], name: str) -> ColumnElement[bool]:
    """Of that name; of one that no text can hold there is nothing, and a database would refuse the question."""
    return column == name if rows.writable(name) == name else false()


def _between(moment: Column[int], since: datetime | None, before: datetime | None) -> Iterator[ColumnElement[bool]]:
    if since is not None:
        yield moment >= rows.micros(since)
    if before is not None:
        yield moment < rows.micros(before)


def _order(*columns: Column[int], oldest_first: bool) -> list[ColumnElement[int]]:
    return [column.asc() if oldest_first else column.desc() for column in columns]

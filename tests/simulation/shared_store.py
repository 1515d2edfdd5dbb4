"""A store that two simulated daemons share: the tables, transactions and lease of the PostgreSQL one, in SQLite.

PostgreSQL runs in a time of its own, so it cannot be in here. What matters of it is: each transaction is there as a
whole or not at all, one that commits an intent holds the lease fast meanwhile (SQLite has one writer at a time), the
lease goes by the database's clock, an answer takes its time, and the database may be gone, also between a commit and
its answer. The statements of the lease are the real ones, but for their dialect. tests/e2e/test_pair.py has the rest.
"""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import pytest
from sqlalchemy import event, text

from autoscaler.errors import StoreError
from autoscaler.ports import Correspondence
from autoscaler.storage import connection as connections
from autoscaler.storage import database, faults, lease_row, rows, schema
from autoscaler.storage.history import SqlHistory
from autoscaler.storage.leased import LeasedTransactions, StoredLease
from autoscaler.storage.transactions import Site
from autoscaler.storage.unreadable import Sieve
from autoscaler.storage.worker import OneThread
from tests.simulation.virtual_time import Timeline

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_WAY = 0.02
"""Seconds from a daemon to the database, at most."""


class Server:
    """The database, for as many daemons as there are."""

    def __init__(self, file: Path, timeline: Timeline, chance: random.Random) -> None:
        self.gone = False
        self._file = file
        self._timeline = timeline
        self._chance = chance

    def open_store(self, _url: str, *, correspondence: Correspondence) -> database.DatabaseStore:
        """One daemon's store.

        Raises:
            StoreError: it is gone.
        """
        self.check()
        schema.ensure(self._file)
        engine = connections.writing(self._file)
        event.listen(engine, "connect", self._tell_time)
        site, sieve = (
            Site("the database", partial(faults.translated, self._file)),
            Sieve("the database", lambda _: None),
        )
        history = SqlHistory(connections.reading(self._file), site, sieve)
        transactions = LeasedTransactions(engine, site, sieve, correspondence)
        run = _Away(self)
        lease = StoredLease(transactions, cast("OneThread", run))  # called in the same way
        return database.DatabaseStore(transactions, history, run, lease=lease)

    def check(self) -> None:
        """StoreError where it is gone."""
        if self.gone:
            raise StoreError("the database is gone")

    def way(self) -> float:
        """Seconds to it, or back."""
        return self._chance.uniform(0.0001, LONGEST_WAY)

    def _tell_time(self, connection: sqlite3.Connection, _record: Any) -> None:
        connection.create_function("simulated_now", 0, lambda: rows.micros(self._timeline.now))


class _Away:
    """Runs transactions over there: a call may be carried out and its answer be lost."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(self._server.way())
        self._server.check()
        answer = work(*args, **kwargs)
        await asyncio.sleep(self._server.way())
        self._server.check()
        return answer

    def close(self) -> None:
        """Nobody waits."""


def speaking_sqlite(patch: pytest.MonkeyPatch) -> None:
    """Have the statements of the lease in SQLite's words."""
    for name in ("_CLAIM", "_HOLD", "_HOLDER", "_RELEASE"):
        statement = str(getattr(lease_row, name)).replace(lease_row._NOW, "simulated_now()").replace("FOR SHARE", "")
        patch.setattr(lease_row, name, text(statement))


def holder(file: sqlite3.Connection) -> tuple[str, int]:
    """Who holds the lease, and until when (microseconds); nobody at first."""
    found: tuple[str, int] | None = file.execute("SELECT holder, until FROM lease").fetchone()
    return found or ("", 0)

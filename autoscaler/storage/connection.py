"""Connections to a SQLite file, whose safety is set on each and read back: a setting that did not take is an error.

The writing one keeps a write-ahead log and waits for the disk at every commit (`synchronous=FULL`): an intent that was
acknowledged survives a power cut. The reading one cannot write at all.
"""

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import StaticPool

from autoscaler.errors import StoreError

BUSY_MILLISECONDS = 2000
"""How long a statement waits for another program's lock; the loop stands still meanwhile, so it is short."""

_WRITING: Mapping[str, int | str] = {
    "busy_timeout": BUSY_MILLISECONDS,  # first: the others may have to wait
    "journal_mode": "wal",
    "synchronous": 2,  # FULL
    "foreign_keys": 1,
}
_READING: Mapping[str, int | str] = {"busy_timeout": BUSY_MILLISECONDS, "query_only": 1}


def writing(file: Path) -> Engine:
    """An engine of one connection, for the thread that made it; every transaction is `BEGIN IMMEDIATE`.

    The driver's own BEGIN is deferred: it would take the write lock only at the first INSERT, and fail there.
    """
    engine = _engine(file, mode="rwc", settings=_WRITING, one_thread=True)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def hurry(engine: Engine, seconds: float) -> None:
    """From now on no transaction waits for another program's lock beyond so many real seconds from now."""
    until = time.monotonic() + seconds

    def shorten(connection: Connection) -> None:
        left = max(0, int(1000 * (until - time.monotonic())))
        if left < connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one():
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {left}")

    event.remove(engine, "begin", _begin_immediate)  # listeners are called in their order
    event.listen(engine, "begin", shorten)
    event.listen(engine, "begin", _begin_immediate)


def migrating(file: Path) -> Engine:
    """As `writing`, but without foreign keys, which cannot be turned off within a transaction.

    To change a column SQLite copies the table and drops the old one: each row of another table that refers to it would
    lose its reference (sqlite.org, "Making Other Kinds Of Table Schema Changes").
    """
    engine = _engine(file, mode="rwc", settings={**_WRITING, "foreign_keys": 0}, one_thread=True)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def reading(file: Path) -> Engine:
    """An engine of one connection that cannot write; for one thread at a time, whichever it is."""
    return _engine(file, mode="ro", settings=_READING, one_thread=False)


def _engine(file: Path, *, mode: str, settings: Mapping[str, int | str], one_thread: bool) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode={mode}", uri=True, isolation_level=None, check_same_thread=one_thread
        )
        try:
            _set_and_assert(connection, file, settings)
        except BaseException:
            connection.close()
            raise
        return connection

    return create_engine("sqlite+pysqlite://", creator=connect, poolclass=StaticPool)


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _set_and_assert(connection: sqlite3.Connection, file: Path, settings: Mapping[str, int | str]) -> None:
    for name, wanted in settings.items():
        connection.execute(f"PRAGMA {name}={wanted}")
        (found,) = connection.execute(f"PRAGMA {name}").fetchone()
        if found != wanted:
            raise StoreError(
                f"{file}: SQLite keeps {name} at {found} instead of {wanted}; put the file on a local disk"
            )

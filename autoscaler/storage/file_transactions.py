"""Transactions on a SQLite file; its questions go over a connection of their own, which cannot write.

Outside a transaction one statement sees one state of the file; it waits for nobody's lock, and costs half as much.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from autoscaler.core.operation import Operation
from autoscaler.ports import Correspondence
from autoscaler.storage.transactions import Site, Transactions
from autoscaler.storage.unreadable import Sieve


class FileTransactions(Transactions):
    """As `Transactions`, in one thread."""

    def __init__(
        self, engine: Engine, site: Site, sieve: Sieve, correspondence: Correspondence, *, asking: Engine
    ) -> None:
        super().__init__(engine, site, sieve, correspondence)
        self._asking = asking
        self._open: tuple[Operation, ...] = ()
        self._open_at: int | None = None  # the version of the file in which they were open

    def open_operations(self) -> tuple[Operation, ...]:
        """As the port says. It is asked every few seconds: a file that has not changed has the same answer."""
        version = self._version()
        if version != self._open_at:
            self._open = super().open_operations()
            self._open_at = version  # of before the question: a change in between is asked for next time
        return self._open

    def close(self) -> None:
        self._asking.dispose()
        super().close()

    def _version(self) -> int:
        """Another one after every commit that was not made over this connection: after all (sqlite.org, data_version).

        Straight from the driver, as this is asked so often.
        """
        self._ensure_open()
        with self._site.guarded():
            held = self._asking.raw_connection()
            try:
                cursor = held.cursor()
                cursor.execute("PRAGMA data_version")
                [(version,)] = cursor.fetchall()
            finally:
                held.close()
        return int(version)

    @contextmanager
    def _question(self) -> Iterator[Connection]:
        self._ensure_open()
        with self._site.guarded(), self._asking.connect() as connection:
            yield connection

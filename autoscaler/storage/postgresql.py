"""The store in a PostgreSQL database (port `Store`), which several daemons may share: one of them leads.

The driver is the synchronous one in a thread of its own: a server that is slow or gone never stops the loop.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError

from autoscaler.errors import StoreError
from autoscaler.ports import NOBODY, Correspondence
from autoscaler.storage import database, schema, server, server_faults
from autoscaler.storage.history import SqlHistory
from autoscaler.storage.leased import LeasedTransactions, StoredLease
from autoscaler.storage.line import Line
from autoscaler.storage.transactions import Site
from autoscaler.storage.unreadable import Report, Sieve, log_warning
from autoscaler.storage.worker import OneThread

PATIENCE_SECONDS = 15.0
"""How long a call waits, its turn included; a connection and a transaction have their end before that."""

_MIGRATION_LOCK = 3_614_117_201
"""Any number that nobody else locks in this database."""


def open_store(
    url: str, *, correspondence: Correspondence = NOBODY, report: Report = log_warning
) -> database.DatabaseStore:
    """Open the store of a URL such as `postgresql+psycopg://autoscaler@db.example:5432/autoscaler`.

    Tables are made where they are missing. `correspondence` says who is told of changes. `report` is told of rows that
    are left out as unreadable. Both are asked in any thread.

    Raises:
        StoreError: in one sentence that names the database and the remedy, and no password.
    """
    address = _address(url)
    name = _name(address)
    with ExitStack() as opened:
        _migrate(address, name)
        line, line_of_history = Line(), Line()
        engine = server.writing(address, line, name)
        opened.callback(engine.dispose)
        history_engine = server.reading(address, line_of_history, name)
        opened.callback(history_engine.dispose)
        sieve = Sieve(name, report)
        history = SqlHistory(history_engine, _site(name, address, line_of_history), sieve)
        history.operations(limit=1)  # a connection that cannot be had is an error now, not when a page is asked for
        transactions = LeasedTransactions(engine, _site(name, address, line), sieve, correspondence)
        opened.pop_all()
    run = OneThread(name, PATIENCE_SECONDS)

    def ends_in(seconds: float) -> None:
        for each in (line, line_of_history):
            each.ends_in(seconds)

    return database.DatabaseStore(transactions, history, run, lease=StoredLease(transactions, run), ends_in=ends_in)


def _address(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "store postgresql:… is no address; write postgresql+psycopg://USER@HOST:5432/DATABASE"
        ) from error


def _name(address: URL) -> str:
    """As messages call it: without the password and options."""
    open_part = URL.create(
        address.drivername, address.username, host=address.host, port=address.port, database=address.database
    )
    return open_part.render_as_string()


def _site(name: str, address: URL, line: Line, seconds: float = server.SILENCE_SECONDS) -> Site:
    @contextmanager
    def guarded() -> Iterator[None]:
        with server_faults.translated(name, address.password), line.limited(seconds):
            yield

    return Site(name, guarded, line.end)


def _migrate(address: URL, name: str) -> None:
    """Bring the tables up; of several daemons that start at once one does, and the others find it done."""
    line = Line()
    engine = server.migrating(address, line, name)
    try:
        with _site(name, address, line, server.MIGRATION_SECONDS).guarded(), engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            schema.bring_up(connection, name)
    finally:
        engine.dispose()

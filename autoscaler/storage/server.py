"""Connections to a PostgreSQL server: one for each engine, bounded in every wait, whose safety is looked at each time.

A new one asks whether an acknowledged commit survives a power cut. Nothing waits for the server for good: libpq gives
up connecting, the kernel gives up on what is not acknowledged, the server ends what takes too long and what was left in
mid-transaction (by a daemon that was stopped or cut off, whose locks would hold up everybody), `line` ends the rest.
Where the process itself ends, so does the line, and with it every wait.
"""

import time
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from autoscaler.errors import StoreError
from autoscaler.storage.line import GivenUp, Line

CONNECT_SECONDS = 5  # for each host that `store` names, and each address of it
STATEMENT_SECONDS = 5
LOCK_SECONDS = 4  # less than a statement's, so that it is a lock's wait that is reported
SILENCE_SECONDS = 8
"""A transaction that lasts longer is cut off; the server would have ended it by then."""

MIGRATION_SECONDS = 300

_ALWAYS: dict[str, object] = {
    "connect_timeout": CONNECT_SECONDS,
    "client_encoding": "utf8",
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "target_session_attrs": "primary",  # of several hosts, never a replica
    "application_name": "ddm-autoscaler",
}


def writing(url: URL, line: Line, site: str) -> Engine:
    """An engine of one connection, of which `line` knows; used by one thread at a time."""
    return _engine(url, line, site, {})


def reading(url: URL, line: Line, site: str) -> Engine:
    """An engine of one connection that cannot write; used by one thread at a time."""
    return _engine(url, line, site, {"default_transaction_read_only": "on"})


def migrating(url: URL, line: Line, site: str) -> Engine:
    """As `writing`, for what may take minutes: changed tables, or waiting for another daemon that changes them."""
    patient = f"{MIGRATION_SECONDS}s"
    return _engine(url, line, site, {"statement_timeout": patient, "lock_timeout": patient})


def _engine(url: URL, line: Line, site: str, settings: dict[str, str]) -> Engine:
    limits = {
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{STATEMENT_SECONDS}s",
    }
    options = " ".join(f"-c {name}={value}" for name, value in (limits | settings).items())
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        pool_pre_ping=True,  # one that died meanwhile is replaced before it is used
        hide_parameters=True,
        connect_args=_ALWAYS | {"options": options},
    )
    event.listen(engine, "do_connect", _Connecting(line, site))
    event.listen(engine, "close", lambda *_: line.forget())
    return engine


class _Connecting:
    """Connects, and after an attempt that failed slowly refuses at once for as long: many callers wait only once."""

    def __init__(self, line: Line, site: str) -> None:
        self._line = line
        self._site = site
        self._not_before = 0.0
        self._refusal = ""

    def __call__(self, _dialect: object, _record: object, _args: Any, parameters: Any) -> Any:
        begun = time.monotonic()
        if begun < self._not_before:
            raise psycopg.OperationalError(self._refusal)
        try:
            connection = self._line.made(lambda: psycopg.connect(**parameters))
        except GivenUp as error:
            raise psycopg.OperationalError("this daemon ends, and waits no longer") from error
        except psycopg.OperationalError as error:
            self._refusal = str(error)
            self._not_before = 2 * time.monotonic() - begun
            raise
        try:
            self._line.follow(connection.fileno())
            _ensure_safe(connection, self._site)
        except BaseException:
            self._line.forget()
            connection.close()
            raise
        return connection


def _ensure_safe(connection: psycopg.Connection[Any], site: str) -> None:
    """Set what a session may set, and refuse what only the server's owner can mend.

    Raises:
        StoreError: commits are not kept, or texts cannot be.
    """
    connection.autocommit = True
    found = connection.execute(
        "SELECT current_setting('fsync'), current_setting('server_encoding'), current_setting('synchronous_commit')"
    ).fetchone()
    fsync, encoding, commit = found or ("", "", "")
    if fsync != "on":
        raise StoreError(f"{site}: the server runs with fsync={fsync}, which loses intents; turn it on")
    if encoding != "UTF8":
        raise StoreError(f"{site}: the database is encoded in {encoding}; create one with ENCODING 'UTF8'")
    if commit == "off":
        connection.execute("SET synchronous_commit = on")
    connection.autocommit = False

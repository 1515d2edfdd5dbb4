"""A database file for each test, and its store, closed at the end; and a PostgreSQL server for those that want one."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.storage import opening, sqlite
from autoscaler.storage.database import DatabaseStore
from tests.storage import postgres


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "autoscaler.db"


@pytest.fixture
def open_store(database: Path) -> Iterator[Callable[..., DatabaseStore]]:
    """Opens the test's file, or another; whatever is still open at the end is closed."""
    opened: list[DatabaseStore] = []

    def open_(file: Path = database, **options: Any) -> DatabaseStore:
        opened.append(sqlite.open_store(f"sqlite:///{file}", **options))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """One server for all tests of a process; each takes a database of its own."""
    programs = postgres.programs()
    if programs is None:
        pytest.skip("postgresql is not installed")
    with postgres.running(programs) as server:
        yield server


@pytest.fixture
def open_shared(postgresql: postgres.Server) -> Iterator[Callable[..., DatabaseStore]]:
    """Opens the test's database on the server, as often as there are daemons; all are closed at the end."""
    opened: list[DatabaseStore] = []
    url = postgresql.url(postgresql.new_database())

    def open_(**options: Any) -> DatabaseStore:
        opened.append(opening.open_store(url, **options))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()

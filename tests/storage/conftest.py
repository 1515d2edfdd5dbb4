"""A database file for each test, and its store, closed at the end; and a PostgreSQL server for those that want one."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autoscaler.ports import NOBODY, Correspondence
from autoscaler.storage import opening, sqlite
from autoscaler.storage.database import DatabaseStore
from tests import fakes
from tests.storage import postgres

Store = DatabaseStore | fakes.MemoryStore


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


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def make_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Store]]:
    """Makes stores that are empty and, where there is a lease, lead."""
    made: list[Store] = []

    def make(correspondence: Correspondence = NOBODY) -> Store:
        if request.param == "memory":
            made.append(fakes.MemoryStore(correspondence=correspondence))
        elif request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('store')}/autoscaler.db"
            made.append(opening.open_store(url, correspondence=correspondence))
        else:
            server = request.getfixturevalue("postgresql")
            made.append(opening.open_store(server.url(server.emptied_database()), correspondence=correspondence))
            assert leading(made[-1]) == 1
        return made[-1]

    yield make
    for one in made:
        one.close()


def leading(store: Store) -> int | None:
    """In a loop of its own, as fixtures and tests have theirs."""
    assert store.lease is not None
    lease = store.lease
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(lease.claim("test", timedelta(hours=1)))).result()

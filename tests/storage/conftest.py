"""A database file for each test, and its store, closed at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.storage import sqlite
from autoscaler.storage.database import DatabaseStore


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

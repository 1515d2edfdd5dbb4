"""Ends every process that a test has started, by its id."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.e2e import small_disk as small_disks
from tests.e2e.processes import Program
from tests.storage import postgres

P = TypeVar("P", bound=Program)


@pytest.fixture
def started() -> Generator[Callable[[P], P]]:
    """`started(program)` is the program, and its end is taken care of."""
    programs: list[Program] = []

    def keep(program: P) -> P:
        programs.append(program)
        return program

    yield keep
    for program in programs:
        program.end()


@pytest.fixture
def small_disk(tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[small_disks.SmallDisk]:
    """A disk of its own for a store, which the test may fill up."""
    for tool in ("unshare", "nsenter", "mount"):
        require_tool(tool)
    with small_disks.mounted(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("a disk is mounted, which wants root (and a system that lets it)")
        yield disk


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A PostgreSQL server for all tests of a process; each takes a database of its own."""
    programs = postgres.programs()
    if programs is None:
        pytest.skip("postgresql is not installed")
    with postgres.running(programs) as server:
        yield server

"""Ends every process that a test has started, by its id."""

from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import pytest

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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgres.Server]:
    """A PostgreSQL server for all tests of a process; each takes a database of its own."""
    programs = postgres.programs()
    if programs is None:
        pytest.skip("postgresql is not installed")
    with postgres.running(programs) as server:
        yield server

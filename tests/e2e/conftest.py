"""Ends every process that a test has started, by its id."""

from collections.abc import Callable, Generator
from typing import TypeVar

import pytest

from tests.e2e.processes import Program

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

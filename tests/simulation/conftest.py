"""Where the stores of simulated daemons are."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest


@pytest.fixture(autouse=True)
def unmeasured() -> Iterator[None]:
    """Measuring coverage makes a simulated day three times as long, and every line has tests of its own elsewhere."""
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.stop()
    yield
    if measuring is not None:
        measuring.start()


@pytest.fixture
def disk(tmp_path):
    """In memory where that is to be had: a real daemon waits for its disk at every commit, a simulated one need not."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)

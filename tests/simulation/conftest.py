"""Where the stores of simulated daemons are."""

import os
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def disk(tmp_path):
    """In memory where that is to be had: a real daemon waits for its disk at every commit, a simulated one need not."""
    memory = Path("/dev/shm")  # noqa: S108  # a folder of its own is made there
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)

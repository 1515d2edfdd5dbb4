"""A process that dies loses nothing that it was told is stored, and leaves no lock behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from autoscaler.core.target import InstanceKey
from autoscaler.errors import StoreError
from autoscaler.storage import sqlite
from autoscaler.storage.database import DatabaseStore
from tests.storage import samples

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


class Children:
    """Drives commit_stream.py: one child at a time, killed on demand."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.pid = 0

    def start(self, task: str, file: Path) -> None:
        """Until the child has the store open."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{task} {file}\n")
        self.process.stdin.flush()
        self.pid = int(self.line().removeprefix("pid "))
        assert self.line() == "open"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> list[str]:
        """Kill -9; what the child had said that was not read yet."""
        os.kill(self.pid, signal.SIGKILL)
        said = list(iter(self.line, "gone"))
        self.pid = 0
        return said


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.storage.commit_stream"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        driven = Children(process)
        yield driven
        if driven.pid:
            driven.kill()
        process.kill()


def missing(store: DatabaseStore, said: list[str]) -> list[str]:
    """Which of the acknowledged changes the store does not hold."""
    last = dict(line.split() for line in said)  # the newest state that was said of each operation
    lost = []
    for identity, state in last.items():
        instance = InstanceKey("eu-de", "p1", identity)
        found = asyncio.run(store.operations(instance, since=samples.NOW))
        records = len(store.history.decisions(identity))
        whole = {
            "planned": records in {1, 11} and len(found) == 1,
            "rejected": records in {1, 11} and [operation.state for operation in found] == ["rejected"],
            "recorded": records == 11,
        }
        if not whole[state]:
            lost.append(f"{identity} {state}: {found}, {records} records")
    return lost


def test_killed_at_twenty_moments_a_store_opens_clean_with_everything_it_had_acknowledged(children, database):
    acknowledged = 0
    for round_ in range(20):
        children.start("stream", database)
        said = [children.line() for _ in range(1 + 7 * round_)] + children.kill()
        store = sqlite.open_store(f"sqlite:///{database}")
        with store.transactions.engine.connect() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert missing(store, said) == []
        acknowledged += len(said)
        store.close()
    assert acknowledged > 20 * 7 * 9


def test_a_second_process_is_refused_while_the_first_lives_and_let_in_after_its_kill(children, database):
    children.start("hold", database)
    with pytest.raises(StoreError, match=f"autoscaler.db: in use by process {children.pid} on .*; stop that daemon"):
        sqlite.open_store(f"sqlite:///{database}")

    children.kill()
    sqlite.open_store(f"sqlite:///{database}").close()

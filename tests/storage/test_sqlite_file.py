"""The SQLite file: how safely it is kept, and the one sentence for everything that may be wrong with it."""

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from autoscaler.core.operation import State
from autoscaler.core.target import InstanceKey
from autoscaler.errors import StoreError
from autoscaler.ports import OperationOpenError, SeenNode
from autoscaler.storage import connection as connections
from autoscaler.storage import rows, sqlite
from autoscaler.storage.database import DatabaseStore
from autoscaler.storage.remembered import Remembered
from tests.storage import samples
from tests.storage.samples import INSTANCE, NOW

NOBODY = 65534


# --- how it is kept --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 2000)],
)
def test_i2_every_new_writing_connection_has(open_store, database, pragma, value):
    open_store().close()
    for _ in range(2):
        engine = connections.writing(database)
        with engine.connect() as connection:
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value
        engine.dispose()


def test_i2_a_setting_that_does_not_take_is_an_error(tmp_path):
    """Of a database in memory SQLite keeps no write-ahead log, and says so without an error."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection, pytest.raises(StoreError, match="journal_mode"):
        connections._set_and_assert(connection, tmp_path / "x.db", connections._WRITING)


def test_the_connection_of_the_history_cannot_write(open_store):
    history = open_store().history
    with history._engine.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.execute(text("DELETE FROM decisions"))


async def test_a_question_waits_for_nobodys_lock_and_a_change_says_who_holds_it(open_store, database):
    store = open_store()
    await store.commit_intent(samples.operation(), samples.decision())
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await store.operations(INSTANCE, since=NOW) == (samples.operation(),)
        assert await store.open_operations() == (samples.operation(),)
        assert await store.seen_nodes(INSTANCE, "g1") is None
        assert await store.standing(at=NOW) == ()
        with pytest.raises(StoreError, match="another program keeps it locked"):
            await store.record([samples.decision()])


async def test_open_operations_are_those_of_now_whoever_changed_them(open_store, database):
    store = open_store()
    assert await store.open_operations() == ()
    planned = samples.operation()
    await store.commit_intent(planned, samples.decision())
    assert await store.open_operations() == (planned,)
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("UPDATE operations SET detail = 'by another program'")
    assert [op.detail for op in await store.open_operations()] == ["by another program"]
    unknown = planned.step(State.UNKNOWN, at=NOW)
    await store.update(unknown, was=planned)
    assert await store.open_operations() == (unknown,)


async def test_the_history_may_be_asked_from_other_threads(open_store):
    store = open_store()
    await store.record([samples.decision()] * 50)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(store.history.decisions("orders")))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [50] * 8


async def test_a_store_closed_and_opened_again_holds_what_it_held(open_store, database):
    store = open_store()
    await store.commit_intent(samples.operation(), samples.decision())
    await store.save_seen_nodes(INSTANCE, "g1", [SeenNode("n1", NOW)])
    store.close()
    assert sorted(file.name for file in database.parent.iterdir()) == ["autoscaler.db", "autoscaler.db.lock"]

    again = open_store()
    assert await again.open_operations() == (samples.operation(),)
    assert await again.seen_nodes(INSTANCE, "g1") == (SeenNode("n1", NOW),)


async def test_jobs_known_at_the_intent_are_forgotten_when_the_operation_ends(open_store):
    store = open_store()
    planned = samples.operation(known_jobs=frozenset(f"job-{n}" for n in range(5000)))
    await store.commit_intent(planned, samples.decision())
    await store.update(samples.ended("op1", NOW, known_jobs=planned.known_jobs), was=planned)
    with store.transactions.engine.connect() as connection:
        assert connection.execute(text("SELECT known_jobs FROM operations")).scalar() == "[]"


# --- opening ---------------------------------------------------------------------------------------------------------


def test_missing_directories_are_made(open_store, tmp_path):
    open_store(tmp_path / "a" / "b" / "c.db")
    assert (tmp_path / "a" / "b" / "c.db").is_file()


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "what%3f.db", "a#b.db", "größe.db"])
def test_a_file_may_be_called(open_store, tmp_path, name):
    open_store(tmp_path / name)
    assert (tmp_path / name).is_file()


def test_the_same_file_by_another_name_has_the_same_lock(open_store, tmp_path):
    open_store(tmp_path / "a.db")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match=f"in use by process {os.getpid()} on"):
        open_store(tmp_path / "link" / "a.db")


def test_a_refused_opening_releases_the_lock(open_store, database):
    database.parent.mkdir()
    database.write_bytes(b"this is not a database" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a SQLite database"):
            open_store()
    database.unlink()
    open_store()


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:geheim@h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///relative.db", "nonsense",
     "sqlite:////a.db?timeout=5", "sqlite://host/a.db", "mysql+pymysql://h/d"],
)  # fmt: skip
def test_no_store_is_opened_for_the_url(url):
    with pytest.raises(StoreError, match=r"^store .*name a file by its absolute path") as raised:
        sqlite.open_store(url)
    assert "geheim" not in str(raised.value)


def a_directory(file: Path) -> None:
    file.mkdir(parents=True)


def a_file_as_directory(file: Path) -> None:
    file.parent.write_text("")


def no_database(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"this is not a database" * 100)


def a_damaged_database(file: Path) -> None:
    sqlite.open_store(f"sqlite:///{file}").close()
    content = bytearray(file.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)  # only the header is left
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (a_directory, "it is a directory; name a file in it"),
        (a_file_as_directory, "cannot be used for the store .*; name another place"),
        (no_database, "it is not a SQLite database; restore a backup, or move the file away"),
        (a_damaged_database, "it is damaged; restore a backup, or move the file away"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_one_sentence_names_the_place_and_the_remedy_for(open_store, database, spoil, sentence):
    spoil(database)
    with pytest.raises(StoreError, match=sentence) as raised:
        open_store()
    assert str(raised.value).startswith(str(database.parent))
    assert "\n" not in str(raised.value)


@pytest.fixture
def state() -> Iterator[Path]:
    """A directory that any user can get at."""
    directory = Path(tempfile.mkdtemp(prefix="autoscaler-state-"))
    directory.chmod(0o755)
    yield directory
    directory.chmod(0o755)
    shutil.rmtree(directory)


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write everywhere; so it becomes nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_directory_that_cannot_be_written_is_named_with_the_remedy(open_store, state):
    state.chmod(0o555)
    with without_privileges(), pytest.raises(StoreError, match=f"{state}.*Permission denied.*write access"):
        open_store(state / "autoscaler.db")
    with without_privileges(), pytest.raises(StoreError, match=f"{state}.*Permission denied.*write access"):
        open_store(state / "deeper" / "autoscaler.db")


def test_a_file_that_cannot_be_written_is_named_with_the_remedy(open_store, state):
    open_store(state / "autoscaler.db").close()
    (state / "autoscaler.db").chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    (state / "autoscaler.db.lock").chmod(0o666)
    state.chmod(0o777)
    with (
        without_privileges(),
        pytest.raises(StoreError, match=r"autoscaler\.db: it cannot be written; give .* write access"),
    ):
        open_store(state / "autoscaler.db")


# --- bad days --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def another_program(database: Path) -> Iterator[None]:
    """A shell in which somebody began a transaction and went to lunch."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as shell:
        shell.execute("BEGIN EXCLUSIVE")
        yield


def test_a_locked_database_is_said_and_works_when_it_is_free_again(open_store, database):
    store = open_store()
    with another_program(database), pytest.raises(StoreError, match=r"another program keeps it locked; end that"):
        asyncio.run(store.commit_intent(samples.operation(), samples.decision()))
    asyncio.run(store.commit_intent(samples.operation(), samples.decision()))
    assert len(store.history.decisions("orders")) == 1


async def test_at_the_end_of_the_process_all_who_write_wait_for_a_lock_no_longer_than_that_together(
    open_store, database
):
    store = open_store()
    store.ends_in(0.5)
    begun = time.monotonic()
    with another_program(database):
        for _ in range(3):
            with pytest.raises(StoreError, match="another program keeps it locked"):
                await store.record([samples.decision()])
        assert 0.4 < time.monotonic() - begun < 1.5
    await store.record([samples.decision()])
    assert len(store.history.decisions("orders")) == 1


def test_a_locked_database_is_said_at_the_opening(open_store, database):
    open_store().close()
    with another_program(database), pytest.raises(StoreError, match=r"another program keeps it locked; end that"):
        open_store()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB where one may be mounted; else the operating system lets no file grow beyond that."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    yield disk
    if mounted:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S607  # wherever the system has it


def fill(store: DatabaseStore) -> None:
    async def record() -> None:
        for _ in range(100):
            await store.record([samples.decision(details={"x": "y" * 900})] * 100)

    asyncio.run(record())


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_is_said_and_nothing_is_half_stored(open_store, small_disk):
    store = open_store(small_disk / "autoscaler.db")
    limited = contextlib.nullcontext() if small_disk.is_mount() else no_file_beyond(1_000_000)
    with limited, pytest.raises(StoreError, match=r"autoscaler\.db: (no room is left on its disk|its disk does not)"):
        fill(store)
    assert len(store.history.decisions("orders", limit=10_000)) % 100 == 0
    store.close()


def test_a_limit_on_files_is_said_and_after_it_writing_goes_on(open_store):
    store = open_store()
    with no_file_beyond(1_000_000), pytest.raises(StoreError, match="its disk does not take or give the data; look"):
        fill(store)
    before = len(store.history.decisions("orders", limit=10_000))
    asyncio.run(store.commit_intent(samples.operation(), samples.decision()))
    assert len(store.history.decisions("orders", limit=10_000)) == before + 1


async def test_a_database_with_no_room_left_is_said_and_writing_goes_on_when_there_is(open_store):
    store = open_store()
    with store.transactions.engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count=40"))
    with pytest.raises(StoreError, match="no room is left on its disk; free some, and writing goes on by itself"):
        await store.record([samples.decision()] * 1000)
    assert store.history.decisions("orders") == ()

    with store.transactions.engine.connect() as connection:
        connection.execute(text("PRAGMA max_page_count=4000"))
    await store.record([samples.decision()])
    assert len(store.history.decisions("orders")) == 1


async def test_nodes_and_what_comes_beside_them_are_stored_as_a_whole_or_not_at_all(open_store):
    store = open_store()
    too_many = samples.ended("f1", NOW, change=2**70)
    with pytest.raises(StoreError, match="a value cannot be stored"):
        await store.save_seen_nodes(INSTANCE, "g1", [], beside=[samples.ended("f0", NOW), too_many])
    planned = samples.operation()
    await store.commit_intent(planned, samples.decision())
    with pytest.raises(StoreError, match="a value cannot be stored"):
        await store.update(planned.step(State.UNKNOWN, at=NOW), was=planned, beside=[too_many])
    assert await store.seen_nodes(INSTANCE, "g1") is None
    assert [(one.id, one.state) for one in store.history.operations()] == [("op1", State.PLANNED)]


async def test_a_value_that_no_column_holds_is_said(open_store):
    store = open_store()
    for operation in (samples.operation(arrived=2**70), samples.operation("\ud83d")):
        with pytest.raises(StoreError, match="a value cannot be stored"):
            await store.commit_intent(operation, samples.decision())


async def test_the_history_of_a_closed_store_is_refused(open_store):
    store = open_store()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.history.decisions("orders")


async def test_what_is_remembered_of_rows_holds_no_lists_of_jobs(open_store, monkeypatch):
    store, remembered = open_store(), Remembered(rows._operation)
    monkeypatch.setattr(rows, "remembered", remembered)
    planned = samples.operation(known_jobs=frozenset(f"job{number}" for number in range(5000)))
    await store.commit_intent(planned, samples.decision())
    assert await store.open_operations() == (planned,)
    assert len(remembered) == 0
    await store.update(planned.step(State.REJECTED, at=NOW), was=planned)
    await store.operations(INSTANCE, since=NOW)
    assert len(remembered) == 1


# --- rows that cannot be read ----------------------------------------------------------------------------------------


def spoil(store: DatabaseStore, statement: str) -> None:
    with store.transactions.engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("record", ["'{half'", "'[1]'", "x'ff'"], ids=["half", "a list", "bytes"])
async def test_a_decision_that_cannot_be_read_is_left_out_and_reported_once(open_store, record):
    reports: list[str] = []
    store = open_store(report=reports.append)
    await store.record([samples.decision(NOW), samples.decision(NOW), samples.decision(NOW)])
    spoil(store, f"UPDATE decisions SET record = {record} WHERE id = 2")  # noqa: S608  # from the table above

    assert len(store.history.decisions("orders")) == 2
    assert len(store.history.decisions("orders")) == 2
    assert len(reports) == 1
    assert "row 2 of table decisions" in reports[0]


async def test_a_row_left_out_is_a_warning_in_the_log_where_nobody_asks_for_it(open_store, caplog):
    store = open_store()
    await store.record([samples.decision(NOW)])
    spoil(store, "UPDATE decisions SET record = ''")
    assert store.history.decisions("orders") == ()
    assert [(record.levelname, "row 1 of table" in record.message) for record in caplog.records] == [("WARNING", True)]


async def test_a_row_that_was_read_before_it_was_spoiled_is_not_taken_for_the_one_that_it_was(open_store):
    store = open_store()
    await store.commit_intent(samples.operation(), samples.decision())
    assert await store.operations(INSTANCE, since=NOW) == (samples.operation(),)
    spoil(store, "UPDATE operations SET change = 'two'")
    with pytest.raises(StoreError, match="cannot be read"):
        await store.operations(INSTANCE, since=NOW)
    assert await store.open_operations() == ()


UNREADABLE = {
    "a state of a newer version": "state = 'paused'",
    "a reason of a newer version": "reason = 'astrology'",
    "half a list": "known_jobs = '[\"j'",
    "a list of numbers": "node_ids = '[1]'",
    "an object for a list": "zones = '{}'",
    "a word for a number": "change = 'two'",
    "a word for a time": "committed_at = 'noon'",
    "a time beyond time": "send_before = 9223372036854775807",
}


@pytest.mark.parametrize("change", UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_the_instance_of_an_operation_is_held_by(open_store, change):
    reports: list[str] = []
    store = open_store(report=reports.append)
    other = InstanceKey("eu-de", "p1", "i2")
    await store.commit_intent(samples.operation("bad"), samples.decision())
    await store.commit_intent(samples.operation("good", instance=other), samples.decision())
    spoil(store, f"UPDATE operations SET {change} WHERE id = 'bad'")  # noqa: S608  # from the table above

    with pytest.raises(StoreError, match=r"row 'bad' of table operations .*the instance is held; mend or delete"):
        await store.operations(INSTANCE, since=NOW)
    with pytest.raises((StoreError, OperationOpenError)):
        await store.commit_intent(samples.operation("next"), samples.decision())

    assert [operation.id for operation in await store.open_operations()] == ["good"]
    assert [operation.id for operation in store.history.operations()] == ["good"]
    assert [operation.id for operation in await store.operations(other, since=NOW)] == ["good"]
    assert ["row 'bad'" in report for report in reports] == [True]


async def test_seen_nodes_that_cannot_be_read_are_a_group_without_nodes_and_reported(open_store):
    reports: list[str] = []
    store = open_store(report=reports.append)
    await store.save_seen_nodes(INSTANCE, "g1", [SeenNode("n1", NOW)])
    spoil(store, "UPDATE seen_nodes SET nodes = '[{}]'")

    assert await store.seen_nodes(INSTANCE, "g1") == ()
    assert len(reports) == 1
    assert "seen_nodes of i1/g1" in reports[0]

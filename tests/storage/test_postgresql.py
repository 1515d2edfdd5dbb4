"""The PostgreSQL server: what two daemons on it may do to each other, and its bad days."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from alembic import autogenerate
from alembic.migration import MigrationContext
from sqlalchemy import make_url, text

from autoscaler.errors import StoreError
from autoscaler.storage import history, line, opening, server, tables
from autoscaler.storage import postgresql as opened
from autoscaler.storage.database import DatabaseStore
from tests.storage import postgres, samples
from tests.storage.samples import NOW

LONG = timedelta(hours=1)
DEADLINE = 30.0

Open = Callable[..., DatabaseStore]


async def lead(store: DatabaseStore, name: str = "ann", lasts: timedelta = LONG) -> int | None:
    assert store.lease is not None
    return await store.lease.claim(name, lasts)


def sql(store: DatabaseStore, statement: str) -> Any:
    with store.transactions.engine.begin() as connection:
        found = connection.execute(text(statement))
        return found.scalar() if found.returns_rows else None


def poll(true: Callable[[], object]) -> None:
    """Until it is; the deadline says that it never is."""
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def shell(postgresql: postgres.Server, open_shared: Open) -> Iterator[Any]:
    """Another program on the test's database."""
    name = open_shared().transactions.engine.url.database
    assert name is not None
    with postgresql.connect(name) as connection:
        yield connection


# --- tables ----------------------------------------------------------------------------------------------------------


def test_alembic_sees_no_difference_between_the_migrated_tables_and_the_code(open_shared):
    with open_shared().transactions.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert autogenerate.compare_metadata(context, tables.metadata) == []


def test_i1_is_a_partial_unique_index_here_too(open_shared):
    found = sql(open_shared(), "SELECT indexdef FROM pg_indexes WHERE indexname = 'one_open_operation_per_instance'")
    assert "UNIQUE" in found
    assert "'planned'" in found.partition(" WHERE ")[2]


def test_several_daemons_may_start_at_once_on_an_empty_database(open_shared):
    with ThreadPoolExecutor(4) as threads:
        stores = [opened.result() for opened in [threads.submit(open_shared) for _ in range(4)]]
    assert [store.history.operations() for store in stores] == [()] * 4


def test_a_database_of_another_program_is_refused(postgresql):
    name = postgresql.new_database()
    with postgresql.connect(name) as connection:
        connection.execute("CREATE TABLE theirs (x int)")
    with pytest.raises(StoreError, match=f"/{name}: it is a database of another program"):
        opening.open_store(postgresql.url(name))


# --- two daemons -----------------------------------------------------------------------------------------------------


def waits_for_a_lock(shell: Any) -> bool:
    shell.execute("SELECT pg_stat_clear_snapshot()")  # within a transaction it would see the same again
    found = shell.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    return bool(found.fetchone()[0])


def lease_is_over(shell: Any) -> bool:
    found = shell.execute("SELECT until < extract(epoch FROM clock_timestamp()) * 1000000 FROM lease")
    return bool(found.fetchone()[0])


async def test_i11_nobody_takes_over_while_an_intent_is_being_committed(open_shared, shell):
    first, second = open_shared(), open_shared()
    assert await lead(first, lasts=timedelta(seconds=1)) == 1
    with first.transactions._leading() as connection:
        connection.execute(text("SELECT 1"))
        claim = asyncio.create_task(lead(second, "bob"))
        await asyncio.to_thread(poll, lambda: waits_for_a_lock(shell))
        await asyncio.to_thread(poll, lambda: lease_is_over(shell))
        assert not claim.done()
    assert await claim == 2


async def test_i11_an_intent_waits_for_a_claim_that_is_under_way_and_is_then_refused(open_shared, shell):
    """As where an old leader, paused until its lease is over, wakes up at the moment when another takes it."""
    first = open_shared()
    await lead(first)
    shell.autocommit = False
    shell.execute("UPDATE lease SET holder = 'bob', fence = 2")
    intent = asyncio.create_task(first.commit_intent(samples.operation(), samples.decision()))
    await asyncio.to_thread(poll, lambda: waits_for_a_lock(shell))
    shell.commit()
    with pytest.raises(Exception, match="does not hold the lease"):
        await intent
    assert await first.open_operations() == ()


async def test_a_daemon_that_is_stopped_in_mid_transaction_does_not_keep_others_from_leading(open_shared):
    first, second = open_shared(), open_shared()
    await lead(first, lasts=timedelta(seconds=1))
    stopped = first.transactions._leading()
    stopped.__enter__()
    begun, fence = time.monotonic(), None
    while fence is None and time.monotonic() < begun + DEADLINE:
        with contextlib.suppress(StoreError):  # the row is locked
            fence = await lead(second, "bob")
    assert fence == 2
    with pytest.raises(StoreError):  # its session was ended by the server
        stopped.__exit__(None, None, None)
    assert await lead(first) is None


# --- bad days --------------------------------------------------------------------------------------------------------


async def test_a_crashed_server_is_said_and_it_goes_on_when_it_is_back(open_shared, postgresql):
    store = open_shared()
    await lead(store)
    postgresql.crash()
    try:
        for _ in range(3):
            with pytest.raises(StoreError, match=r"(cannot be reached|shutting down|crashed).*goes on by itself"):
                await store.commit_intent(samples.operation(), samples.decision())
            with pytest.raises(StoreError, match=r"(cannot be reached|shutting down|crashed).*goes on by itself"):
                store.history.operations()
    finally:
        postgresql.start()
    await store.commit_intent(samples.operation(), samples.decision())
    assert store.history.operations() == (samples.operation(),)


async def test_a_server_that_stands_still_holds_nobody_up_and_it_goes_on_when_it_moves(open_shared, postgresql):
    """Its kernel acknowledges what is sent, so that only our own patience ends the wait."""
    store = open_shared()
    await lead(store)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.1)
            ticks += 1

    ticking = asyncio.create_task(tick())
    begun = time.monotonic()
    with postgresql.standing_still():
        with pytest.raises(StoreError):
            await store.record([samples.decision()])
        assert time.monotonic() - begun < opened.PATIENCE_SECONDS + 1
        assert ticks > 20
    ticking.cancel()

    async def stored() -> bool:
        try:
            await store.record([samples.decision()])
        except StoreError:
            return False
        return True

    while not await stored():
        assert time.monotonic() - begun < 2 * DEADLINE
        await asyncio.sleep(0.1)


def test_who_asks_a_server_that_stands_still_does_not_queue_up_and_is_let_go_at_the_end(open_shared, postgresql):
    store = open_shared()
    waited: list[float] = []

    def ask() -> None:
        begun = time.monotonic()
        with pytest.raises(StoreError):
            store.history.operations()
        waited.append(time.monotonic() - begun)

    with postgresql.standing_still(), ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask) for _ in range(4)]
        poll(lambda: len(waited) == 3)
        begun = time.monotonic()
        store.close()
        for one in asked:
            one.result()
    assert max(waited[:3]) < history.TURN_SECONDS + 1
    assert time.monotonic() - begun < server.CONNECT_SECONDS + 2


async def test_at_the_end_of_the_process_nobody_waits_longer_for_a_server_that_stands_still(open_shared, postgresql):
    store = open_shared()
    await lead(store)
    begun = time.monotonic()
    with postgresql.standing_still():
        asking = asyncio.create_task(asyncio.to_thread(store.history.operations))
        storing = asyncio.create_task(store.record([samples.decision()]))
        await asyncio.sleep(0.1)
        store.ends_in(1.0)
        for waiting in (storing, asking, store.lease.release()):
            with pytest.raises(StoreError):
                await waiting
        store.close()
        assert 1.0 < time.monotonic() - begun < 3.0


async def test_at_the_end_of_the_process_a_connection_is_made_anew_and_not_waited_for_longer(
    open_shared, postgresql, shell
):
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ddm-autoscaler'"
    store = open_shared()
    await lead(store)
    store.ends_in(2.0)
    shell.execute(end_all)
    begun = time.monotonic()
    await store.record([samples.decision()])
    shell.execute(end_all)
    with postgresql.standing_still():
        with pytest.raises(StoreError, match="this daemon ends"):
            await store.record([samples.decision()])
        store.close()
        assert time.monotonic() - begun < 3.0


async def test_a_connection_that_is_being_made_is_not_waited_for_at_the_close(open_shared, postgresql, shell):
    store = open_shared()
    shell.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ddm-autoscaler'")
    begun = time.monotonic()
    with postgresql.standing_still():
        asking = asyncio.create_task(asyncio.to_thread(store.history.operations))
        await asyncio.sleep(0.5)
        store.history.close()
        with pytest.raises(StoreError):
            await asking
        assert time.monotonic() - begun < 2.0


async def test_a_connection_that_was_ended_meanwhile_is_replaced_without_an_error(open_shared, shell):
    store = open_shared()
    await lead(store)
    shell.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ddm-autoscaler'")
    await store.record([samples.decision()])
    assert len(store.history.decisions("orders")) == 1


async def test_what_another_program_locks_is_said(open_shared, shell):
    store = open_shared()
    await lead(store)
    shell.autocommit = False
    shell.execute("LOCK TABLE decisions")
    with pytest.raises(StoreError, match="another program locks what is needed; end its transaction"):
        await store.record([samples.decision()])
    shell.rollback()
    await store.record([samples.decision()])


async def test_what_was_begun_and_cancelled_is_ended_before_what_comes_next(open_shared, shell):
    store = open_shared()
    await lead(store)
    shell.autocommit = False
    shell.execute("LOCK TABLE operations IN EXCLUSIVE MODE")
    intent = asyncio.create_task(store.commit_intent(samples.operation(), samples.decision()))
    await asyncio.to_thread(poll, lambda: waits_for_a_lock(shell))
    intent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await intent
    later = asyncio.create_task(store.open_operations())
    shell.rollback()
    assert await later == (samples.operation(),)


async def test_what_is_cancelled_before_its_turn_is_never_done(open_shared):
    store = open_shared()
    await lead(store)
    going = threading.Event()
    before = asyncio.create_task(store._run(going.wait, DEADLINE))
    record = asyncio.create_task(store.record([samples.decision()]))
    await asyncio.sleep(0)
    record.cancel()
    with pytest.raises(asyncio.CancelledError):
        await record
    going.set()
    await before
    await store.open_operations()
    assert store.history.decisions("orders") == ()


async def test_closing_waits_for_what_is_under_way(open_shared):
    store, other = open_shared(), open_shared()
    await lead(store)
    going, begun = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        going.wait(DEADLINE)
        store.transactions.record([samples.decision()])

    slowly = asyncio.create_task(store._run(slow))
    await asyncio.to_thread(begun.wait)
    threading.Timer(0.2, going.set).start()
    store.close()
    assert len(other.history.decisions("orders")) == 1
    await slowly
    with pytest.raises(StoreError, match="closed"):
        await store.open_operations()
    with pytest.raises(StoreError, match="closed"):
        store.history.operations()


async def test_a_value_that_no_column_holds_is_said(open_shared):
    store = open_shared()
    await lead(store)
    for operation in (samples.operation(arrived=2**70), samples.operation("\ud83d"), samples.operation("\0")):
        with pytest.raises(StoreError, match="a value cannot be stored"):
            await store.commit_intent(operation, samples.decision())
    assert await store.open_operations() == ()


async def test_a_row_that_cannot_be_read_holds_its_instance_here_too(open_shared):
    store = open_shared(report=[].append)
    await lead(store)
    await store.commit_intent(samples.operation(), samples.decision())
    sql(store, "UPDATE operations SET state = 'astrology'")
    with pytest.raises(StoreError, match="the instance is held"):
        await store.operations(samples.INSTANCE, since=NOW)


def test_the_connection_of_the_history_cannot_write(open_shared):
    shown = open_shared().history
    with shown._engine.connect() as connection, pytest.raises(Exception, match="read-only"):
        connection.execute(text("DELETE FROM decisions"))


# --- opening ---------------------------------------------------------------------------------------------------------


def test_commits_wait_for_the_disk_whatever_the_database_is_set_to(postgresql):
    name = postgresql.new_database()
    with postgresql.connect() as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = opening.open_store(postgresql.url(name))
    assert sql(store, "SHOW synchronous_commit") == "on"
    store.close()


def test_a_server_that_does_not_wait_for_its_disk_is_refused(postgresql):
    name = postgresql.new_database()

    def fsync(value: str) -> None:
        with postgresql.connect() as connection:
            connection.execute(f"ALTER SYSTEM SET fsync = {value}")
            connection.execute("SELECT pg_reload_conf()")
        poll(lambda: shown() == value)

    def shown() -> object:
        with postgresql.connect() as connection:
            return connection.execute("SHOW fsync").fetchone()[0]

    fsync("off")
    try:
        with pytest.raises(StoreError, match="fsync=off, which loses intents; turn it on"):
            opening.open_store(postgresql.url(name))
    finally:
        fsync("on")


def test_a_database_that_cannot_hold_every_text_is_refused(postgresql):
    name = postgresql.new_database("ENCODING 'SQL_ASCII'", "TEMPLATE template0")
    with pytest.raises(StoreError, match="encoded in SQL_ASCII; create one with ENCODING 'UTF8'"):
        opening.open_store(postgresql.url(name))


def test_no_sentence_holds_the_password(postgresql):
    name = postgresql.new_database()
    wrong = "another secret"
    free = postgresql.url(name).replace(f":{postgresql.port}/", ":1/")
    for url, sentence in [
        (postgresql.url(name, password=wrong), "refuses the password, or wants one; mend it in AUTOSCALER_STORE"),
        (postgresql.url("nowhere"), "there is no such database; create it"),
        (free, "the server cannot be reached .*Connection refused"),
        (postgresql.url(name) + "?sslmode=require", "the server cannot be reached .*SSL"),
    ]:
        with pytest.raises(StoreError, match=sentence) as raised:
            opening.open_store(url)
        assert str(raised.value).startswith("postgresql+psycopg://autoscaler@127.0.0.1:")
        assert not any(secret in str(raised.value) for secret in (wrong, postgres.PASSWORD, "geheim"))
        assert "\n" not in str(raised.value)


def test_a_user_without_the_right_to_make_tables_is_told(postgresql):
    name = postgresql.new_database()
    with postgresql.connect() as connection:
        connection.execute(f"CREATE ROLE {name}_guest LOGIN PASSWORD 'x'")
    url = postgresql.url(name, password="x").replace("//autoscaler:", f"//{name}_guest:")
    with pytest.raises(StoreError, match="lacks a right; make it the owner of the database"):
        opening.open_store(url)


def test_a_server_that_never_answers_is_waited_for_once_and_not_by_everybody():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = make_url(f"postgresql+psycopg://u@127.0.0.1:{silent.getsockname()[1]}/d")
        engine = server.writing(url, line.Line(), "there")
        took = []
        for _ in range(3):
            begun = time.monotonic()
            with pytest.raises(Exception, match="timeout"):
                engine.connect()
            took.append(time.monotonic() - begun)
        engine.dispose()
    assert took[0] > server.CONNECT_SECONDS - 1
    assert took[1] + took[2] < 1


def test_a_driver_that_is_not_installed_is_named():
    """In a process that cannot import it; nothing else needs it."""
    script = """
import sys
sys.modules["psycopg"] = None
from autoscaler.storage import opening
try:
    opening.open_store("postgresql+psycopg://u:geheim@h/d")
except opening.StoreError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "install ddm-autoscaler[postgresql]" in ran.stdout
    assert "geheim" not in ran.stdout


@pytest.fixture
def without_password(postgresql: postgres.Server) -> str:
    """An address as it stands in the configuration file."""
    return f"postgresql+psycopg://{postgres.USER}@127.0.0.1:{postgresql.port}/{postgresql.new_database()}"


def opens(url: str) -> bool:
    opening.open_store(url).close()
    return True


def test_the_password_may_come_as_a_variable_of_libpq(without_password, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
    assert opens(without_password)


def test_the_password_may_come_from_a_file_of_libpq(without_password, monkeypatch, tmp_path):
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pass"))
    (tmp_path / "pass").write_text("*:*:*:*:" + postgres.PASSWORD.replace(":", r"\:"))
    (tmp_path / "pass").chmod(0o600)
    assert opens(without_password)


def test_without_a_password_that_the_server_wants_it_is_named(without_password):
    with pytest.raises(
        StoreError, match="refuses the password, or wants one; mend it in AUTOSCALER_STORE, PGPASSWORD or"
    ):
        opens(without_password)


def test_of_several_hosts_the_one_that_answers_is_taken(postgresql):
    server_and_rest = f"127.0.0.1:{postgresql.port}/{postgresql.new_database()}"
    address, _, name = server_and_rest.partition("/")
    url = postgresql.url(name).replace(f"@{address}/", "@/")
    assert opens(f"{url}?host=127.0.0.1:1&host={address}")


async def test_a_dump_of_a_running_store_restores_as_the_docs_tell(postgresql, tmp_path):
    name, copy = postgresql.new_database(), postgresql.new_database()
    store = opening.open_store(postgresql.url(name))
    await lead(store, lasts=timedelta(0))
    await lead(store)
    await store.commit_intent(samples.operation(), samples.decision())
    programs = postgres.programs()
    assert programs is not None

    async def run(program: str, *arguments: str) -> None:
        environment = {"PGPASSWORD": postgres.PASSWORD}
        running = await asyncio.create_subprocess_exec(
            str(programs / program), *host, *arguments, env=environment, cwd=tmp_path
        )
        assert await running.wait() == 0

    host = ["--host", "127.0.0.1", "--port", str(postgresql.port), "--username", postgres.USER]
    dump = ["--format", "custom", "--file", "autoscaler.dump", name]
    restore = ["--dbname", copy, "--no-owner", "--role", postgres.USER, "autoscaler.dump"]
    await run("pg_dump", *dump)
    store.close()
    await run("pg_restore", *restore)
    restored = opening.open_store(postgresql.url(copy))
    assert await restored.open_operations() == (samples.operation(),)
    restored.close()

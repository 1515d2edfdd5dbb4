"""The store in one SQLite file (port `Store`): opening it, and one short transaction for each thing to remember.

The driver is the synchronous one, called on the loop's own thread: a commit takes less than a millisecond, and a thread
in between could be neither cancelled nor put under a simulated clock.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Engine, delete, insert, select, update

from autoscaler.core.by_hand import Intervention
from autoscaler.core.decision import Decision
from autoscaler.core.operation import Operation, State
from autoscaler.core.target import InstanceKey
from autoscaler.errors import StoreError
from autoscaler.ports import OperationOpenError, SeenNode
from autoscaler.storage import connection as connections
from autoscaler.storage import faults, lock, queries, rows, schema, tables
from autoscaler.storage.history import SqliteHistory
from autoscaler.storage.unreadable import Report, Sieve, log_warning

_PRUNE_AT_ONCE = 5000
"""Records that one transaction of a prune deletes (some 20 ms): between two of them the loop goes on."""

_EXAMPLE = "sqlite:////var/lib/autoscaler/autoscaler.db"

_REPAIR_BY_HAND = "nothing is decided meanwhile; mend or delete the row with the daemon stopped, or restore a backup"

_REPAIR = "the instance is held; mend or delete the row with the daemon stopped, or restore a backup"


def open_store(url: str, *, report: Report = log_warning) -> "SqliteStore":
    """Open the store of a URL such as `sqlite:////var/lib/autoscaler/autoscaler.db`, for this process alone.

    Directory and tables are made where they are missing. `report` is told of rows that are left out as unreadable.

    Raises:
        StoreError: in one sentence that names the file and the remedy.
    """
    file = _prepare(url)
    held = lock.acquire(file)
    engine = connections.writing(file)
    try:
        schema.ensure(file)
        with faults.translated(file):
            engine.connect().close()  # its settings are asserted now, not at the first intent
        sieve = Sieve(file, report)
        history = SqliteHistory(connections.reading(file), file, sieve)
        history.operations(limit=1)  # a connection that cannot be had is an error now, not when a page is asked for
    except BaseException:
        engine.dispose()
        held.release()
        raise
    return SqliteStore(engine, file, held, history, sieve)


def _prepare(url: str) -> Path:
    """The absolute path of the file, links followed (one file has one lock), its directory made."""
    file = _path(url)
    try:
        file = file.resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        is_directory = file.is_dir()
    except OSError as error:
        raise faults.of_system(file.parent, error) from error
    if is_directory:
        raise StoreError(f"{file}: it is a directory; name a file in it in `store`, such as {file}/autoscaler.db")
    return file


def _path(url: str) -> Path:
    """All that follows `sqlite:///` is the path, as it is: nothing in it is escaped, and there are no options."""
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path.startswith("/") or "?" in path:
        kind = url.partition(":")[0]  # no more of it: there may be a password further on
        raise StoreError(f"store {kind}:… cannot be opened; name a file by its absolute path, as in {_EXAMPLE}")
    return Path(path)


class SqliteStore:
    """Every call that has returned is on the disk; one that raised left nothing.

    Rows that cannot be read (damage, words of a newer version), so that one of them never stops everything:
    - a decision: left out and reported once; nothing is derived from decisions.
    - an operation: `operations` raises StoreError for its instance, which is held: a lost operation would be a lost
      cooldown, or a call made twice. `commit_intent` refuses the instance too, where the row's state is not known.
      `open_operations` leaves it out and reports it, so that the operations of other instances are still followed.
    - what was done by hand: `standing` raises StoreError, and nothing is decided: it may be a pause of all targets.
    - seen nodes: reported; the group counts as seen without nodes, so that its nodes warm up once more.
    """

    lease = None  # the file is this process's alone

    def __init__(self, engine: Engine, file: Path, held: lock.FileLock, history: SqliteHistory, sieve: Sieve) -> None:
        self._engine = engine
        self._file = file
        self._lock: lock.FileLock | None = held
        self._sieve = sieve
        # Asked in every cycle, so they are made once: to build one takes longer than to run it.
        self._open_or_since = queries.open_or_since()
        self._seen_nodes = queries.seen_nodes()
        self._standing = queries.standing()
        self.history = history

    async def commit_intent(self, operation: Operation, decision: Decision) -> None:
        """As the port says; and refused where a row of the instance is in a state that this version does not know."""
        if operation.state is not State.PLANNED or operation.foreign or operation.shadow:
            raise ValueError(f"operation {operation.id} is no intent: it must be planned, and our own")
        try:
            with self._transaction() as connection:
                self._refuse_unreadable(connection, operation.instance)
                connection.execute(insert(tables.operations), rows.of_operation(operation))
                connection.execute(insert(tables.decisions), rows.of_decision(decision, operation.id))
        except faults.ConflictError as error:
            raise self._conflict(operation, error) from error

    async def update(self, operation: Operation, *, was: Operation) -> None:
        o = tables.operations.c
        if operation.id != was.id:
            raise StoreError(f"{self._file}: operation {was.id} cannot become {operation.id}")
        change = update(tables.operations).where(o.id == was.id, o.state == was.state.value)
        with self._transaction() as connection:
            done = connection.execute(change.values(rows.of_operation(operation)))
            if done.rowcount == 1:
                return
            found = connection.execute(select(o.state).where(o.id == was.id)).scalar()
        raise StoreError(
            f"{self._file}: operation {was.id} is {found or 'not there'} and not {was.state}; it was left as it is"
        )

    async def import_operations(self, operations: Sequence[Operation]) -> None:
        o = tables.operations.c
        wanted = {operation.id: rows.of_operation(operation) for operation in operations}
        with self._transaction() as connection:
            for identity, row in wanted.items():
                if connection.execute(select(o.seq).where(o.id == identity)).first() is None:
                    connection.execute(insert(tables.operations), row)

    async def open_operations(self) -> tuple[Operation, ...]:
        """As the port says; a row that cannot be read is left out and reported: its instance is held elsewhere."""
        with self._transaction() as connection:
            found = connection.execute(queries.OPEN).mappings().all()
        return self._sieve.readable(found, rows.to_operation)

    async def operations(self, instance: InstanceKey, *, since: datetime) -> tuple[Operation, ...]:
        """As the port says; failed operations count apart by whether nodes arrived.

        Raises:
            StoreError: also where one of the rows cannot be read: nothing may be decided without it.
        """
        wanted = asdict(instance) | {"since": rows.micros(since)}
        with self._transaction() as connection:
            found = connection.execute(self._open_or_since, wanted).mappings().all()
        try:
            return tuple(rows.to_operation(row) for row in found)
        except rows.CorruptRowError as error:
            raise StoreError(f"{self._file}: {error}; {_REPAIR}") from error

    async def record(self, decisions: Sequence[Decision]) -> None:
        if not decisions:
            return
        with self._transaction() as connection:
            connection.execute(insert(tables.decisions), [rows.of_decision(decision) for decision in decisions])

    async def seen_nodes(self, instance: InstanceKey, group_id: str) -> tuple[SeenNode, ...] | None:
        wanted = asdict(instance) | {"group_id": group_id}
        with self._transaction() as connection:
            text = connection.execute(self._seen_nodes, wanted).scalar()
        if text is None:
            return None
        try:
            return rows.to_seen_nodes(text)
        except rows.CorruptRowError as error:
            self._sieve.report_once(f"seen_nodes of {instance.instance_id}/{group_id} {error}; its nodes warm up anew")
            return ()

    async def save_seen_nodes(self, instance: InstanceKey, group_id: str, nodes: Sequence[SeenNode]) -> None:
        row = {**asdict(instance), "group_id": group_id, "nodes": rows.of_seen_nodes(nodes)}
        with self._transaction() as connection:
            connection.execute(delete(tables.seen_nodes).where(*_group(instance, group_id)))
            connection.execute(insert(tables.seen_nodes), row)

    async def intervene(self, begun: Sequence[Intervention], *, ended: Sequence[Intervention] = ()) -> None:
        i = tables.interventions.c
        with self._transaction() as connection:
            for one in ended:
                row = rows.of_intervention(one)
                change = update(tables.interventions).where(i.id == one.id, i.ended_at.is_(None))
                connection.execute(change.values(ended_at=row["ended_at"], ended_by=row["ended_by"]))
            for one in begun:
                connection.execute(insert(tables.interventions), rows.of_intervention(one))

    async def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        """As the port says.

        Raises:
            StoreError: also where a row cannot be read: it may be a pause, and nothing may be decided without it.
        """
        with self._transaction() as connection:
            found = connection.execute(self._standing, {"at": rows.micros(at)}).mappings().all()
        try:
            return tuple(rows.to_intervention(row) for row in found)
        except rows.CorruptRowError as error:
            raise StoreError(f"{self._file}: {error}; {_REPAIR_BY_HAND}") from error

    async def prune(self, *, before: datetime) -> int:
        """As the port says, in several short transactions: there may be millions of records, and the loop goes on."""
        moment = rows.micros(before)
        gone = 0
        while True:
            with self._transaction() as connection:
                part = connection.execute(queries.forget_decisions(moment, _PRUNE_AT_ONCE)).rowcount
            gone += part
            if part < _PRUNE_AT_ONCE:
                break
            await asyncio.sleep(0)
        with self._transaction() as connection:
            gone += connection.execute(queries.forget_interventions(moment)).rowcount
            return gone + connection.execute(queries.forget_operations(moment)).rowcount

    def close(self) -> None:
        """Release the file and its lock; a second time it does nothing."""
        if self._lock is None:
            return
        self.history.close()
        self._engine.dispose()  # the last connection of a file also folds its write-ahead log into it
        self._lock.release()
        self._lock = None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._lock is None:  # another process may have the file by now
            raise StoreError(f"{self._file}: the store is closed")
        with faults.translated(self._file), self._engine.begin() as connection:
            yield connection

    def _refuse_unreadable(self, connection: Connection, instance: InstanceKey) -> None:
        query = select(tables.operations.c.id).where(queries.of_instance(instance), queries.UNREADABLE_STATE)
        found = connection.execute(query).scalar()
        if found is not None:
            raise StoreError(f"{self._file}: row {found!r} of table operations has a state not known here; {_REPAIR}")

    def _conflict(self, operation: Operation, error: StoreError) -> Exception:
        """Which rule the intent broke: I1, or (a bug) its id is taken."""
        query = select(tables.operations.c.id).where(
            queries.of_instance(operation.instance), queries.OPEN_OR_UNREADABLE
        )
        with self._transaction() as connection:
            found = connection.execute(query).scalar()
        if found is None or found == operation.id:
            return error
        return OperationOpenError(f"operation {found} is open on instance {operation.instance.instance_id}")


def _group(instance: InstanceKey, group_id: str) -> tuple[ColumnElement[bool], ...]:
    s = tables.seen_nodes.c
    return (
        s.region == instance.region,
        s.project_id == instance.project_id,
        s.instance_id == instance.instance_id,
        s.group_id == group_id,
    )

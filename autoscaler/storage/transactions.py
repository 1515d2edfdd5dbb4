"""The questions and changes of the store, each one short transaction, on whatever database and thread they are called.

They wait for the database: who may not wait calls them in a thread (`worker`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, insert, select, update

from autoscaler.core import letter as letters
from autoscaler.core.by_hand import Intervention
from autoscaler.core.decision import Decision
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation, State
from autoscaler.core.target import InstanceKey
from autoscaler.errors import StoreError
from autoscaler.ports import Backlog, Correspondence, OperationOpenError, SeenNode
from autoscaler.storage import faults, queries, rows, tables
from autoscaler.storage.unreadable import Sieve

PRUNE_AT_ONCE = 5000
"""Records that one transaction of a prune deletes (some 20 ms): between two of them others have their turn."""

_REPAIR_BY_HAND = "nothing is decided meanwhile; mend or delete the row with the daemon stopped, or restore a backup"

_REPAIR = "the instance is held; mend or delete the row with the daemon stopped, or restore a backup"


@dataclass(frozen=True)
class Site:
    """A database as messages speak of it."""

    name: str  # a file, or an address without its password
    guarded: Callable[[], AbstractContextManager[None]]  # nothing of a driver gets out of it but StoreError
    interrupt: Callable[[], None] = lambda: None  # end what somebody waits for, where that may take long


class Transactions:
    """Every call that has returned is on the disk; one that raised left nothing, unless the connection broke meanwhile.

    Rows that cannot be read (damage, words of a newer version), so that one of them never stops everything:
    - a decision: left out and reported once; nothing is derived from decisions.
    - an operation: `operations` raises StoreError for its instance, which is held: a lost operation would be a lost
      cooldown, or a call made twice. `commit_intent` refuses the instance too, where the row's state is not known.
      `open_operations` leaves it out and reports it, so that the operations of other instances are still followed.
    - what was done by hand: `standing` raises StoreError, and nothing is decided: it may be a pause of all targets.
    - seen nodes: reported; the group counts as seen without nodes, so that its nodes warm up once more.
    """

    def __init__(self, engine: Engine, site: Site, sieve: Sieve, correspondence: Correspondence) -> None:
        self.engine = engine
        self._site = site
        self._correspondence = correspondence
        self._sieve = sieve
        self._closed = False
        # Asked in every cycle, so they are made once: to build one takes longer than to run it.
        self._open_or_since = queries.open_or_since()
        self._seen_nodes = queries.seen_nodes()
        self._standing = queries.standing()
        self._due_letters = queries.due_letters()
        self._waiting_letters = queries.waiting_letters()

    def commit_intent(self, operation: Operation, decision: Decision) -> None:
        """As the port says; and refused where a row of the instance is in a state that this version does not know."""
        if operation.state is not State.PLANNED or operation.foreign or operation.shadow:
            raise ValueError(f"operation {operation.id} is no intent: it must be planned, and our own")
        try:
            with self._leading() as connection:
                self._refuse_unreadable(connection, operation.instance)
                connection.execute(insert(tables.operations), rows.of_operation(operation))
                connection.execute(insert(tables.decisions), rows.of_decision(decision, operation.id))
                _post(connection, self._correspondence.of_intent(operation, decision))
        except faults.ConflictError as error:
            raise self._conflict(operation, error) from error

    def update(self, operation: Operation, *, was: Operation, beside: Sequence[Operation] = ()) -> None:
        o = tables.operations.c
        if operation.id != was.id:
            raise StoreError(f"{self._site.name}: operation {was.id} cannot become {operation.id}")
        change = update(tables.operations).where(o.id == was.id, o.state == was.state.value)
        with self._transaction() as connection:
            done = connection.execute(change.values(rows.of_operation(operation)))
            if done.rowcount == 1:
                _import(connection, beside)
                _post(connection, self._correspondence.of_step(operation))
                return
            found = connection.execute(select(o.state).where(o.id == was.id)).scalar()
        raise StoreError(
            f"{self._site.name}: operation {was.id} is {found or 'not there'} and not {was.state}; it was left as it is"
        )

    def import_operations(self, operations: Sequence[Operation]) -> None:
        with self._leading() as connection:
            _import(connection, operations)

    def open_operations(self) -> tuple[Operation, ...]:
        """As the port says; a row that cannot be read is left out and reported: its instance is held elsewhere."""
        with self._question() as connection:
            found = connection.execute(queries.OPEN).mappings().all()
        return self._sieve.readable(found, rows.to_operation)

    def operations(self, instance: InstanceKey, *, since: datetime) -> tuple[Operation, ...]:
        """As the port says; failed operations count apart by whether nodes arrived.

        Raises:
            StoreError: also where one of the rows cannot be read: nothing may be decided without it.
        """
        wanted = asdict(instance) | {"since": rows.micros(since)}
        with self._question() as connection:
            found = connection.execute(self._open_or_since, wanted).mappings().all()
        try:
            return tuple(rows.to_operation(row) for row in found)
        except rows.CorruptRowError as error:
            raise StoreError(f"{self._site.name}: {error}; {_REPAIR}") from error

    def record(self, decisions: Sequence[Decision]) -> None:
        with self._leading() as connection:
            connection.execute(insert(tables.decisions), [rows.of_decision(decision) for decision in decisions])

    def seen_nodes(self, instance: InstanceKey, group_id: str) -> tuple[SeenNode, ...] | None:
        wanted = asdict(instance) | {"group_id": group_id}
        with self._question() as connection:
            text = connection.execute(self._seen_nodes, wanted).scalar()
        if text is None:
            return None
        try:
            return rows.to_seen_nodes(text)
        except rows.CorruptRowError as error:
            self._sieve.report_once(f"seen_nodes of {instance.instance_id}/{group_id} {error}; its nodes warm up anew")
            return ()

    def save_seen_nodes(
        self, instance: InstanceKey, group_id: str, nodes: Sequence[SeenNode], *, beside: Sequence[Operation] = ()
    ) -> None:
        text = rows.of_seen_nodes(nodes)
        with self._leading() as connection:
            _import(connection, beside)
            change = update(tables.seen_nodes).where(*_group(instance, group_id)).values(nodes=text)
            if connection.execute(change).rowcount == 0:
                row = {**asdict(instance), "group_id": group_id, "nodes": text}
                connection.execute(insert(tables.seen_nodes), row)

    def intervene(self, begun: Sequence[Intervention], *, ended: Sequence[Intervention] = ()) -> None:
        i = tables.interventions.c
        with self._leading() as connection:
            for one in ended:
                row = rows.of_intervention(one)
                change = update(tables.interventions).where(i.id == one.id, i.ended_at.is_(None))
                end = {name: row[name] for name in ("ended_at", "ended_by", "ended_reason")}
                connection.execute(change.values(end))
            for one in begun:
                connection.execute(insert(tables.interventions), rows.of_intervention(one))
            _post(connection, self._correspondence.of_interventions(begun, ended))

    def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        """As the port says.

        Raises:
            StoreError: also where a row cannot be read: it may be a pause, and nothing may be decided without it.
        """
        with self._question() as connection:
            found = connection.execute(self._standing, {"at": rows.micros(at)}).mappings().all()
        try:
            return tuple(rows.to_intervention(row) for row in found)
        except rows.CorruptRowError as error:
            raise StoreError(f"{self._site.name}: {error}; {_REPAIR_BY_HAND}") from error

    def post(self, posted: Sequence[Letter]) -> None:
        with self._transaction() as connection:
            _post(connection, posted)

    def due_letters(self, webhook: str, *, at: datetime, longest: timedelta, limit: int) -> tuple[Letter, ...]:
        """As the port says; a row that cannot be read is left out and reported."""
        moment = rows.micros(at)
        wanted = {"webhook": webhook, "at": moment, "longest": longest // timedelta(microseconds=1), "limit": limit}
        with self._question() as connection:
            found = connection.execute(self._due_letters, wanted).mappings().all()
        return self._sieve.readable(found, rows.to_letter)

    def settle(self, letter: Letter) -> None:
        b = tables.outbox.c
        here = (b.webhook == letter.webhook, b.event == letter.id, b.state == letters.State.WAITING.value)
        row = rows.of_letter(letter)
        tried = {name: row[name] for name in ("due", "state", "attempts", "error")}
        with self._transaction() as connection:
            connection.execute(update(tables.outbox).where(*here).values(tried))

    def backlogs(self) -> dict[str, Backlog]:
        with self._question() as connection:
            found = connection.execute(self._waiting_letters).all()
        return {webhook: Backlog(waiting, self._oldest(webhook, oldest)) for webhook, waiting, oldest in found}

    def _oldest(self, webhook: str, micros: object) -> datetime:
        """A time that cannot be read is taken for one long ago, so that somebody is alarmed."""
        try:
            return rows.instant(micros)  # type: ignore[arg-type]  # damage may have made anything of it
        except (TypeError, OverflowError):
            self._sieve.report_once(f"a time of table outbox cannot be read ({micros!r} of webhook {webhook})")
            return rows.instant(0)

    def prune_letters(self, *, before: datetime) -> int:
        """Forget some of the older letters; how many, less than PRUNE_AT_ONCE where it was all."""
        with self._transaction() as connection:
            return connection.execute(queries.forget_letters(rows.micros(before), PRUNE_AT_ONCE)).rowcount

    def prune_decisions(self, *, before: datetime) -> int:
        """Forget some of the older records; how many, less than PRUNE_AT_ONCE where it was all."""
        with self._transaction() as connection:
            return connection.execute(queries.forget_decisions(rows.micros(before), PRUNE_AT_ONCE)).rowcount

    def prune_operations(self, *, before: datetime) -> int:
        """Forget the older ended operations and what by hand is over; how many rows went."""
        moment = rows.micros(before)
        with self._transaction() as connection:
            gone = connection.execute(queries.forget_interventions(moment)).rowcount
            return gone + connection.execute(queries.forget_operations(moment)).rowcount

    def close(self) -> None:
        """Close the connection; what is called after that raises StoreError."""
        self._closed = True
        self.engine.dispose()  # the last connection of a SQLite file also folds its write-ahead log into it

    @contextmanager
    def _question(self) -> Iterator[Connection]:
        """For one statement that only reads."""
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        self._ensure_open()
        with self._site.guarded(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _leading(self) -> Iterator[Connection]:
        """A transaction that is only for who leads; where nobody else can, for us."""
        with self._transaction() as connection:
            yield connection

    def _ensure_open(self) -> None:
        if self._closed:  # the engine would quietly connect anew, and another process may have the file by now
            raise StoreError(f"{self._site.name}: the store is closed")

    def _refuse_unreadable(self, connection: Connection, instance: InstanceKey) -> None:
        query = select(tables.operations.c.id).where(queries.of_instance(instance), queries.UNREADABLE_STATE)
        found = connection.execute(query).scalar()
        if found is not None:
            raise StoreError(
                f"{self._site.name}: row {found!r} of table operations has a state not known here; {_REPAIR}"
            )

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


def _import(connection: Connection, operations: Sequence[Operation]) -> None:
    """Those that are not there yet."""
    o = tables.operations.c
    for operation in operations:
        if connection.execute(select(o.seq).where(o.id == operation.id)).first() is None:
            connection.execute(insert(tables.operations), rows.of_operation(operation))


def _post(connection: Connection, posted: Sequence[Letter]) -> None:
    """In the transaction of what they tell of; one that is there already is left as it is."""
    if posted:
        connection.execute(queries.POST, [rows.of_letter(letter) for letter in posted])


def _group(instance: InstanceKey, group_id: str) -> tuple[ColumnElement[bool], ...]:
    s = tables.seen_nodes.c
    return (
        s.region == instance.region,
        s.project_id == instance.project_id,
        s.instance_id == instance.instance_id,
        s.group_id == group_id,
    )

"""Rows of the store that suddenly cannot be read: damage, or words of a newer version; and who mends them."""

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from tests.simulation.plans import Disturbance

if TYPE_CHECKING:
    from tests.simulation.history import History

SPOILED = {
    "state": "paused",
    "reason": "astrology",
    "known_jobs": '["j',
    "node_ids": "[1]",
    "change": "two",
    "committed_at": "noon",
}
"""Columns of an operation, each with what nobody can read."""

TOLD_WITHIN = 150.0
"""Seconds in which a daemon that runs says why the target is held."""


class Rows:
    """Spoils a row, and has it mended as the runbook says: the daemon is stopped for it."""

    def __init__(self, history: "History") -> None:
        self._history = history

    def spoil(self, one: Disturbance) -> None:
        """One of the rows that are there; none where the file is locked or empty."""
        spoils = {"operations": self._operation, "decisions": self._decision, "seen_nodes": self._seen}
        with contextlib.suppress(sqlite3.Error), self._file() as file:
            spoils[one.values["table"]](file, one)

    def _decision(self, file: sqlite3.Connection, _one: Disturbance) -> None:
        file.execute(
            "UPDATE decisions SET record = '{half' "
            "WHERE id = (SELECT max(id) FROM decisions WHERE operation_id IS NULL)"
        )

    def _seen(self, file: sqlite3.Connection, _one: Disturbance) -> None:
        file.execute("UPDATE seen_nodes SET nodes = '[{}]'")
        self._history.ledger.changed_by_others()  # it counts as one until it is known again who is there

    def _operation(self, file: sqlite3.Connection, one: Disturbance) -> None:
        """The last one whose call has been answered: in the middle of it the store is the daemon's alone to change."""
        column = one.values["column"]
        query = f"SELECT id, {column} FROM operations WHERE state <> 'planned' AND NOT \"foreign\" ORDER BY seq DESC"  # noqa: S608  # of the table above
        found = file.execute(query).fetchone()
        if found is None or self._history.watch.standing.unreadable:
            return
        identity, was = found
        file.execute(f"UPDATE operations SET {column} = ? WHERE id = ?", (SPOILED[column], identity))  # noqa: S608  # same
        watch = self._history.watch
        watch.standing.unreadable = f"row {identity}"
        watch.looks_again = lambda file: self._look_again(file, column, identity)
        loop = asyncio.get_running_loop()
        if self._history.plan.only("row"):
            loop.call_later(TOLD_WITHIN, self._check_told, identity, self._history.some_life())
        loop.call_later(one.values["seconds"], self._stop_and_mend, column, identity, was)

    def _stop_and_mend(self, column: str, identity: str, was: Any) -> None:
        """The daemon is told to stop, and the row is mended before the next one starts."""
        for machine in self._history.machines:
            if machine.life is not None:
                machine.life.stop()
                machine.before_restart.append(lambda: self._mend(column, identity, was))
            else:
                self._mend(column, identity, was)

    def _mend(self, column: str, identity: str, was: Any) -> None:
        try:
            with self._file() as file:
                file.execute(
                    f"UPDATE operations SET {column} = ? WHERE id = ? AND {column} = ?",  # noqa: S608  # same
                    (was, identity, SPOILED[column]),
                )
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):  # as where the volume was lost; it is locked
                asyncio.get_running_loop().call_later(30.0, self._stop_and_mend, column, identity, was)
                return
        self._history.watch.standing.unreadable = ""

    def _look_again(self, file: sqlite3.Connection, column: str, identity: str) -> None:
        """Whoever had read it before may have written it whole."""
        found = file.execute(f"SELECT {column} FROM operations WHERE id = ?", (identity,)).fetchone()  # noqa: S608  # same
        if found != (SPOILED[column],):
            self._history.watch.standing.unreadable = ""

    def _check_told(self, identity: str, life: Any) -> None:
        """Held, with a reason that names the row; and the others go on."""
        if life is None or not life.alive or life.console is None or not self._history.watch.standing.unreadable:
            return
        told = {target["name"]: target["error"] for target in life.console.targets()}
        if identity not in (told["orders"] or ""):
            self._history.ledger.wrong(f"row {identity} cannot be read, and what is told of it is {told['orders']}")
        if told.get("billing"):
            self._history.ledger.wrong(f"row {identity} cannot be read, and billing is held for it: {told['billing']}")

    @contextlib.contextmanager
    def _file(self) -> Any:
        with contextlib.closing(sqlite3.connect(self._history.file, isolation_level=None, timeout=0)) as file:
            yield file

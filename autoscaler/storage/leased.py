"""Transactions of a store that several daemons share: what follows from deciding is stored by the one that leads."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection, Engine

from autoscaler.ports import Correspondence
from autoscaler.storage import lease_row
from autoscaler.storage.transactions import Site, Transactions
from autoscaler.storage.unreadable import Sieve
from autoscaler.storage.worker import OneThread


class LeasedTransactions(Transactions):
    """As `Transactions`; called in one thread, as it remembers what it holds."""

    def __init__(self, engine: Engine, site: Site, sieve: Sieve, correspondence: Correspondence) -> None:
        super().__init__(engine, site, sieve, correspondence)
        self._held = lease_row.Held()

    def claim(self, holder: str, lasts: timedelta) -> int | None:
        """As the port `Lease` says. What is held changes once the claim is committed, and not before."""
        with self._transaction() as connection:
            claimed = lease_row.claim(connection, self._held, holder, lasts)
        self._held = claimed or lease_row.Held()
        return None if claimed is None else claimed.fence

    def release(self) -> None:
        """As the port `Lease` says; also where it raises, no further intent is committed."""
        held, self._held = self._held, lease_row.Held()
        with self._transaction() as connection:
            lease_row.release(connection, held)

    def holder(self) -> str:
        """As the port `Lease` says."""
        with self._transaction() as connection:
            return lease_row.holder(connection)

    @contextmanager
    def _leading(self) -> Iterator[Connection]:
        """NotLeader, and nothing is stored, where the lease is not ours; else nobody takes it before the end."""
        with self._transaction() as connection:
            lease_row.hold(connection, self._held, self._site.name)
            yield connection


class StoredLease:
    """The port `Lease`, in the thread of the store."""

    def __init__(self, transactions: LeasedTransactions, run: OneThread) -> None:
        self._transactions = transactions
        self._run = run

    async def claim(self, holder: str, lasts: timedelta) -> int | None:
        return await self._run(self._transactions.claim, holder, lasts)

    async def holder(self) -> str:
        return await self._run(self._transactions.holder)

    async def release(self) -> None:
        await self._run(self._transactions.release)

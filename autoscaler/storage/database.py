"""The store in a database (port `Store`): a transaction or a few for each call, made where the database allows it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ParamSpec, Protocol, TypeVar

from autoscaler.core.by_hand import Intervention
from autoscaler.core.decision import Decision
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation
from autoscaler.core.target import InstanceKey
from autoscaler.ports import Backlog, Lease, SeenNode
from autoscaler.storage.history import SqlHistory
from autoscaler.storage.transactions import PRUNE_AT_ONCE, Transactions

P = ParamSpec("P")
T = TypeVar("T")


class Run(Protocol):
    """Where transactions are made, one after the other."""

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises."""
        ...

    def close(self) -> None:
        """Wait for what is under way."""
        ...


class OnTheLoop:
    """At once, on the thread of the loop, which stands still meanwhile: nothing comes between, not even a switch."""

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    def close(self) -> None:
        """Nothing is under way when somebody else has his turn."""


class DatabaseStore:
    """What `Transactions` does, as the port wants it."""

    def __init__(
        self,
        transactions: Transactions,
        history: SqlHistory,
        run: Run,
        *,
        lease: Lease | None = None,
        ends_in: Callable[[float], None] = lambda _: None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        """`ends_in` bounds what waits for others; `release` is called once all is closed."""
        self.transactions = transactions
        self.history = history
        self.lease = lease
        self._run = run
        self._ends_in: Callable[[float], None] | None = ends_in
        self._release = release
        self._closed = False

    async def commit_intent(self, operation: Operation, decision: Decision) -> None:
        await self._run(self.transactions.commit_intent, operation, decision)

    async def update(self, operation: Operation, *, was: Operation, beside: Sequence[Operation] = ()) -> None:
        await self._run(self.transactions.update, operation, was=was, beside=beside)

    async def import_operations(self, operations: Sequence[Operation]) -> None:
        await self._run(self.transactions.import_operations, operations)

    async def open_operations(self) -> tuple[Operation, ...]:
        return await self._run(self.transactions.open_operations)

    async def operations(self, instance: InstanceKey, *, since: datetime) -> tuple[Operation, ...]:
        return await self._run(self.transactions.operations, instance, since=since)

    async def record(self, decisions: Sequence[Decision]) -> None:
        if decisions:
            await self._run(self.transactions.record, decisions)

    async def seen_nodes(self, instance: InstanceKey, group_id: str) -> tuple[SeenNode, ...] | None:
        return await self._run(self.transactions.seen_nodes, instance, group_id)

    async def save_seen_nodes(
        self, instance: InstanceKey, group_id: str, nodes: Sequence[SeenNode], *, beside: Sequence[Operation] = ()
    ) -> None:
        await self._run(self.transactions.save_seen_nodes, instance, group_id, nodes, beside=beside)

    async def intervene(self, begun: Sequence[Intervention], *, ended: Sequence[Intervention] = ()) -> None:
        await self._run(self.transactions.intervene, begun, ended=ended)

    async def standing(self, *, at: datetime) -> tuple[Intervention, ...]:
        return await self._run(self.transactions.standing, at=at)

    async def post(self, letters: Sequence[Letter]) -> None:
        await self._run(self.transactions.post, letters)

    async def due_letters(self, webhook: str, *, at: datetime, longest: timedelta, limit: int) -> tuple[Letter, ...]:
        return await self._run(self.transactions.due_letters, webhook, at=at, longest=longest, limit=limit)

    async def settle(self, letter: Letter) -> None:
        await self._run(self.transactions.settle, letter)

    async def backlogs(self) -> Mapping[str, Backlog]:
        return await self._run(self.transactions.backlogs)

    async def prune(self, *, before: datetime) -> int:
        """As the port says, in several short transactions: there may be millions of records, and the loop goes on."""
        gone = 0
        for some in (self.transactions.prune_decisions, self.transactions.prune_letters):
            part = PRUNE_AT_ONCE
            while part == PRUNE_AT_ONCE:
                part = await self._run(some, before=before)
                gone += part
                await asyncio.sleep(0)
        return gone + await self._run(self.transactions.prune_operations, before=before)

    def ends_in(self, seconds: float) -> None:
        """The process is about to end: what has no answer within so many real seconds gets a StoreError instead.

        The first time counts.
        """
        limit, self._ends_in = self._ends_in, None
        if limit is not None:
            limit(seconds)

    def close(self) -> None:
        """As the port says; a second time it does nothing."""
        if self._closed:
            return
        self._closed = True
        self.history.close()
        self._run.close()
        self.transactions.close()
        self._release()

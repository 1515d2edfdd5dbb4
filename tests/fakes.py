"""One fake for each port, kept honest by the suite that the real adapter passes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from autoscaler.core.decision import Decision
from autoscaler.core.operation import Operation, State
from autoscaler.core.target import InstanceKey
from autoscaler.errors import StoreError
from autoscaler.ports import OperationOpenError, SeenNode

# ---------------------------------------------------------------------------------------------------------------------
# Store and History: tests/storage/test_store_contract.py
# ---------------------------------------------------------------------------------------------------------------------


class MemoryStore:
    """The ports Store and History in lists and dictionaries, in the order in which things were stored."""

    def __init__(self) -> None:
        self.history = MemoryHistory(self)
        self.stored: dict[str, Operation] = {}
        self.decisions: list[Decision] = []
        self._seen: dict[tuple[InstanceKey, str], tuple[SeenNode, ...]] = {}
        self._closed = False

    async def commit_intent(self, operation: Operation, decision: Decision) -> None:
        self._check_open()
        if operation.state is not State.PLANNED or operation.foreign or operation.shadow:
            raise ValueError(f"operation {operation.id} is no intent")
        if operation.id in self.stored:
            raise StoreError(f"operation {operation.id} is there already")
        for other in self.stored.values():
            if other.open and other.instance == operation.instance:
                raise OperationOpenError(f"operation {other.id} is open")
        self.stored[operation.id] = operation
        self.decisions.append(decision)

    async def update(self, operation: Operation, *, was: Operation) -> None:
        self._check_open()
        found = self.stored.get(was.id)
        if found is None or found.state is not was.state or operation.id != was.id:
            raise StoreError(f"operation {was.id} is not {was.state}")
        self.stored[was.id] = _without_jobs_once_ended(operation)

    async def import_operations(self, operations: Sequence[Operation]) -> None:
        self._check_open()
        for operation in operations:
            self.stored.setdefault(operation.id, _without_jobs_once_ended(operation))

    async def open_operations(self) -> tuple[Operation, ...]:
        self._check_open()
        return _oldest_first(operation for operation in self.stored.values() if operation.open)

    async def operations(self, instance: InstanceKey, *, since: datetime) -> tuple[Operation, ...]:
        self._check_open()
        last = self._last_of_each_kind()
        return _oldest_first(
            operation
            for operation in self.stored.values()
            if operation.instance == instance and (operation.open or _ended(operation) >= since or operation.id in last)
        )

    async def record(self, decisions: Sequence[Decision]) -> None:
        self._check_open()
        self.decisions.extend(decisions)

    async def seen_nodes(self, instance: InstanceKey, group_id: str) -> tuple[SeenNode, ...] | None:
        self._check_open()
        return self._seen.get((instance, group_id))

    async def save_seen_nodes(self, instance: InstanceKey, group_id: str, nodes: Sequence[SeenNode]) -> None:
        self._check_open()
        self._seen[instance, group_id] = tuple(nodes)

    async def prune(self, *, before: datetime) -> int:
        self._check_open()
        rows = len(self.decisions) + len(self.stored)
        last = self._last_of_each_kind()
        self.decisions = [decision for decision in self.decisions if decision.at >= before]
        self.stored = {
            operation.id: operation
            for operation in self.stored.values()
            if operation.open or _ended(operation) >= before or operation.id in last
        }
        return rows - len(self.decisions) - len(self.stored)

    def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _last_of_each_kind(self) -> set[str]:
        last: dict[tuple[object, ...], Operation] = {}
        for new in self.stored.values():
            kind = (new.instance, new.target, new.direction, new.state, new.arrived > 0)
            if kind not in last or _ended(new) >= _ended(last[kind]):
                last[kind] = new
        return {operation.id for operation in last.values()}


class MemoryHistory:
    """What MemoryStore holds, as the API reads it."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def decisions(
        self, target: str, *, before: datetime | None = None, since: datetime | None = None, limit: int = 100
    ) -> tuple[dict[str, Any], ...]:
        found = [
            decision
            for decision in self._store.decisions
            if decision.target == target
            and (before is None or decision.at < before)
            and (since is None or decision.at >= since)
        ]
        oldest_first = sorted(found, key=lambda decision: decision.at)  # of the same time: as stored
        return tuple(decision.as_json() for decision in oldest_first[::-1])[: max(limit, 0)]

    def operations(self, target: str | None = None, *, limit: int = 100) -> tuple[Operation, ...]:
        found = _oldest_first(
            operation for operation in self._store.stored.values() if target is None or operation.target == target
        )
        return tuple(reversed(found))[: max(limit, 0)]


def _without_jobs_once_ended(operation: Operation) -> Operation:
    return operation if operation.open else replace(operation, known_jobs=frozenset())


def _ended(operation: Operation) -> datetime:
    return operation.ended_at or operation.committed_at


def _oldest_first(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    return tuple(sorted(operations, key=lambda operation: operation.committed_at))

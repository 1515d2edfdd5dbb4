"""Remembers which step of an operation was told last, so that a step told twice is counted and logged once."""

from collections import deque

from autoscaler.core.operation import Operation, State

ENDED_KEPT = 1000
"""Ended operations that are remembered: far more than end between two tellings of one."""


class Steps:
    """Open operations are remembered until they end, ended ones until many more have ended."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[State, bool]] = {}
        self._ended: deque[str] = deque()

    def knows(self, operation: Operation) -> bool:
        """Whether any step of it was told."""
        return operation.id in self._last

    def is_news(self, operation: Operation, *, overdue: bool = False) -> bool:
        """Whether the operation was not told in this state (and as overdue) the last time."""
        step = (operation.state, overdue)
        if self._last.get(operation.id) == step:
            return False
        self._last[operation.id] = step
        if not operation.open:
            self._forget_after(operation.id)
        return True

    def _forget_after(self, ended: str) -> None:
        self._ended.append(ended)
        if len(self._ended) > ENDED_KEPT:
            self._last.pop(self._ended.popleft(), None)

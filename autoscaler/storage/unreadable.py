"""Rows that cannot be read are left out where that is safe, and each is reported once."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from autoscaler.storage import rows

Report = Callable[[str], None]
"""Told, in a sentence, of a row that was left out."""

Value = TypeVar("Value")


def log_warning(sentence: str) -> None:
    """The report where nobody asked for another."""
    logging.getLogger(__name__).warning(sentence)


class Sieve:
    """Reads rows, leaving out those that cannot be read. A page asks again every few seconds: it reports a row once."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._reported: set[str] = set()

    def readable(self, found: Iterable[rows.Row], read: Callable[[rows.Row], Value]) -> tuple[Value, ...]:
        """Every row that `read` can read, in order."""
        values = []
        for row in found:
            try:
                values.append(read(row))
            except rows.CorruptRowError as error:
                self.report_once(f"{error}; it is left out")
        return tuple(values)

    def report_once(self, what: str) -> None:
        """Say it, unless it was said."""
        sentence = f"{self._name}: {what}"
        if sentence not in self._reported:
            self._reported.add(sentence)
            self._report(sentence)

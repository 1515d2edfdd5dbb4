"""One request and its answer as plain values, and the table that finds what a request asks for."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from autoscaler.emulator import faults
from autoscaler.emulator.cloud import Cloud


@dataclass(frozen=True)
class Answer:
    """What goes back: JSON, or (`text`) plain text."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None

    @property
    def content(self) -> tuple[bytes, str]:
        """The bytes and their media type. NaN goes out as the bare word, though JSON has none for it."""
        if self.text is not None:
            return self.text.encode(), "text/plain"
        return (b"", "application/json") if self.body is None else (json.dumps(self.body).encode(), "application/json")


@dataclass(frozen=True)
class Refused(Exception):
    """The call ends here, with this answer."""

    answer: Answer


@dataclass(frozen=True)
class Call:
    """A request as its handler sees it: who is asking is settled, `now` is read."""

    cloud: Cloud
    now: datetime
    monotonic: float  # real seconds
    method: str
    path: str
    operation: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw_body: bytes
    fault: faults.Armed | None = None  # of stage CONTENT

    def struck_by(self, kind: faults.Kind) -> bool:
        """Whether a fault of this kind bends the answer."""
        return self.fault is not None and self.fault.request.kind is kind

    def page(self, items: Sequence[Any], *, limit: int, most: int) -> tuple[list[Any], int, int]:
        """The page that `offset` and `limit` ask for, with both; half of it where a fault says so.

        Raises:
            ValueError: offset or limit is no number or out of bounds.
        """
        offset, size = int(self.query.get("offset", "0")), int(self.query.get("limit", str(limit)))
        if offset < 0 or not 1 <= size <= most:
            raise ValueError("offset or limit is out of bounds")
        return self.half(list(items[offset : offset + size])), offset, size

    def half(self, items: list[Any]) -> list[Any]:
        """The items, or half of them where a fault tears the page."""
        return items[: len(items) // 2] if self.struck_by(faults.Kind.PARTIAL_PAGE) else items

    def json(self) -> dict[str, Any]:
        """The body.

        Raises:
            ValueError: it is no JSON.
            TypeError: it is no object.
        """
        body = json.loads(self.raw_body)
        if not isinstance(body, dict):
            raise TypeError("the body is no JSON object")
        return body


@dataclass(frozen=True)
class Operation:
    """One call of a service. Versions of one call share the `name`, by which faults know them."""

    name: str
    method: str
    path: str  # with {names}
    handle: Callable[[Call], Answer]
    mutating: bool = False
    open: bool = False  # needs no token and no signature

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The path's parameters, or None where the request is for something else."""
        if method != self.method:
            return None
        found = _pattern(self.path).fullmatch(path)
        return found.groupdict() if found else None


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """What matches a path with {names}; there are as many as operations."""
    return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path))

"""Lists by the page: newest or oldest first, and where to go on.

A cursor is the time of the last entry and how many of that very time were shown: entries are only ever added at the new
end (and forgotten at the old one), so a page neither repeats nor leaves out any.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Annotated, Any, Self
from urllib.parse import urlencode

from fastapi import Depends, HTTPException, Query
from pydantic import AfterValidator, AwareDatetime

from autoscaler.core.decision import rfc3339

Json = dict[str, Any]

Limit = Annotated[int, Query(ge=1, le=1000, description="how many at most")]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


def _in_utc(moment: datetime) -> datetime:
    """Far ends of time, which some programs send for "ever", are moved to where one can still calculate."""
    try:
        return min(max(moment.astimezone(UTC), _EPOCH), _LATEST)
    except OverflowError:  # the years 1 and 9999, with an offset
        return _EPOCH if moment.year < _EPOCH.year else _LATEST


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
Instant = Annotated[Moment | None, Query(description="RFC 3339, with its offset")]


class Order(StrEnum):
    """Which end of a list comes first."""

    NEWEST = "newest"  # first
    OLDEST = "oldest"  # first


_MICROSECOND = timedelta(microseconds=1)
_WRITTEN = re.compile(r"([0-9]{1,17})-([0-9]{1,4})")

Read = Callable[[datetime | None, datetime | None, int, bool], Sequence[Json]]
"""Entries by before, since, limit and whether the oldest come first."""


@dataclass(frozen=True)
class _Place:
    """After so many entries of a time."""

    at: datetime
    shown: int

    @classmethod
    def read(cls, text: str) -> Self:
        """What `write` has written.

        Raises:
            HTTPException: 422, it was written by somebody else.
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise HTTPException(422, "cursor: it is no cursor; take the one that is in `next` of the page before")
        return cls(_EPOCH + int(found[1]) * _MICROSECOND, int(found[2]))

    def write(self) -> str:
        return f"{(self.at - _EPOCH) // _MICROSECOND}-{self.shown}"


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which part of a list is asked for."""

    before: datetime | None
    since: datetime | None
    limit: int
    order: Order
    cursor: str | None

    def of(self, read: Read, moment: str) -> tuple[list[Json], str | None]:
        """The entries, and the query for the next page; `moment` is the key of an entry's time."""
        place = None if self.cursor is None else _Place.read(self.cursor)
        skipped = place.shown if place else 0
        found = read(*self._bounds(place), self.limit + skipped + 1, self.order is Order.OLDEST)
        again = place and list(takewhile(lambda one: _time(one, moment) == place.at, found[:skipped]))
        rest = found[len(again or ()) :]
        shown = list(rest[: self.limit])
        return shown, self._next(shown, place, moment) if len(rest) > len(shown) else None

    def _bounds(self, place: _Place | None) -> tuple[datetime | None, datetime | None]:
        before, since = self.before, self.since
        if place is not None and self.order is Order.NEWEST:
            before = min(before or place.at + _MICROSECOND, place.at + _MICROSECOND)
        elif place is not None:
            since = max(since or place.at, place.at)
        return before, since

    def _next(self, shown: Sequence[Json], place: _Place | None, moment: str) -> str:
        last = _time(shown[-1], moment)
        of_that_time = sum(1 for _ in takewhile(lambda one: _time(one, moment) == last, reversed(shown)))
        if place is not None and place.at == last:
            of_that_time += place.shown
        asked: Mapping[str, Any] = {
            "before": None if self.before is None else rfc3339(self.before),
            "since": None if self.since is None else rfc3339(self.since),
            "limit": self.limit,
            "order": self.order.value,
            "cursor": _Place(last, of_that_time).write(),
        }
        return urlencode({name: value for name, value in asked.items() if value is not None})


def asked(
    before: Instant = None,
    since: Instant = None,
    limit: Limit = 100,
    order: Annotated[Order, Query(description="what comes first")] = Order.NEWEST,
    cursor: Annotated[str | None, Query(max_length=40, description="as in `next` of the page before")] = None,
) -> Page:
    """The page that a request is for: entries with a time < before and >= since."""
    return Page(before=before, since=since, limit=limit, order=order, cursor=cursor)


Asked = Annotated[Page, Depends(asked)]


def _time(entry: Json, moment: str) -> datetime:
    return datetime.fromisoformat(entry[moment])

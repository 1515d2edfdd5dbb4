"""What happens, for those who watch (port `Following`): one bounded list of events that every follower reads along.

    publish ──> [ … 41 42 43 44 ]          a follower is no more than its place in the list: one that is too slow, or
                      ^        ^           was away too long, finds its place gone and is told that it lost something;
                    ann       ben          it costs nothing, and nobody waits for it

While nobody watches (and for five minutes nobody has), nothing is kept. Everything here is of the loop's own thread.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from autoscaler.clock import Clock
from autoscaler.ports import Event, EventKind, FeedFullError

KEPT = 2000
"""Events, beside one for each target: a cycle over all of them comes at once."""

FOLLOWERS = 100

KEPT_FOR = 300.0
"""Real seconds after the last follower in which events are kept for its return."""

AT_ONCE = 200
"""Events that a follower takes at a time; between two takes the loop goes on."""

_MICROSECOND = timedelta(microseconds=1)

Json = dict[str, Any]


class Feed:
    """Events are numbered on from the time of the start: an id of an earlier process is never one of this."""

    def __init__(self, clock: Clock, *, followers: int = FOLLOWERS) -> None:
        self._clock = clock
        self._most_followers = followers
        self._next = int(clock.now().timestamp() * 1_000_000)
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._keep_until = clock.monotonic()
        self._followers: set[Follower] = set()
        self._news = asyncio.Event()
        self.closed = False

    def make_room(self, targets: int) -> None:
        """There are so many targets from now on."""
        self._kept = deque(self._kept, maxlen=KEPT + targets)

    def publish(self, kind: EventKind, target: str | None, make: Callable[[], Json]) -> None:
        """Let followers know; `make` gives the data when (and if) somebody wants it. Never raises, never waits."""
        if self._followers or self._clock.monotonic() < self._keep_until:
            self._kept.append(Event(self._next, kind, target, lambda: json.dumps(make(), separators=(",", ":"))))
        else:
            self._kept.clear()
        self._next += 1
        self._news.set()

    def last(self) -> int:
        """The newest event's id, to follow after; what comes is kept for a while."""
        self._keep_until = self._clock.monotonic() + KEPT_FOR
        return self._next - 1

    def follow(self, after: int | None) -> "Follower":
        """Follow what comes after that event, or (None) from now on.

        Raises:
            FeedFullError: too many do already, or the daemon is stopping.
        """
        if self.closed:
            raise FeedFullError("The daemon is stopping.")
        if len(self._followers) >= self._most_followers:
            raise FeedFullError(f"{len(self._followers)} others follow the events already; no more are served.")
        follower = Follower(self, self._next if after is None else after + 1)
        self._followers.add(follower)
        return follower

    def close(self) -> None:
        """Let every follower come to its end."""
        self.closed = True
        self._news.set()

    def leave(self, follower: "Follower") -> None:
        """One follows no more; should it come back soon, it misses nothing."""
        self._followers.discard(follower)
        self.last()

    def since(self, place: int) -> list[Event]:
        """The next events from an id on; where they are not all known, that this is so."""
        oldest = self._next - len(self._kept)
        if not oldest <= place <= self._next:
            return [Event(self._next - 1, EventKind.LOST, None, lambda: "{}")]
        first = place - oldest
        return [self._kept[at] for at in range(first, min(first + AT_ONCE, len(self._kept)))]

    async def news(self) -> None:
        """Wait until something is published."""
        if self._news.is_set():
            self._news = asyncio.Event()
        await self._news.wait()


class Follower:
    """One reader's place (port `Following`)."""

    def __init__(self, feed: Feed, place: int) -> None:
        self._feed = feed
        self._place = place

    async def take(self, seconds: float) -> tuple[Event, ...] | None:
        if not self._feed.closed and not self._feed.since(self._place):
            try:
                async with asyncio.timeout(seconds):
                    await self._feed.news()
            except TimeoutError:
                return ()
        if self._feed.closed:
            return None
        found = tuple(self._feed.since(self._place))
        if found:
            self._place = found[-1].id + 1
        return found

    def close(self) -> None:
        self._feed.leave(self)

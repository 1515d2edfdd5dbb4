"""`GET /api/v1/events`: what happens, as server-sent events (HTML standard, section 9.2)."""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from autoscaler.ports import Console, Event, EventKind, Following
from autoscaler.web.shapes import described

BEAT = 15.0
"""Real seconds after which something is sent, so that neither side nor a proxy takes the line for dead."""

RETRY_MILLISECONDS = 3000

Kinds = Annotated[
    list[EventKind] | None, Query(description="only these kinds, each as a parameter of its own; all by default")
]
Target = Annotated[str | None, Query(description="only of this target, and of none in particular", max_length=200)]
After = Annotated[int | None, Query(description="begin after this event; Last-Event-ID comes before it", ge=0)]
LastId = Annotated[str | None, Header(alias="Last-Event-ID", description="as a browser sends it that comes back")]


def add(paths: APIRouter, console: Console) -> None:
    """Add the path."""

    @paths.get("/events", response_class=EventStream, status_code=200, responses=described(None, 422, 503))
    async def events(
        events: Kinds = None, target: Target = None, after: After = None, last_event_id: LastId = None
    ) -> EventStream:
        """What happens from now on, or after an event; `lost` where events in between are not known any more."""
        place = after if last_event_id is None else _number(last_event_id)
        return EventStream(console.follow(place), frozenset(events or EventKind) | {EventKind.LOST}, target)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:  # noqa: PLR2004  # digits of a whole number here
        raise HTTPException(422, "Last-Event-ID: it is the id of an event, a whole number")
    return int(text)


class EventStream(StreamingResponse):
    """The answer that does not end before the daemon does, or the reader goes."""

    media_type = "text/event-stream"

    def __init__(self, following: Following, kinds: frozenset[EventKind], target: str | None) -> None:
        super().__init__(_written(following, kinds, target))
        self._following = following

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the end; however that comes, the place is given up."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._following.close()


async def _written(following: Following, kinds: frozenset[EventKind], target: str | None) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    sent, last = time.monotonic(), None
    while (batch := await following.take(max(0.0, sent + BEAT - time.monotonic()))) is not None:
        last = batch[-1].id if batch else last
        text = "".join(_event(one) for one in batch if one.kind in kinds and target in (None, one.target or target))
        if not text and time.monotonic() >= sent + BEAT:
            text = _beat(last)
        if text:
            sent = time.monotonic()
            yield text


def _event(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.kind}\ndata: {event.data}\n\n"


def _beat(last: Any) -> str:
    """A comment; and how far the reader has come, though nothing of it was for it: so it loses nothing later."""
    return ": still here\n\n" if last is None else f": still here\nid: {last}\n\n"

"""For machines that watch: health, readiness, metrics; and the reload of the configuration."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from autoscaler.core import standing_words
from autoscaler.ports import Console, Reload
from autoscaler.web import changes, shapes
from autoscaler.web.token import TokenRule
from autoscaler.web.wishes import Reloading


def router(
    console: Console, metrics: Callable[[str], tuple[bytes, str]], token: TokenRule, done: Callable[[], None]
) -> APIRouter:
    """The paths outside of the API; `done` is called after each reload."""
    paths = APIRouter(tags=["probes"])

    @paths.get("/metrics", response_class=PlainTextResponse)
    async def exposition(request: Request) -> Response:
        """Metrics in Prometheus' text format, or OpenMetrics where the Accept header prefers it."""
        body, content_type = await asyncio.to_thread(metrics, request.headers.get("accept", ""))
        # Given as a header: media_type would have a second charset added.
        return Response(body, headers={"Content-Type": content_type})

    @paths.get("/healthz", response_class=PlainTextResponse)
    @paths.get("/-/healthy", response_class=PlainTextResponse)
    async def healthy() -> Response:
        """200 while the scheduler beats, else 503; a slow cloud is not unhealthy."""
        return _probe(*console.healthy())

    @paths.get("/readyz", response_class=PlainTextResponse)
    @paths.get("/-/ready", response_class=PlainTextResponse)
    async def ready() -> Response:
        """200 once configuration, store and sign-in are good, else 503."""
        return _probe(*console.ready())

    @paths.get("/-/leader", response_class=PlainTextResponse)
    async def leader() -> Response:
        """200 where this daemon may act, 503 where it stands by: for a proxy that is to reach the one that leads."""
        led_by = console.led_by()
        return _probe(led_by is None, "leads" if led_by is None else f"stands by: {standing_words.who_leads(led_by)}")

    guarded = APIRouter(route_class=changes.route_class(token, done=done), dependencies=[Depends(token)])

    @guarded.post("/-/reload", responses=shapes.OF_A_RELOAD)
    async def reload(request: Request, wish: Reloading | None = None) -> Response:
        """Have the configuration read anew: it holds as a whole, or nothing of it does; what it changed."""
        wanted = wish or Reloading()
        done = await console.reload(who=wanted.from_(request), reason=wanted.reason.strip())
        if done.obeyed:
            return JSONResponse(done.as_json())
        return JSONResponse({"error": _refusal(done)} | done.as_json(), 422)

    paths.include_router(guarded)
    return paths


def _refusal(done: Reload) -> str:
    count = len(done.problems)
    return (
        f"The configuration is not valid, so nothing of it is obeyed and the last good one goes on: {count} "
        f"problem{'' if count == 1 else 's'}, of which the first is {done.problems[0]}"
    )


def _probe(good: bool, words: str) -> PlainTextResponse:
    return PlainTextResponse(f"{words}\n", 200 if good else 503)

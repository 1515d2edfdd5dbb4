"""For machines that watch: health, readiness, metrics; and the reload that this version does not have."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import PlainTextResponse, Response

from autoscaler.ports import Console


def router(console: Console, metrics: Callable[[str], tuple[bytes, str]]) -> APIRouter:
    """The paths outside of the API."""
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

    @paths.post("/-/reload")
    async def reload() -> None:
        """Refused: policies are read at the start only."""
        raise HTTPException(501, "Reloading is not in this version: restart the daemon to have it read its policies.")

    return paths


def _probe(good: bool, words: str) -> PlainTextResponse:
    return PlainTextResponse(f"{words}\n", 200 if good else 503)

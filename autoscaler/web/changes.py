"""How a request that changes something is taken: the token first, then a body that is JSON, then what it says."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from autoscaler.web.token import TokenRule


def route_class(token: TokenRule, done: Callable[[], None] = lambda: None) -> type[APIRoute]:
    """For routers: the framework would read a body before it asks whether it should. `done` after each change."""

    class Guarded(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            served = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                await token(request)
                await _is_json(request)
                try:
                    return await served(request)
                finally:
                    done()

            return guarded

    return Guarded


async def _is_json(request: Request) -> None:
    """It may be left out; a form of a page of another site cannot be it.

    Raises:
        HTTPException: 415, it is not said to be; 422, it is not.
    """
    if not await request.body():
        return
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "The body is not said to be JSON: send it with 'Content-Type: application/json'.")
    try:
        await request.json()
    except (ValueError, RecursionError):
        raise HTTPException(422, "the body: it is no JSON") from None

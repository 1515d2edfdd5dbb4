"""Answers HEAD as GET, without the body (RFC 9110, section 9.3.2); many that watch ask so."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENDLESS = "/api/v1/events"
"""Its answer does not end; of it there is no HEAD."""


class Head:
    """ASGI middleware: what is inside is asked for the whole answer, of which the body goes nowhere."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == ENDLESS:
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self._app({**scope, "method": "GET"}, receive, without_body)

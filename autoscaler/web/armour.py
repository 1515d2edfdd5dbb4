"""What every answer carries against a hostile page, and how much of a request is read at most."""

import asyncio
import logging

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
"""Bytes; the largest body that means anything here is a sentence of reason."""

BODY_SECONDS = 10.0
"""Real seconds that a request's body may take to come."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}


class Armour:
    """ASGI middleware: reads the whole (bounded) body first, then adds the headers to whatever is answered.

    Also to the answer of a mistake of ours: the framework's own would be made outside of this one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def armoured(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _bounded(receive)
        except TimeoutError:
            refusal = JSONResponse({"error": f"The body did not come within {BODY_SECONDS:g} s."}, 408)
            await refusal(scope, receive, armoured)
            return
        if body is None:
            refusal = JSONResponse({"error": f"The body is larger than {MAX_BODY} bytes."}, 413)
            await refusal(scope, receive, armoured)
            return
        try:
            await self._app(scope, _replayed(body, receive), armoured)
        except Exception:  # a request's end: the daemon goes on, and its log tells what was wrong
            if begun:
                raise
            _LOG.exception("%s %s could not be answered", scope["method"], scope["path"])
            failed = JSONResponse({"error": "The daemon failed at this; its log says at what."}, 500)
            await failed(scope, receive, armoured)


async def _bounded(receive: Receive) -> bytes | None:
    """The body; None as soon as it is too large (or nobody is left to read an answer)."""
    body = b""
    while len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body if len(body) <= MAX_BODY else None
    return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay

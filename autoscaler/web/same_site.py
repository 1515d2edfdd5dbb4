"""Refuses changes that a page of another site has a browser send.

Such a page cannot know the token; this is the second lock, for the day on which a proxy adds it. Browsers say where a
request comes from (`Sec-Fetch-Site`, older ones `Origin`), and no page can make them lie; programs say neither.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class SameSite:
    """ASGI middleware: 403 for a request that may change something and was sent by another site's page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in READING or _is_ours(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        refusal = JSONResponse({"error": "This change was sent by a page of another site; nothing was changed."}, 403)
        await refusal(scope, receive, send)


def _is_ours(headers: Headers) -> bool:
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:  # behind a proxy the origin may be right though the host is another
        return site in ("same-origin", "none")
    return origin is None or _host(origin) == headers.get("host", "").lower()


def _host(origin: str) -> str | None:
    """The host and port of an origin; None where it has none (`null`)."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None

"""A page as it is sent: compressed where the browser takes that, since a thousand rows are mostly alike."""

import gzip

from starlette.requests import Request
from starlette.responses import Response

LEVEL = 1
"""Already a tenth of the size; more would only cost time."""

WORTH_IT = 2000  # bytes

HTML = "text/html; charset=utf-8"
VARY = {"Vary": "Accept-Encoding"}


def response(html: str, request: Request, status: int = 200) -> Response:
    """For threads: compressing takes a while."""
    body = html.encode("utf-8", "replace")
    if len(body) <= WORTH_IT or not _takes_gzip(request):
        return Response(body, status, VARY, media_type=HTML)
    return kept(squeezed(html), request, status)


def squeezed(html: str) -> bytes:
    """A page as it is kept for many: a tenth of what it is. For threads."""
    return gzip.compress(html.encode("utf-8", "replace"), LEVEL)


def kept(page: bytes, request: Request, status: int = 200) -> Response:
    """One that was squeezed; for the few who do not take it so, made whole again."""
    if _takes_gzip(request):
        return Response(page, status, {**VARY, "Content-Encoding": "gzip"}, media_type=HTML)
    return Response(gzip.decompress(page), status, VARY, media_type=HTML)


def _takes_gzip(request: Request) -> bool:
    accepted = request.headers.get("accept-encoding", "").lower()
    names = (part.strip().partition(";") for part in accepted.split(","))
    return any(name == "gzip" and rest.replace(" ", "") != "q=0" for name, _, rest in names)

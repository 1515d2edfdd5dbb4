"""A page as it is sent: compressed where the browser takes that, since a thousand rows are mostly alike."""

import gzip

from starlette.requests import Request
from starlette.responses import Response

LEVEL = 1
"""Already a tenth of the size; more would only cost time."""

WORTH_IT = 2000  # bytes


def response(html: str, request: Request, status: int = 200) -> Response:
    """For threads: compressing takes a while."""
    body = html.encode("utf-8", "replace")
    headers = {"Vary": "Accept-Encoding"}
    if len(body) > WORTH_IT and _takes_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, LEVEL)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status, headers, media_type="text/html; charset=utf-8")


def _takes_gzip(accepted: str) -> bool:
    names = (part.strip().partition(";") for part in accepted.lower().split(","))
    return any(name == "gzip" and rest.replace(" ", "") != "q=0" for name, _, rest in names)

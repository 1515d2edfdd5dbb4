"""Verifies SDK-HMAC-SHA256 signatures from the request as it was received.

Vendor's page: "Signing and Authenticating API Requests", AK/SK signing; huaweicloudsdkcore `signer/signer.py` writes
what is read here.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
_HEADER = re.compile(ALGORITHM + r" Access=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})")
_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


class Wrong(Exception):
    """The signature does not hold; the text says why, as the gateway would."""


@dataclass(frozen=True)
class Received:
    """A request as it came; header names are lower case, `path` is decoded, `query` not."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def verify(
    request: Received, *, secret_of: Callable[[str, str | None], str | None], now: datetime, tolerance: timedelta
) -> None:
    """Check who signed, what and when; `secret_of(access key, security token)` is None for keys worth nothing.

    Raises:
        Wrong: the header, the date, the key, the body's hash or the signature itself.
    """
    found = _HEADER.fullmatch(request.headers.get("authorization", ""))
    if not found:
        raise Wrong("authorization header is malformed")
    access, names, signature = found[1], found[2].split(";"), found[3]
    _check_headers(request, names)
    date = request.headers["x-sdk-date"]
    _check_date(date, now, tolerance)
    secret = secret_of(access, request.headers.get("x-security-token"))
    if secret is None:
        raise Wrong("app key or security token is not found or has expired")
    canonical = _canonical(request, names)
    to_sign = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    expected = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        raise Wrong("verify aksk signature fail")


def _check_headers(request: Received, names: list[str]) -> None:
    """Host, date and security token must be among what was signed, in order, and the body must be signed."""
    needed = {"host", "x-sdk-date"} | ({"x-security-token"} & request.headers.keys())
    missing = [name for name in (*names, *sorted(needed)) if name not in request.headers or name not in names]
    if missing or names != sorted(names):
        raise Wrong(f"signed headers lack {', '.join(missing)}" if missing else "signed headers are not in order")
    if request.body and request.headers.get("x-sdk-content-sha256") == "UNSIGNED-PAYLOAD":
        raise Wrong("the body is not signed")


def _check_date(text: str, now: datetime, tolerance: timedelta) -> None:
    try:
        signed_at = datetime.strptime(text, _DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError as error:
        raise Wrong("x-sdk-date is malformed") from error
    if abs(now - signed_at) > tolerance:
        raise Wrong("signature expired")


def _canonical(request: Received, names: list[str]) -> str:
    headers = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
    path = "/".join(_encode(part) for part in request.path.split("/"))
    body = hashlib.sha256(request.body).hexdigest()
    lines = (request.method, path if path.endswith("/") else path + "/", _canonical_query(request.query))
    return "\n".join((*lines, headers, ";".join(names), body))


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    decoded = sorted((unquote(key), unquote(value)) for key, _, value in pairs)
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in decoded)


def _encode(text: str) -> str:
    return quote(text, safe="~")

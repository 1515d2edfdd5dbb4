"""SDK-HMAC-SHA256: a request signed with an access key, as the vendor's SDK does it (signer/signer.py of its core)."""

import hashlib
import hmac
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, unquote

import httpx

ALGORITHM = "SDK-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"

_BODY_HASH_HEADER = "x-sdk-content-sha256"
_UNSIGNED_BODY = "UNSIGNED-PAYLOAD"
_SIGNED_BODY_TYPES = ("application/json", "application/bson")

_SIGNED = ("content-type", "host", _BODY_HASH_HEADER, "x-project-id", "x-sdk-date", "x-security-token")
"""Of a sent request only these are signed: a proxy may change or drop the others (Connection, Accept-Encoding …)."""


@dataclass(frozen=True)
class Keys:
    """A key pair, permanent or (with `security_token`) temporary."""

    access: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Sorted by name, then value; everything but letters, digits and `_.-~` escaped. This form is also sent."""
    return "&".join(f"{_escape(name)}={_escape(value)}" for name, value in sorted(pairs))


def canonical_path(path: str) -> str:
    """Each segment decoded and escaped again; ends in a slash, which is not sent."""
    text = "/".join(_escape(segment) for segment in unquote(path).split("/"))
    return text if text.endswith("/") else f"{text}/"


def authorization(
    keys: Keys, *, method: str, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str], body: bytes
) -> str:
    """The Authorization header for exactly these headers, `X-Sdk-Date` and `Host` among them."""
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    signed = sorted(name for name in lowered if "_" not in name)
    request = "\n".join(
        [
            method.upper(),
            canonical_path(path),
            canonical_query(query),
            *(f"{name}:{lowered[name]}" for name in signed),
            "",
            ";".join(signed),
            _body_hash(lowered, body),
        ]
    )
    to_sign = f"{ALGORITHM}\n{lowered['x-sdk-date']}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(keys.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Access={keys.access}, SignedHeaders={';'.join(signed)}, Signature={signature}"


class SignatureAuth(httpx.Auth):
    """Signs what httpx is about to send, once; `at` tells the time by the cloud's clock when it is sent."""

    requires_request_body = True

    def __init__(self, keys: Keys, *, at: Callable[[], datetime], project_id: str | None = None) -> None:
        self.keys = keys
        self._at = at
        self._project_id = project_id

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the headers that are signed, and the signature; never sends a second time."""
        headers = request.headers
        headers["X-Sdk-Date"] = self._at().strftime(DATE_FORMAT)
        if self._project_id:
            headers["X-Project-Id"] = self._project_id
        if self.keys.security_token:
            headers["X-Security-Token"] = self.keys.security_token
        if not headers.get("content-type", "application/json").startswith(_SIGNED_BODY_TYPES):
            headers["X-Sdk-Content-Sha256"] = _UNSIGNED_BODY
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        headers["Authorization"] = authorization(
            self.keys,
            method=request.method,
            path=path,
            query=_pairs(query),
            headers={name: headers[name] for name in _SIGNED if name in headers},
            body=request.content,
        )
        yield request


def _escape(text: str) -> str:
    return quote(text, safe="~")


def _pairs(query: str) -> list[tuple[str, str]]:
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in parts]


def _body_hash(headers: Mapping[str, str], body: bytes) -> str:
    given = headers.get(_BODY_HASH_HEADER)
    return given if given and body else hashlib.sha256(body).hexdigest()

"""The httpx clients: one kept open for reads, one that connects anew for each mutation; and one exchange over them.

HTTP/1.1, no redirects, no cookies, no proxy or certificate from the environment: those are settings.
"""

import asyncio
import http.cookiejar
import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpx

from autoscaler import errors
from autoscaler.huaweicloud.connection import Connection
from autoscaler.huaweicloud.wire import Answer, Request

READ_CONNECTIONS = 8
"""After batching, a fleet needs no more than ten calls a second."""

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes. The largest documented answer (3,000 points, or 1,000 metrics) is well below one hundredth of it."""

Trace = Callable[[str, dict[str, Any]], Awaitable[None]]

Wire = Callable[[ssl.SSLContext, httpx.Proxy | None, httpx.Limits], httpx.AsyncBaseTransport]
"""Makes what carries requests. It tells `_WRITING` of mutations.py to a request's trace before the first byte."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ddm-autoscaler"}
_AUTH_HEADERS = ("x-auth-token", "x-security-token", "authorization", "x-metadata-token")


class TooLargeError(Exception):
    """An answer of more than LARGEST_ANSWER bytes."""


class Transport:
    """Two clients over one set of trusted certificates."""

    def __init__(self, connection: Connection, *, wire: Wire, proxied: bool = True) -> None:
        """Open nothing yet; `proxied=False` leaves the proxy out (the metadata service is on this machine's link).

        Raises:
            BadConfig: the certificates or the proxy's address cannot be used.
        """
        _keep_headers_out_of_the_log()
        trusted = _trusted(connection.ca_file)
        proxy = _proxy(connection.proxy) if proxied else None
        self.reads = _client(wire(trusted, proxy, httpx.Limits(max_connections=READ_CONNECTIONS)))
        self.mutations = _client(wire(trusted, proxy, httpx.Limits(max_keepalive_connections=0)))
        self.mutations.headers["Connection"] = "close"

    async def aclose(self) -> None:
        """Close what is open."""
        await self.reads.aclose()
        await self.mutations.aclose()


async def exchange(
    client: httpx.AsyncClient,
    request: Request,
    *,
    auth: httpx.Auth | None,
    connect: float,
    total: float,
    trace: Trace | None = None,
) -> Answer:
    """Send once and read the whole answer within `total` real seconds.

    Raises:
        Exception: whatever httpx, the sockets and the time-out raise; the caller judges it.
    """
    async with asyncio.timeout(total):
        sent = client.build_request(
            request.method,
            request.url,
            content=request.content,
            headers={"Content-Type": "application/json", **request.headers},
            timeout=httpx.Timeout(total, connect=connect),
            extensions={"trace": trace} if trace else None,
        )
        response = await client.send(sent, auth=auth, stream=True, follow_redirects=False)
        try:
            body = await _bounded(response)
        finally:
            await response.aclose()
    return _answer(response, body, _secrets(request, sent))


async def _bounded(response: httpx.Response) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise TooLargeError(f"the answer has more than {LARGEST_ANSWER} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _secrets(request: Request, sent: httpx.Request) -> list[str]:
    """What an answer could repeat of our credentials."""
    in_headers = [sent.headers.get(name, "") for name in _AUTH_HEADERS]
    return [secret for secret in (*in_headers, *request.secrets) if secret]


def _answer(response: httpx.Response, body: bytes, secrets: Iterable[str]) -> Answer:
    """The answer; an error body that repeats our own credentials (some gateways do) loses them here."""
    if not response.is_success:
        for secret in secrets:
            body = body.replace(secret.encode(), b"***").replace(json.dumps(secret)[1:-1].encode(), b"***")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, body=body)


def sockets(trusted: ssl.SSLContext, proxy: httpx.Proxy | None, limits: httpx.Limits) -> httpx.AsyncBaseTransport:
    """The wire of a daemon: HTTP/1.1 over TCP, each request tried once."""
    return httpx.AsyncHTTPTransport(
        verify=trusted, trust_env=False, http1=True, http2=False, limits=limits, proxy=proxy, retries=0
    )


def _client(wire: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    no_cookies = http.cookiejar.CookieJar(policy=http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(transport=wire, headers=_HEADERS, cookies=no_cookies, trust_env=False)


def _trusted(ca_file: str | None) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise _bad("ca_file", f"{ca_file} holds no readable PEM certificates ({error.strerror or error})") from error
    return context


def _proxy(address: str | None) -> httpx.Proxy | None:
    if address is None:
        return None
    try:
        proxy = httpx.Proxy(address)
    except (ValueError, httpx.InvalidURL) as error:
        raise _bad("proxy", "it is not an http:// or https:// URL") from error
    if proxy.url.scheme not in ("http", "https") or not proxy.url.host:
        raise _bad("proxy", "only http:// and https:// proxies are supported")
    return proxy


def _bad(key: str, message: str) -> errors.BadConfig:
    return errors.BadConfig([errors.Problem("cloud", 0, 0, f"cloud.{key}", message)])


def _keep_headers_out_of_the_log() -> None:
    """The debug lines of httpcore hold every header, tokens among them: no log level may let them out."""
    logging.getLogger("httpcore").setLevel(logging.INFO)

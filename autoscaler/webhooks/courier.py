"""One attempt to deliver one letter: a new connection, under a total time-out, never redirected.

No proxy, certificate or credential comes from the environment. The answer's body is not read: its status says it all,
and it may repeat what it was sent.
"""

import asyncio
import http.cookiejar
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable
from datetime import timedelta

import httpx

from autoscaler import __version__, errors
from autoscaler.core.letter import Letter
from autoscaler.webhooks import signature
from autoscaler.webhooks.endpoint import Endpoint
from autoscaler.webhooks.lookup import Lookup

GONE = 410
"""The receiver wants no more (Standard Webhooks); it is a matter of the settings to end it."""

_OF_THE_LETTER = frozenset({400, 413, 422})
"""What says that this letter is not liked, and nothing of the next one."""

_NAMES = {
    httpx.ConnectTimeout: "TimeoutError",
    httpx.ReadTimeout: "TimeoutError",
    httpx.WriteTimeout: "TimeoutError",
    socket.gaierror: "ConnectError",
}
"""Of errors that say the same to an operator."""

_HEADERS = {
    "Content-Type": "application/cloudevents+json; charset=utf-8",  # CloudEvents, HTTP binding, structured mode
    "User-Agent": f"ddm-autoscaler/{__version__}",
}


class HttpCourier:
    """Posts letters to one receiver."""

    def __init__(self, endpoint: Endpoint, lookup: Callable[[str], Lookup] = Lookup) -> None:
        """Open nothing yet.

        Raises:
            BadConfig: the address, the proxy or the certificates of the settings cannot be used.
        """
        logging.getLogger("httpcore").setLevel(logging.INFO)  # its debug lines hold every header
        self._endpoint = endpoint
        proxy = _proxy(endpoint)
        self._lookup = lookup(_host(endpoint) if proxy is None else proxy.url.host)  # a proxy looks up the rest
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=_trusted(endpoint),
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
                proxy=proxy,
            ),
            headers=_HEADERS,
            cookies=http.cookiejar.CookieJar(policy=http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    async def deliver(self, letter: Letter) -> str:
        status, retry_after = await self._exchange(letter)
        if 200 <= status <= 299:  # noqa: PLR2004 - the class of status codes
            return str(status)
        raise errors.Undelivered(
            f"the receiver answered {status}",
            code=str(status),
            gone=status == GONE,
            of_letter=status in _OF_THE_LETTER,
            retry_after=_seconds(retry_after),
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _exchange(self, letter: Letter) -> tuple[int, str]:
        endpoint, body = self._endpoint, letter.body.encode()
        # Real time, whatever clock the daemon lives by: a receiver compares it with its own.
        signed = signature.headers(letter.id, int(time.time()), body, endpoint.key)
        try:
            async with asyncio.timeout(endpoint.seconds):
                await self._lookup.succeeds()
                timeouts = httpx.Timeout(endpoint.seconds, connect=endpoint.connect_seconds)
                request = self._client.build_request(
                    "POST", endpoint.url, content=body, headers=signed, timeout=timeouts
                )
                response = await self._client.send(request, stream=True, follow_redirects=False)
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            name = _NAMES.get(type(error), type(error).__name__)
            raise errors.Undelivered(f"no answer from the receiver ({name})", code=name) from error
        return response.status_code, response.headers.get("retry-after", "").strip()


def _seconds(header: str) -> timedelta | None:
    """What the header asks for in seconds; a date is taken as nothing asked for."""
    return timedelta(seconds=int(header)) if re.fullmatch(r"[0-9]{1,9}", header) else None


def _host(endpoint: Endpoint) -> str:
    try:
        host = httpx.URL(endpoint.url).host
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _bad(endpoint, "url", "its host is no name that can be looked up") from error
    return host


def _trusted(endpoint: Endpoint) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if endpoint.ca_file is None:
        return context
    try:
        context.load_verify_locations(endpoint.ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or error
        raise _bad(endpoint, "ca_file", f"{endpoint.ca_file} holds no readable PEM certificates ({why})") from error
    return context


def _proxy(endpoint: Endpoint) -> httpx.Proxy | None:
    if endpoint.proxy is None:
        return None
    try:
        return httpx.Proxy(endpoint.proxy)
    except (ValueError, httpx.InvalidURL) as error:
        raise _bad(endpoint, "proxy", "it is not an http:// or https:// URL") from error


def _bad(endpoint: Endpoint, key: str, message: str) -> errors.BadConfig:
    return errors.BadConfig([errors.Problem("webhooks", 0, 0, f"webhooks.{endpoint.name}.{key}", message)])

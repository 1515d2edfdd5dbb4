"""One query over HTTP: under a total time-out, tried again after failures that may pass, never redirected.

A query changes nothing, so it may be sent twice. No proxy, certificate or credential comes from the environment.
"""

import asyncio
import http.cookiejar
import json
import logging
import random
import re
import ssl
from collections.abc import Mapping
from datetime import timedelta

import httpx

from autoscaler import clock, errors, ports
from autoscaler.prometheus import answers
from autoscaler.prometheus.connection import Connection

AT_ONCE = 8
"""Queries to one server at the same time; its own limit (--query.max-concurrency) is 20 for everybody."""

LARGEST_ANSWER = 32 * 1024 * 1024
"""Bytes: a thousand series over a day of minutes."""

_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "ddm-autoscaler"}
_AGAIN = frozenset({429, 503})
_SERVICE, _OPERATION = "prometheus", "query_range"


class _Passing(Exception):
    """A failure that may pass; `error` is what it is where it does not."""

    def __init__(self, error: errors.CloudError) -> None:
        super().__init__(str(error))
        self.error = error


class Client:
    """Asks one server; sockets are opened at the first query."""

    def __init__(self, connection: Connection, *, time: clock.Clock, monitor: ports.Monitor) -> None:
        """Open nothing yet.

        Raises:
            BadConfig: the proxy or the certificates of the settings cannot be used.
        """
        logging.getLogger("httpcore").setLevel(logging.INFO)  # its debug lines hold every header
        self._connection = connection
        self._time = time
        self._monitor = monitor
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                verify=_trusted(connection),
                trust_env=False,
                limits=httpx.Limits(max_connections=AT_ONCE),
                proxy=_proxy(connection),
            ),
            headers=_HEADERS | _bearer(connection),
            auth=_basic(connection),
            cookies=http.cookiejar.CookieJar(policy=http.cookiejar.DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    @property
    def closed(self) -> bool:
        """Whether it can be used no more."""
        return self._client.is_closed

    async def aclose(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    async def query_range(self, form: Mapping[str, str], where: str) -> answers.Matrix:
        """What the server answers to a form of `query`, `start`, `end` and `step`.

        Raises:
            CloudError: Throttled, Unavailable, Unreadable, AccessRefused, NotFound or Refused.
        """
        for tried in range(1, self._connection.retries.tries + 1):
            try:
                return await self._counted(form, where)
            except _Passing as passing:
                wait = self._wait(tried, passing.error)
                if wait is None:
                    raise passing.error from None
            await self._time.sleep(wait)
        raise AssertionError("the last try ends in an answer or an error")  # pragma: no cover

    def _wait(self, tried: int, error: errors.CloudError) -> float | None:
        """Real seconds until the next try; None where there is none."""
        retries = self._connection.retries
        if tried >= retries.tries:
            return None
        jittered = random.uniform(0, retries.first_wait * 2 ** (tried - 1))  # noqa: S311 - spreads load, guards nothing
        asked = error.retry_after if isinstance(error, errors.Throttled) else None
        if asked is None:
            return jittered
        return None if asked.total_seconds() > retries.longest_retry_after else asked.total_seconds() + jittered

    async def _counted(self, form: Mapping[str, str], where: str) -> answers.Matrix:
        async with self._slots:
            began, code = self._time.monotonic(), "Cancelled"
            try:
                status, headers, body = await self._exchange(form, where)
                code = str(status)
            except _Passing as passing:
                code = type(passing.error).__name__
                raise
            except errors.CloudError as error:
                code = type(error).__name__
                raise
            finally:
                self._monitor.call(_SERVICE, _OPERATION, code, self._time.monotonic() - began)
        if 200 <= status <= 299:  # noqa: PLR2004 - the class of status codes
            return answers.read(body, where)
        refused = answers.error(status, self._masked(body), where, _retry_after(headers))
        raise _Passing(refused) if status in _AGAIN else refused

    async def _exchange(self, form: Mapping[str, str], where: str) -> tuple[int, httpx.Headers, bytes]:
        timeouts = self._connection.timeouts
        try:
            async with asyncio.timeout(timeouts.one_try):
                request = self._client.build_request(
                    "POST",  # a long query does not fit into an address
                    f"{self._connection.url}/api/v1/query_range",
                    data=form,
                    timeout=httpx.Timeout(timeouts.one_try, connect=timeouts.connect),
                )
                response = await self._client.send(request, stream=True, follow_redirects=False)
                try:
                    return response.status_code, response.headers, await _bounded(response, where)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _Passing(self._unavailable(where, error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, UnicodeError) as error:
            raise self._unavailable(where, error) from error

    def _unavailable(self, where: str, error: Exception) -> errors.Unavailable:
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return errors.Unavailable(f"{where} got no answer from {self._connection.url} ({why}); it is asked again later")

    def _masked(self, body: bytes) -> bytes:
        """An error body that repeats our own credentials (some gateways do) loses them here."""
        for secret in (self._connection.token, self._connection.password):
            if secret:
                body = body.replace(secret.encode(), b"***").replace(json.dumps(secret)[1:-1].encode(), b"***")
        return body


async def _bounded(response: httpx.Response, where: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            raise errors.Unreadable(
                f"{where} was answered with more than {LARGEST_ANSWER} bytes: aggregate, so that fewer series are left"
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _retry_after(headers: httpx.Headers) -> timedelta | None:
    """What the header asks for in seconds; a date is taken as nothing asked for."""
    text = headers.get("retry-after", "").strip()
    return timedelta(seconds=int(text)) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _bearer(connection: Connection) -> dict[str, str]:
    return {} if connection.token is None else {"Authorization": f"Bearer {connection.token}"}


def _basic(connection: Connection) -> httpx.BasicAuth | None:
    if connection.username is None:
        return None
    return httpx.BasicAuth(connection.username, connection.password or "")


def _trusted(connection: Connection) -> ssl.SSLContext:
    context = httpx.create_ssl_context(trust_env=False)
    if connection.ca_file is None:
        return context
    try:
        context.load_verify_locations(connection.ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = error.strerror or error
        raise _bad(connection, "ca_file", f"{connection.ca_file} holds no readable PEM certificates ({why})") from error
    return context


def _proxy(connection: Connection) -> httpx.Proxy | None:
    if connection.proxy is None:
        return None
    try:
        return httpx.Proxy(connection.proxy)
    except (ValueError, httpx.InvalidURL) as error:
        raise _bad(connection, "proxy", "it is not an http:// or https:// URL") from error


def _bad(connection: Connection, key: str, message: str) -> errors.BadConfig:
    return errors.BadConfig([errors.Problem("sources", 0, 0, f"sources.{connection.name}.{key}", message)])

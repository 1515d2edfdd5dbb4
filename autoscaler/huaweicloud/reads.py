"""Calls that only read: tried again after failures that may pass, and after one renewal of the credentials."""

import asyncio
import random
from typing import Protocol

import httpx

from autoscaler import clock, errors, ports
from autoscaler.huaweicloud import answers, skew, transport
from autoscaler.huaweicloud.connection import Retries, Timeouts
from autoscaler.huaweicloud.wire import Answer, Request


class Session(Protocol):
    """Who we are to the cloud."""

    async def auth(self) -> httpx.Auth:
        """Credentials that have not ended.

        Raises:
            AccessRefused: they are wrong.
            Unavailable: IAM did not give them.
        """
        ...

    async def renew(self, refused: httpx.Auth) -> bool:
        """Replace credentials that a service answered 401 to; False where there is nothing to replace them by.

        Raises: as `auth`.
        """
        ...


class Reader:
    """Sends reads: at most `READ_CONNECTIONS` at a time, each try under a total time-out."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        time: clock.Clock,
        monitor: ports.Monitor,
        clock_skew: skew.ClockSkew | None,
        timeouts: Timeouts,
        retries: Retries,
    ) -> None:
        self._client = client
        self._time = time
        self._monitor = monitor
        self._skew = clock_skew
        self._timeouts = timeouts
        self._retries = retries
        self._slots = asyncio.Semaphore(transport.READ_CONNECTIONS)  # else waiting would count as connecting

    async def read(self, request: Request, session: Session | None = None) -> Answer:
        """The 2xx answer.

        Raises:
            CloudError: Throttled, Unavailable, Unreadable, AccessRefused, NotFound or Refused; never Ambiguous.
        """
        if session is None:
            return await self._persistently(request, None)
        auth = await session.auth()
        try:
            return await self._persistently(request, auth)
        except errors.AccessRefused as error:
            if error.status != httpx.codes.UNAUTHORIZED or not await session.renew(auth):
                raise
        return await self._persistently(request, await session.auth())

    async def _persistently(self, request: Request, auth: httpx.Auth | None) -> Answer:
        tried = 0
        while True:
            tried += 1
            try:
                return await self._once(request, auth)
            except (errors.Unavailable, errors.Throttled) as error:
                wait = self._wait(tried, error)
                if wait is None:
                    raise
            await self._time.sleep(wait)

    def _wait(self, tried: int, error: errors.Unavailable | errors.Throttled) -> float | None:
        """Real seconds until the next try; None where there is none."""
        if tried >= self._retries.tries:
            return None
        longest = min(self._retries.first_wait * 2 ** (tried - 1), self._retries.longest_wait)
        jittered = random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
        asked = error.retry_after if isinstance(error, errors.Throttled) else None
        if asked is None:
            return jittered
        return None if asked.total_seconds() > self._retries.longest_retry_after else asked.total_seconds() + jittered

    async def _once(self, request: Request, auth: httpx.Auth | None) -> Answer:
        async with self._slots:
            began, sent = self._time.monotonic(), self._time.now()
            code = "Cancelled"
            try:
                answer = await self._exchange(request, auth)
                code = str(answer.status)
            except errors.CloudError as error:
                code = type(error).__name__
                raise
            finally:
                self._monitor.call(request.service, request.operation, code, self._time.monotonic() - began)
        if self._skew and (measured := self._skew.measure(answer, sent=sent, received=self._time.now())) is not None:
            self._monitor.skew(measured.total_seconds())
        if not answer.ok:
            raise answers.read_error(request, answer)
        return answer

    async def _exchange(self, request: Request, auth: httpx.Auth | None) -> Answer:
        connect, total = self._timeouts.read_connect, self._timeouts.read_total
        try:
            return await transport.exchange(self._client, request, auth=auth, connect=connect, total=total)
        except transport.TooLargeError as error:
            raise errors.Unreadable(f"{request.title}: {error}; check the endpoint") from error
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, UnicodeError) as error:
            message = (
                f"{request.title} got no answer from {request.base_url} ({_why(error)}); check that and the network"
            )
            raise errors.Unavailable(message) from error


def _why(error: Exception) -> str:
    """What went wrong. A proxy's address, which may hold a password, is in none of these texts."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

"""Something that ends (a token, a temporary key) and is fetched anew in time, by one caller for all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from autoscaler import errors
from autoscaler.huaweicloud import flight

T = TypeVar("T")

_WAIT_AFTER_FAILURE = 60.0
"""Real seconds: while what we hold is still good, a service that fails is not asked at every call."""


@dataclass(frozen=True)
class Lease(Generic[T]):
    """A value, when it ends by the cloud's clock, and when it is time for the next one."""

    value: T
    ends_at: datetime
    renew_at: datetime

    @classmethod
    def lasting(cls, value: T, *, now: datetime, ends_at: datetime, margin: timedelta) -> "Lease[T]":
        """Renewed `margin` before its end, but never before half of what is left is used up."""
        return cls(value, ends_at, ends_at - min(margin, max(ends_at - now, timedelta(0)) / 2))


class Renewing(Generic[T]):
    """The newest value. Safe for many callers: they share one fetch and its outcome."""

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Lease[T]]],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._monotonic = monotonic
        self._held: Lease[T] | None = None
        self._flight = flight.Flight(self._keep)
        self._not_before = float("-inf")

    async def get(self, *, good_for: timedelta = timedelta(0)) -> T:
        """A value that is good for so long (a fresh one is as good as it gets).

        Raises:
            CloudError: as the fetch, unless what is held is still good enough.
        """
        held, now = self._held, self._now()
        enough = held is not None and held.ends_at - now > good_for
        if held is not None and enough and (now < held.renew_at or self._monotonic() < self._not_before):
            return held.value
        try:
            return (await self._flight.outcome()).value
        except errors.Unavailable:
            if held is None or not enough:
                raise
            self._not_before = self._monotonic() + _WAIT_AFTER_FAILURE
            return held.value

    async def replace(self, refused: T) -> None:
        """Fetch anew, unless somebody already has since `refused` was handed out."""
        if self._held is None or self._held.value == refused:
            await self._flight.outcome()

    async def aclose(self) -> None:
        """Give up a fetch that is under way."""
        await self._flight.aclose()

    async def _keep(self) -> Lease[T]:
        self._held = await self._fetch()
        return self._held

"""The one clock: the time `t` that the daemon (or the emulator) lives in, and real seconds for the network.

`AUTOSCALER_CLOCK=START@N` makes t = START + N × (real − START): N times as fast, equal to real time at START. Settle
times, cooldowns and intervals are spans of t; network, `send_before` and drain time-outs are real seconds. The core
never sees a clock: `now` is an argument there.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

from autoscaler.errors import BadConfig, Problem


class Clock(Protocol):
    """What the daemon may ask about time."""

    @property
    def speed(self) -> float:
        """How many seconds of t pass in one real second."""
        ...

    def now(self) -> datetime:
        """The wall time t: aware, UTC; may jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Real seconds since some fixed moment; never jumps, may stand still while the machine sleeps."""
        ...

    def boottime(self) -> float:
        """Real seconds since some fixed moment, counting those in which the machine slept."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many *real* seconds."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """The machine's clock, running `speed` times as fast from `start` on."""

    start: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    speed: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `START@N`: an RFC 3339 instant and a positive number.

        Raises:
            ValueError: the text is not of that form; the message says what is.
        """
        start_text, at, speed_text = text.partition("@")
        try:
            start = datetime.fromisoformat(start_text)
            speed = float(speed_text)
        except ValueError:
            at = ""
        if not at or start.tzinfo is None or not 0 < speed < float("inf"):
            raise ValueError(f"{text!r} is not START@N, such as 2026-11-23T08:00:00Z@60")
        return cls(start.astimezone(UTC), speed)

    def __str__(self) -> str:
        return f"{self.start.isoformat()}@{self.speed:g}"

    def now(self) -> datetime:
        real = datetime.now(UTC)
        return real if self.speed == 1 else self.start + (real - self.start) * self.speed

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


VARIABLE = "AUTOSCALER_CLOCK"
"""Lets two processes, such as the daemon and an emulated cloud, live in the same faster time."""


def from_environment(environ: Mapping[str, str], default: SystemClock) -> SystemClock:
    """The clock that the environment names, else `default`.

    Raises:
        BadConfig: the variable is not START@N.
    """
    told = environ.get(VARIABLE)
    if told is None:
        return default
    try:
        return SystemClock.parse(told)
    except ValueError as error:
        raise BadConfig([Problem("environment", 0, 0, VARIABLE, str(error))]) from error


def real_seconds(clock: Clock, span: timedelta) -> float:
    """How many real seconds a span of t takes on this clock."""
    return span.total_seconds() / clock.speed


def after_real(clock: Clock, now: datetime, seconds: float) -> datetime:
    """The t that many real seconds after `now`."""
    return now + timedelta(seconds=seconds * clock.speed)

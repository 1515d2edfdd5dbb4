"""A machine on which the daemon is started again whenever it ended, until the history is over."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.simulation.life import Life

RESTART_AFTER = 1.0
"""Seconds from an end that nobody asked for to the next start."""

AFTER_AN_ERROR = 20.0
"""Seconds from a start that failed to the next."""


@dataclass
class Machine:
    """Its daemon, if one runs just now, and what happens to it before the next one starts."""

    name: str
    life: Life | None = None
    restart_after: float = RESTART_AFTER
    before_restart: list[Callable[[], None]] = field(default_factory=list)
    up: list[tuple[float, float]] = field(default_factory=list)  # when daemons ran here undisturbed: from, to
    since: float | None = None  # the same, of the one that runs now
    down: list[tuple[float, float]] = field(default_factory=list)  # when none ran here: from, to

    async def wait(self) -> None:
        """From the end of one daemon to the start of the next."""
        for mend in self.before_restart:
            mend()
        self.before_restart.clear()
        await asyncio.sleep(self.restart_after)

    def restarts_after(self, seconds: float) -> None:
        """The next time."""
        self.before_restart.append(lambda: setattr(self, "restart_after", seconds))

    def begins(self, now: float) -> None:
        """A daemon runs undisturbed from now on."""
        self.since = now

    def breaks(self, now: float) -> None:
        """Not any more."""
        if self.since is not None:
            self.up.append((self.since, now))
            self.since = None

"""A receiver of webhooks that outlives the daemon's lives, and takes letters badly: late, twice, or not at all."""

import asyncio
import contextlib
import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from autoscaler.core.letter import Letter
from autoscaler.errors import Undelivered

MAY_WAIT = timedelta(minutes=10)
"""Some attempts may fail, and each wait after one is longer than that before."""

SETTLED = ("succeeded", "failed", "rejected", "never_happened")


class Letterbox:
    """What arrived, by the id of the event: each body that came under it."""

    def __init__(self, chance: random.Random, wrong: Callable[[str], None]) -> None:
        self.got: defaultdict[str, set[str]] = defaultdict(set)
        self._chance = chance
        self._wrong = wrong

    def courier(self, alive: Callable[[], bool]) -> "Courier":
        """For one life."""
        return Courier(self, alive)

    async def take(self, letter: Letter, alive: Callable[[], bool]) -> str:
        """A second or a few pass, and one of four things happens."""
        await asyncio.sleep(self._chance.uniform(0.01, 9.0))
        luck = self._chance.random()
        if not alive() or luck < 0.15:
            raise Undelivered("no answer from the receiver (ConnectError)", code="ConnectError")
        if luck < 0.2:
            raise Undelivered("the receiver answered 422", code="422", of_letter=True)
        self.got[letter.id].add(letter.body)
        if len(self.got[letter.id]) > 1:
            self._wrong(f"two bodies came under the id {letter.id}")
        if luck < 0.3:
            raise Undelivered("no answer from the receiver (TimeoutError)", code="TimeoutError")
        return "204"

    def at_the_end(self, file: Path, end: datetime) -> None:
        """What the store has known for long enough was told: that it was decided on, and how it ended."""
        known = int((end - MAY_WAIT).timestamp() * 1e6)
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as opened:
            ours = opened.execute(
                'SELECT id, state, ended_at FROM operations WHERE NOT "foreign" AND committed_at < ?', (known,)
            ).fetchall()
            query = "SELECT event FROM outbox WHERE state = 'waiting' AND at < ?"
            waiting = [event for (event,) in opened.execute(query, (known,))]
        told = [f"{operation}-decision" for operation, state, _ in ours if state in SETTLED]
        told += [f"{operation}-{state}" for operation, state, at in ours if state in SETTLED and at < known]
        untold = [identity for identity in told if identity not in self.got]
        if untold or waiting:
            self._wrong(f"never told to the webhook: {untold}; still waiting: {waiting}")


class Courier:
    """The port `Courier` of one life."""

    def __init__(self, box: Letterbox, alive: Callable[[], bool]) -> None:
        self._box = box
        self._alive = alive

    async def deliver(self, letter: Letter) -> str:
        return await self._box.take(letter, self._alive)

    async def aclose(self) -> Any:
        """Nothing is open."""

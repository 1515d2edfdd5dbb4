"""An answer that many ask for at once, made in a thread, once for all of them, and only when there is time for it.

Everybody who watches asks for all targets when a cycle has ended. Of ten thousand, making that answer takes a quarter
of a second, and the page of them two. On the loop nothing else would be done meanwhile; and with an answer of his own
for each there would be time for little else. So at most a tenth of the time of a thread goes into each.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

SHARE = 0.1

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """`make` gives the answer, in a thread; `monotonic` real seconds."""

    def __init__(self, make: Callable[[], Made], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._monotonic = monotonic
        self._kept: list[Made] = []  # one, or none
        self._again_at = float("-inf")
        self._forgotten = 0
        self._turn = asyncio.Lock()

    async def answer(self) -> Made:
        """The answer; the last one, where that was made nine times as long ago as it took to make, or less."""
        async with self._turn:
            while not self._kept or self._monotonic() >= self._again_at:
                begun, forgotten = self._monotonic(), self._forgotten
                made = await asyncio.to_thread(self._make)
                if forgotten == self._forgotten:
                    ended = self._monotonic()
                    self._kept, self._again_at = [made], ended + (ended - begun) * (1 / SHARE - 1)
                    break
            return self._kept[0]

    def forget(self) -> None:
        """The next one is made anew: who has just changed something wants to see it."""
        self._forgotten += 1
        self._kept = []

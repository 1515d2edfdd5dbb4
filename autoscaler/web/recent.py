"""An answer that many ask for at once, made anew only when the loop has the time.

Everybody who watches asks for all targets when a cycle has ended. Of ten thousand, making that answer takes half a
second, in which nothing else is done: so at most a tenth of the loop's time goes into it.
"""

import time
from collections.abc import Callable

SHARE = 0.1


class Recent:
    """`make` gives the answer; `monotonic` real seconds."""

    def __init__(self, make: Callable[[], bytes], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._monotonic = monotonic
        self._answer = b""
        self._again_at = float("-inf")

    def answer(self) -> bytes:
        """The answer; the last one, where that was made nine times as long ago as it took to make, or less."""
        begun = self._monotonic()
        if begun >= self._again_at:
            self._answer = self._make()
            ended = self._monotonic()
            self._again_at = ended + (ended - begun) * (1 / SHARE - 1)
        return self._answer

    def forget(self) -> None:
        """The next one is made anew: who has just changed something wants to see it."""
        self._again_at = float("-inf")

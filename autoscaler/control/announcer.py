"""Tells what no change of the store tells of: operations overdue, breakers, reloads that were refused.

Told on the loop, written down at the next beat of the deliverer. What stands (an operation overdue, an open breaker)
is told again by a process that begins anew, under the same id: so a crash in between loses nothing, and tells nothing
twice.
"""

import uuid
from collections import deque
from collections.abc import Container, Mapping

from autoscaler.clock import Clock
from autoscaler.control.correspondence import Correspondent
from autoscaler.core import announcement as announcements
from autoscaler.core.announcement import Announcement
from autoscaler.core.history import Standing
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation
from autoscaler.core.policy import Direction
from autoscaler.ports import Reload, Store

MOST = 10_000
"""Letters that are kept while the store takes none; then the oldest go."""

AT_ONCE = 100
"""Letters that one transaction stores."""


class Announcer:
    """Keeps what it was told until the store has it."""

    def __init__(self, correspondent: Correspondent, clock: Clock) -> None:
        self._correspondent = correspondent
        self._clock = clock
        self._kept: deque[Letter] = deque(maxlen=MOST)
        self._open: dict[tuple[str, Direction], Standing] = {}  # breakers that are open, or may make one try

    def overdue(self, operation: Operation) -> None:
        """It takes longer than any should."""
        if operation.open and not operation.foreign:
            self._tell(announcements.of_overdue(operation, self._clock.now()))

    def breakers(self, target: str, standing: Mapping[Direction, Standing]) -> None:
        """How a target's breakers stand; what is new is told. One that rests no longer is not closed yet."""
        for direction, stands in standing.items():
            known = self._open.get((target, direction))
            if stands.open_until is None:
                if known is not None:
                    del self._open[target, direction]
                    self._tell_breaker(target, direction, known, opens=False)
                continue
            self._open[target, direction] = stands
            is_news = known is None or known.open_until != stands.open_until
            if is_news and self._clock.now() < stands.open_until:
                self._tell_breaker(target, direction, stands, opens=True)

    def keep(self, targets: Container[str]) -> None:
        """These are all targets."""
        self._open = {key: stands for key, stands in self._open.items() if key[0] in targets}

    def reloaded(self, reload: Reload) -> None:
        """The configuration was read anew; told where it cannot be obeyed."""
        if not reload.obeyed:
            problems = [str(problem) for problem in reload.problems]
            told = announcements.of_failed_reload(uuid.uuid4().hex, problems, reload.as_json(), self._clock.now())
            self._tell(told)

    async def write_down(self, store: Store) -> None:
        """Give the store what it does not have yet.

        Raises:
            StoreError: it took no (more) letters; they are kept.
        """
        while self._kept:
            some = [self._kept[at] for at in range(min(AT_ONCE, len(self._kept)))]
            await store.post(some)
            for letter in some:  # meanwhile others may have come, and the oldest gone
                if self._kept and self._kept[0] is letter:
                    self._kept.popleft()

    def _tell_breaker(self, target: str, direction: Direction, stands: Standing, *, opens: bool) -> None:
        if stands.open_until is not None:
            at = self._clock.now()
            self._tell(
                announcements.of_breaker(target, direction, stands.failures, stands.open_until, opens=opens, at=at)
            )

    def _tell(self, told: Announcement) -> None:
        self._kept.extend(self._correspondent.letters([told]))

"""Who is told of what: letters to the webhooks of the settings as they are now (port `Correspondence`)."""

from collections.abc import Iterable, Sequence

from autoscaler.clock import Clock
from autoscaler.core import announcement as announcements
from autoscaler.core.announcement import Announcement, Subscription
from autoscaler.core.by_hand import Intervention
from autoscaler.core.decision import Decision
from autoscaler.core.letter import Letter
from autoscaler.core.operation import Operation


class Correspondent:
    """Replaced whole by a reload; asked in any thread. `source` says to receivers whose ids these are."""

    def __init__(self, subscriptions: Sequence[Subscription] = (), *, source: str, clock: Clock) -> None:
        self.subscriptions = tuple(subscriptions)
        self.written = 0  # letters, so that who delivers them sees that there are more
        self._source = source
        self._clock = clock

    def of_intent(self, operation: Operation, decision: Decision) -> tuple[Letter, ...]:
        if not self.subscriptions:
            return ()
        return self.letters([announcements.of_intent(operation, decision)])

    def of_step(self, operation: Operation) -> tuple[Letter, ...]:
        told = announcements.of_step(operation, self._clock.now())
        return () if told is None else self.letters([told])

    def of_interventions(self, begun: Sequence[Intervention], ended: Sequence[Intervention]) -> tuple[Letter, ...]:
        return self.letters(announcements.of_interventions(begun, ended, self._clock.now()))

    def letters(self, told: Iterable[Announcement]) -> tuple[Letter, ...]:
        """One to each who wants it."""
        made = announcements.letters(told, self.subscriptions, self._source)
        self.written += len(made)
        return made

"""How far the cloud's clock is from ours, by the `Date` of its answers."""

from datetime import datetime, timedelta

from autoscaler.huaweicloud import answers
from autoscaler.huaweicloud.wire import Answer

_RESOLUTION = timedelta(seconds=1)


class ClockSkew:
    """The newest measurement: the cloud's clock minus ours, None before the first."""

    def __init__(self) -> None:
        self.value: timedelta | None = None

    def measure(self, answer: Answer, *, sent: datetime, received: datetime) -> timedelta | None:
        """Compare the answer's `Date` with the span in which it was written; None where there is no date.

        `Date` has whole seconds, so a service whose clock is ours writes one in (sent − 1 s, received]: no skew.
        """
        date = answers.http_date(answer.headers.get("date", ""))
        if date is None:
            return None
        if date > received:
            self.value = date - received
        elif date + _RESOLUTION < sent:
            self.value = date + _RESOLUTION - sent
        else:
            self.value = timedelta(0)
        return self.value

    def cloud_time(self, ours: datetime) -> datetime:
        """What the cloud's clock shows at that moment of ours."""
        return ours + (self.value or timedelta(0))

"""Which calls cover a set of series within Cloud Eye's limits (its API reference, "Querying Multiple Metrics")."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autoscaler.core.policy import Statistic
from autoscaler.huaweicloud.connection import Dialect
from autoscaler.huaweicloud.dimensions import Dimensions

MOST_POINTS = 3000
"""Per answer: series × (to − from) ÷ period; beyond it the cloud moves `from` in silence."""

MOST_SERIES = {Dialect.HUAWEI: 500, Dialect.OTC: 10}

_LONGEST_SPAN = {
    timedelta(minutes=1): timedelta(hours=4),
    timedelta(minutes=5): timedelta(hours=24),
    timedelta(minutes=20): timedelta(days=3),
    timedelta(hours=1): timedelta(days=10),
    timedelta(hours=4): timedelta(days=30),
    timedelta(hours=24): timedelta(days=180),
}
"""How far one call may reach, per period (the vendor SDK's text on `from`)."""

PERIODS = tuple(_LONGEST_SPAN)

_RAW = timedelta(minutes=1)

Series = tuple[str, Dimensions]
"""A metric's name and the dimensions of one node."""


@dataclass(frozen=True)
class Batch:
    """One call."""

    series: tuple[Series, ...]
    statistic: Statistic
    period: timedelta
    start: datetime
    end: datetime  # excluded


def batches(
    series: Sequence[Series],
    *,
    statistic: Statistic,
    period: timedelta,
    start: datetime,
    end: datetime,
    dialect: Dialect,
) -> Iterator[Batch]:
    """As few calls as the limits allow: few spans of time first, then few series each."""
    span = _LONGEST_SPAN[period]
    while start < end:
        until = min(start + span, end)
        points = -(-(until - start) // period)  # rounded up: `from` is rounded down to the period by the cloud
        size = max(1, min(MOST_SERIES[dialect], MOST_POINTS // points))
        for first in range(0, len(series), size):
            yield Batch(tuple(series[first : first + size]), statistic, period, start, until)
        start = until


def period_word(period: timedelta, statistic: Statistic, dialect: Dialect) -> str:
    """How the call writes a period: seconds, or "1" for raw points.

    DDM reports once a minute, so a raw point *is* the minute's average: "1" works in both dialects and spares the cloud
    an aggregation. The other statistics of a minute are asked as "60" at huawei; otc knows no "60", and of the one raw
    point of a minute average, max, min and sum are the same.
    """
    if period != _RAW:
        return str(int(period.total_seconds()))
    return "60" if dialect is Dialect.HUAWEI and statistic is not Statistic.AVERAGE else "1"

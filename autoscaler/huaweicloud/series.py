"""Points out of a batch answer: matched by name and dimensions, never by order; only real numbers count."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from autoscaler import errors
from autoscaler.huaweicloud.batches import Batch, Series
from autoscaler.huaweicloud.dimensions import pairs
from autoscaler.huaweicloud.records import Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_EXPONENT = 30  # no utilisation, count or latency is near it; arithmetic further on stays safe

Points = dict[datetime, Decimal]


class LeftOut(errors.Unreadable):
    """The answer does not mention a series that was asked for: a node too new to have data, or half an answer."""


def read(batch: Batch, body: bytes, where: str) -> Mapping[Series, Points | LeftOut]:
    """Every series of the batch; one that the answer does not mention is LeftOut.

    Raises:
        Unreadable: the answer as a whole is not what the API documents.
    """
    wanted = {(name, frozenset(dimensions)): (name, dimensions) for name, dimensions in batch.series}
    found: dict[Series, Points | LeftOut] = {}
    read_points = _PointReader(batch)
    for metric in Record.parse(body, where).records("metrics"):
        series = wanted.get((metric.text("metric_name"), frozenset(pairs(metric))))
        if series is not None:
            before = found.get(series)
            points = read_points(metric)
            found[series] = {**before, **points} if isinstance(before, dict) else points
    for name, dimensions in batch.series:
        if (name, dimensions) not in found:
            of = ",".join(value for _, value in dimensions)
            found[name, dimensions] = LeftOut(f"{where}: {name} of {of} was asked for and left out")
    return found


class _PointReader:
    """Reads `datapoints`; instants are made once for all series, which share them."""

    def __init__(self, batch: Batch) -> None:
        self._key = batch.statistic.value
        self._period = batch.period
        self._start = batch.start
        self._end = batch.end
        self._instants: dict[int, datetime | None] = {}

    def __call__(self, metric: Record) -> Points:
        raw = metric.raw("datapoints")
        if not isinstance(raw, list):
            raise metric.unreadable("'datapoints' is not a list")
        points: Points = {}
        for point in raw:
            stamp = point.get("timestamp") if type(point) is dict else None
            if type(stamp) is not int:
                raise metric.unreadable("a point has no timestamp")
            instant = self._instants[stamp] if stamp in self._instants else self._instant(stamp)
            value = number(point.get(self._key))
            if instant is not None and value is not None:
                points[instant] = value
        return points

    def _instant(self, stamp: int) -> datetime | None:
        """The start of the stamp's period; None where that is outside [start, end)."""
        try:
            floored = _EPOCH + (timedelta(milliseconds=stamp) // self._period) * self._period
        except OverflowError:
            floored = _EPOCH
        self._instants[stamp] = floored if self._start <= floored < self._end else None
        return self._instants[stamp]


def number(value: object) -> Decimal | None:
    """A finite number, also one written as text; None for everything else: it is missing, never zero."""
    if type(value) is int or type(value) is str:
        try:
            value = Decimal(value)
        except (InvalidOperation, ValueError):
            return None
    if type(value) is not Decimal or not value.is_finite():
        return None
    return value if abs(value.adjusted()) <= _LARGEST_EXPONENT else None

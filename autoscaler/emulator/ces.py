"""Cloud Eye: one metric, many metrics, and which metrics there are."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.emulator import metrics, refusals
from autoscaler.emulator.calls import Answer, Call, Operation

_BATCH = {"huawei": 500, "otc": 10}  # metrics of one batch query
_POINTS = 3_000  # of one batch query
_BODY = 512 * 1024  # bytes
_RAW = 1
_PERIODS = {  # seconds -> the longest span that is answered
    _RAW: timedelta(hours=4),
    60: timedelta(hours=4),
    300: timedelta(hours=24),
    1_200: timedelta(days=3),
    3_600: timedelta(days=10),
    14_400: timedelta(days=30),
    86_400: timedelta(days=180),
}
_FILTERS = ("average", "max", "min", "sum", "variance")
_EARLIEST, _LATEST = 1_111_111_111_111, 9_999_999_999_999  # ms
_DIMENSION = re.compile(r"dim\.[0-3]")


def metric_data(call: Call) -> Answer:
    """CES API reference: Querying Monitoring Data of a Metric. The unit is in every point."""
    query = call.query
    period, how = _period(call, int(query["period"])), _filter(query["filter"])
    begin, end = _span(int(query["from"]), int(query["to"]), period)
    name, dimensions = query["metric_name"], _dimensions(call)
    if len(query["namespace"]) < 3 or not dimensions:  # noqa: PLR2004 - the documented minimum
        raise ValueError("namespace or dim.0 is out of bounds")
    eye = _eye(call)
    unit = eye.unit(name)
    points = _points(eye, name, dimensions, begin, end, period, how) if _in_space(query["namespace"], name) else []
    return Answer(200, {"datapoints": [point | {"unit": unit} for point in points], "metric_name": name})


def batch_metric_data(call: Call) -> Answer:
    """CES API reference: Querying Monitoring Data of Multiple Metrics. The period is a string, the unit per metric.

    More than 3,000 points in all are not refused: the start is moved in silence until it fits.
    """
    _count(call)
    if len(call.raw_body) > _BODY:
        raise refusals.refuse("cloud_eye", 400, "ces.0014", "The request body is larger than 512 KB.")
    body = call.json()
    wanted, most = body["metrics"], _BATCH[call.cloud.world.settings.dialect]
    if not 1 <= len(wanted) <= most:
        raise refusals.refuse("cloud_eye", 400, "ces.0014", f"The number of metrics must be from 1 to {most}.")
    if not isinstance(body["period"], str):
        raise TypeError("period is no string")
    period, how = _period(call, int(body["period"])), _filter(body["filter"])
    begin, end = _span(body["from"], body["to"], period)
    step = timedelta(seconds=_seconds(period))
    begin = max(begin, end - step * (_POINTS // len(wanted) - 1))
    eye = _eye(call)
    answers = [_one_of_batch(eye, metric, begin, end, period, how) for metric in wanted]
    return Answer(200, {"metrics": answers})


def _one_of_batch(
    eye: metrics.Eye, wanted: dict[str, Any], begin: datetime, end: datetime, period: int, how: str
) -> dict[str, Any]:
    dimensions = tuple((str(one["name"]), str(one["value"])) for one in wanted["dimensions"])
    name, namespace = wanted["metric_name"], wanted["namespace"]
    if not 1 <= len(dimensions) <= 4:  # noqa: PLR2004 - the documented maximum
        raise ValueError("the number of dimensions is out of bounds")
    points = _points(eye, name, dimensions, begin, end, period, how) if _in_space(namespace, name) else []
    told = {"namespace": namespace, "metric_name": name, "dimensions": wanted["dimensions"]}
    return told | {"datapoints": points, "unit": eye.unit(name)}


def list_metrics(call: Call) -> Answer:
    """CES API reference: Querying the Metrics. Paged by the marker of the last one; 1,000 at most."""
    limit, start = int(call.query.get("limit", "1000")), call.query.get("start", "")
    if not 1 <= limit <= 1_000:  # noqa: PLR2004 - the documented maximum
        raise ValueError("limit is out of bounds")
    downwards = call.query.get("order", "asc" if call.cloud.world.settings.dialect == "huawei" else "desc") == "desc"
    every = sorted(
        (one for one in _eye(call).series() if _wanted(call, one)), key=lambda one: one.marker, reverse=downwards
    )
    rest = [one for one in every if not start or (one.marker < start if downwards else one.marker > start)]
    page = call.half(rest[:limit])
    told = [
        {"namespace": one.namespace, "metric_name": one.name, "unit": one.unit}
        | {"dimensions": [{"name": name, "value": value} for name, value in one.dimensions]}
        for one in page
    ]
    marker = page[-1].marker if page else ""
    return Answer(200, {"metrics": told, "meta_data": {"count": len(page), "marker": marker, "total": len(every)}})


def _wanted(call: Call, series: metrics.Series) -> bool:
    """Whether the filters let it through; a `dim` without a value asks for the key alone."""
    for told in _dimensions(call):
        if not any(told[0] == name and told[1] in ("", value) for name, value in series.dimensions):
            return False
    namespace, name = call.query.get("namespace"), call.query.get("metric_name")
    return namespace in (None, series.namespace) and name in (None, series.name)


def _eye(call: Call) -> metrics.Eye:
    return metrics.Eye(call.cloud.world, call.now, call.fault)


def _points(
    eye: metrics.Eye,
    name: str,
    dimensions: metrics.Dimensions,
    begin: datetime,
    end: datetime,
    period: int,
    how: str,
) -> list[dict[str, Any]]:
    """The points, each with its value under the filter's name. The start is rounded down to its period."""
    step = timedelta(seconds=_seconds(period))
    rows = eye.points(name, dimensions, begin=metrics.floor(begin, step), end=end)
    folded = list(rows) if step == metrics.MINUTE else metrics.aggregate(rows, step, how)
    if eye.told_twice(dimensions[-1][1]):
        folded = [point for moment, value in folded for point in ((moment, round(value / 2, 2)), (moment, value))]
    raw = 0.0 if how == "variance" and step == metrics.MINUTE else None
    return [{how: value if raw is None else raw, "timestamp": _ms(moment)} for moment, value in folded]


def _in_space(namespace: str, name: str) -> bool:
    spaces = {metrics.DDM_SPACE: metrics.NODE_METRICS.keys(), metrics.RDS_SPACE: {metrics.RDS_CPU}}
    return name in spaces.get(namespace, set())


def _dimensions(call: Call) -> metrics.Dimensions:
    told = (call.query[name] for name in sorted(call.query) if _DIMENSION.fullmatch(name))
    pairs = (text.partition(",") for text in told)
    return tuple((name, value) for name, _, value in pairs)


def _period(call: Call, period: int) -> int:
    """A period that is served; 60 is in Huawei Cloud's SDK and not in Open Telekom Cloud's pages."""
    if period not in _PERIODS or (period == 60 and call.cloud.world.settings.dialect == "otc"):  # noqa: PLR2004 - s
        raise ValueError("period is not one of those served")
    return period


def _seconds(period: int) -> int:
    """Raw data (period 1) counts and comes as minutes."""
    return 60 if period == _RAW else period


def _filter(name: str) -> str:
    if name not in _FILTERS:
        raise ValueError("filter is not one of those served")
    return name


def _span(begin_ms: object, end_ms: object, period: int) -> tuple[datetime, datetime]:
    """From and to, no further apart than the period allows (SDK: show_metric_data_request.py)."""
    if not isinstance(begin_ms, int) or not isinstance(end_ms, int) or not _EARLIEST <= begin_ms < end_ms <= _LATEST:
        raise ValueError("from or to is out of bounds")
    end = datetime.fromtimestamp(end_ms / 1000, UTC)
    return max(datetime.fromtimestamp(begin_ms / 1000, UTC), end - _PERIODS[period]), end


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _count(call: Call) -> None:
    """CES API reference, batch query: 500 calls a minute (of real time; the network's pace is not the clock's)."""
    recent = call.cloud.batch_queries
    now = call.monotonic
    recent[:] = [moment for moment in recent if moment > now - 60]
    if len(recent) >= call.cloud.world.settings.metrics.calls_per_minute:
        raise refusals.refuse("cloud_eye", 429)
    recent.append(now)


OPERATIONS = (
    Operation("metric_data", "GET", "/V1.0/{project_id}/metric-data", metric_data),
    Operation("batch_metric_data", "POST", "/V1.0/{project_id}/batch-query-metric-data", batch_metric_data),
    Operation("list_metrics", "GET", "/V1.0/{project_id}/metrics", list_metrics),
)

"""An answer of query_range: its series with real numbers only, or the error that it stands for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from autoscaler import errors

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMALLEST_EXPONENT = -30  # of a number that is not as good as zero; arithmetic further on stays safe
_LONGEST_TEXT = 300
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 400, 401, 403, 404, 429
_SERVER_ERRORS = 500


@dataclass(frozen=True)
class Series:
    """One series: its labels, and its values by the instant at which the query was evaluated."""

    labels: Mapping[str, str]
    values: Mapping[datetime, Decimal]

    def __str__(self) -> str:
        """Its labels, as PromQL writes them."""
        return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted(self.labels.items())) + "}"


@dataclass(frozen=True)
class Matrix:
    """What a query over a range gives, and what the server warned of."""

    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()


def read(body: bytes, where: str) -> Matrix:
    """A 2xx answer.

    Raises:
        Unreadable: it is not what the API documents, or not of numbers.
    """
    try:
        answer = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise errors.Unreadable(f"{where} was answered with something that is no JSON: check the url") from None
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, dict) or answer.get("status") != "success":
        raise errors.Unreadable(f"{where} was answered with something that is not the API of Prometheus: check the url")
    if data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise errors.Unreadable(
            f"{where} was answered with a {_short(data.get('resultType'))}, not with series over time: write a query "
            "that gives an instant vector or a number"
        )
    warnings = answer.get("warnings")
    told = warnings if isinstance(warnings, list) else []
    return Matrix(tuple(_series(one, where) for one in data["result"]), tuple(_short(text) for text in told))


def _series(raw: object, where: str) -> Series:
    labels = raw.get("metric") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(labels, dict):
        raise errors.Unreadable(f"{where} was answered with a series without labels: check the url")
    series = Series({str(name): str(value) for name, value in labels.items()}, {})
    if raw.get("histograms"):
        raise errors.Unreadable(
            f"{where} gives histograms ({series}): make numbers of them, as by histogram_quantile()"
        )
    values = raw.get("values")
    if not isinstance(values, list):
        raise errors.Unreadable(f"{where} was answered with a series without values ({series}): check the url")
    points = (_point(pair, where) for pair in values)
    return Series(series.labels, {instant: value for instant, value in points if value is not None})


def _point(pair: object, where: str) -> tuple[datetime, Decimal | None]:
    try:
        stamp, text = pair if isinstance(pair, list) else []
        instant = _EPOCH + timedelta(milliseconds=round(Decimal(stamp) * 1000))
        value = Decimal(text)
    except (TypeError, ValueError, ArithmeticError):
        raise errors.Unreadable(f"{where} was answered with a value that is none: {_short(pair)}") from None
    return instant, _usable(value)


def _usable(value: Decimal) -> Decimal | None:
    """NaN and the infinite ones are missing; what is tinier than any measure is zero."""
    if not value.is_finite():
        return None
    return value if value.adjusted() >= _SMALLEST_EXPONENT else Decimal(0)


def error(status: int, body: bytes, where: str, retry_after: timedelta | None = None) -> errors.CloudError:
    """What an answer other than 2xx says: the server's own sentence, and the remedy."""
    said, code = _said(body)
    words = f"{where} was answered {status}{said}"
    if status == _TOO_MANY:
        return errors.Throttled(f"{words}: too many queries, wait", code=code, retry_after=retry_after)
    if status >= _SERVER_ERRORS:
        return errors.Unavailable(f"{words}: the server is failing, it is asked again later", status=status, code=code)
    kind, remedy = _REFUSALS.get(status, (errors.Refused, "correct the query"))
    if status < _BAD_REQUEST:
        kind, remedy = errors.Unreadable, "that is not an answer of the API, check the url"
    return kind(f"{words}: {remedy}", status=status, code=code)


_REFUSALS: dict[int, tuple[type[errors.CloudError], str]] = {
    _UNAUTHORIZED: (errors.AccessRefused, "check the source's token, or its username and password"),
    _FORBIDDEN: (errors.AccessRefused, "let these credentials query"),
    _NOT_FOUND: (errors.NotFound, "check the url, with the path that the server is behind"),
}


def _said(body: bytes) -> tuple[str, str]:
    """The server's `errorType` and `error` in brackets, and the former by itself; nothing where there are none."""
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    found = answer if isinstance(answer, dict) else {}
    code, text = (_short(found[key]) if isinstance(found.get(key), str) else "" for key in ("errorType", "error"))
    told = ": ".join(part for part in (code, text) if part)
    return (f" ({told})" if told else ""), code


def _short(text: object) -> str:
    return " ".join(str(text).split())[:_LONGEST_TEXT]

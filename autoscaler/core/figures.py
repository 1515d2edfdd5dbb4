"""Numbers, counts and times as people read them; from JSON, so that all who show a record write them alike."""

import re
from datetime import UTC, datetime, timedelta

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def number(value: float | None) -> str:
    """A measured value: at most two decimals, none where it has none."""
    return "—" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")


def nodes(count: int) -> str:
    """`1 node`, `3 nodes`."""
    return counted(count, "node")


def counted(count: int, thing: str) -> str:
    """A number and its thing, in the singular or the plural."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def lasting(span: timedelta) -> str:
    """A measured span: `45 s`, `5 min 3 s`, `1 h 5 min`."""
    whole = max(0, round(span.total_seconds()))
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def short_times(text: str, at: str) -> str:
    """The text with instants of the day of `at` as `10:17 UTC`, others with their date."""
    return _INSTANT.sub(lambda found: short_time(found.group(), at), text)


def short_time(instant: str, at: str) -> str:
    """An RFC 3339 instant, to the minute; with its date where that is not the day of `at`."""
    moment = datetime.fromisoformat(instant).astimezone(UTC)
    return moment.strftime("%H:%M UTC" if instant[:10] == at[:10] else "%Y-%m-%d %H:%M UTC")


def moment(instant: str) -> str:
    """An RFC 3339 instant to the second, `2026-11-23 10:17:05`; whoever shows it says that it is UTC."""
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")

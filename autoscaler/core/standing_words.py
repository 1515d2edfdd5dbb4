"""What holds by hand, and who leads, in words: from the JSON of the API alone, for the page and `status`."""

from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]


def pause_words(pause: Json, now: datetime) -> str:
    """`paused by ann until 2026-11-23 12:00 UTC (1 h 5 min left): a move`."""
    subject = "all targets are paused" if pause["all"] else "paused"
    return f"{subject}{_rest(pause, now)}"


def override_words(override: Json, now: datetime) -> str:
    """`6 nodes set by hand by ann until 2026-11-23 12:00 UTC (1 h 5 min left): a sale`."""
    nodes = override["nodes"]
    return f"{nodes} node{'' if nodes == 1 else 's'} set by hand{_rest(override, now)}"


def who_leads(led_by: str) -> str:
    """Of a daemon that stands by: `ddm-1 (17) leads`."""
    return f"{led_by} leads" if led_by else "which daemon leads is not known, if any does"


def span(seconds: float) -> str:
    """`45 s`, `9 min`, `2 h 5 min`, `3 d 2 h`."""
    whole = max(0, round(seconds))
    if whole < 100:  # noqa: PLR2004  # a bit more than a minute still reads well in seconds
        return f"{whole} s"
    hours, minutes = divmod(round(whole / 60), 60)
    if hours < 48:  # noqa: PLR2004  # two days still read well in hours
        return f"{hours} h {minutes} min" if hours else f"{minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def _rest(one: Json, now: datetime) -> str:
    by = f" by {one['who']}" if one["who"] else ""
    return f"{by} {_until(one['until'], now)}" + (f": {one['reason']}" if one["reason"] else "")


def _until(instant: str | None, now: datetime) -> str:
    if instant is None:
        return "until it is resumed"
    moment = datetime.fromisoformat(instant).astimezone(UTC)
    left = span((moment - now) / timedelta(seconds=1))
    return f"until {moment.strftime('%Y-%m-%d %H:%M')} UTC ({left} left)"

import time
from collections.abc import Iterator
from datetime import timedelta, timezone

import pytest

from autoscaler.core import figures, standing_words
from autoscaler.core.decision import rfc3339
from tests.core.given import NOW

AT = "2026-11-23T12:00:00Z"


@pytest.mark.parametrize(
    ("instant", "short", "full"),
    [
        ("2026-11-23T10:17:05Z", "10:17 UTC", "2026-11-23 10:17:05"),
        ("2026-11-22T10:17:05Z", "2026-11-22 10:17 UTC", "2026-11-22 10:17:05"),
        ("2026-11-23T11:17:05+01:00", "10:17 UTC", "2026-11-23 10:17:05"),
    ],
    ids=["today", "yesterday", "of another offset"],
)
def test_an_instant_is_shown_in_utc(instant, short, full):
    assert figures.short_time(instant, AT) == short
    assert figures.moment(instant) == full


@pytest.mark.parametrize(("count", "words"), [(0, "0 nodes"), (1, "1 node"), (2, "2 nodes")])
def test_one_is_singular(count, words):
    assert figures.nodes(count) == words


@pytest.fixture
def far_east(monkeypatch) -> Iterator[None]:
    """A machine whose own zone is not UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_the_zone_of_the_machine_does_not_matter():
    assert time.timezone != 0
    assert rfc3339(NOW.astimezone(timezone(timedelta(hours=1)))) == "2026-11-23T12:00:00Z"
    assert figures.short_time("2026-11-23T11:17:05+01:00", AT) == "10:17 UTC"
    assert figures.moment("2026-11-23T11:17:05+01:00") == "2026-11-23 10:17:05"
    held = {"from": AT, "until": "2026-11-23T13:05:00Z", "reason": "", "who": "", "all": False}
    assert standing_words.pause_words(held, NOW) == "paused until 2026-11-23 13:05 UTC (1 h 5 min left)"

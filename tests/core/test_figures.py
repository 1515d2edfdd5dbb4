import pytest

from autoscaler.core import figures

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

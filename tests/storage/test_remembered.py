"""What is remembered of rows: as long as they are asked for, and of a row that is the same in every way."""

from collections.abc import Mapping
from typing import Any

import pytest

from autoscaler.storage.remembered import LOOKUPS, Remembered


@pytest.fixture
def made():
    return []


@pytest.fixture
def remembered(made):
    def read(row: Mapping[str, Any]) -> dict[str, Any]:
        made.append(row)
        return dict(row)

    return Remembered(read)


def test_the_same_row_is_read_once(remembered, made):
    assert remembered({"id": "a", "n": 1}) is remembered({"id": "a", "n": 1})
    assert len(made) == 1


@pytest.mark.parametrize(
    "other", [{"id": "a", "n": 2}, {"id": "a", "n": 1.0}, {"id": "a", "m": 1}, {"id": "a"}], ids=repr
)
def test_another_row_is_read(remembered, other):
    remembered({"id": "a", "n": 1})
    assert repr(remembered(other)) == repr(other)


def test_what_is_asked_for_in_every_round_stays_and_what_nobody_asks_for_goes(remembered, made):
    day = [{"id": number} for number in range(300)]
    remembered({"id": "of yesterday"})
    for _ in range(3 * LOOKUPS // len(day)):
        for row in day:
            remembered(row)
    assert len(made) == 1 + len(day)
    assert len(remembered) == len(day)


def test_never_more_is_kept_than_was_looked_up_lately(remembered):
    for number in range(5 * LOOKUPS):
        remembered({"id": number})
    assert len(remembered) <= 2 * LOOKUPS


def test_a_row_that_cannot_be_read_is_read_again():
    remembered = Remembered(lambda row: row["not there"])
    for _ in range(2):
        with pytest.raises(KeyError):
            remembered({"id": "a"})
    assert len(remembered) == 0

"""The notation of series, as `promtool test rules` has it: what each spelling stands for, and what is refused."""

from decimal import Decimal

import pytest

from autoscaler.policyfile import series

NOTHING = "_"

WRITTEN = {
    "one value": ("80", "80"),
    "several, whatever stands between": ("  1   2\n3\t4 ", "1 2 3 4"),
    "nothing": ("", ""),
    "a×n is n+1 values": ("80x3", "80 80 80 80"),
    "the sign of multiplication too": ("80×3", "80 80 80 80"),
    "no more of it": ("80x0", "80"),
    "a+b×n": ("60+5x3", "60 65 70 75"),
    "a-b×n": ("60-5x3", "60 55 50 45"),
    "down through zero": ("1-1x2", "1 0 -1"),
    "a negative start": ("-2+1x3", "-2 -1 0 1"),
    "a plus sign": ("+2x1", "2 2"),
    "decimals stay decimals": ("0.1+0.1x3", "0.1 0.2 0.3 0.4"),
    "no digit before the point": (".5x1", "0.5 0.5"),
    "no digit after it": ("5.", "5"),
    "an exponent": ("1e2", "100"),
    "an exponent with a sign": ("1e+2x1 1e-2", "100 100 0.01"),
    "an exponent and a step": ("1e1+2x2", "10 12 14"),
    "a zero times": ("0x10", " ".join(["0"] * 11)),
    "a gap": ("1 _ 2", "1 _ 2"),
    "n gaps": ("1 _x3 2", "1 _ _ _ 2"),
    "no gap at all": ("1 _x0 2", "1 2"),
    "NaN is no value": ("1 NaN nan 2", "1 _ _ 2"),
    "several NaN": ("NaNx2", "_ _ _"),
    "infinite is no value": ("Inf -Inf +Inf infx1 1", "_ _ _ _ _ 1"),
    "what is larger than any metric is no value": ("1e25 1e24", "_ 1e24"),
}


@pytest.mark.parametrize(("text", "values"), WRITTEN.values(), ids=WRITTEN)
def test_a_series_stands_for_its_values(text, values):
    expected = tuple(None if word == NOTHING else Decimal(word) for word in values.split())
    assert series.parse(text) == expected


@pytest.mark.parametrize(
    "part",
    [
        "80y3",
        "x3",
        "80x",
        "80x-1",
        "60+5",
        "+5x3x",
        "a",
        "__",
        "_+1x3",
        "NaN+1x2",
        "stale",
        "1,2",
        "0x1F",
        "--1",
        "1e999",
    ],
)
def test_what_is_no_part_of_a_series_is_named(part):
    with pytest.raises(ValueError, match="is no part of a series; write values as 80, ") as raised:
        series.parse(f"80 {part} 80")
    assert str(raised.value).startswith(repr(part))


@pytest.mark.parametrize("text", ["1x100000", "_x999999999", "1+1x999999999", "1x60000 1x60000"])
def test_a_series_without_end_is_refused_before_it_is_made(text):
    with pytest.raises(ValueError, match="makes more than 100000 values; write fewer"):
        series.parse(text)


def test_the_longest_series():
    assert len(series.parse("1x99998 2")) == 100_000

"""What is shown of text that somebody else has written."""

import pytest

from autoscaler.core import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a sale", "a sale"),
        ("día 日本 👩\u200d🚀", "día 日本 👩\u200d🚀"),
        ("\x1b[31mred\x1b]0;title\x07", " [31mred ]0;title "),
        ("a\0b\x7fc\x9bd", "a b c d"),
        ("two\r\nlines\u2028three", "two  lines three"),
        ("half \ud83d of one", "half   of one"),
        ("or\u202esred\u2066x\u2069", "or sred x "),
    ],
    ids=["nothing", "words", "any script", "escapes", "controls", "lines", "half a character", "turned around"],
)
def test_what_a_terminal_would_obey_is_a_blank(text, shown):
    assert plain.line(text) == shown


def test_lines_may_stay_lines():
    assert plain.lines("a\x1b\nb\r\nc") == "a \nb \nc"

"""Text of others as it can be shown: without characters that a terminal obeys, or that turn what is read around."""

import unicodedata

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What is read after them runs the other way (Unicode Standard Annex 9), so that it shows other words than it has."""

_NEVER_SHOWN = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories: control characters, halves of characters, ends of lines and of paragraphs."""


def line(text: str) -> str:
    """One line, with a blank in place of each such character."""
    return text if text.isprintable() else "".join(" " if is_obeyed(one) else one for one in text)


def lines(text: str) -> str:
    """The same, but for the ends of lines."""
    return "\n".join(map(line, text.split("\n")))


def is_obeyed(one: str) -> bool:
    """Whether a character does something rather than being shown."""
    return one in _TURNING or unicodedata.category(one) in _NEVER_SHOWN

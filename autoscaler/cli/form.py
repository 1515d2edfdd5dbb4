"""How a result is printed: the one meaning of `--format` for every command."""

from enum import StrEnum


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"  # for people
    JSON = "json"  # for programs

"""What is wrong with a command line, said as the configuration's errors are: what it is, and what is allowed."""

import re

_WORDS = (
    (re.compile(r"(?:Value error, )?('.*') is not one of (.*?)\.?", re.DOTALL), r"\1 is not allowed; allowed: \2"),
    (re.compile(r"Input should be a valid integer.*", re.DOTALL), "it must be a whole number"),
    (re.compile(r"Input should be a valid number.*", re.DOTALL), "it must be a number"),
    (re.compile(r"Input should be less than or equal to (\S+)", re.DOTALL), r"it must be \1 or less"),
    (re.compile(r"Input should be greater than or equal to (\S+)", re.DOTALL), r"it must be \1 or more"),
    (re.compile(r"Input should be less than (\S+)", re.DOTALL), r"it must be less than \1"),
    (re.compile(r"Input should be greater than (\S+)", re.DOTALL), r"it must be more than \1"),
    (re.compile(r"Value error, (.*)", re.DOTALL), r"\1"),
)


def reworded(message: str) -> str:
    """The message of the library that reads the command line in our words; one that is not known stays as it is."""
    for pattern, words in _WORDS:
        if found := pattern.fullmatch(message):
            return found.expand(words)
    return message

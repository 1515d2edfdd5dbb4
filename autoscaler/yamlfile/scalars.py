"""Plain words as YAML 1.2's core schema reads them: `off` is a word, `012` is twelve."""

import re
from decimal import Decimal

from autoscaler.yamlfile.node import Scalar

MAX_NUMBER_LENGTH = 40
"""Characters; longer ones are no thresholds, and cost time to compute with."""

MAX_EXPONENT = 100

_WORDS: dict[str, Scalar] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_DECIMAL_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE](?P<exponent>[-+]?[0-9]+))?")
_INFINITE = re.compile(r"(?P<sign>[-+]?)\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})


def resolve(text: str) -> Scalar:
    """What an unquoted word means (YAML 1.2.2, section 10.3.2).

    Raises:
        ValueError: a number of absurd size.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    number = _number(text)
    return text if number is None else number


def _number(text: str) -> int | Decimal | None:
    if _DECIMAL_INT.fullmatch(text):
        return int(_bounded(text))
    if _OCTAL.fullmatch(text):
        return int(_bounded(text), 0)
    if _HEX.fullmatch(text):
        return int(_bounded(text), 0)
    if found := _FLOAT.fullmatch(text):
        return Decimal(_bounded(text, found["exponent"]))
    if found := _INFINITE.fullmatch(text):
        return Decimal(f"{found['sign']}Infinity")
    return Decimal("NaN") if text in _NOT_A_NUMBER else None


def _bounded(text: str, exponent: str | None = None) -> str:
    too_long = len(text) > MAX_NUMBER_LENGTH
    if too_long or (exponent is not None and abs(int(exponent)) > MAX_EXPONENT):
        raise ValueError(
            f"a number of this size is not read; at most {MAX_NUMBER_LENGTH} characters and an exponent of "
            f"{MAX_EXPONENT} are, and text belongs in quotes"
        )
    return text

"""The kinds of value that a policy file holds: each reads one written form, and describes it to the JSON Schema."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema

from autoscaler.core.policy import Size
from autoscaler.yamlfile import quantities

_DURATION_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": quantities.DURATION_PATTERN,
    "examples": ["90s", "5m", "2h", "21d", "1h30m"],
}
_PERCENT_SCHEMA: dict[str, Any] = {"type": "string", "pattern": quantities.PERCENT_PATTERN, "examples": ["10%"]}
_WHOLE_SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 1}
_HUNDRED = Decimal(100)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{quantities.shown(value)} is not allowed; it must be a whole number, 1 or more")
    return value


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise ValueError(f"{quantities.shown(value)} is not allowed; it must be a number such as 75 or 62.5")
    return Decimal(value)


def _size(value: object) -> Size:
    if isinstance(value, str):
        share = quantities.percent(value)
        if share == 0:
            raise ValueError(f"{value} is nothing; write a share such as 50%, or a whole number of nodes")
        return Size(share, percent=True)
    try:
        return Size(Decimal(_whole(value)))
    except ValueError as error:
        raise ValueError(f"{error}, or a share such as 50%") from None


def _part(value: object) -> Size:
    size = _size(value)
    if size.percent and size.amount > _HUNDRED:
        raise ValueError(f"{value} is more than there is; at most 100% can be removed")
    return size


def _ratio(value: object) -> Decimal:
    share = quantities.percent(value)
    if share >= _HUNDRED:
        raise ValueError(f"{value} is not allowed; a tolerance is 0% or more and below 100%")
    return share / 100


def _percent_of_cpu(value: object) -> Decimal:
    written = quantities.percent(value) if isinstance(value, str) and value.endswith("%") else value
    number = Decimal(written) if isinstance(written, int | Decimal) and not isinstance(written, bool) else None
    if number is None or not number.is_finite() or not 0 < number <= _HUNDRED:
        raise ValueError(
            f"{quantities.shown(value)} is not allowed; it must be a percentage above 0, 100 at most, as in 85"
        )
    return number


def _share(value: object) -> Decimal:
    share = quantities.percent(value)
    if not 0 < share <= _HUNDRED:
        raise ValueError(f"{value} is not allowed; it must be above 0% and at most 100%")
    return share / 100


def _datapoints(value: object) -> tuple[int, int]:
    parts = value.split("/") if isinstance(value, str) else []
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):  # noqa: PLR2004 - M and N
        raise ValueError(f"{quantities.shown(value)} is not allowed; write M/N, such as 3/5 for three of the last five")
    needed, looked_at = int(parts[0]), int(parts[1])
    if not 1 <= needed <= looked_at:
        raise ValueError(f"{value} can never be; of N datapoints at least 1 and at most N must be beyond, as in 3/5")
    return needed, looked_at


def _duration(value: object) -> timedelta:
    return quantities.duration(value)


Duration = Annotated[
    timedelta,
    PlainValidator(_duration),
    PlainSerializer(quantities.write_duration),
    WithJsonSchema(_DURATION_SCHEMA),
]
Whole = Annotated[int, PlainValidator(_whole), WithJsonSchema(_WHOLE_SCHEMA)]
Number = Annotated[Decimal, PlainValidator(_number), WithJsonSchema({"type": "number"})]
SizeToAdd = Annotated[Size, PlainValidator(_size), WithJsonSchema({"anyOf": [_WHOLE_SCHEMA, _PERCENT_SCHEMA]})]
SizeToRemove = Annotated[Size, PlainValidator(_part), WithJsonSchema({"anyOf": [_WHOLE_SCHEMA, _PERCENT_SCHEMA]})]
Ratio = Annotated[
    Decimal, PlainValidator(_ratio), PlainSerializer(quantities.write_ratio), WithJsonSchema(_PERCENT_SCHEMA)
]
Share = Annotated[
    Decimal, PlainValidator(_share), PlainSerializer(quantities.write_ratio), WithJsonSchema(_PERCENT_SCHEMA)
]
PercentOfCpu = Annotated[
    Decimal,
    PlainValidator(_percent_of_cpu),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 100}, _PERCENT_SCHEMA]}),
]
Datapoints = Annotated[
    tuple[int, int],
    PlainValidator(_datapoints),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,4}/[0-9]{1,4}$", "examples": ["3/5"]}),
]


def _identifier(value: object) -> str:
    if not isinstance(value, str):
        sentence = f"{quantities.shown(value)} is not allowed; it must be a text, so put it in quotes"
        raise ValueError(sentence)  # noqa: TRY004 - pydantic collects only ValueErrors
    if not value or any(character in "/?#%" or character.isspace() for character in value):
        raise ValueError(f"{quantities.shown(value)} is no id; it is not empty and holds no space, /, ?, # or %")
    return value


_IDENTIFIER_SCHEMA: dict[str, Any] = {"type": "string", "minLength": 1, "pattern": r"^[^\s/?#%]+$"}
Identifier = Annotated[str, BeforeValidator(_identifier), WithJsonSchema(_IDENTIFIER_SCHEMA)]

_LABEL_PATTERN = r"^[a-zA-Z_][a-zA-Z0-9_]*$"


def _label_name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_LABEL_PATTERN, value):
        raise ValueError(
            f"{quantities.shown(value)} is no name of a label; it begins with a letter or underscore and goes on with "
            "letters, digits and underscores, such as node_id"
        )
    return value


LabelName = Annotated[str, BeforeValidator(_label_name), WithJsonSchema({"type": "string", "pattern": _LABEL_PATTERN})]

_LONGEST_NAME = 63


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME or not value.isprintable():
        raise ValueError(f"{quantities.shown(value)} is no name; it is a text of 1 to {_LONGEST_NAME} characters")
    return value


Name = Annotated[
    str, BeforeValidator(_name), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _LONGEST_NAME})
]

TARGET_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
"""What can stand in a label and in an address as it is."""


def target_name(text: str) -> str:
    """The name of a target.

    Raises:
        ValueError: it holds what a name may not.
    """
    if not re.fullmatch(TARGET_NAME_PATTERN, text):
        raise ValueError(
            f"{quantities.shown(text)} is no name for a target; it begins with a letter or digit and goes on with "
            f"letters, digits, dots, dashes and underscores, {_LONGEST_NAME} at most"
        )
    return text

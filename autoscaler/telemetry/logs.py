"""The log: one structured line per event on stderr, as JSON or text, with every known secret masked.

Libraries are formatted the same way, and heard from WARNING on only.
"""

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TextIO

LOGGER = "autoscaler"
LIBRARIES = ("apscheduler", "httpx", "httpcore", "uvicorn", "asyncio", "sqlalchemy", "alembic")
MASK = "**********"

_FIELDS = "fields"  # the attribute of a log record that carries ours


def configure(*, level: str, style: str, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send everything to `stream` (stderr by default); level debug|info|warning|error, style json|text.

    May be called again: the last call holds.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonFormatter(secrets) if style == "json" else _TextFormatter(secrets))
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one.formatter, _Formatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger(LOGGER).setLevel(level.upper())
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)


def write(level: str, message: str, fields: Mapping[str, object], *, error: BaseException | None = None) -> None:
    """One line; `error` adds its traceback (JSON: as a field), which a log may hold and a terminal never shows."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger(LOGGER).log(number, "%s", message, extra={_FIELDS: fields}, exc_info=error)


class _Formatter(logging.Formatter):
    """What both styles share: the fields in their order, and the mask."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        # The longest first: a secret may hold another.
        self._secrets = sorted({one for one in secrets if one}, key=len, reverse=True)

    def fields(self, record: logging.LogRecord) -> dict[str, object]:
        """Every field of the line, in the order in which it is written."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "message": self.masked(record.getMessage()),
        }
        if record.name != LOGGER:
            line["logger"] = record.name
        for name, value in getattr(record, _FIELDS, {}).items():
            line[name] = value if isinstance(value, int | float | None) else self.masked(str(value))
        if record.exc_info:
            line["traceback"] = self.masked(self.formatException(record.exc_info))
        return line

    def masked(self, text: str) -> str:
        """The text without any known secret."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


class _JsonFormatter(_Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.fields(record), ensure_ascii=False)


class _TextFormatter(_Formatter):
    """`TIME LEVEL message key=value …`: what does not read as one word is quoted, so that no value breaks a line."""

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        traceback = fields.pop("traceback", None)
        start = f"{fields.pop('time')} {str(fields.pop('level')).upper():7} {_one_line(str(fields.pop('message')))}"
        line = " ".join([start, *(f"{name}={_word(value)}" for name, value in fields.items())])
        return line if traceback is None else f"{line}\n{traceback}"


def _word(value: object) -> str:
    text = "-" if value is None else str(value)
    return text if text.isprintable() and text and not set(text) & set(' "=') else json.dumps(text)


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text)[1:-1]

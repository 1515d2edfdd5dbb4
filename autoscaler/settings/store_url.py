"""How the store is written: a SQLite file, or a PostgreSQL database. No message repeats it: it may hold a password."""

import os
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

_SQLITE = "sqlite:///"
_POSTGRESQL = "postgresql+psycopg://"

_FORMS = "sqlite:///state/autoscaler.db, sqlite:////absolute/path.db or postgresql+psycopg://USER@HOST:5432/DATABASE"

_OPTIONS = ("host", "passfile", "sslcert", "sslkey", "sslmode", "sslrootcert")
"""Of libpq, what says where the server is and how it is trusted; the rest is the daemon's own business."""

_NO_PASSWORD = "[^:@/?#]*@"  # noqa: S105  # a name, in a pattern
PATTERN = rf"^(sqlite:///[^?#]+|postgresql\+psycopg://({_NO_PASSWORD})?[^@/?#]*/[^/?#]+(\?[^#]+)?)$"
"""Of the file, in which no password may stand."""


def store(text: str) -> str:
    """The address of the store.

    Raises:
        ValueError: it is another kind of store, or names no file or no database.
    """
    if text.startswith(_POSTGRESQL):
        return _postgresql(text)
    if not text.startswith(_SQLITE) or not text.removeprefix(_SQLITE).strip("/. "):
        raise ValueError(f"is no store; write {_FORMS}")
    if text.endswith("/") or any(mark in text for mark in "?#") or ":memory:" in text:
        raise ValueError("names no plain file; write sqlite:///FILE without ? and #")
    return text


def _postgresql(text: str) -> str:
    try:
        parts = urlsplit(text)
        options = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        whole = parts.port is None or parts.port > 0
    except ValueError:
        whole = False
    if not whole or parts.fragment or text != text.strip() or not text.isprintable():
        raise ValueError(
            "is no address of a database; write postgresql+psycopg://USER@HOST:5432/DATABASE, "
            "with %40 for an @ in a name or password and so on"
        )
    if not parts.path.strip("/") or parts.path.count("/") != 1:
        raise ValueError("names no database; write postgresql+psycopg://USER@HOST:5432/DATABASE")
    if any(name not in _OPTIONS for name, _ in options):
        raise ValueError(f"has an option that is not known; allowed are {', '.join(_OPTIONS)}")
    if not parts.hostname and not any(name == "host" for name, _ in options):
        raise ValueError("names no server; write postgresql+psycopg://USER@HOST:5432/DATABASE")
    return text


def file_of(text: str, folder: Path) -> Path | None:
    """The file that a store's address names, from `folder` on; None where it is no file."""
    if not text.startswith(_SQLITE):
        return None
    return Path(os.path.normpath(folder / text.removeprefix(_SQLITE)))


def has_password(text: str) -> bool:
    """Whether it must not be shown; also where that cannot be told."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "@" in text
    return parts.password is not None or "password" in parts.query


def without_password(text: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(text)
    if parts.password is None:
        return text
    user, _, _ = parts.netloc.partition(":")
    return parts._replace(netloc=f"{user}:***@{parts.netloc.rpartition('@')[2]}").geturl()

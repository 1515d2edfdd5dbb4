"""What the database's errors mean to the user: each becomes a StoreError of one sentence, with file and remedy."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import exc

from autoscaler.errors import StoreError

_PRIMARY = 0xFF
"""The low byte of an extended result code is the primary one (sqlite.org, "Result and Error Codes")."""

_MEANINGS = {
    sqlite3.SQLITE_FULL: "no room is left on its disk; free some, and writing goes on by itself",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; end that program (a sqlite3 shell, a backup)",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked; end that program (a sqlite3 shell, a backup)",
    sqlite3.SQLITE_READONLY: "it cannot be written; give the daemon's user write access to it and its directory",
    sqlite3.SQLITE_PERM: "it cannot be opened; give the daemon's user access to it and its directory",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; give the daemon's user access to it and its directory",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database; restore a backup, or move the file away to start empty",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore a backup, or move the file away to start empty",
    sqlite3.SQLITE_IOERR: "its disk does not take or give the data; look at the disk and its limits",
}


class ConflictError(StoreError):
    """A row breaks a rule of the tables (a unique index, a foreign key); the transaction was rolled back."""


@contextmanager
def translated(file: Path) -> Iterator[None]:
    """Let nothing of the driver or of SQLAlchemy out of the block: only StoreError."""
    try:
        yield
    except exc.IntegrityError as error:
        raise ConflictError(f"{file}: a row breaks a rule of its tables ({error.orig})") from error
    except exc.DBAPIError as error:
        raise of_driver(file, error.orig) from error
    except sqlite3.Error as error:
        raise of_driver(file, error) from error
    except exc.SQLAlchemyError as error:
        raise StoreError(f"{file}: the store is closed or cannot be used ({error})") from error
    except (OverflowError, UnicodeError) as error:
        raise StoreError(f"{file}: a value cannot be stored ({error})") from error


def of_driver(file: Path, error: BaseException | None) -> StoreError:
    """The sentence for an error of the driver."""
    meaning = _MEANINGS.get(getattr(error, "sqlite_errorcode", 0) & _PRIMARY)
    if meaning is None:
        return StoreError(f"{file}: the database refused ({error})")
    return StoreError(f"{file}: {meaning} ({error})")


def of_system(place: Path, error: OSError) -> StoreError:
    """The sentence for an error of the operating system on a file or directory."""
    if error.errno == errno.ENOSPC:
        remedy = "free some room on its disk"
    elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        remedy = "give the daemon's user write access, or name another place in `store`"
    else:
        remedy = "name another place in `store`"
    return StoreError(f"{place}: cannot be used for the store ({error.strerror}); {remedy}")

"""What the errors of a PostgreSQL server mean to the user: each becomes a StoreError of one sentence, with remedy.

Codes are those of PostgreSQL's manual, appendix A. No text holds the password, nor more than the driver's first line.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import exc

from autoscaler.errors import StoreError
from autoscaler.storage.faults import ConflictError

_GOES_ON = "it goes on by itself once the server answers"

_MEANINGS = {
    "28P01": "the server refuses the password, or wants one; mend it in AUTOSCALER_STORE, PGPASSWORD or PGPASSFILE",
    "28000": "the server lets this user not in; mend the user in `store`, or the server's pg_hba.conf",
    "3D000": "there is no such database; create it (docs/deployment.md), or mend `store`",
    "42501": "the user lacks a right; make it the owner of the database (docs/deployment.md)",
    "3F000": "there is no schema to make tables in; make the user the owner of the database (docs/deployment.md)",
    "25006": "the server takes no changes, it is a replica; name the primary in `store`",
    "53100": "no room is left on the server's disk; free some, and writing goes on by itself",
    "53300": "the server takes no more connections; raise its max_connections, or end some",
    "55P03": "another program locks what is needed; end its transaction, such as a forgotten shell's",
    "57014": "the server took too long; look at its load and locks",
    "57P01": f"the server is shutting down; {_GOES_ON}",
    "57P02": f"the server has crashed; {_GOES_ON}",
    "57P03": f"the server is starting or stopping; {_GOES_ON}",
}

_AT_THE_DOOR = {
    "password authentication failed": "28P01",
    "no pg_hba.conf entry": "28000",
    "role ": "28000",
    "database ": "3D000",
    "too many": "53300",
    "remaining connection slots": "53300",
    "starting up": "57P03",
    "shutting down": "57P03",
}
"""Words of a refused connection, for which libpq hands over no code; in another language it is one general sentence."""

_VALUE = "22"
"""The class of values that a column does not take."""


@contextmanager
def translated(site: str, password: str | None) -> Iterator[None]:
    """Let nothing of the driver or of SQLAlchemy out of the block: only StoreError."""
    try:
        yield
    except exc.IntegrityError as error:
        said = _first_line(error.orig, password)
        raise ConflictError(f"{site}: a row breaks a rule of its tables ({said})") from error
    except exc.DBAPIError as error:
        raise _of_driver(site, error.orig, password) from error
    except psycopg.Error as error:
        raise _of_driver(site, error, password) from error
    except exc.SQLAlchemyError as error:
        raise StoreError(f"{site}: the store is closed or cannot be used ({_first_line(error, password)})") from error
    except (OverflowError, UnicodeError) as error:
        raise StoreError(f"{site}: a value cannot be stored ({error})") from error


def _of_driver(site: str, error: BaseException | None, password: str | None) -> StoreError:
    said = _first_line(error, password)
    code = getattr(error, "sqlstate", None) or _code_at_the_door(error)
    if code in _MEANINGS:
        return StoreError(f"{site}: {_MEANINGS[code]} ({said})")
    if code.startswith(_VALUE) or isinstance(error, psycopg.DataError):
        return StoreError(f"{site}: a value cannot be stored ({said})")
    if isinstance(error, psycopg.OperationalError):
        return StoreError(f"{site}: the server cannot be reached ({said}); {_GOES_ON}")
    return StoreError(f"{site}: the database refused ({said})")


def _code_at_the_door(error: BaseException | None) -> str:
    ours, _, servers = str(error).partition("FATAL:")
    if "no password supplied" in ours:
        return "28P01"
    return next((code for words, code in _AT_THE_DOOR.items() if words in servers), "")


def _first_line(error: BaseException | None, password: str | None) -> str:
    line = (str(error).splitlines() or ["no reason given"])[0].strip()
    return line.replace(password, "***") if password else line

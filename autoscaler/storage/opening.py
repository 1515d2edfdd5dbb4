"""Opens the store that a URL names; only the driver that it needs is loaded."""

from autoscaler.errors import StoreError
from autoscaler.ports import NOBODY, Correspondence
from autoscaler.storage import database, sqlite
from autoscaler.storage.unreadable import Report, log_warning

_POSTGRESQL = "postgresql+psycopg:"


def open_store(
    url: str, *, correspondence: Correspondence = NOBODY, report: Report = log_warning
) -> database.DatabaseStore:
    """The store of `sqlite:////absolute/path` or `postgresql+psycopg://USER@HOST:PORT/DATABASE`.

    Raises:
        StoreError: in one sentence that names the place and the remedy; also where the driver is not installed.
    """
    if not url.startswith(_POSTGRESQL):
        return sqlite.open_store(url, correspondence=correspondence, report=report)
    try:
        from autoscaler.storage import postgresql  # noqa: PLC0415  # its driver is an extra, and slow to load
    except ImportError as error:
        raise StoreError(
            f"store {_POSTGRESQL}… needs the driver psycopg ({error}); install ddm-autoscaler[postgresql]"
        ) from error
    return postgresql.open_store(url, correspondence=correspondence, report=report)

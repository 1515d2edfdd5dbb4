"""The store in one SQLite file (port `Store`): opening it, for one process alone.

The driver is the synchronous one, called on the loop's own thread: a commit takes less than a millisecond, and a thread
in between could be neither cancelled nor put under a simulated clock.
"""

from functools import partial
from pathlib import Path

from autoscaler.errors import StoreError
from autoscaler.ports import NOBODY, Correspondence
from autoscaler.storage import connection as connections
from autoscaler.storage import database, faults, lock, schema
from autoscaler.storage.file_transactions import FileTransactions
from autoscaler.storage.history import SqlHistory
from autoscaler.storage.transactions import Site
from autoscaler.storage.unreadable import Report, Sieve, log_warning

_EXAMPLE = "sqlite:////var/lib/autoscaler/autoscaler.db"


def open_store(
    url: str, *, correspondence: Correspondence = NOBODY, report: Report = log_warning
) -> database.DatabaseStore:
    """Open the store of a URL such as `sqlite:////var/lib/autoscaler/autoscaler.db`, for this process alone.

    Directory and tables are made where they are missing. `correspondence` says who is told of changes; `report` is
    told of rows that are left out as unreadable.

    Raises:
        StoreError: in one sentence that names the file and the remedy.
    """
    file = _prepare(url)
    held = lock.acquire(file)
    engine = connections.writing(file)
    try:
        schema.ensure(file)
        with faults.translated(file):
            engine.connect().close()  # its settings are asserted now, not at the first intent
        site, sieve = Site(str(file), partial(faults.translated, file)), Sieve(str(file), report)
        history = SqlHistory(connections.reading(file), site, sieve)
        history.operations(limit=1)  # a connection that cannot be had is an error now, not when a page is asked for
    except BaseException:
        engine.dispose()
        held.release()
        raise
    transactions = FileTransactions(engine, site, sieve, correspondence, asking=connections.reading(file))
    return database.DatabaseStore(
        transactions,
        history,
        database.OnTheLoop(),
        ends_in=partial(connections.hurry, engine),
        release=held.release,
    )


def _prepare(url: str) -> Path:
    """The absolute path of the file, links followed (one file has one lock), its directory made."""
    file = _path(url)
    try:
        file = file.resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        is_directory = file.is_dir()
    except OSError as error:
        raise faults.of_system(file.parent, error) from error
    if is_directory:
        raise StoreError(f"{file}: it is a directory; name a file in it in `store`, such as {file}/autoscaler.db")
    return file


def _path(url: str) -> Path:
    """All that follows `sqlite:///` is the path, as it is: nothing in it is escaped, and there are no options."""
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path.startswith("/") or "?" in path:
        kind = url.partition(":")[0]  # no more of it: there may be a password further on
        raise StoreError(f"store {kind}:… cannot be opened; name a file by its absolute path, as in {_EXAMPLE}")
    return Path(path)

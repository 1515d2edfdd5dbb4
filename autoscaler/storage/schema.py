"""Brings a database to the tables of this version, and refuses one that is newer, not ours, or cannot be written."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from autoscaler.errors import StoreError
from autoscaler.storage import connection as connections
from autoscaler.storage import faults, migrations


def ensure(file: Path, *, head: str = migrations.HEAD, scripts: Path = migrations.SCRIPTS) -> None:
    """Bring up a SQLite file.

    Raises:
        StoreError: as `bring_up`.
    """
    engine = connections.migrating(file)
    try:
        with faults.translated(file), engine.begin() as connection:
            bring_up(connection, str(file), head=head, scripts=scripts)
    finally:
        engine.dispose()


def bring_up(
    connection: Connection, site: str, *, head: str = migrations.HEAD, scripts: Path = migrations.SCRIPTS
) -> None:
    """Upgrade to `head`, the newest revision in `scripts`, all or nothing; mostly there is nothing to do, quickly.

    `connection` is in a transaction that nobody else's runs beside.

    Raises:
        StoreError: a newer version wrote the database, it is one of something else, or it cannot be written.
    """
    found = _revision(connection, site)
    if found != head:
        _upgrade(connection, site, found, scripts)
    # SQLite opens a file that it may not write, and says so only when it must: make it say so now.
    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))


def _upgrade(connection: Connection, site: str, found: str | None, scripts: Path) -> None:
    from autoscaler.storage import upgrade  # noqa: PLC0415  # Alembic takes 0.1 s to import, and is rarely needed

    if found is not None and found not in upgrade.known_revisions(scripts):
        raise StoreError(
            f"{site}: its tables are of revision {found}, which this version does not know; "
            "run the newer version that wrote it, or restore a backup from before that"
        )
    upgrade.to_head(connection, scripts)


def _revision(connection: Connection, site: str) -> str | None:
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if names:
        raise StoreError(f"{site}: it is a database of another program; name another in `store`")
    return None

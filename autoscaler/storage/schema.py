"""Brings a database to the tables of this version, and refuses one that is newer or not ours."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from autoscaler.errors import StoreError
from autoscaler.storage import migrations


def ensure(connection: Connection, file: Path) -> None:
    """Upgrade to the newest revision, inside the caller's transaction; nothing to do is the usual case and is quick.

    Raises:
        StoreError: a newer version wrote the file, or it is a database of something else.
    """
    found = _revision(connection, file)
    if found == migrations.HEAD:
        return
    from autoscaler.storage import upgrade  # noqa: PLC0415  # Alembic takes 0.1 s to import, and is rarely needed

    if found is not None and found not in upgrade.known_revisions():
        raise StoreError(
            f"{file}: its tables are of revision {found}, which this version does not know; "
            "run the newer version that wrote it, or restore a backup from before that"
        )
    upgrade.to_head(connection)


def _revision(connection: Connection, file: Path) -> str | None:
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if names:
        raise StoreError(f"{file}: it is a database of another program; name another file in `store`")
    return None

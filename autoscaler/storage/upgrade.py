"""Runs Alembic's revisions from inside the package: no ini file, no logging set up, nothing written beside the code."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def known_revisions(scripts: Path) -> frozenset[str]:
    """Every revision there is."""
    directory = ScriptDirectory.from_config(_config(scripts))
    return frozenset(script.revision for script in directory.walk_revisions())


def to_head(connection: Connection, scripts: Path) -> None:
    """Run what is missing on a connection of `connection.migrating`, in its open transaction: all of it or nothing."""
    config = _config(scripts)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))  # % is special to its parser
    config.set_main_option("path_separator", "os")
    return config

"""The revisions that ship with the package make the tables that the code describes, and keep what is stored."""

import logging
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import autogenerate
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from autoscaler.errors import StoreError
from autoscaler.storage import migrations, rows, schema, tables
from tests.storage import samples

NEXT = '''
"""Give decisions a note."""

import sqlalchemy as sa
from alembic import op

revision = "test2"
down_revision = "0005"


def upgrade():
    with op.batch_alter_table("decisions") as batch:
        batch.add_column(sa.Column("note", sa.Text, nullable=False, server_default="none"))
    with op.batch_alter_table("operations") as batch:
        batch.alter_column("detail", existing_type=sa.Text, nullable=True)  # SQLite copies the table for that
'''


def stored_schema(file: Path) -> dict[str, str]:
    """Every table and index by name, as written, but for blanks and quotes."""
    with sqlite3.connect(file) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: " ".join(sql.replace('"', "").split()) for name, sql in found if name != "alembic_version"}


def upgraded(tmp_path: Path, database: Path) -> None:
    """Bring the database to a package of one revision more than ours."""
    scripts = tmp_path / "100% more"
    shutil.copytree(migrations.SCRIPTS, scripts)
    (scripts / "versions" / "rev_test2.py").write_text(NEXT)
    schema.ensure(database, head="test2", scripts=scripts)


def test_the_head_that_the_code_names_is_the_newest_revision():
    directory = ScriptDirectory(str(migrations.SCRIPTS))
    assert directory.get_heads() == [migrations.HEAD]


def test_alembic_sees_no_difference_between_the_migrated_tables_and_the_code(open_store):
    with open_store().transactions.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert autogenerate.compare_metadata(context, tables.metadata) == []


def test_the_migrated_schema_is_the_one_of_the_code_word_for_word(open_store, database, tmp_path):
    """Alembic does not compare the conditions of partial indexes: the one of I1 is such a condition."""
    open_store()
    engine = create_engine(f"sqlite:///{tmp_path / 'from_code.db'}")
    tables.metadata.create_all(engine)
    engine.dispose()
    assert stored_schema(database) == stored_schema(tmp_path / "from_code.db")


async def test_an_upgrade_keeps_what_is_stored(open_store, database, tmp_path):
    store = open_store()
    await store.commit_intent(samples.operation(), samples.decision())
    store.close()
    upgraded(tmp_path, database)

    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("test2",)
        assert connection.execute("SELECT id, known_jobs FROM operations").fetchall() == [("op1", '["j1","j2"]')]
        assert connection.execute("SELECT target, operation_id, note FROM decisions").fetchall() == [
            ("orders", "op1", "none")
        ]
    connection.close()
    assert "WHERE state IN" in stored_schema(database)["one_open_operation_per_instance"]


def test_a_file_of_the_first_version_gets_the_tables_of_this_one(open_store, database, tmp_path):
    scripts = tmp_path / "first"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("rev_000[2-9]*"))
    database.parent.mkdir()
    schema.ensure(database, head="0001", scripts=scripts)
    assert "interventions" not in stored_schema(database)
    assert open_store().history.standing(at=samples.NOW) == ()


def test_what_was_done_by_hand_before_there_were_reasons_of_its_end_is_kept(open_store, database, tmp_path):
    scripts = tmp_path / "fourth"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("rev_000[5-9]*"))
    database.parent.mkdir()
    schema.ensure(database, head="0004", scripts=scripts)
    row = rows.of_intervention(samples.intervention().ended(samples.NOW, "bob")) | {"seq": 7}
    del row["ended_reason"]
    with sqlite3.connect(database) as connection:
        names = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(f":{name}" for name in row)
        connection.execute(f"INSERT INTO interventions ({names}) VALUES ({values})", row)  # noqa: S608  # our own names
    connection.close()

    assert open_store().history.interventions() == (samples.intervention().ended(samples.NOW, "bob"),)


def test_tables_of_a_newer_version_are_refused_and_left_alone(open_store, database, tmp_path):
    open_store().close()
    upgraded(tmp_path, database)
    before = stored_schema(database)
    with pytest.raises(StoreError, match=r"autoscaler\.db: its tables are of revision test2.* run the newer version"):
        open_store()
    assert stored_schema(database) == before


def test_a_database_of_another_program_is_refused_and_left_alone(open_store, database):
    database.parent.mkdir()
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StoreError, match="is a database of another program; name another in"):
        open_store()
    assert list(stored_schema(database)) == ["theirs"]


def test_an_upgrade_that_fails_leaves_the_tables_as_they_were(open_store, database, tmp_path):
    open_store().close()
    before = stored_schema(database)
    scripts = tmp_path / "broken"
    shutil.copytree(migrations.SCRIPTS, scripts)
    (scripts / "versions" / "rev_test2.py").write_text(NEXT + "\n    raise RuntimeError('half way')\n")
    with pytest.raises(RuntimeError, match="half way"):
        schema.ensure(database, head="test2", scripts=scripts)
    assert stored_schema(database) == before
    open_store()


def test_migrating_leaves_logging_as_it_is(open_store):
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("alembic").level, logging.root.manager.disable)
    open_store()
    assert before == (root.level, list(root.handlers), logging.getLogger("alembic").level, logging.root.manager.disable)


def test_migrating_needs_to_write_nothing_beside_the_code(open_store, database, tmp_path):
    """As where the package belongs to root: nothing in it is new after a migration that may write no byte-code."""
    scripts = tmp_path / "package"
    shutil.copytree(migrations.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in (scripts, scripts / "versions"):
        (folder / "__pycache__").write_text("a file: no byte-code can be written here, not even by root")
    before = sorted(os.walk(scripts))
    database.parent.mkdir()
    schema.ensure(database, scripts=scripts)
    assert sorted(os.walk(scripts)) == before
    open_store()

"""Alembic's entry: runs the revisions on the connection that `upgrade` hands over; leaves logging alone."""

from alembic import context

from autoscaler.storage import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,  # SQLite changes a column only by copying its table
)
context.run_migrations()  # inside the transaction of `upgrade`: all revisions or none

"""Make operations, decisions and seen nodes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN_AND_OURS = sa.text("state IN ('planned', 'submitted', 'unknown') AND NOT \"foreign\" AND NOT shadow")
WITH_OPERATION = sa.text("operation_id IS NOT NULL")
INSTANCE = ["region", "project_id", "instance_id"]


def upgrade() -> None:
    """Three tables and their indexes."""
    op.create_table(
        "operations",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("project_id", sa.Text, nullable=False),
        sa.Column("instance_id", sa.Text, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("change", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("committed_at", sa.BigInteger, nullable=False),
        sa.Column("send_before", sa.BigInteger, nullable=False),
        sa.Column("node_ids", sa.Text, nullable=False),
        sa.Column("removing", sa.Text, nullable=False),
        sa.Column("zones", sa.Text, nullable=False),
        sa.Column("known_jobs", sa.Text, nullable=False),
        sa.Column("skew_seconds", sa.Double, nullable=False),
        sa.Column("prepaid", sa.Boolean, nullable=False),
        sa.Column("job_id", sa.Text),
        sa.Column("order_id", sa.Text),
        sa.Column("submitted_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("arrived", sa.Integer, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("foreign", sa.Boolean, nullable=False),
        sa.Column("shadow", sa.Boolean, nullable=False),
    )
    op.create_index(
        "one_open_operation_per_instance",
        "operations",
        INSTANCE,
        unique=True,
        sqlite_where=OPEN_AND_OURS,
        postgresql_where=OPEN_AND_OURS,
    )
    op.create_index("operations_of_instance", "operations", INSTANCE)
    op.create_index("operations_of_target", "operations", ["target", "committed_at"])
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("operation_id", sa.Text, sa.ForeignKey("operations.id", ondelete="SET NULL")),
    )
    op.create_index("decisions_of_target", "decisions", ["target", "at"])
    op.create_index("decisions_by_time", "decisions", ["at"])
    op.create_index(
        "decisions_of_operation",
        "decisions",
        ["operation_id"],
        sqlite_where=WITH_OPERATION,
        postgresql_where=WITH_OPERATION,
    )
    op.create_table(
        "seen_nodes",
        sa.Column("region", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text, primary_key=True),
        sa.Column("instance_id", sa.Text, primary_key=True),
        sa.Column("group_id", sa.Text, primary_key=True),
        sa.Column("nodes", sa.Text, nullable=False),
    )

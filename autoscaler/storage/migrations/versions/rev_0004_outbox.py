"""Make the outbox: what is to be told to webhooks, and what was."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One table; what waits has an index of its own, as most of it has been delivered."""
    op.create_table(
        "outbox",
        sa.Column("seq", SERIAL, primary_key=True),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("target", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_index("one_letter_per_webhook_and_event", "outbox", ["webhook", "event"], unique=True)
    op.create_index("outbox_by_time", "outbox", ["at"])
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "outbox_waiting", "outbox", ["webhook", "attempts", "seq"], sqlite_where=waiting, postgresql_where=waiting
    )

"""Let what was taken back tell why."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One column; SQLite copies the table, which is small, and so has it before the constraints."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("interventions", recreate="always" if sqlite else "never") as batch:
        batch.add_column(sa.Column("ended_reason", sa.Text))

"""Count the sinks that a batch killed, and remember the ids of erased events.

Revision ID: 014
Revises: 013
"""

import sqlalchemy as sa
from alembic import op

revision: str = "014"
down_revision: str | None = "013"


def upgrade() -> None:
    """Apply this revision."""
    op.add_column(
        "parquet_batches",
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    )
    op.create_table(
        "erased_events",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "erased_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
    )


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_table("erased_events")
    op.drop_column("parquet_batches", "attempts")

"""Create the manifest of Parquet files and freeze events into its batches.

Revision ID: 011
Revises: 010
"""

import sqlalchemy as sa
from alembic import op

revision: str = "011"
down_revision: str | None = "010"


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "parquet_batches",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("family", sa.String(20), nullable=False),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("month", sa.Integer, nullable=False),
        sa.Column("state", sa.String(20), nullable=False, server_default="frozen"),
        sa.Column("epoch", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("lease_until", sa.DateTime, nullable=False),
        sa.Column("path", sa.String(500)),
        sa.Column("rows", sa.Integer),
        sa.Column("bytes", sa.Integer),
        sa.Column("sha256", sa.String(64)),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column("done_at", sa.DateTime),
    )
    op.create_index(
        "idx_parquet_batches_open",
        "parquet_batches",
        ["id"],
        postgresql_where=sa.text("state = 'frozen'"),
    )
    op.add_column(
        "events",
        sa.Column(
            "batch_id", sa.String(36), sa.ForeignKey("parquet_batches.id", ondelete="RESTRICT")
        ),
    )
    op.create_index(
        "idx_events_unbatched", "events", ["id"], postgresql_where=sa.text("batch_id IS NULL")
    )
    op.create_index("idx_events_batch_id", "events", ["batch_id"])


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_column("events", "batch_id")
    op.drop_table("parquet_batches")

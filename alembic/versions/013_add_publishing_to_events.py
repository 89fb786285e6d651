"""Let relays claim events, publish them and say so.

Revision ID: 013
Revises: 012
"""

import sqlalchemy as sa
from alembic import op

revision: str = "013"
down_revision: str | None = "012"


def upgrade() -> None:
    """Apply this revision."""
    op.add_column("events", sa.Column("published_at", sa.DateTime))
    op.add_column("events", sa.Column("lease_until", sa.DateTime))
    # What a sink has taken by itself has left already: history is not published again.
    op.execute(
        "update events set published_at = coalesce(processed_at, created_at)"
        " where batch_id is not null"
    )
    op.create_index(
        "idx_events_unpublished",
        "events",
        ["id"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_index(
        "idx_events_leased",
        "events",
        ["lease_until"],
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_column("events", "lease_until")
    op.drop_column("events", "published_at")

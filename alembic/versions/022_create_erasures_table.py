"""Create the table of users who asked to be forgotten.

Revision ID: 022
Revises: 021
"""

import sqlalchemy as sa
from alembic import op

revision: str = "022"
down_revision: str | None = "021"


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "erasures",
        # No foreign key: the request outlives the user's row until the files are rewritten.
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column(
            "requested_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
    )


def downgrade() -> None:
    """Undo this revision; who waits to be forgotten is lost with the table."""
    op.drop_table("erasures")

"""Give the unique keys of users the names of the data model.

Revision ID: 008
Revises: 007
"""

from alembic import op

revision: str = "008"
down_revision: str | None = "007"


def upgrade() -> None:
    """Apply this revision; PostgreSQL renames a constraint's index with it."""
    op.execute("alter table users rename constraint users_email_key to idx_users_email")
    op.execute("alter table users rename constraint users_username_key to idx_users_username")


def downgrade() -> None:
    """Undo this revision, completely."""
    op.execute("alter table if exists users rename constraint idx_users_email to users_email_key")
    op.execute(
        "alter table if exists users rename constraint idx_users_username to users_username_key"
    )

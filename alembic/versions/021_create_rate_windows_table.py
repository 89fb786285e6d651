"""Create the table of rate limits, and find accounts whatever the case of their names.

The table is not logged: what it holds is worthless after a minute, and a crash of PostgreSQL gives
everybody their allowance back.

Revision ID: 021
Revises: 020
"""

import sqlalchemy as sa
from alembic import op

from db.external import name_here

revision: str = "021"
down_revision: str | None = "020"

BY_CASE = {"idx_users_lower_email": "email", "idx_users_lower_username": "username"}


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "rate_windows",
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("seconds", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("previous", sa.Integer, nullable=False),
        sa.Column("current", sa.Integer, nullable=False),
        sa.Column("granted", sa.Boolean, nullable=False),
        prefixes=["UNLOGGED"],
        # Half of a page is left free, so that a row changes in its place.
        postgresql_with={"fillfactor": 50},
    )
    # Not unique: there may be accounts already that only their case tells apart.
    users = name_here(op.get_context(), "users")
    if users is not None:
        for index, column in BY_CASE.items():
            op.create_index(index, users, [sa.text(f"lower({column})")])


def downgrade() -> None:
    """Undo this revision, completely."""
    for index in BY_CASE:
        op.drop_index(index, table_name="users", if_exists=True)
    op.drop_table("rate_windows")

"""Count the bytes of a file in eight bytes: a compacted month may have more than 2 GiB.

Revision ID: 019
Revises: 018
"""

import sqlalchemy as sa
from alembic import op

revision: str = "019"
down_revision: str | None = "018"


def upgrade() -> None:
    """Apply this revision."""
    op.alter_column("parquet_batches", "bytes", type_=sa.BigInteger, existing_type=sa.Integer)


def downgrade() -> None:
    """Undo this revision; fails where a file is larger than an integer holds."""
    op.alter_column("parquet_batches", "bytes", type_=sa.Integer, existing_type=sa.BigInteger)

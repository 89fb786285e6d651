"""Create the tables in which LangGraph keeps its checkpoints.

Revision ID: 012
Revises: 011
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import insert

revision: str = "012"
down_revision: str | None = "011"

VERSIONS = sa.table("checkpoint_migrations", sa.column("v", sa.Integer))


def upgrade() -> None:
    """Run LangGraph's own migrations and record them, so that its `setup()` finds nothing to do."""
    from langgraph.checkpoint.postgres.base import MIGRATIONS

    for version, statement in enumerate(MIGRATIONS):
        # The tables are empty, and a concurrent build may not run in a transaction.
        op.execute(statement.replace(" CONCURRENTLY", "").strip().removesuffix(";"))
        op.execute(insert(VERSIONS).values(v=version).on_conflict_do_nothing())


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_table("checkpoint_writes", if_exists=True)
    op.drop_table("checkpoint_blobs", if_exists=True)
    op.drop_table("checkpoints", if_exists=True)
    op.drop_table("checkpoint_migrations", if_exists=True)

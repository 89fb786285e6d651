"""Create the code_snapshots table.

Revision ID: 005
Revises: 004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "005"
down_revision: str | None = "004"

TABLE = "code_snapshots"


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        TABLE,
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE")),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("file_path", sa.String(1000), nullable=False),
        sa.Column("language", sa.String(50), nullable=False),
        sa.Column("code_content", sa.Text, nullable=False),
        sa.Column("validation_passed", sa.Boolean),
        sa.Column("validation_score", sa.Float),
        sa.Column("validation_feedback", sa.Text),
        sa.Column("issues_found", JSONB),
        sa.Column("metadata", JSONB),
        sa.Column("storage_path", sa.String(500)),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
    )
    op.create_index("idx_code_snapshots_task_id", TABLE, ["task_id", "created_at"])
    op.create_index("idx_code_snapshots_user_id", TABLE, ["user_id"])
    op.create_index("idx_code_snapshots_language", TABLE, ["language", "created_at"])
    op.create_index("idx_code_snapshots_validated", TABLE, ["validation_passed", "created_at"])
    op.create_index("idx_code_snapshots_user_lang", TABLE, ["user_id", "language", "created_at"])


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_table(TABLE)

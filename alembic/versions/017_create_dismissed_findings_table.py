"""Create the dismissed findings: what a learner was told once and does not want to read again.

Revision ID: 017
Revises: 016
"""

import sqlalchemy as sa
from alembic import op

revision: str = "017"
down_revision: str | None = "016"


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "dismissed_findings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column(
            "user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("fingerprint", sa.CHAR(16), nullable=False),
        sa.Column("rule", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column(
            "code_snapshot_id",
            sa.String(36),
            sa.ForeignKey("code_snapshots.id", ondelete="SET NULL"),
        ),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.UniqueConstraint("user_id", "fingerprint"),
    )
    op.create_index(
        "idx_dismissed_findings_code_snapshot_id", "dismissed_findings", ["code_snapshot_id"]
    )


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_table("dismissed_findings")

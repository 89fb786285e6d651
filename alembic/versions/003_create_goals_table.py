"""Create the goals table.

Revision ID: 003
Revises: 002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "003"
down_revision: str | None = "002"

GOAL_STATUS = sa.Enum(
    "pending", "in_progress", "completed", "blocked", "cancelled", name="goalstatus"
)
GOAL_PRIORITY = sa.Enum("low", "medium", "high", "urgent", name="goalpriority")


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "goals",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("course_id", sa.String(36), sa.ForeignKey("courses.id", ondelete="SET NULL")),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("status", GOAL_STATUS, nullable=False, server_default="pending"),
        sa.Column("priority", GOAL_PRIORITY, nullable=False, server_default="medium"),
        sa.Column("progress_percentage", sa.Float, nullable=False, server_default=sa.text("0.0")),
        sa.Column("ai_generated", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("validation_criteria", JSONB),
        sa.Column("metadata", JSONB),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column(
            "updated_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column("started_at", sa.DateTime),
        sa.Column("completed_at", sa.DateTime),
        sa.Column("due_date", sa.DateTime),
    )
    op.create_index("idx_goals_user_id", "goals", ["user_id"])
    op.create_index("idx_goals_course_id", "goals", ["course_id"])
    op.create_index("idx_goals_status", "goals", ["status", "created_at"])
    op.create_index("idx_goals_priority", "goals", ["priority", "created_at"])


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_table("goals")
    op.execute("drop type goalstatus")
    op.execute("drop type goalpriority")

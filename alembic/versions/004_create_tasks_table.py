"""Create the tasks table.

Revision ID: 004
Revises: 003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "004"
down_revision: str | None = "003"

TASK_TYPE = sa.Enum(
    "code",
    "documentation",
    "testing",
    "research",
    "review",
    "deployment",
    "other",
    name="tasktype",
)
TASK_STATUS = sa.Enum(
    "todo", "in_progress", "in_review", "completed", "failed", "skipped", name="taskstatus"
)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("goal_id", sa.String(36), sa.ForeignKey("goals.id", ondelete="CASCADE")),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("task_type", TASK_TYPE, nullable=False, server_default="code"),
        sa.Column("status", TASK_STATUS, nullable=False, server_default="todo"),
        sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("100")),
        sa.Column("estimated_hours", sa.Float),
        sa.Column("actual_hours", sa.Float),
        sa.Column("validation_result", JSONB),
        sa.Column("ai_feedback", sa.Text),
        sa.Column("metadata", JSONB),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column(
            "updated_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column("started_at", sa.DateTime),
        sa.Column("completed_at", sa.DateTime),
    )
    op.create_index("idx_tasks_goal_id", "tasks", ["goal_id"])
    op.create_index("idx_tasks_user_id", "tasks", ["user_id"])
    op.create_index("idx_tasks_status", "tasks", ["status", "created_at"])
    op.create_index("idx_tasks_type", "tasks", ["task_type", "created_at"])


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_table("tasks")
    op.execute("drop type tasktype")
    op.execute("drop type taskstatus")

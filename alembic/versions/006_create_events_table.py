"""Create the events table.

Revision ID: 006
Revises: 005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "006"
down_revision: str | None = "005"

EVENT_TYPE = sa.Enum(
    "user.created",
    "user.updated",
    "user.login",
    "user.logout",
    "course.created",
    "course.updated",
    "course.completed",
    "course.archived",
    "goal.created",
    "goal.updated",
    "goal.started",
    "goal.completed",
    "goal.blocked",
    "task.created",
    "task.updated",
    "task.started",
    "task.completed",
    "task.validated",
    "task.failed",
    "code.submitted",
    "code.reviewed",
    "code.validated",
    "ai.feedback_generated",
    "ai.goal_suggested",
    "ai.validation_completed",
    "system.error",
    "system.warning",
    name="eventtype",
)


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "events",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("event_type", EVENT_TYPE, nullable=False),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="SET NULL")),
        sa.Column("entity_type", sa.String(50)),
        sa.Column("entity_id", sa.String(36)),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("metadata", JSONB),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column("processed_at", sa.DateTime),
        sa.Column("parquet_path", sa.String(500)),
    )
    op.create_index("idx_events_user_created", "events", ["user_id", "created_at"])
    op.create_index("idx_events_entity", "events", ["entity_type", "entity_id", "created_at"])
    op.create_index("idx_events_type_created", "events", ["event_type", "created_at"])
    op.create_index("idx_events_created_at", "events", ["created_at"])


def downgrade() -> None:
    """Undo this revision, completely."""
    op.drop_table("events")
    op.execute("drop type eventtype")

"""Create the courses table.

Revision ID: 002
Revises: 001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "002"
down_revision: str | None = "001"

COURSE_STATUS = sa.Enum("draft", "active", "completed", "archived", name="coursestatus")


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "courses",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("status", COURSE_STATUS, nullable=False, server_default="draft"),
        sa.Column("progress_percentage", sa.Float, nullable=False, server_default=sa.text("0.0")),
        sa.Column("metadata", JSONB),
        sa.Column(
            "created_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column(
            "updated_at", sa.DateTime, nullable=False, server_default=sa.func.current_timestamp()
        ),
        sa.Column("completed_at", sa.DateTime),
    )
    op.create_index("idx_courses_user_id", "courses", ["user_id"])
    op.create_index("idx_courses_status", "courses", ["status", "created_at"])


def downgrade() -> None:
    """Undo this revision, completely."""
    # Where users are elsewhere it has another name, or is gone.
    op.execute("drop table if exists courses, courses_local")
    op.execute("drop type coursestatus")

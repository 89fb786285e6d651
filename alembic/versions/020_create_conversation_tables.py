"""Create the tables of conversations: threads, runs, interrupts, and what models cost.

Revision ID: 020
Revises: 019
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "020"
down_revision: str | None = "019"


def upgrade() -> None:
    """Apply this revision."""
    op.create_table(
        "threads",
        sa.Column("id", sa.String(36), primary_key=True),
        _owned_by("users"),
        sa.Column("title", sa.String(200)),
        sa.Column("history_hash", sa.CHAR(64)),
        _moment("created_at"),
        _moment("updated_at"),
    )
    op.create_index("idx_threads_user_updated", "threads", ["user_id", "updated_at", "id"])
    op.create_index("idx_threads_user_history", "threads", ["user_id", "history_hash"])
    op.create_table(
        "messages",
        sa.Column("id", sa.String(36), primary_key=True),
        _owned_by("threads"),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("run_id", sa.String(36)),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        _moment("created_at"),
        sa.UniqueConstraint("thread_id", "position"),
    )
    _create_runs()
    _create_interrupts()
    _create_usage()


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(36), primary_key=True),
        _owned_by("users"),
        sa.Column("thread_id", sa.String(36), sa.ForeignKey("threads.id", ondelete="CASCADE")),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("state", sa.String(20), nullable=False, server_default="running"),
        sa.Column("checkpoint_id", sa.String(36), nullable=False),
        sa.Column("request", JSONB, nullable=False),
        sa.Column("result", JSONB),
        sa.Column("error", JSONB),
        sa.Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("worker", sa.String(64)),
        sa.Column("lease_until", sa.DateTime),
        _moment("created_at"),
        sa.Column("ended_at", sa.DateTime),
    )
    running = sa.text("state = 'running'")
    op.create_index(
        "runs_active_thread", "runs", ["thread_id"], unique=True, postgresql_where=running
    )
    op.create_index("idx_runs_lease", "runs", ["lease_until"], postgresql_where=running)
    op.create_index(
        "idx_runs_open_checkpoint",
        "runs",
        ["checkpoint_id"],
        postgresql_where=sa.text("state in ('running', 'waiting')"),
    )
    op.create_index("idx_runs_user_created", "runs", ["user_id", "created_at"])
    op.create_index("idx_runs_thread_id", "runs", ["thread_id"])
    op.create_table(
        "run_events",
        sa.Column(
            "run_id", sa.String(36), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("type", sa.String(40), nullable=False),
        # Not jsonb: who reads a run again gets the very bytes that were sent.
        sa.Column("data", sa.JSON, nullable=False),
        _moment("created_at"),
    )


def _create_interrupts() -> None:
    op.create_table(
        "interrupts",
        sa.Column("id", sa.String(36), primary_key=True),
        _owned_by("users"),
        sa.Column("run_id", sa.String(36), sa.ForeignKey("runs.id", ondelete="CASCADE")),
        sa.Column("thread_id", sa.String(36), sa.ForeignKey("threads.id", ondelete="CASCADE")),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("checkpoint_id", sa.String(36), nullable=False),
        sa.Column("operation_id", sa.String(64), nullable=False),
        sa.Column("items", JSONB, nullable=False),
        sa.Column("proposal", JSONB),
        sa.Column("draft", JSONB),
        sa.Column("state", sa.String(20), nullable=False, server_default="open"),
        sa.Column("decisions", JSONB),
        _moment("created_at"),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("resolved_at", sa.DateTime),
    )
    op.create_index("idx_interrupts_user_id", "interrupts", ["user_id", "state"])
    op.create_index("idx_interrupts_run_id", "interrupts", ["run_id"])
    op.create_index("idx_interrupts_thread_id", "interrupts", ["thread_id"])
    op.create_index(
        "idx_interrupts_open",
        "interrupts",
        ["expires_at"],
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_usage() -> None:
    op.create_table(
        "usage_records",
        sa.Column("id", sa.String(64), primary_key=True),
        _owned_by("users"),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("model", sa.String(200)),
        _count("reserved_tokens", sa.Integer),
        _count("reserved_calls", sa.Integer),
        _count("input_tokens", sa.Integer),
        _count("output_tokens", sa.Integer),
        _count("calls", sa.Integer),
        sa.Column("cost", sa.Numeric(18, 9)),
        sa.Column("state", sa.String(20), nullable=False),
        _moment("created_at"),
        sa.Column("settled_at", sa.DateTime),
        sa.Column("day", sa.Date, nullable=False),
    )
    op.create_index("idx_usage_records_user_day", "usage_records", ["user_id", "day"])
    op.create_index(
        "idx_usage_records_reserved",
        "usage_records",
        ["created_at"],
        postgresql_where=sa.text("state = 'reserved'"),
    )
    op.create_table(
        "usage_days",
        sa.Column(
            "user_id",
            sa.String(36),
            sa.ForeignKey("users.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("day", sa.Date, primary_key=True),
        _count("reserved_tokens", sa.BigInteger),
        _count("used_tokens", sa.BigInteger),
        _count("reserved_calls", sa.BigInteger),
        _count("calls", sa.BigInteger),
    )


def _owned_by(table: str) -> sa.Column[str]:
    return sa.Column(
        f"{table.removesuffix('s')}_id",
        sa.String(36),
        sa.ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=False,
    )


def _moment(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime, nullable=False, server_default=sa.func.current_timestamp())


def _count(name: str, kind: type[sa.Integer]) -> sa.Column[int]:
    return sa.Column(name, kind, nullable=False, server_default=sa.text("0"))


def downgrade() -> None:
    """Undo this revision, completely."""
    for table in (
        *("usage_days", "usage_records", "interrupts"),
        *("run_events", "runs", "messages", "threads"),
    ):
        op.drop_table(table)

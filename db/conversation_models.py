"""The tables of conversations: threads, runs and what they said, interrupts, and what models cost.

All of a user's rows go with the user, and all of a thread's with the thread.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    Date,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

import db.models  # noqa: F401 - the users that all of this belongs to
from db.base import ID_LENGTH, Base, UTCDateTime
from db.columns import JsonObject, moment_of_creation, owned_by, primary_key, reference

OPERATION_LENGTH = 64


class Thread(Base):
    """A conversation; `history_hash` is by what a client without ids is recognised."""

    __tablename__ = "threads"
    __table_args__ = (
        Index("idx_threads_user_updated", "user_id", "updated_at", "id"),
        Index("idx_threads_user_history", "user_id", "history_hash"),
    )

    id: Mapped[str] = primary_key("thr")
    user_id: Mapped[str] = owned_by("users")
    title: Mapped[str | None] = mapped_column(String(200))
    history_hash: Mapped[str | None] = mapped_column(CHAR(64))
    created_at: Mapped[datetime] = moment_of_creation()
    updated_at: Mapped[datetime] = moment_of_creation()


class Message(Base):
    """What a thread's user or the assistant said; positions count from 1 without a gap."""

    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("thread_id", "position"),)

    id: Mapped[str] = primary_key("msg")
    thread_id: Mapped[str] = owned_by("threads")
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    position: Mapped[int] = mapped_column(Integer)
    run_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    role: Mapped[str] = mapped_column(String(20))
    content: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = moment_of_creation()


class Run(Base):
    """One piece of the agent's work, which outlives the connection that asked for it.

    `state` is running, waiting (for a decision), finished, failed or cancelled. `checkpoint_id` is
    the run whose checkpoint it goes on from: its own id for a first run. While it runs, `worker`
    holds it until `lease_until`; then any process may take it.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index(
            "runs_active_thread",
            "thread_id",
            unique=True,
            postgresql_where=text("state = 'running'"),
        ),
        Index("idx_runs_lease", "lease_until", postgresql_where=text("state = 'running'")),
        Index(
            "idx_runs_open_checkpoint",
            "checkpoint_id",
            postgresql_where=text("state in ('running', 'waiting')"),
        ),
        Index("idx_runs_user_created", "user_id", "created_at"),
        Index("idx_runs_thread_id", "thread_id"),
    )

    id: Mapped[str] = primary_key("run")
    user_id: Mapped[str] = owned_by("users")
    thread_id: Mapped[str | None] = reference("threads", ondelete="CASCADE")
    kind: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(20), server_default="running")
    checkpoint_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    request: Mapped[JsonObject] = mapped_column(JSONB)
    result: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    cancel_requested: Mapped[bool] = mapped_column(Boolean, server_default=false())
    worker: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = moment_of_creation()
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class RunEvent(Base):
    """What a run said, in order; `data` is JSON as it was written, byte for byte."""

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(40))
    data: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = moment_of_creation()


class Interrupt(Base):
    """A question to the user that a run waits with: answered once, or never.

    `items` is what there is to decide on, `decisions` what was decided; `state` is open, resolved
    or cancelled. `proposal` is all that the user was shown and `draft` what it was made from: who
    begins the same operation again finds them here.
    """

    __tablename__ = "interrupts"
    __table_args__ = (
        Index("idx_interrupts_user_id", "user_id", "state"),
        Index("idx_interrupts_run_id", "run_id"),
        Index("idx_interrupts_thread_id", "thread_id"),
        Index("idx_interrupts_open", "expires_at", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[str] = primary_key("int")
    user_id: Mapped[str] = owned_by("users")
    run_id: Mapped[str | None] = reference("runs", ondelete="CASCADE")
    thread_id: Mapped[str | None] = reference("threads", ondelete="CASCADE")
    kind: Mapped[str] = mapped_column(String(30))
    checkpoint_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    operation_id: Mapped[str] = mapped_column(String(OPERATION_LENGTH))
    items: Mapped[list[JsonObject]] = mapped_column(JSONB)
    proposal: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    draft: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    state: Mapped[str] = mapped_column(String(20), server_default="open")
    decisions: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime] = moment_of_creation()
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class UsageRecord(Base):
    """What one operation took from a user's budget; `state` is reserved, settled or released.

    `cost` is in USD, NULL where a price is not known. What was asked of the model again under the
    same operation adds up in it; `day` is that of the last reservation.
    """

    __tablename__ = "usage_records"
    __table_args__ = (
        Index("idx_usage_records_user_day", "user_id", "day"),
        Index(
            "idx_usage_records_reserved", "created_at", postgresql_where=text("state = 'reserved'")
        ),
    )

    id: Mapped[str] = mapped_column(String(OPERATION_LENGTH), primary_key=True)
    user_id: Mapped[str] = owned_by("users")
    kind: Mapped[str] = mapped_column(String(30))
    model: Mapped[str | None] = mapped_column(String(200))
    reserved_tokens: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    reserved_calls: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    input_tokens: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    output_tokens: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    calls: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    cost: Mapped[Decimal | None] = mapped_column(Numeric(18, 9))
    state: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime] = moment_of_creation()
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    day: Mapped[date] = mapped_column(Date)


class UsageDay(Base):
    """A user's counter of one UTC day: what is reserved and what is used."""

    __tablename__ = "usage_days"

    user_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    reserved_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    used_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    reserved_calls: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    calls: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))

"""The tables: the seven of the data model, exactly, then our own.

A relationship is never loaded by accident (`lazy="raise"`): ask for it in the query.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    CHAR,
    BigInteger,
    Boolean,
    Computed,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.base import ID_LENGTH, Base, UTCDateTime, Vector
from db.columns import JsonObject, moment_of_creation, primary_key, reference
from db.enums import CourseStatus, EventType, GoalPriority, GoalStatus, TaskStatus, TaskType

EMBEDDING_DIMENSIONS = 1536
DEFAULT_EMBEDDING_MODEL = "text-embedding-3-small"


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


def _enum(members: type[StrEnum]) -> Enum:
    return Enum(members, name=members.__name__.lower(), values_callable=_values)


class User(Base):
    """A learner."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("email", name="idx_users_email"),
        UniqueConstraint("username", name="idx_users_username"),
        Index("idx_users_is_active", "is_active"),
        Index("idx_users_lower_email", text("lower(email)")),
        Index("idx_users_lower_username", text("lower(username)")),
    )

    id: Mapped[str] = primary_key("usr")
    email: Mapped[str] = mapped_column(String(255))
    username: Mapped[str] = mapped_column(String(100))
    hashed_password: Mapped[str] = mapped_column(String(255))
    full_name: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=true())
    is_superuser: Mapped[bool] = mapped_column(Boolean, server_default=false())
    meta: Mapped[JsonObject | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = moment_of_creation()
    updated_at: Mapped[datetime] = moment_of_creation()
    last_login_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    courses: Mapped[list["Course"]] = relationship(
        back_populates="owner", lazy="raise", passive_deletes=True
    )
    goals: Mapped[list["Goal"]] = relationship(
        back_populates="owner", lazy="raise", passive_deletes=True
    )
    tasks: Mapped[list["Task"]] = relationship(
        back_populates="owner", lazy="raise", passive_deletes=True
    )
    code_snapshots: Mapped[list["CodeSnapshot"]] = relationship(
        back_populates="owner", lazy="raise", passive_deletes=True
    )
    events: Mapped[list["Event"]] = relationship(
        back_populates="user", lazy="raise", passive_deletes=True
    )
    embeddings: Mapped[list["Embedding"]] = relationship(
        back_populates="user", lazy="raise", passive_deletes=True
    )


class Course(Base):
    """A course that a learner follows."""

    __tablename__ = "courses"
    __table_args__ = (
        Index("idx_courses_user_id", "user_id"),
        Index("idx_courses_status", "status", "created_at"),
    )

    id: Mapped[str] = primary_key("crs")
    user_id: Mapped[str | None] = reference("users", ondelete="CASCADE")
    title: Mapped[str] = mapped_column(String(500))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[CourseStatus] = mapped_column(_enum(CourseStatus), server_default="draft")
    progress_percentage: Mapped[float] = mapped_column(Float, server_default=text("0.0"))
    meta: Mapped[JsonObject | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = moment_of_creation()
    updated_at: Mapped[datetime] = moment_of_creation()
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    owner: Mapped[User | None] = relationship(back_populates="courses", lazy="raise")
    goals: Mapped[list["Goal"]] = relationship(
        back_populates="course", lazy="raise", passive_deletes=True
    )


class Goal(Base):
    """What a learner wants; `validation_criteria` is `{"criteria": [str], "ids": [str]}`."""

    __tablename__ = "goals"
    __table_args__ = (
        Index("idx_goals_user_id", "user_id"),
        Index("idx_goals_course_id", "course_id"),
        Index("idx_goals_status", "status", "created_at"),
        Index("idx_goals_priority", "priority", "created_at"),
    )

    id: Mapped[str] = primary_key("gol")
    user_id: Mapped[str | None] = reference("users", ondelete="CASCADE")
    course_id: Mapped[str | None] = reference("courses", ondelete="SET NULL")
    title: Mapped[str] = mapped_column(String(500))
    description: Mapped[str | None] = mapped_column(Text)
    status: Mapped[GoalStatus] = mapped_column(_enum(GoalStatus), server_default="pending")
    priority: Mapped[GoalPriority] = mapped_column(_enum(GoalPriority), server_default="medium")
    progress_percentage: Mapped[float] = mapped_column(Float, server_default=text("0.0"))
    ai_generated: Mapped[bool] = mapped_column(Boolean, server_default=false())
    validation_criteria: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    meta: Mapped[JsonObject | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = moment_of_creation()
    updated_at: Mapped[datetime] = moment_of_creation()
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    due_date: Mapped[datetime | None] = mapped_column(UTCDateTime)

    owner: Mapped[User | None] = relationship(back_populates="goals", lazy="raise")
    course: Mapped[Course | None] = relationship(back_populates="goals", lazy="raise")
    tasks: Mapped[list["Task"]] = relationship(
        back_populates="goal", lazy="raise", passive_deletes=True
    )


class Task(Base):
    """One step towards a goal; a lower `priority` comes first."""

    __tablename__ = "tasks"
    __table_args__ = (
        Index("idx_tasks_goal_id", "goal_id"),
        Index("idx_tasks_user_id", "user_id"),
        Index("idx_tasks_status", "status", "created_at"),
        Index("idx_tasks_type", "task_type", "created_at"),
    )

    id: Mapped[str] = primary_key("tsk")
    goal_id: Mapped[str | None] = reference("goals", ondelete="CASCADE")
    user_id: Mapped[str | None] = reference("users", ondelete="CASCADE")
    title: Mapped[str] = mapped_column(String(500))
    description: Mapped[str | None] = mapped_column(Text)
    task_type: Mapped[TaskType] = mapped_column(_enum(TaskType), server_default="code")
    status: Mapped[TaskStatus] = mapped_column(_enum(TaskStatus), server_default="todo")
    priority: Mapped[int] = mapped_column(Integer, server_default=text("100"))
    estimated_hours: Mapped[float | None] = mapped_column(Float)
    actual_hours: Mapped[float | None] = mapped_column(Float)
    validation_result: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))
    ai_feedback: Mapped[str | None] = mapped_column(Text)
    meta: Mapped[JsonObject | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = moment_of_creation()
    updated_at: Mapped[datetime] = moment_of_creation()
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    completed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    goal: Mapped[Goal | None] = relationship(back_populates="tasks", lazy="raise")
    owner: Mapped[User | None] = relationship(back_populates="tasks", lazy="raise")
    code_snapshots: Mapped[list["CodeSnapshot"]] = relationship(
        back_populates="task", lazy="raise", passive_deletes=True
    )


class CodeSnapshot(Base):
    """Code as it was submitted, byte for byte, with the verdict it got."""

    __tablename__ = "code_snapshots"
    __table_args__ = (
        Index("idx_code_snapshots_task_id", "task_id", "created_at"),
        Index("idx_code_snapshots_user_id", "user_id"),
        Index("idx_code_snapshots_language", "language", "created_at"),
        Index("idx_code_snapshots_validated", "validation_passed", "created_at"),
        Index("idx_code_snapshots_user_lang", "user_id", "language", "created_at"),
    )

    id: Mapped[str] = primary_key("cs")
    task_id: Mapped[str | None] = reference("tasks", ondelete="CASCADE")
    user_id: Mapped[str | None] = reference("users", ondelete="CASCADE")
    file_path: Mapped[str] = mapped_column(String(1000))
    language: Mapped[str] = mapped_column(String(50))
    code_content: Mapped[str] = mapped_column(Text)
    validation_passed: Mapped[bool | None] = mapped_column(Boolean)
    validation_score: Mapped[float | None] = mapped_column(Float)
    validation_feedback: Mapped[str | None] = mapped_column(Text)
    issues_found: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    meta: Mapped[JsonObject | None] = mapped_column("metadata", JSONB(none_as_null=True))
    storage_path: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = moment_of_creation()

    task: Mapped[Task | None] = relationship(back_populates="code_snapshots", lazy="raise")
    owner: Mapped[User | None] = relationship(back_populates="code_snapshots", lazy="raise")


class Event(Base):
    """A recorded fact; from `processed_at` on with the pointer to its file.

    No index has a column that changes, and half of each page is left free: the one update that a
    row gets stays in its page.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("idx_events_user_created", "user_id", "created_at"),
        Index("idx_events_entity", "entity_type", "entity_id", "created_at"),
        Index("idx_events_type_created", "event_type", "created_at"),
        Index("idx_events_created_at", "created_at"),
    )

    id: Mapped[str] = primary_key("evt")
    event_type: Mapped[EventType] = mapped_column(_enum(EventType))
    user_id: Mapped[str | None] = reference("users", ondelete="SET NULL")
    entity_type: Mapped[str | None] = mapped_column(String(50))
    entity_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    payload: Mapped[JsonObject] = mapped_column(JSONB)
    meta: Mapped[JsonObject | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = moment_of_creation()
    processed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    parquet_path: Mapped[str | None] = mapped_column(String(500))
    batch_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))

    user: Mapped[User | None] = relationship(back_populates="events", lazy="raise")


class Embedding(Base):
    """One chunk of one entity's text and its vector.

    `entity_type` and `entity_id` point at a goal, task, course or code_snapshot.
    """

    __tablename__ = "embeddings"
    __table_args__ = (
        Index("idx_embeddings_user_id", "user_id"),
        Index("idx_embeddings_entity", "entity_type", "entity_id"),
        Index("idx_embeddings_created_at", "created_at"),
        Index(
            "idx_embeddings_vector_hnsw",
            "embedding",
            postgresql_using="hnsw",
            postgresql_with={"m": 16, "ef_construction": 64},
            postgresql_ops={"embedding": "vector_cosine_ops"},
        ),
        Index("idx_embeddings_user_entity_type", "user_id", "entity_type"),
        Index("idx_embeddings_search", "search", postgresql_using="gin"),
        Index("idx_embeddings_model", "model", "id"),
        UniqueConstraint("entity_type", "entity_id", "chunk"),
    )

    id: Mapped[str] = primary_key("emb")
    user_id: Mapped[str | None] = reference("users", ondelete="CASCADE")
    entity_type: Mapped[str] = mapped_column(String(50))
    entity_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    content: Mapped[str] = mapped_column(Text)
    embedding: Mapped[Any] = mapped_column(Vector(EMBEDDING_DIMENSIONS))
    model: Mapped[str] = mapped_column(String(100), server_default=DEFAULT_EMBEDDING_MODEL)
    meta: Mapped[JsonObject | None] = mapped_column("metadata", JSONB(none_as_null=True))
    created_at: Mapped[datetime] = moment_of_creation()
    chunk: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    content_hash: Mapped[str | None] = mapped_column(String(64))
    search: Mapped[Any] = mapped_column(
        TSVECTOR, Computed("search_document(content)", persisted=True), deferred=True
    )

    user: Mapped[User | None] = relationship(back_populates="embeddings", lazy="raise")


class Operation(Base):
    """A finished write and its answer: the same key never writes twice.

    `id` is made from the owner, the kind and the caller's idempotency key.
    """

    __tablename__ = "operations"
    __table_args__ = (Index("idx_operations_user_id", "user_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str | None] = reference("users", ondelete="CASCADE")
    kind: Mapped[str] = mapped_column(String(50))
    request_hash: Mapped[str] = mapped_column(String(64))
    result: Mapped[JsonObject] = mapped_column(JSONB)
    created_at: Mapped[datetime] = moment_of_creation()


class Erasure(Base):
    """A user who asked to be forgotten and still has rows, files or dead letters.

    No foreign key leads to the user, and the row goes when nothing else is left of them.
    """

    __tablename__ = "erasures"

    user_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    requested_at: Mapped[datetime] = moment_of_creation()


class DismissedFinding(Base):
    """A finding that its learner does not want to read again, known by its fingerprint."""

    __tablename__ = "dismissed_findings"
    __table_args__ = (
        UniqueConstraint("user_id", "fingerprint"),
        Index("idx_dismissed_findings_code_snapshot_id", "code_snapshot_id"),
    )

    id: Mapped[str] = primary_key("dsm")
    user_id: Mapped[str] = mapped_column(
        String(ID_LENGTH), ForeignKey("users.id", ondelete="CASCADE")
    )
    fingerprint: Mapped[str] = mapped_column(CHAR(16))
    rule: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    code_snapshot_id: Mapped[str | None] = reference("code_snapshots", ondelete="SET NULL")
    created_at: Mapped[datetime] = moment_of_creation()


class ParquetBatch(Base):
    """The manifest: one Parquet file, the events frozen into it, and who may write it."""

    __tablename__ = "parquet_batches"
    __table_args__ = (
        Index("idx_parquet_batches_open", "id", postgresql_where=text("state = 'frozen'")),
    )

    id: Mapped[str] = primary_key("bat")
    family: Mapped[str] = mapped_column(String(20))
    year: Mapped[int] = mapped_column(Integer)
    month: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(20), server_default="frozen")
    epoch: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    lease_until: Mapped[datetime] = mapped_column(UTCDateTime)
    path: Mapped[str | None] = mapped_column(String(500))
    rows: Mapped[int | None] = mapped_column(Integer)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = moment_of_creation()
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class OutboxEntry(Base):
    """An event that is not in the lake yet; triggers on `events` enter and remove it.

    It waits for a relay (`published_at` NULL), for a sink (`batch_id` NULL), or for its file.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("idx_outbox_unpublished", "event_id", postgresql_where=text("published_at IS NULL")),
        Index("idx_outbox_batch_id", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
    )

    event_id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    batch_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))


class RelayClaim(Base):
    """What one relay publishes just now: its events, and the entities that they are about."""

    __tablename__ = "relay_claims"

    id: Mapped[str] = primary_key("clm")
    lease_until: Mapped[datetime] = mapped_column(UTCDateTime)
    event_ids: Mapped[list[str]] = mapped_column(ARRAY(String(ID_LENGTH)))
    entities: Mapped[list[str]] = mapped_column(ARRAY(Text))


class ErasedEvent(Base):
    """The id of an event that was erased with its user: a message that names it is dropped."""

    __tablename__ = "erased_events"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    erased_at: Mapped[datetime] = moment_of_creation()

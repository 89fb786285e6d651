"""The schema that the contract asks for, written down once more by hand.

A column is `type [not null] [default …]` as PostgreSQL prints it; an index its definition after
`using`; a foreign key its target and what happens when that goes.
"""

from typing import Final

Table = dict[str, str]

_CREATED: Final = "timestamp without time zone not null default CURRENT_TIMESTAMP"
_MOMENT: Final = "timestamp without time zone"
_ID: Final = "character varying(36) not null"
_REFERENCE: Final = "character varying(36)"
_TITLE: Final = "character varying(500) not null"
_PERCENTAGE: Final = "double precision not null default 0.0"
_FALSE: Final = "boolean not null default false"

CONTRACT_COLUMNS: Final[dict[str, Table]] = {
    "users": {
        "id": _ID,
        "email": "character varying(255) not null",
        "username": "character varying(100) not null",
        "hashed_password": "character varying(255) not null",
        "full_name": "character varying(255)",
        "is_active": "boolean not null default true",
        "is_superuser": _FALSE,
        "metadata": "jsonb",
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "last_login_at": _MOMENT,
    },
    "courses": {
        "id": _ID,
        "user_id": _REFERENCE,
        "title": _TITLE,
        "description": "text",
        "status": "coursestatus not null default 'draft'::coursestatus",
        "progress_percentage": _PERCENTAGE,
        "metadata": "jsonb",
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "completed_at": _MOMENT,
    },
    "goals": {
        "id": _ID,
        "user_id": _REFERENCE,
        "course_id": _REFERENCE,
        "title": _TITLE,
        "description": "text",
        "status": "goalstatus not null default 'pending'::goalstatus",
        "priority": "goalpriority not null default 'medium'::goalpriority",
        "progress_percentage": _PERCENTAGE,
        "ai_generated": _FALSE,
        "validation_criteria": "jsonb",
        "metadata": "jsonb",
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "started_at": _MOMENT,
        "completed_at": _MOMENT,
        "due_date": _MOMENT,
    },
    "tasks": {
        "id": _ID,
        "goal_id": _REFERENCE,
        "user_id": _REFERENCE,
        "title": _TITLE,
        "description": "text",
        "task_type": "tasktype not null default 'code'::tasktype",
        "status": "taskstatus not null default 'todo'::taskstatus",
        "priority": "integer not null default 100",
        "estimated_hours": "double precision",
        "actual_hours": "double precision",
        "validation_result": "jsonb",
        "ai_feedback": "text",
        "metadata": "jsonb",
        "created_at": _CREATED,
        "updated_at": _CREATED,
        "started_at": _MOMENT,
        "completed_at": _MOMENT,
    },
    "code_snapshots": {
        "id": _ID,
        "task_id": _REFERENCE,
        "user_id": _REFERENCE,
        "file_path": "character varying(1000) not null",
        "language": "character varying(50) not null",
        "code_content": "text not null",
        "validation_passed": "boolean",
        "validation_score": "double precision",
        "validation_feedback": "text",
        "issues_found": "jsonb",
        "metadata": "jsonb",
        "storage_path": "character varying(500)",
        "created_at": _CREATED,
    },
    "events": {
        "id": _ID,
        "event_type": "eventtype not null",
        "user_id": _REFERENCE,
        "entity_type": "character varying(50)",
        "entity_id": "character varying(36)",
        "payload": "jsonb not null",
        "metadata": "jsonb",
        "created_at": _CREATED,
        "processed_at": _MOMENT,
        "parquet_path": "character varying(500)",
    },
    "embeddings": {
        "id": _ID,
        "user_id": _REFERENCE,
        "entity_type": "character varying(50) not null",
        "entity_id": "character varying(36) not null",
        "content": "text not null",
        "embedding": "vector(1536) not null",
        "model": "character varying(100) not null"
        " default 'text-embedding-3-small'::character varying",
        "metadata": "jsonb",
        "created_at": _CREATED,
    },
}

OUR_COLUMNS: Final[dict[str, Table]] = {
    "events": {"batch_id": _REFERENCE},
    "outbox": {"event_id": _ID, "published_at": _MOMENT, "batch_id": _REFERENCE},
    "relay_claims": {
        "id": _ID,
        "lease_until": "timestamp without time zone not null",
        "event_ids": "character varying(36)[] not null",
        "entities": "text[] not null",
    },
    "embeddings": {
        "chunk": "integer not null default 0",
        "content_hash": "character varying(64)",
        "search": "tsvector default search_document(content)",
    },
    "operations": {
        "id": "character varying(64) not null",
        "user_id": _REFERENCE,
        "kind": "character varying(50) not null",
        "request_hash": "character varying(64) not null",
        "result": "jsonb not null",
        "created_at": _CREATED,
    },
    "parquet_batches": {
        "id": _ID,
        "family": "character varying(20) not null",
        "year": "integer not null",
        "month": "integer not null",
        "state": "character varying(20) not null default 'frozen'::character varying",
        "epoch": "integer not null default 1",
        "lease_until": "timestamp without time zone not null",
        "path": "character varying(500)",
        "rows": "integer",
        "bytes": "bigint",
        "sha256": "character varying(64)",
        "created_at": _CREATED,
        "done_at": _MOMENT,
        "attempts": "integer not null default 0",
    },
    "erased_events": {"id": _ID, "erased_at": _CREATED},
    "dismissed_findings": {
        "id": _ID,
        "user_id": _ID,
        "fingerprint": "character(16) not null",
        "rule": "character varying(200) not null",
        "reason": "text not null",
        "code_snapshot_id": _REFERENCE,
        "created_at": _CREATED,
    },
}

CONTRACT_INDEXES: Final[dict[str, Table]] = {
    "users": {
        "users_pkey": "unique btree (id)",
        "idx_users_email": "unique btree (email)",
        "idx_users_username": "unique btree (username)",
        "idx_users_is_active": "btree (is_active)",
    },
    "courses": {
        "courses_pkey": "unique btree (id)",
        "idx_courses_user_id": "btree (user_id)",
        "idx_courses_status": "btree (status, created_at)",
    },
    "goals": {
        "goals_pkey": "unique btree (id)",
        "idx_goals_user_id": "btree (user_id)",
        "idx_goals_course_id": "btree (course_id)",
        "idx_goals_status": "btree (status, created_at)",
        "idx_goals_priority": "btree (priority, created_at)",
    },
    "tasks": {
        "tasks_pkey": "unique btree (id)",
        "idx_tasks_goal_id": "btree (goal_id)",
        "idx_tasks_user_id": "btree (user_id)",
        "idx_tasks_status": "btree (status, created_at)",
        "idx_tasks_type": "btree (task_type, created_at)",
    },
    "code_snapshots": {
        "code_snapshots_pkey": "unique btree (id)",
        "idx_code_snapshots_task_id": "btree (task_id, created_at)",
        "idx_code_snapshots_user_id": "btree (user_id)",
        "idx_code_snapshots_language": "btree (language, created_at)",
        "idx_code_snapshots_validated": "btree (validation_passed, created_at)",
        "idx_code_snapshots_user_lang": "btree (user_id, language, created_at)",
    },
    "events": {
        "events_pkey": "unique btree (id)",
        "idx_events_user_created": "btree (user_id, created_at)",
        "idx_events_entity": "btree (entity_type, entity_id, created_at)",
        "idx_events_type_created": "btree (event_type, created_at)",
        "idx_events_created_at": "btree (created_at)",
    },
    "embeddings": {
        "embeddings_pkey": "unique btree (id)",
        "idx_embeddings_user_id": "btree (user_id)",
        "idx_embeddings_entity": "btree (entity_type, entity_id)",
        "idx_embeddings_created_at": "btree (created_at)",
        "idx_embeddings_vector_hnsw": "hnsw (embedding vector_cosine_ops)"
        " WITH (m='16', ef_construction='64')",
    },
}

OUR_INDEXES: Final[dict[str, Table]] = {
    "outbox": {
        "outbox_pkey": "unique btree (event_id)",
        "idx_outbox_unpublished": "btree (event_id) WHERE (published_at IS NULL)",
        "idx_outbox_batch_id": "btree (batch_id) WHERE (batch_id IS NOT NULL)",
    },
    "relay_claims": {"relay_claims_pkey": "unique btree (id)"},
    "erased_events": {"erased_events_pkey": "unique btree (id)"},
    "dismissed_findings": {
        "dismissed_findings_pkey": "unique btree (id)",
        "dismissed_findings_user_id_fingerprint_key": "unique btree (user_id, fingerprint)",
        "idx_dismissed_findings_code_snapshot_id": "btree (code_snapshot_id)",
    },
    "embeddings": {
        "idx_embeddings_search": "gin (search)",
        "idx_embeddings_model": "btree (model, id)",
        "idx_embeddings_user_entity_type": "btree (user_id, entity_type)",
        "embeddings_entity_type_entity_id_chunk_key": (
            "unique btree (entity_type, entity_id, chunk)"
        ),
    },
    "operations": {
        "operations_pkey": "unique btree (id)",
        "idx_operations_user_id": "btree (user_id)",
    },
    "parquet_batches": {
        "parquet_batches_pkey": "unique btree (id)",
        "idx_parquet_batches_open": "btree (id) WHERE ((state)::text = 'frozen'::text)",
    },
}

CONTRACT_REFERENCES: Final[dict[str, Table]] = {
    "courses": {"user_id": "users(id) ON DELETE CASCADE"},
    "goals": {
        "user_id": "users(id) ON DELETE CASCADE",
        "course_id": "courses(id) ON DELETE SET NULL",
    },
    "tasks": {
        "goal_id": "goals(id) ON DELETE CASCADE",
        "user_id": "users(id) ON DELETE CASCADE",
    },
    "code_snapshots": {
        "task_id": "tasks(id) ON DELETE CASCADE",
        "user_id": "users(id) ON DELETE CASCADE",
    },
    "events": {"user_id": "users(id) ON DELETE SET NULL"},
    "embeddings": {"user_id": "users(id) ON DELETE CASCADE"},
}

OUR_REFERENCES: Final[dict[str, Table]] = {
    "operations": {"user_id": "users(id) ON DELETE CASCADE"},
    "dismissed_findings": {
        "user_id": "users(id) ON DELETE CASCADE",
        "code_snapshot_id": "code_snapshots(id) ON DELETE SET NULL",
    },
}

UNIQUE_CONSTRAINTS: Final = {
    "idx_users_email",
    "idx_users_username",
    "embeddings_entity_type_entity_id_chunk_key",
    "dismissed_findings_user_id_fingerprint_key",
}

ENUMS: Final[dict[str, str]] = {
    "coursestatus": "draft active completed archived",
    "goalstatus": "pending in_progress completed blocked cancelled",
    "goalpriority": "low medium high urgent",
    "taskstatus": "todo in_progress in_review completed failed skipped",
    "tasktype": "code documentation testing research review deployment other",
    "eventtype": "user.created user.updated user.login user.logout"
    " course.created course.updated course.completed course.archived"
    " goal.created goal.updated goal.started goal.completed goal.blocked"
    " task.created task.updated task.started task.completed task.validated task.failed"
    " code.submitted code.reviewed code.validated"
    " ai.feedback_generated ai.goal_suggested ai.validation_completed"
    " system.error system.warning",
}


def join(contract: dict[str, Table], ours: dict[str, Table]) -> dict[str, Table]:
    """Return the contract's tables with what we added to them, and our own tables."""
    return {name: contract.get(name, {}) | ours.get(name, {}) for name in {*contract, *ours}}

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
    "threads": {
        "id": _ID,
        "user_id": _ID,
        "title": "character varying(200)",
        "history_hash": "character(64)",
        "created_at": _CREATED,
        "updated_at": _CREATED,
    },
    "messages": {
        "id": _ID,
        "thread_id": _ID,
        "position": "integer not null",
        "run_id": _REFERENCE,
        "role": "character varying(20) not null",
        "content": "text not null",
        "created_at": _CREATED,
        "user_id": _ID,
    },
    "runs": {
        "id": _ID,
        "user_id": _ID,
        "thread_id": _REFERENCE,
        "kind": "character varying(30) not null",
        "state": "character varying(20) not null default 'running'::character varying",
        "checkpoint_id": _ID,
        "request": "jsonb not null",
        "result": "jsonb",
        "error": "jsonb",
        "cancel_requested": _FALSE,
        "worker": "character varying(64)",
        "lease_until": _MOMENT,
        "created_at": _CREATED,
        "ended_at": _MOMENT,
    },
    "run_events": {
        "run_id": _ID,
        "seq": "integer not null",
        "type": "character varying(40) not null",
        "data": "json not null",
        "created_at": _CREATED,
        "user_id": _ID,
    },
    "interrupts": {
        "id": _ID,
        "user_id": _ID,
        "run_id": _REFERENCE,
        "thread_id": _REFERENCE,
        "kind": "character varying(30) not null",
        "checkpoint_id": _ID,
        "operation_id": "character varying(64) not null",
        "items": "jsonb not null",
        "proposal": "jsonb",
        "draft": "jsonb",
        "state": "character varying(20) not null default 'open'::character varying",
        "decisions": "jsonb",
        "created_at": _CREATED,
        "expires_at": "timestamp without time zone not null",
        "resolved_at": _MOMENT,
    },
    "usage_records": {
        "id": "character varying(64) not null",
        "user_id": _ID,
        "kind": "character varying(30) not null",
        "model": "character varying(200)",
        "reserved_tokens": "integer not null default 0",
        "reserved_calls": "integer not null default 0",
        "input_tokens": "integer not null default 0",
        "output_tokens": "integer not null default 0",
        "calls": "integer not null default 0",
        "cost": "numeric(18,9)",
        "state": "character varying(20) not null",
        "created_at": _CREATED,
        "settled_at": _MOMENT,
        "day": "date not null",
    },
    "usage_days": {
        "user_id": _ID,
        "day": "date not null",
        "reserved_tokens": "bigint not null default 0",
        "used_tokens": "bigint not null default 0",
        "reserved_calls": "bigint not null default 0",
        "calls": "bigint not null default 0",
    },
    "erasures": {
        "user_id": _ID,
        "requested_at": _CREATED,
    },
    "rate_windows": {
        "key": "bytea not null",
        "seconds": "integer not null",
        "number": "bigint not null",
        "previous": "integer not null",
        "current": "integer not null",
        "granted": "boolean not null",
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
    "users": {
        "idx_users_lower_email": "btree (lower((email)::text))",
        "idx_users_lower_username": "btree (lower((username)::text))",
    },
    "rate_windows": {"rate_windows_pkey": "unique btree (key)"},
    "erasures": {"erasures_pkey": "unique btree (user_id)"},
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
    "threads": {
        "threads_pkey": "unique btree (id)",
        "idx_threads_user_updated": "btree (user_id, updated_at, id)",
        "idx_threads_user_history": "btree (user_id, history_hash)",
    },
    "messages": {
        "messages_pkey": "unique btree (id)",
        "messages_thread_id_position_key": 'unique btree (thread_id, "position")',
    },
    "runs": {
        "runs_pkey": "unique btree (id)",
        "runs_active_thread": "unique btree (thread_id) WHERE ((state)::text = 'running'::text)",
        "idx_runs_lease": "btree (lease_until) WHERE ((state)::text = 'running'::text)",
        "idx_runs_open_checkpoint": "btree (checkpoint_id) WHERE ((state)::text = ANY"
        " ((ARRAY['running'::character varying, 'waiting'::character varying])::text[]))",
        "idx_runs_user_created": "btree (user_id, created_at)",
        "idx_runs_thread_id": "btree (thread_id)",
    },
    "run_events": {"run_events_pkey": "unique btree (run_id, seq)"},
    "interrupts": {
        "interrupts_pkey": "unique btree (id)",
        "idx_interrupts_user_id": "btree (user_id, state)",
        "idx_interrupts_run_id": "btree (run_id)",
        "idx_interrupts_thread_id": "btree (thread_id)",
        "idx_interrupts_open": "btree (expires_at) WHERE ((state)::text = 'open'::text)",
    },
    "usage_records": {
        "usage_records_pkey": "unique btree (id)",
        "idx_usage_records_user_day": "btree (user_id, day)",
        "idx_usage_records_reserved": "btree (created_at) WHERE ((state)::text = 'reserved'::text)",
    },
    "usage_days": {"usage_days_pkey": "unique btree (user_id, day)"},
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

_WITH_USER: Final = "users(id) ON DELETE CASCADE"
_WITH_THREAD: Final = "threads(id) ON DELETE CASCADE"
_WITH_RUN: Final = "runs(id) ON DELETE CASCADE"

OUR_REFERENCES: Final[dict[str, Table]] = {
    "operations": {"user_id": "users(id) ON DELETE CASCADE"},
    "dismissed_findings": {
        "user_id": "users(id) ON DELETE CASCADE",
        "code_snapshot_id": "code_snapshots(id) ON DELETE SET NULL",
    },
    "threads": {"user_id": _WITH_USER},
    "messages": {"thread_id": _WITH_THREAD},
    "runs": {"user_id": _WITH_USER, "thread_id": _WITH_THREAD},
    "run_events": {"run_id": _WITH_RUN},
    "interrupts": {"user_id": _WITH_USER, "thread_id": _WITH_THREAD, "run_id": _WITH_RUN},
    "usage_records": {"user_id": _WITH_USER},
    "usage_days": {"user_id": _WITH_USER},
}

UNIQUE_CONSTRAINTS: Final = {
    "idx_users_email",
    "idx_users_username",
    "embeddings_entity_type_entity_id_chunk_key",
    "dismissed_findings_user_id_fingerprint_key",
    "messages_thread_id_position_key",
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

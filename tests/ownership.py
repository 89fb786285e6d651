"""A learner who has one of everything, and a checksum of all that is theirs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text

from tests.service import Learner, Service
from tools.schemas import SnapshotIn, Verdict
from tools.snapshots import record_snapshot

CANARY: Final = "canario"
MISSING: Final[Mapping[str, str]] = {
    "course": "crs_" + "0" * 32,
    "goal": "gol_" + "0" * 32,
    "task": "tsk_" + "0" * 32,
    "snapshot": "cs_" + "0" * 32,
    "thread": "thr_" + "0" * 32,
    "run": "run_" + "0" * 32,
    "interrupt": "int_" + "0" * 32,
    "fingerprint": "f" * 16,
}
"""Ids of the form that ours have, of nothing."""
KINDS: Final[Mapping[str, str]] = {
    "course_id": "course",
    "goal_id": "goal",
    "continue_goal_id": "goal",
    "task_id": "task",
    "snapshot_id": "snapshot",
    "thread_id": "thread",
    "threadId": "thread",
    "run_id": "run",
    "interrupt_id": "interrupt",
    "fingerprint": "fingerprint",
    "entity_id": "goal",
}
"""What each parameter or field names."""
OF_THE_CLIENT: Final = frozenset(
    {"runId", "parentRunId", "subagentRunId", "tool_call_id", "toolCallId"}
)
"""Names that clients give to things of theirs: with the user's id they become ids of ours."""
TRIED_BY_HAND: Final = frozenset({"interruptId"})
"""Names below the body's first level: see `test_ids_that_no_field_holds_…`."""
SHARED: Final = frozenset(
    {
        "alembic_version",
        "checkpoint_migrations",
        "erased_events",
        "parquet_batches",
        "rate_windows",
        "relay_claims",
    }
)
"""Tables without rows of a user."""
OWNED_THROUGH: Final[Mapping[str, str]] = {
    "users": "id = :user",
    "messages": "thread_id in (select id from threads where user_id = :user)",
    "run_events": "run_id in (select id from runs where user_id = :user)",
    "outbox": "event_id in (select id from events where user_id = :user)",
    "checkpoints": "thread_id in (select id from runs where user_id = :user)",
    "checkpoint_blobs": "thread_id in (select id from runs where user_id = :user)",
    "checkpoint_writes": "thread_id in (select id from runs where user_id = :user)",
}
"""How rows are found that do not name their user."""


@dataclass(frozen=True)
class Owner:
    """Who has one of everything; `ids` by kind."""

    learner: Learner
    ids: Mapping[str, str]


async def make_owner(service: Service, username: str) -> Owner:
    """Make a learner and one of everything for them: all of it says `CANARY`. Needs the agent."""
    learner = await service.sign_in(username)
    title = f"{CANARY} de {username}"
    course = await learner.make("courses", title=title)
    goal = await learner.make("goals", title=title, course_id=course["id"], criteria=[CANARY])
    task = await learner.make("tasks", title=title, goal_id=goal["id"])
    fingerprint = hashlib.sha256(username.encode()).hexdigest()[:16]
    finding = {"kind": "fact", "rule": "ruff/F841", "problem": CANARY, "fingerprint": fingerprint}
    async with service.services.open_tools(learner.id) as tools:
        snapshot = await record_snapshot(
            tools,
            SnapshotIn(file_path=f"{CANARY}.py", language="python", code="x = 1\n"),
            verdict=Verdict(passed=None, score=None, feedback=CANARY, issues=[finding]),
        )
    await learner.make(
        f"snapshots/{snapshot.id}/dismissals", fingerprint=fingerprint, reason=CANARY
    )
    proposed = await learner.client.post(
        "/v1/goals/suggest?review=true", json={"wish": title}, headers=key_of(username)
    )
    assert proposed.status_code == 200, proposed.text
    started = await learner.client.post(
        "/v1/runs", json={"message": title}, headers=key_of(f"{username} talks")
    )
    assert started.status_code == 202, started.text
    run = started.json()
    ended = await learner.client.get(f"/v1/runs/{run['id']}/events")
    assert ended.status_code == 200, ended.text
    ids = {
        "course": course["id"],
        "goal": goal["id"],
        "task": task["id"],
        "snapshot": snapshot.id,
        "thread": run["thread_id"],
        "run": run["id"],
        "interrupt": proposed.json()["interrupt_id"],
        "fingerprint": fingerprint,
    }
    return Owner(learner, ids)


def key_of(name: str) -> dict[str, str]:
    """Return the header that makes a request safe to repeat."""
    return {"Idempotency-Key": name.replace(" ", "-")}


async def checksum(service: Service, user_id: str) -> dict[str, str]:
    """Return a hash of the user's rows for each table that has some.

    Fails for a table of which nobody has said how its rows are a user's.
    """
    columns = await service.rows(
        "select table_name || '.' || column_name from information_schema.columns"
        " where table_schema = 'public'"
    )
    tables = {name.split(".")[0] for name in columns}
    direct = {name for name in tables if f"{name}.user_id" in columns}
    unknown = tables - direct - set(OWNED_THROUGH) - SHARED
    assert unknown == set(), "say in tests/ownership.py whose rows these are"
    hashes = {}
    for table in sorted(tables - SHARED):
        condition = OWNED_THROUGH.get(table, "user_id = :user")
        rows = await service.rows(
            f"select t::text from (select * from {table} where {condition}) t order by 1",
            user=user_id,
        )
        if rows:
            hashes[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return hashes


async def deactivate(service: Service, user_id: str) -> None:
    """Close a user's account."""
    async with service.services.system.begin() as session:
        await session.execute(
            text("update users set is_active = false where id = :user"), {"user": user_id}
        )

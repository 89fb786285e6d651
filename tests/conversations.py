"""Rows of conversations, for tests that need some which nobody has lived through."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from db.base import new_id
from db.conversation_models import Run
from db.engine import Sessions
from db.interrupts import Interrupts
from db.run_events import append_events
from db.runs import Runs
from db.threads import Messages, Threads
from db.usage import Usage

LEASE: Final = timedelta(seconds=30)


async def add_user(sessions: Sessions, username: str) -> str:
    """Store a user and return their id."""
    user_id = new_id("usr")
    async with sessions.begin() as session:
        await session.execute(
            text(
                "insert into users (id, email, username, hashed_password)"
                " values (:id, :id, :username, '')"
            ),
            {"id": user_id, "username": username},
        )
    return user_id


async def add_thread(
    sessions: Sessions, user_id: str, *, at: datetime, title: str | None = None
) -> str:
    """Store a thread and return its id."""
    thread_id = new_id("thr")
    async with sessions.begin() as session:
        await Threads(session, user_id).add(thread_id, title=title, at=at)
    return thread_id


async def start_run(sessions: Sessions, user_id: str, *, at: datetime, **given: Any) -> Run | None:
    """Start a run as a process would, in a transaction of its own."""
    run_id = given.pop("run_id", None) or new_id("run")
    values: dict[str, Any] = {
        "thread_id": None,
        "kind": "chat",
        "checkpoint_id": run_id,
        "request": {},
        "worker": "w1",
        "lease_until": at + LEASE,
    }
    async with sessions.begin() as session:
        return await Runs(session, user_id).start(run_id=run_id, at=at, **{**values, **given})


async def add_checkpoints(
    sessions: Sessions, thread_ids: Sequence[str], *, canary: str = ""
) -> None:
    """Store what LangGraph keeps of these runs, in all of its tables."""
    values = [{"id": thread_id, "canary": canary} for thread_id in thread_ids]
    owner = "(select user_id from runs where runs.id = :id)"
    async with sessions.begin() as session:
        for statement in (
            "insert into checkpoints (user_id, thread_id, checkpoint_id, checkpoint)"
            f" values ({owner}, :id, 'c', jsonb_build_object('said', cast(:canary as text)))",
            "insert into checkpoint_blobs (user_id, thread_id, channel, version, type, blob)"
            f" values ({owner}, :id, 'c', '1', 'msgpack', convert_to(:canary, 'UTF8'))",
            "insert into checkpoint_writes"
            " (user_id, thread_id, checkpoint_id, task_id, idx, channel, type, blob)"
            f" values ({owner}, :id, 'c', 't', 0, 'c', 'msgpack', convert_to(:canary, 'UTF8'))",
        ):
            await session.execute(text(statement), values)


async def checkpoints_left(sessions: Sessions) -> set[str]:
    """Return the ids under which LangGraph's tables keep anything."""
    async with sessions() as session:
        found = await session.scalars(
            text(
                "select thread_id from checkpoints union select thread_id from checkpoint_blobs"
                " union select thread_id from checkpoint_writes"
            )
        )
        return set(found)


async def converse(sessions: Sessions, user_id: str, *, about: str, at: datetime) -> str:
    """Leave a row of a conversation about something in every table; return the run's id.

    A question waits with the run, and its checkpoint names nobody.
    """
    thread_id = await add_thread(sessions, user_id, at=at, title=about)
    run = await start_run(sessions, user_id, at=at, thread_id=thread_id, request={"message": about})
    assert run is not None
    async with sessions.begin() as session:
        await Messages(session, user_id).append(
            thread_id,
            message_id=new_id("msg"),
            role="user",
            content=about,
            run_id=run.id,
            at=at,
        )
        await append_events(session, [(run.id, 1, "text", {"text": about}, at)])
        await Interrupts(session, user_id).open(
            interrupt_id=new_id("int"),
            kind="suggest_goals",
            checkpoint_id=run.id,
            operation_id=run.id,
            items=[{"key": "g1", "title": about}],
            at=at,
            expires_at=at + timedelta(days=1),
            run_id=run.id,
            thread_id=thread_id,
        )
        await Usage(session, user_id).settle(
            run.id, input_tokens=1, output_tokens=1, calls=1, cost=None, at=at
        )
        await Runs(session, user_id).end(run.id, state="waiting", result={"a": about}, at=at)
    await add_checkpoints(sessions, [run.id], canary=about)
    return run.id

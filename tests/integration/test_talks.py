"""How a talk begins: a thread, its run and the message, all of it or nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.base import new_id
from db.conversation_models import Run
from db.engine import Sessions
from db.models import Task
from db.reads import holds_connection
from db.runs import Runs
from db.talks import read_talk
from tests.conversations import add_thread, add_user
from tools.context import ToolContext
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.errors import NotFound, RunActive
from tools.runs import (
    Begun,
    Lease,
    Opening,
    Said,
    begin_talk,
    chain,
    find_thread,
    own_run_id,
    plan_talk,
)
from tools.usage import Budget

FIRST = '{"type": "run_started"}'
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYED = own_run_id("usr_ana", "a key")
LEASE = Lease("w1", NOW + timedelta(seconds=30))
ROWS = text(
    "select (select count(*) from threads), (select count(*) from runs),"
    " (select count(*) from messages)"
)
SAID = text("select role, content, position from messages where thread_id = :id order by position")


def tools_of(session: Any, user_id: str) -> ToolContext:
    embedder = Embedder(SCRIPTED_MODEL, ScriptedEmbeddings())
    return ToolContext(session, user_id, embedder, NOW, "tests")


async def begin(
    sessions: Sessions,
    user_id: str,
    message: str,
    *,
    opening: Opening | None = None,
    again: bool = False,
    **given: Any,
) -> Begun:
    new = plan_talk(message=message, language=None, lease=LEASE, **given)
    async with sessions.begin() as session:
        return await begin_talk(tools_of(session, user_id), new, opening=opening, again=again)


async def end(sessions: Sessions, run: Run) -> None:
    async with sessions.begin() as session:
        assert await Runs(session, run.user_id).end(run.id, state="finished", at=NOW)


async def rows(sessions: Sessions) -> tuple[int, ...]:
    async with sessions() as session:
        return tuple((await session.execute(ROWS)).one())


async def said_in(sessions: Sessions, thread_id: str | None) -> list[tuple[Any, ...]]:
    async with sessions() as session:
        return [tuple(row) for row in await session.execute(SAID, {"id": thread_id})]


async def test_a_new_thread_begins_with_what_was_said_before(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    history = [Said("user", "Hola"), Said("assistant", "¿Qué tal?")]

    begun = await begin(sessions, ana, "  Bien\nde verdad ", history=history)

    assert await said_in(sessions, begun.run.thread_id) == [
        ("user", "Hola", 1),
        ("assistant", "¿Qué tal?", 2),
        ("user", "  Bien\nde verdad ", 3),
    ]
    assert begun.run.request["history_hash"] == chain(None, history)
    async with sessions() as session:
        stored = await Runs(session, ana).get(begun.run.id)
        assert stored is not None
        assert {**vars(stored), "_sa_instance_state": 0} | {"result": 0, "error": 0} == {
            **vars(begun.run),
            "_sa_instance_state": 0,
            "result": 0,
            "error": 0,
            "ended_at": None,
        }


async def test_a_thread_goes_on_under_the_hash_of_all_that_was_said(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    first = await begin(sessions, ana, "¿Qué es un índice? \U0001f600\\n")
    await end(sessions, first.run)

    second = await begin(
        sessions, ana, "\t y dos \r\n", thread_id=first.run.thread_id, must_exist=True
    )

    said = [Said("user", "¿Qué es un índice? \U0001f600\\n"), Said("user", "\t y dos \r\n")]
    assert second.run.request["history_hash"] == chain(None, said[:1])
    async with sessions() as session:
        found = await find_thread(tools_of(session, ana), said)
    assert found == first.run.thread_id
    assert [row[2] for row in await said_in(sessions, found)] == [1, 2]


async def test_of_talks_that_begin_in_a_thread_at_once_one_does(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    thread_id = await add_thread(sessions, ana, at=NOW)

    tried = await asyncio.gather(
        *(begin(sessions, ana, f"{number}", thread_id=thread_id) for number in range(6)),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in tried) == ["Begun", *["RunActive"] * 5]
    assert await rows(sessions) == (1, 1, 1)


async def test_a_thread_with_a_run_takes_no_message(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    first = await begin(sessions, ana, "uno")

    with pytest.raises(RunActive):
        await begin(sessions, ana, "dos", thread_id=first.run.thread_id)

    assert await rows(sessions) == (1, 1, 1)


async def test_a_thread_that_must_exist_is_not_made(sessions: Sessions) -> None:
    ana, bruno = await add_user(sessions, "ana"), await add_user(sessions, "bruno")
    of_bruno = await add_thread(sessions, bruno, at=NOW)

    for thread_id in (new_id("thr"), of_bruno):
        with pytest.raises(NotFound):
            await begin(sessions, ana, "hola", thread_id=thread_id, must_exist=True)

    assert await rows(sessions) == (1, 0, 0)


async def test_a_talk_begins_with_the_owners_words_and_goals_alone(sessions: Sessions) -> None:
    ana, bruno = await add_user(sessions, "ana"), await add_user(sessions, "bruno")
    history = [Said("user", "Hola"), Said("assistant", "Dime")]
    begun = await begin(sessions, ana, "Bien", history=history)
    asked = {
        "operation_id": "opr_1",
        "thread_id": begun.run.thread_id or "",
        "message_id": begun.run.request["message_id"],
        "goals": 5,
        "tasks": 2,
    }

    async with sessions() as session:
        talk = await read_talk(session, ana, messages=40, **asked)
        latest = await read_talk(session, ana, messages=2, **asked)
        of_bruno = await read_talk(session, bruno, messages=40, **asked)
        of_nobody = await read_talk(session, "usr_gone", messages=40, **asked)

    assert talk.said == [
        {"role": "user", "content": "Hola"},
        {"role": "assistant", "content": "Dime"},
    ]
    assert latest.said == talk.said[1:]
    assert (talk.account, talk.finished, talk.goals) == ({}, None, [])
    assert of_bruno.said == []
    assert of_nobody.account is None


async def test_a_talk_begins_with_the_owners_newest_open_tasks(sessions: Sessions) -> None:
    ana, bruno = await add_user(sessions, "ana"), await add_user(sessions, "bruno")
    statuses = ("todo", "failed", "completed", "skipped", "in_progress")
    async with sessions.begin() as session:
        for number, status in enumerate((*statuses, "todo")):
            owner, title = ana if number < len(statuses) else bruno, f"{number} {status}"
            row = Task(user_id=owner, title=title, task_type="code", status=status)
            row.created_at = NOW + timedelta(hours=number)
            session.add(row)

    async with sessions() as session:
        talk = await read_talk(
            session,
            ana,
            operation_id="opr_1",
            thread_id="thr_1",
            message_id="msg_1",
            messages=1,
            goals=1,
            tasks=2,
        )

    assert [task["title"] for task in talk.tasks] == ["4 in_progress", "1 failed"]
    assert {*talk.tasks[0]} == {"id", "title", "status"}


def opening(*, day_tokens: int, messages: int = 39) -> Opening:
    budget = Budget(
        day_tokens=day_tokens,
        day_calls=100,
        run_tokens=60,
        run_calls=3,
        input_price=None,
        output_price=None,
    )
    return Opening(
        FIRST,
        budget,
        "m",
        messages,
        goals=5,
        tasks=5,
    )


USED = text("select reserved_tokens, reserved_calls from usage_days where user_id = :id")
RESERVED = text("select state, reserved_tokens, model from usage_records where user_id = :id")
EVENTS = text("select run_id, seq, type, data::text from run_events")


async def test_an_opened_talk_is_told_reserved_and_read_in_one(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    history = [Said("user", "Hola"), Said("assistant", "Dime")]

    begun = await begin(
        sessions, ana, "Bien", history=history, opening=opening(day_tokens=100, messages=1)
    )

    assert begun.start is not None
    assert begun.start.reserved
    assert begun.start.talk.said == [{"role": "assistant", "content": "Dime"}]
    assert begun.start.talk.account == {}
    async with sessions() as session:
        assert (await session.execute(EVENTS)).all() == [(begun.run.id, 1, "run_started", FIRST)]
        assert (await session.execute(USED, {"id": ana})).all() == [(60, 3)]
        assert (await session.execute(RESERVED, {"id": ana})).all() == [("reserved", 60, "m")]


async def test_an_opened_talk_hears_what_was_said_in_its_thread(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    first = await begin(sessions, ana, "uno", opening=opening(day_tokens=1_000))
    await end(sessions, first.run)

    second = await begin(
        sessions, ana, "dos", thread_id=first.run.thread_id, opening=opening(day_tokens=1_000)
    )

    assert second.start is not None
    assert second.start.talk.said == [{"role": "user", "content": "uno"}]


async def test_of_opened_talks_at_once_only_those_with_room_are_reserved(
    sessions: Sessions,
) -> None:
    ana = await add_user(sessions, "ana")

    begun = await asyncio.gather(
        *(begin(sessions, ana, f"{number}", opening=opening(day_tokens=130)) for number in range(6))
    )

    reserved = [one.start.reserved for one in begun if one.start is not None]
    assert sorted(reserved) == [False] * 4 + [True] * 2
    async with sessions() as session:
        assert (await session.execute(USED, {"id": ana})).all() == [(120, 6)]
        assert len((await session.execute(RESERVED, {"id": ana})).all()) == 2


async def test_a_talk_that_does_not_begin_reserves_nothing(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    first = await begin(sessions, ana, "uno", opening=opening(day_tokens=1_000))

    with pytest.raises(RunActive):
        await begin(
            sessions, ana, "dos", thread_id=first.run.thread_id, opening=opening(day_tokens=1_000)
        )

    async with sessions() as session:
        assert (await session.execute(USED, {"id": ana})).all() == [(60, 3)]


async def test_a_talk_under_a_key_begins_without_a_transaction_of_the_session(
    sessions: Sessions,
) -> None:
    ana = await add_user(sessions, "ana")

    async with sessions.begin() as session:
        new = plan_talk(message="Hola", language=None, lease=LEASE, run_id=KEYED)
        begun = await begin_talk(tools_of(session, ana), new)
        has_begun = holds_connection(session)

    assert begun.is_new
    assert not has_begun


async def test_a_talk_that_was_begun_under_its_key_is_found_while_it_runs(
    sessions: Sessions,
) -> None:
    ana = await add_user(sessions, "ana")
    first = await begin(sessions, ana, "Hola", run_id=KEYED)

    second = await begin(sessions, ana, "Hola", run_id=KEYED, thread_id=first.run.thread_id)

    assert (second.run.id, second.is_new) == (KEYED, False)
    assert await rows(sessions) == (1, 1, 1)


async def test_a_talk_that_has_ended_is_found_under_its_key_by_a_second_try(
    sessions: Sessions,
) -> None:
    ana = await add_user(sessions, "ana")
    first = await begin(sessions, ana, "Hola", run_id=KEYED)
    await end(sessions, first.run)

    with pytest.raises(IntegrityError):
        await begin(sessions, ana, "Hola", run_id=KEYED, opening=opening(day_tokens=1_000))
    second = await begin(sessions, ana, "Hola", run_id=KEYED, again=True)

    assert (second.run.id, second.is_new) == (KEYED, False)
    assert await rows(sessions) == (1, 1, 1)
    async with sessions() as session:
        assert (await session.execute(USED, {"id": ana})).all() == []


async def test_a_thread_that_is_missing_does_not_hide_what_was_begun_under_the_key(
    sessions: Sessions,
) -> None:
    ana = await add_user(sessions, "ana")
    await begin(sessions, ana, "Hola", run_id=KEYED)

    second = await begin(
        sessions, ana, "Hola", run_id=KEYED, thread_id="thr_missing", must_exist=True
    )

    assert (second.run.id, second.is_new) == (KEYED, False)

"""Threads over HTTP: whose they are, their order, their messages, and that they go wholly."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.base import new_id
from db.engine import Sessions
from db.interrupts import Interrupts
from db.run_events import append_events
from db.runs import Runs
from db.threads import Messages, Threads
from tests.conversations import add_checkpoints, add_thread, checkpoints_left, start_run
from tests.service import Learner, Service

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def say(sessions: Sessions, learner: Learner, thread_id: str, *contents: str) -> None:
    """Store messages, the learner's and the assistant's by turns."""
    for number, content in enumerate(contents):
        async with sessions.begin() as session:
            await Threads(session, learner.id).lock(thread_id)
            await Messages(session, learner.id).append(
                thread_id,
                message_id=new_id("msg"),
                role="assistant" if number % 2 else "user",
                content=content,
                run_id=None,
                at=NOW,
            )


async def test_threads_are_listed_by_their_last_change(ana: Learner, sessions: Sessions) -> None:
    made = [
        await add_thread(sessions, ana.id, at=NOW + timedelta(minutes=number), title=f"T{number}")
        for number in range(3)
    ]
    async with sessions.begin() as session:
        await Threads(session, ana.id).touch(made[0], NOW + timedelta(hours=1))

    page = await ana.read("/v1/threads", limit=2)
    rest = await ana.read("/v1/threads", limit=2, cursor=page["next_cursor"])

    listed = [*page["items"], *rest["items"]]
    assert [thread["id"] for thread in listed] == [made[0], made[2], made[1]]
    assert rest["next_cursor"] is None
    assert await ana.read(f"/v1/threads/{made[0]}") == listed[0]
    assert listed[0] == {
        "id": made[0],
        "title": "T0",
        "created_at": "2026-03-01T12:00:00Z",
        "updated_at": "2026-03-01T13:00:00Z",
    }


async def test_messages_come_in_their_order_and_the_last_ones_first_page(
    ana: Learner, sessions: Sessions
) -> None:
    thread_id = await add_thread(sessions, ana.id, at=NOW)
    await say(sessions, ana, thread_id, "uno", "dos", "tres", "cuatro", "cinco")

    last = await ana.read(f"/v1/threads/{thread_id}/messages", limit=2)
    middle = await ana.read(f"/v1/threads/{thread_id}/messages", limit=2, before=last["before"])
    first = await ana.read(f"/v1/threads/{thread_id}/messages", limit=2, before=middle["before"])

    pages = (last, middle, first)
    assert [[message["content"] for message in page["items"]] for page in pages] == [
        ["cuatro", "cinco"],
        ["dos", "tres"],
        ["uno"],
    ]
    assert [message["position"] for message in last["items"]] == [4, 5]
    assert [message["role"] for message in last["items"]] == ["assistant", "user"]
    assert first["before"] is None


async def test_a_thread_can_be_renamed_and_lose_its_title(ana: Learner, sessions: Sessions) -> None:
    thread_id = await add_thread(sessions, ana.id, at=NOW)

    named = await ana.client.patch(f"/v1/threads/{thread_id}", json={"title": " Plan de SQL "})
    unnamed = await ana.client.patch(f"/v1/threads/{thread_id}", json={"title": None})

    assert (named.status_code, named.json()["title"]) == (200, "Plan de SQL")
    assert named.json()["updated_at"] == "2026-03-01T12:00:00Z"
    assert (unnamed.status_code, unnamed.json()["title"]) == (200, None)


@pytest.mark.parametrize("body", [{}, {"title": "x" * 201}, {"title": " "}, {"user_id": "usr_x"}])
async def test_a_bad_title_is_refused(
    ana: Learner, sessions: Sessions, body: dict[str, str]
) -> None:
    thread_id = await add_thread(sessions, ana.id, at=NOW)

    response = await ana.client.patch(f"/v1/threads/{thread_id}", json=body)

    assert (response.status_code, response.json()["code"]) == (422, "VALIDATION")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/messages"), ("PATCH", ""), ("DELETE", "")],
)
async def test_another_users_thread_looks_like_a_missing_one(
    ana: Learner, bruno: Learner, sessions: Sessions, method: str, path: str
) -> None:
    thread_id = await add_thread(sessions, ana.id, at=NOW, title="mío")
    body = {"title": "tuyo"} if method == "PATCH" else None

    others = await bruno.client.request(method, f"/v1/threads/{thread_id}{path}", json=body)
    missing = await bruno.client.request(method, f"/v1/threads/thr_missing{path}", json=body)

    assert (others.status_code, others.json()["code"]) == (404, "NOT_FOUND")
    assert others.content == missing.content
    assert (await bruno.read("/v1/threads"))["items"] == []
    assert (await ana.read(f"/v1/threads/{thread_id}"))["title"] == "mío"


async def test_nobody_speaks_in_another_users_thread(
    ana: Learner, bruno: Learner, sessions: Sessions
) -> None:
    thread_id = await add_thread(sessions, ana.id, at=NOW)
    await say(sessions, ana, thread_id, "mío")

    await say(sessions, bruno, thread_id, "tuyo")

    async with sessions() as session:
        of_ana = await Messages(session, ana.id).of_thread(thread_id)
        of_bruno = await Messages(session, bruno.id).of_thread(thread_id)
    assert [message.content for message in of_ana] == ["mío"]
    assert of_bruno == []


async def test_a_deleted_thread_takes_everything_with_it_and_nothing_else(
    ana: Learner, service: Service, sessions: Sessions
) -> None:
    thread_id, other_id = [await add_thread(sessions, ana.id, at=NOW) for _ in range(2)]
    run = None
    for each in (thread_id, other_id):
        await say(sessions, ana, each, "hola")
        run = await start_run(sessions, ana.id, at=NOW, thread_id=each)
        assert run is not None
        await add_checkpoints(sessions, [run.id])
        async with sessions.begin() as session:
            await append_events(session, [(run.id, 1, "text", {}, NOW)])
            await Interrupts(session, ana.id).open(
                interrupt_id=new_id("int"),
                kind="suggest_goals",
                checkpoint_id=run.id,
                operation_id="opr_1",
                items=[],
                at=NOW,
                expires_at=NOW + timedelta(days=1),
                run_id=run.id,
                thread_id=each,
            )
            await Runs(session, ana.id).end(run.id, state="waiting", at=NOW)
    assert run is not None

    deleted = await ana.client.delete(f"/v1/threads/{thread_id}")
    again = await ana.client.delete(f"/v1/threads/{thread_id}")

    assert (deleted.status_code, again.status_code) == (204, 404)
    assert [thread["id"] for thread in (await ana.read("/v1/threads"))["items"]] == [other_id]
    for table in ("messages", "runs", "run_events", "interrupts"):
        assert await service.count(f"select count(*) from {table}") == 1, table
    assert await checkpoints_left(sessions) == {run.id}


async def test_a_thread_whose_run_has_not_ended_is_not_deleted(
    ana: Learner, sessions: Sessions
) -> None:
    thread_id = await add_thread(sessions, ana.id, at=NOW)
    run = await start_run(sessions, ana.id, at=NOW, thread_id=thread_id)
    assert run is not None

    refused = await ana.client.delete(f"/v1/threads/{thread_id}")
    async with sessions.begin() as session:
        await Runs(session, ana.id).end(run.id, state="cancelled", at=NOW)
    deleted = await ana.client.delete(f"/v1/threads/{thread_id}")

    assert (refused.status_code, refused.json()["code"]) == (409, "RUN_ACTIVE")
    assert deleted.status_code == 204


async def test_no_run_begins_on_a_thread_that_is_being_deleted(
    ana: Learner, sessions: Sessions
) -> None:
    thread_id = await add_thread(sessions, ana.id, at=NOW)
    async with sessions.begin() as session:
        assert await Threads(session, ana.id).seal(thread_id) is not None
        async with sessions.begin() as other:
            await other.execute(text("set local lock_timeout = '50ms'"))
            with pytest.raises(Exception, match="lock timeout"):
                await Runs(other, ana.id).start(
                    run_id=new_id("run"),
                    thread_id=thread_id,
                    kind="chat",
                    checkpoint_id="run_c",
                    request={},
                    worker="w1",
                    lease_until=NOW,
                    at=NOW,
                )
            await other.rollback()
        await Threads(session, ana.id).delete(thread_id)

    with pytest.raises(IntegrityError):
        await start_run(sessions, ana.id, at=NOW, thread_id=thread_id)


async def test_a_thread_is_found_by_its_history_and_only_by_its_owner(
    ana: Learner, bruno: Learner, sessions: Sessions
) -> None:
    made = [await add_thread(sessions, ana.id, at=NOW) for _ in range(2)]
    digest = "a" * 64
    async with sessions.begin() as session:
        for number, thread_id in enumerate(made):
            await Threads(session, ana.id).touch(
                thread_id, NOW - timedelta(minutes=number), history_hash=digest
            )

    async with sessions() as session:
        found = await Threads(session, ana.id).find_by_history(digest)
        of_another = await Threads(session, bruno.id).find_by_history(digest)
        unknown = await Threads(session, ana.id).find_by_history("b" * 64)

    assert found == made[0]
    assert (of_another, unknown) == (None, None)


async def test_usage_over_http_shows_the_owners_own(ana: Learner, bruno: Learner) -> None:
    shown = await ana.read("/v1/usage", days=7)
    refused = await ana.client.get("/v1/usage", params={"days": 0})

    assert (shown["tokens"]["used"], shown["tokens"]["reserved"]) == (0, 0)
    assert shown["tokens"]["remaining"] == shown["tokens"]["limit"]
    assert shown["total"] == {"input_tokens": 0, "output_tokens": 0, "calls": 0, "cost": "0"}
    assert (shown["days"], shown["models"]) == ([], [])
    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION")

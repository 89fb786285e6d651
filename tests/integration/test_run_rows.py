"""The rows of runs: one at a time on a thread, what they said, and what they asked, once each."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.base import new_id
from db.conversation_models import Interrupt
from db.engine import Sessions
from db.interrupts import Interrupts
from db.run_events import append_events, events_after, last_seq
from db.runs import Runs, claim_expired, renew_leases
from tests.conversations import LEASE, add_thread, add_user, start_run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def open_interrupt(sessions: Sessions, user_id: str, **given: Any) -> str:
    interrupt_id = new_id("int")
    async with sessions.begin() as session:
        await Interrupts(session, user_id).open(
            interrupt_id=interrupt_id,
            kind="suggest_goals",
            checkpoint_id=given.pop("checkpoint_id", "run_c"),
            operation_id="opr_1",
            items=[{"key": "g1"}],
            at=NOW,
            expires_at=NOW + timedelta(days=1),
            **given,
        )
    return interrupt_id


async def resolve(
    sessions: Sessions, user_id: str, interrupt_id: str, *, at: datetime = NOW
) -> Interrupt | None:
    async with sessions.begin() as session:
        return await Interrupts(session, user_id).resolve(
            interrupt_id, decisions={"g1": {"action": "accept"}}, at=at
        )


async def test_of_runs_that_start_on_a_thread_at_once_one_wins(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    thread_id = await add_thread(sessions, ana, at=NOW)

    started = await asyncio.gather(
        *(start_run(sessions, ana, at=NOW, thread_id=thread_id) for _ in range(8))
    )

    winners = [run for run in started if run is not None]
    assert len(winners) == 1
    assert winners[0].state == "running"


async def test_a_thread_takes_its_next_run_when_the_last_one_has_ended(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    thread_id = await add_thread(sessions, ana, at=NOW)
    first = await start_run(sessions, ana, at=NOW, thread_id=thread_id)
    assert first is not None

    async with sessions.begin() as session:
        ended = await Runs(session, ana).end(first.id, state="waiting", at=NOW)
    second = await start_run(sessions, ana, at=NOW, thread_id=thread_id)

    assert ended
    assert second is not None


async def test_runs_without_a_thread_do_not_hinder_each_other(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")

    started = [await start_run(sessions, ana, at=NOW) for _ in range(2)]

    assert None not in started


async def test_a_run_ends_once_and_only_in_the_hands_of_its_worker(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    run = await start_run(sessions, ana, at=NOW, worker="w1")
    assert run is not None
    failure = {"code": "LLM_TIMEOUT", "detail": "too late", "status": 504}

    async with sessions.begin() as session:
        runs = Runs(session, ana)
        by_another = await runs.end(run.id, state="finished", at=NOW, worker="w2")
        first = await runs.end(run.id, state="failed", error=failure, at=NOW, worker="w1")
        second = await runs.end(run.id, state="finished", result={"a": 1}, at=NOW)
        stored = await runs.get(run.id)

    assert (by_another, first, second) == (False, True, False)
    assert stored is not None
    assert (stored.state, stored.error, stored.result) == ("failed", failure, None)
    assert (stored.worker, stored.lease_until, stored.ended_at) == (None, None, NOW)


async def test_a_cancel_reaches_the_worker_with_its_next_renewal(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    runs = [await start_run(sessions, ana, at=NOW, worker="w1") for _ in range(2)]
    ids = [run.id for run in runs if run is not None]
    async with sessions.begin() as session:
        asked = await Runs(session, ana).request_cancel(ids[0])

    async with sessions.begin() as session:
        cancelled = await renew_leases(session, worker="w1", run_ids=ids, until=NOW + LEASE * 2)
    async with sessions.begin() as session:
        of_another = await renew_leases(session, worker="w2", run_ids=ids, until=NOW)
        stored = await Runs(session, ana).get(ids[1])

    assert asked
    assert cancelled == {ids[0]}
    assert of_another == set()
    assert stored is not None
    assert stored.lease_until == NOW + LEASE * 2


async def test_a_run_that_waits_is_cancelled_with_its_question(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    run = await start_run(sessions, ana, at=NOW)
    assert run is not None
    interrupt_id = await open_interrupt(sessions, ana, run_id=run.id)
    async with sessions.begin() as session:
        await Runs(session, ana).end(run.id, state="waiting", at=NOW)

    async with sessions.begin() as session:
        asked = await Runs(session, ana).request_cancel(run.id)
        cancelled = await Runs(session, ana).cancel_waiting(run.id, at=NOW)
        again = await Runs(session, ana).cancel_waiting(run.id, at=NOW)

    assert (asked, cancelled, again) == (False, True, False)
    assert await resolve(sessions, ana, interrupt_id) is None


async def test_runs_of_a_worker_that_died_are_taken_once(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    dead = [await start_run(sessions, ana, at=NOW - LEASE * 2) for _ in range(6)]
    alive = await start_run(sessions, ana, at=NOW)
    assert alive is not None

    async def claim(worker: str) -> list[str]:
        async with sessions.begin() as session:
            taken = await claim_expired(
                session, now=NOW, worker=worker, lease_until=NOW + LEASE, limit=2
            )
            return [run.id for run in taken]

    claimed = await asyncio.gather(*(claim(f"w{number}") for number in range(2, 6)))
    ids = [run_id for taken in claimed for run_id in taken]
    while more := await claim("w9"):
        ids += more

    assert sorted(ids) == sorted(run.id for run in dead if run is not None)


async def test_expired_leases_are_found_by_their_index(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    async with sessions.begin() as session:
        await session.execute(
            text(
                "insert into runs (id, user_id, kind, state, checkpoint_id, request, lease_until)"
                " select 'run_' || n, :user, 'chat', case when n % 500 = 0 then 'running'"
                " else 'finished' end, 'run_' || n, '{}',"
                " timestamp '2026-01-01' + n * interval '1 s' from generate_series(1, 20000) n"
            ),
            {"user": ana},
        )
        await session.execute(text("analyze runs"))

        plan = await session.scalars(
            text(
                "explain select id from runs"
                " where state = 'running' and lease_until < timestamp '2026-03-01'"
                " order by lease_until limit 10 for update skip locked"
            )
        )

        assert "Index Scan using idx_runs_lease" in "\n".join(plan)


async def test_fifty_answers_to_one_question_and_one_counts(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    run = await start_run(sessions, ana, at=NOW)
    assert run is not None
    interrupt_id = await open_interrupt(sessions, ana, run_id=run.id, checkpoint_id=run.id)
    async with sessions.begin() as session:
        await Runs(session, ana).end(run.id, state="waiting", at=NOW)

    answers = await asyncio.gather(*(resolve(sessions, ana, interrupt_id) for _ in range(50)))

    [answered] = [answer for answer in answers if answer is not None]
    assert (answered.state, answered.checkpoint_id) == ("resolved", run.id)
    assert answered.decisions == {"g1": {"action": "accept"}}
    async with sessions() as session:
        stored = await Runs(session, ana).get(run.id)
    assert stored is not None
    assert (stored.state, stored.ended_at) == ("finished", NOW)


async def test_a_question_that_is_stored_twice_stays_the_first(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    thread_id = await add_thread(sessions, ana, at=NOW)
    interrupt_id = await open_interrupt(sessions, ana, thread_id=thread_id)

    async with sessions.begin() as session:
        interrupts = Interrupts(session, ana)
        stored = await interrupts.open(
            interrupt_id=interrupt_id,
            kind="other",
            checkpoint_id="run_d",
            operation_id="opr_2",
            items=[],
            at=NOW,
            expires_at=NOW,
        )
        [found] = await interrupts.open_of_thread(thread_id)

    assert not stored
    assert (found.id, found.kind, found.items) == (interrupt_id, "suggest_goals", [{"key": "g1"}])


async def test_an_expired_question_takes_no_answer(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    interrupt_id = await open_interrupt(sessions, ana)

    assert await resolve(sessions, ana, interrupt_id, at=NOW + timedelta(days=1)) is None


async def test_another_users_runs_and_questions_are_out_of_reach(sessions: Sessions) -> None:
    ana, bruno = await add_user(sessions, "ana"), await add_user(sessions, "bruno")
    run = await start_run(sessions, ana, at=NOW)
    assert run is not None
    interrupt_id = await open_interrupt(sessions, ana, run_id=run.id)
    async with sessions.begin() as session:
        await append_events(session, [(run.id, 1, "text", {"a": 1}, NOW)])

    async with sessions.begin() as session:
        runs = Runs(session, bruno)
        assert await runs.get(run.id) is None
        assert not await runs.end(run.id, state="failed", at=NOW)
        assert not await runs.request_cancel(run.id)
        assert not await runs.cancel_waiting(run.id, at=NOW)
        assert await Interrupts(session, bruno).get(interrupt_id) is None
        assert await events_after(session, user_id=bruno, run_id=run.id, seq=0) == []
    assert await resolve(sessions, bruno, interrupt_id) is None
    assert await resolve(sessions, ana, interrupt_id) is not None


async def test_events_come_back_in_order_and_byte_for_byte(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    runs = [await start_run(sessions, ana, at=NOW) for _ in range(2)]
    one, two = (run.id for run in runs if run is not None)
    data = '{"type": "text", "b": 1, "a": "ñ 😀", "aa": [1.50, null]}'

    async with sessions.begin() as session:
        stored = await append_events(
            session,
            [
                (one, 1, "text", data, NOW),
                (two, 1, "text", {"z": 1, "a": "é"}, NOW),
                (one, 2, "end", {"done": True}, NOW + LEASE),
            ],
        )
    async with sessions() as session:
        all_of_one = await events_after(session, user_id=ana, run_id=one, seq=0)
        rest = await events_after(session, user_id=ana, run_id=one, seq=1)
        of_two = await events_after(session, user_id=ana, run_id=two, seq=0, limit=1)
        last = [await last_seq(session, run_id) for run_id in (one, two, "run_none")]

    assert stored == 3
    assert [event.seq for event in all_of_one] == [1, 2]
    assert rest == all_of_one[1:]
    assert (rest[0].type, rest[0].data, rest[0].created_at) == (
        "end",
        '{"done": true}',
        NOW + LEASE,
    )
    assert of_two[0].data == '{"z": 1, "a": "é"}'
    assert last == [2, 1, 0]
    assert all_of_one[0].data == data


async def test_events_of_a_repeated_commit_are_stored_once(sessions: Sessions) -> None:
    ana = await add_user(sessions, "ana")
    run = await start_run(sessions, ana, at=NOW)
    assert run is not None
    rows: list[Any] = [(run.id, seq, "text", {"seq": seq}, NOW) for seq in (1, 2)]
    async with sessions.begin() as session:
        await append_events(session, rows)

    async with sessions.begin() as session:
        new = await append_events(session, [*rows, (run.id, 3, "end", {}, NOW)])
        none = await append_events(session, [])

    assert (new, none) == (1, 0)


@pytest.mark.parametrize("kind", [str, dict])
async def test_a_text_that_no_database_stores_does_not_spoil_its_neighbours(
    sessions: Sessions, kind: type
) -> None:
    ana = await add_user(sessions, "ana")
    run = await start_run(sessions, ana, at=NOW)
    assert run is not None
    said = {"text": "a\0b \ud800 ñ"}
    data = json.dumps(said, ensure_ascii=False) if kind is str else said

    async with sessions.begin() as session:
        await append_events(
            session, [(run.id, 1, "text", data, NOW), (run.id, 2, "text", {"text": "ok"}, NOW)]
        )
        events = await events_after(session, user_id=ana, run_id=run.id, seq=0)

    assert [json.loads(event.data) for event in events] == [said, {"text": "ok"}]


async def test_events_of_a_run_that_is_gone_are_refused(sessions: Sessions) -> None:
    async with sessions() as session:
        with pytest.raises(IntegrityError):
            await append_events(session, [("run_gone", 1, "text", {}, NOW)])

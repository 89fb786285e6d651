"""`goals gc`: what nobody will read again goes, and what waits or runs stays."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import app
from api.gc import BATCH, Collected, collect, keep_tidy, run_gc
from api.settings import Settings
from db.base import new_id
from db.engine import Sessions
from db.garbage import ADVISORY_KEY
from db.interrupts import Interrupts
from db.operations import Operations
from db.run_events import append_events, last_seq
from db.runs import Runs
from db.usage import Usage
from tests.conversations import add_checkpoints, add_user, checkpoints_left, start_run
from tests.database import connect

NOW: Final = datetime.now(UTC)
LONG_AGO: Final = NOW - timedelta(days=40)
RECENTLY: Final = NOW - timedelta(days=2)


def id_of(moment: datetime) -> str:
    """Return the id that a run made at `moment` has."""
    return f"run_{int(moment.timestamp() * 1000):012x}{new_id('run')[16:]}"


async def run_of(
    sessions: Sessions, user_id: str, *, at: datetime, state: Any = "finished", **given: Any
) -> str:
    """Store a run of some events that came to `state` within its first minute."""
    run = await start_run(sessions, user_id, at=at, run_id=id_of(at), **given)
    assert run is not None
    async with sessions.begin() as session:
        await append_events(session, [(run.id, seq, "text", {}, at) for seq in (1, 2)])
        if state != "running":
            await Runs(session, user_id).end(run.id, state=state, at=at + timedelta(minutes=1))
    await add_checkpoints(sessions, [run.id])
    return run.id


async def ask(
    sessions: Sessions, user_id: str, *, run_id: str | None, checkpoint_id: str, until: datetime
) -> str:
    """Store an open question."""
    interrupt_id = new_id("int")
    async with sessions.begin() as session:
        await Interrupts(session, user_id).open(
            interrupt_id=interrupt_id,
            kind="suggest_goals",
            checkpoint_id=checkpoint_id,
            operation_id="opr_1",
            items=[],
            at=LONG_AGO,
            expires_at=until,
            run_id=run_id,
        )
    return interrupt_id


async def sweep(database_url: str, **given: Any) -> Collected:
    return await asyncio.to_thread(lambda: collect(database_url, now=NOW, **given))


async def test_checkpoints_of_ended_runs_go_and_those_that_are_needed_stay(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    ended = [
        await run_of(sessions, ana, at=at, state=state)
        for at, state in [(RECENTLY, "finished"), (LONG_AGO, "failed"), (LONG_AGO, "cancelled")]
    ]
    just_ended = await run_of(sessions, ana, at=NOW - timedelta(minutes=30))
    running = await run_of(sessions, ana, at=LONG_AGO, state="running")
    waiting = await run_of(sessions, ana, at=LONG_AGO, state="waiting")
    await ask(
        sessions, ana, run_id=waiting, checkpoint_id=waiting, until=NOW + timedelta(seconds=1)
    )
    gone_on_from = await run_of(sessions, ana, at=LONG_AGO)
    later = await start_run(sessions, ana, at=RECENTLY, checkpoint_id=gone_on_from)

    done = await sweep(database_url)

    assert done.checkpoints == len(ended)
    assert await checkpoints_left(sessions) == {just_ended, running, waiting, gone_on_from}
    assert later is not None
    async with sessions() as session:
        states = [await Runs(session, ana).get(run_id) for run_id in (running, waiting)]
    assert [run.state for run in states if run is not None] == ["running", "waiting"]


async def test_checkpoints_of_no_run_go_at_their_age_unless_a_question_waits_on_them(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    old, young, asked = id_of(LONG_AGO), id_of(RECENTLY), id_of(LONG_AGO)
    await add_checkpoints(sessions, [old, young, asked, "somebody-elses"])
    await ask(sessions, ana, run_id=None, checkpoint_id=asked, until=NOW + timedelta(days=1))

    done = await sweep(database_url)

    assert done == Collected(checkpoints=1)
    assert await checkpoints_left(sessions) == {young, asked, "somebody-elses"}


async def test_a_question_that_nobody_answered_in_time_ends_its_run(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    run_id = await run_of(sessions, ana, at=RECENTLY, state="waiting")
    interrupt_id = await ask(sessions, ana, run_id=run_id, checkpoint_id=run_id, until=NOW)
    one_shot = id_of(RECENTLY)
    await add_checkpoints(sessions, [one_shot])
    await ask(sessions, ana, run_id=None, checkpoint_id=one_shot, until=NOW)

    done = await sweep(database_url)

    assert done == Collected(interrupts=2, checkpoints=2)
    assert await checkpoints_left(sessions) == set()
    async with sessions() as session:
        run = await Runs(session, ana).get(run_id)
        interrupt = await Interrupts(session, ana).get(interrupt_id)
    assert run is not None
    assert interrupt is not None
    assert (run.state, run.ended_at, interrupt.state) == ("cancelled", NOW, "cancelled")
    assert run.error is not None
    assert run.error["code"] == "INTERRUPT_STALE"


async def test_events_of_runs_go_when_the_run_has_been_over_for_long(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    old = await run_of(sessions, ana, at=LONG_AGO)
    kept = [
        await run_of(sessions, ana, at=RECENTLY),
        await run_of(sessions, ana, at=LONG_AGO, state="running"),
        await run_of(sessions, ana, at=LONG_AGO, state="waiting"),
    ]

    done = await sweep(database_url)

    assert done.run_events == 2
    async with sessions() as session:
        assert [await last_seq(session, run_id) for run_id in (old, *kept)] == [0, 2, 2, 2]
        assert await Runs(session, ana).get(old) is not None


async def test_answers_to_keys_go_after_a_day_and_the_agents_own_at_their_age(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    day = timedelta(days=1)
    async with sessions.begin() as session:
        for kind, at in [
            *[("POST /v1/goals", NOW - day - timedelta(minutes=1)), ("POST /v1/goals", NOW - day)],
            *[("suggest_goals", NOW - 2 * day), ("suggest_goals", LONG_AGO)],
        ]:
            await Operations(session, ana).keep(
                new_id("opr"), kind=kind, request_hash="h", result={}, at=at
            )

    counted = await sweep(database_url, dry_run=True)
    done = await sweep(database_url)

    assert counted == done == Collected(answers=2)
    async with sessions() as session:
        left = await session.scalars(text("select kind from operations order by kind"))
    assert list(left) == ["POST /v1/goals", "suggest_goals"]


async def test_reservations_that_stand_for_an_hour_are_given_back(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    async with sessions.begin() as session:
        for operation_id, age in (("opr_old", 61), ("opr_young", 59)):
            await Usage(session, ana).reserve(
                operation_id,
                kind="chat",
                model="m",
                tokens=10,
                calls=1,
                day=NOW.date(),
                limit_tokens=None,
                limit_calls=None,
                at=NOW - timedelta(minutes=age),
            )

    done = await sweep(database_url)

    assert done == Collected(reservations=1)


async def test_more_than_one_batch_goes_in_one_pass_and_nothing_in_the_next(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    async with sessions.begin() as session:
        await session.execute(
            text(
                "insert into runs (id, user_id, kind, state, checkpoint_id, request, ended_at)"
                " select 'run_0000000000' || n, :user, 'chat', 'finished', 'run_0000000000' || n,"
                " '{}', timestamp '2026-01-01' from generate_series(1, :count) n"
            ),
            {"user": ana, "count": BATCH + 10},
        )
        ids = list(await session.scalars(text("select id from runs")))
        await append_events(session, [(run_id, 1, "text", {}, LONG_AGO) for run_id in ids])
    await add_checkpoints(sessions, ids)

    first, second = await sweep(database_url), await sweep(database_url)

    assert first == Collected(checkpoints=BATCH + 10, run_events=BATCH + 10)
    assert second == Collected()


async def test_a_dry_run_counts_the_same_and_touches_nothing(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    await run_of(sessions, ana, at=LONG_AGO)
    waiting = await run_of(sessions, ana, at=RECENTLY, state="waiting")
    await ask(sessions, ana, run_id=waiting, checkpoint_id=waiting, until=NOW)
    before = await checkpoints_left(sessions)

    counted = await sweep(database_url, dry_run=True)

    assert await checkpoints_left(sessions) == before
    assert counted == Collected(interrupts=1, checkpoints=2, run_events=2)
    assert await sweep(database_url) == counted


async def test_one_process_collects_at_a_time(sessions: Sessions, database_url: str) -> None:
    ana = await add_user(sessions, "ana")
    run_id = await run_of(sessions, ana, at=LONG_AGO)
    with connect(database_url) as other:
        other.execute("select pg_advisory_lock(%s)", [ADVISORY_KEY])

        done = await sweep(database_url)

    assert done == Collected(busy=True)
    assert await checkpoints_left(sessions) == {run_id}


async def test_a_server_that_shall_stop_does_not_finish_the_pass(
    sessions: Sessions, database_url: str
) -> None:
    ana = await add_user(sessions, "ana")
    run_id = await run_of(sessions, ana, at=LONG_AGO)
    stop = threading.Event()
    stop.set()

    done = await sweep(database_url, stop=stop)
    await asyncio.to_thread(keep_tidy, database_url, Settings(_env_file=None), stop)

    assert done == Collected()
    assert await checkpoints_left(sessions) == {run_id}


async def test_the_command_says_what_went(
    sessions: Sessions, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ana = await add_user(sessions, "ana")
    await run_of(sessions, ana, at=LONG_AGO)
    settings = Settings(_env_file=None, DATABASE_URL=database_url)

    for dry_run in (True, False):
        await asyncio.to_thread(
            lambda: run_gc(settings, older_than=timedelta(days=30), dry_run=dry_run)  # noqa: B023 - awaited within the turn
        )

    printed = capsys.readouterr().out
    assert "1 checkpoints would be deleted." in printed
    assert "2 events of old runs would be deleted." in printed
    assert "1 checkpoints were deleted." in printed
    assert "2 events of old runs were deleted." in printed


async def test_goals_gc_is_a_command(
    sessions: Sessions, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await add_user(sessions, "ana")
    run_id = await run_of(sessions, ana, at=RECENTLY)
    monkeypatch.setenv("DATABASE_URL", database_url)

    def invoke(*arguments: str) -> str:
        return CliRunner().invoke(app, ["gc", *arguments]).output

    counted = await asyncio.to_thread(invoke, "--dry-run", "--older-than-days", "1")
    left = await checkpoints_left(sessions)
    swept = await asyncio.to_thread(invoke)

    assert "2 events of old runs would be deleted." in counted
    assert left == {run_id}
    assert "1 checkpoints were deleted.\n0 events of old runs were deleted." in swept

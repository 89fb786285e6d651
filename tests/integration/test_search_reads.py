"""Reading past the session: in its transaction once that has begun, and whatever connections do."""

import asyncio
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from api.bootstrap import open_services
from api.settings import Settings
from db.base import new_id
from db.engine import REQUEST_OPTIONS, Sessions, conninfo, make_engine, make_sessions
from db.reads import CONNECTIONS, READS, Reads, execute, is_past, make_statement, read, write
from db.retrieval import Retrieval, Scope
from tests.database import connect
from tests.embedded_rows import MADE_AT, Row, axis, insert_rows
from tests.service import JWT
from tools.indexing import ENTITY_TYPES
from tools.users import get_or_create_user

MODEL = "a-name-as-long-as-that-of-a-real-model"
BACKEND = make_statement("select pg_backend_pid() where :yes")
SLEEP = make_statement("select pg_sleep(:seconds)")
RENAME = make_statement("update users set full_name = :name where id = :id")
NAME = make_statement("select full_name from users where id = :id")
OTHERS = """
select count(*) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""


@pytest_asyncio.fixture
async def ana(sessions: Sessions) -> str:
    """Return a user."""
    async with sessions.begin() as session:
        return (await get_or_create_user(session, username="ana", now=MADE_AT, source="tests")).id


async def search(session: AsyncSession, user: str, words: str) -> list[str]:
    found = await Retrieval(session, user).search(
        words, None, model=MODEL, scope=Scope(entity_types=ENTITY_TYPES), limit=10
    )
    return [one.entity_id for one in found]


async def backend(sessions: Sessions) -> int:
    async with sessions() as session:
        [[pid]] = await read(session, BACKEND, {"yes": True})
    return int(pid)


def reads_of(sessions: Sessions) -> Reads:
    reads = sessions.kw["info"][READS]
    assert isinstance(reads, Reads)
    return reads


def test_parameters_are_numbered_by_their_first_place() -> None:
    statement = make_statement("select :b::text, :a, ':A', :b where x::int = :a")

    assert statement.sql == "select $1::text, $2, ':A', $1 where x::int = $2"
    assert statement.names == ("b", "a")


async def test_a_search_sees_what_its_own_transaction_has_written(
    sessions: Sessions, ana: str
) -> None:
    async with sessions.begin() as session:
        before = await search(session, ana, "índices")
        await insert_rows(session, ana, [Row("gol_1", axis(0), "índices")], model=MODEL)
        within = await search(session, ana, "índices")
        async with sessions.begin() as other:
            beside = await search(other, ana, "índices")

    assert (before, within, beside) == ([], ["gol_1"], [])


async def test_a_search_after_the_commit_is_past_the_transaction_again(
    engine: AsyncEngine, sessions: Sessions, ana: str
) -> None:
    async with sessions() as session:
        await insert_rows(session, ana, [Row("gol_1", axis(0), "índices")], model=MODEL)
        await session.commit()

        assert await search(session, ana, "índices") == ["gol_1"]
        assert engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # a QueuePool has it


async def test_one_search_after_another_takes_the_same_connection(sessions: Sessions) -> None:
    assert await backend(sessions) == await backend(sessions)


async def test_connections_that_died_meanwhile_are_replaced(
    sessions: Sessions, database_url: str
) -> None:
    await asyncio.gather(*[backend(sessions) for _ in range(CONNECTIONS)])
    first = await backend(sessions)
    with connect(database_url) as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

    after = await asyncio.gather(*[backend(sessions) for _ in range(CONNECTIONS * 2)])

    assert first not in after
    assert len(after) == CONNECTIONS * 2


async def test_a_statement_that_fails_costs_no_connection(sessions: Sessions) -> None:
    before = await backend(sessions)

    async with sessions() as session:
        with pytest.raises(DBAPIError, match="division by zero"):
            await read(session, make_statement("select 1 / 0"), {})

    assert await backend(sessions) == before


async def test_a_search_that_is_cancelled_leaves_nothing_behind(
    sessions: Sessions, database_url: str
) -> None:
    async def until(condition: str, *, count: int) -> None:
        with connect(database_url) as connection:
            while connection.execute(f"{OTHERS} and {condition}").fetchone() != (count,):  # noqa: ASYNC110 - the event is the server's
                await asyncio.sleep(0)

    async with sessions() as session:
        sleeping = asyncio.create_task(read(session, SLEEP, {"seconds": 60}))
        await until("wait_event = 'PgSleep'", count=1)
        sleeping.cancel()
        await asyncio.gather(sleeping, return_exceptions=True)

    await until("state = 'active'", count=0)
    assert await backend(sessions)


async def test_who_waits_too_long_for_a_connection_is_told(database_url: str) -> None:
    reads = Reads(conninfo(database_url), options=REQUEST_OPTIONS, connect_timeout=3, patience=0.2)
    sleeping = [asyncio.create_task(reads.read(SLEEP, [60])) for _ in range(CONNECTIONS)]
    await asyncio.sleep(0)

    with pytest.raises(PoolTimeout):
        await reads.read(BACKEND, [True])

    for task in sleeping:
        task.cancel()
    await asyncio.gather(*sleeping, return_exceptions=True)
    assert await reads.read(BACKEND, [True])
    reads.close()


async def test_the_connections_close_with_those_of_the_engine(database_url: str) -> None:
    engine = make_engine(database_url)
    await backend(make_sessions(engine))

    await engine.dispose()

    with connect(database_url) as connection:
        while connection.execute(OTHERS).fetchone() != (0,):
            pass  # a server process ends a little later than its client's connection


async def test_a_row_as_the_product_writes_it_is_stored_whole(sessions: Sessions, ana: str) -> None:
    rows = [Row(new_id("gol"), axis(n), f"Índices {n}\n" + "palabra " * 60) for n in range(20)]
    async with sessions.begin() as session:
        await insert_rows(session, ana, rows, model=MODEL)

        out_of_line = await session.scalar(
            text(
                "select pg_relation_size(reltoastrelid) from pg_class"
                " where oid = 'embeddings'::regclass"
            )
        )

    assert out_of_line == 0


async def test_a_statement_that_writes_alone_is_committed_whatever_becomes_of_the_session(
    sessions: Sessions, ana: str
) -> None:
    async with sessions() as session:
        assert is_past(session)
        await write(session, RENAME, {"id": ana, "name": "Ana"})
        await session.rollback()

    async with sessions() as session:
        assert await read(session, NAME, {"id": ana}) == [("Ana",)]


async def test_in_a_transaction_under_way_it_is_undone_with_that(
    sessions: Sessions, ana: str
) -> None:
    async with sessions() as session:
        await session.connection()
        assert not is_past(session)
        await write(session, RENAME, {"id": ana, "name": "Eva"})
        await session.rollback()
    async with sessions() as session:
        await execute(session, RENAME, {"id": ana, "name": "Ida"})
        await session.rollback()

    async with sessions() as session:
        assert await read(session, NAME, {"id": ana}) == [(None,)]


async def test_what_writes_meets_no_connection_that_the_server_has_ended(
    sessions: Sessions, ana: str, database_url: str
) -> None:
    async with sessions() as session:
        [[pid]] = await write(session, BACKEND, {"yes": True})
    with connect(database_url) as connection:
        connection.execute(f"select pg_terminate_backend({pid}, 5000)")

    async with sessions() as session:
        await write(session, RENAME, {"id": ana, "name": "Ana"})

    async with sessions() as session:
        assert await read(session, NAME, {"id": ana}) == [("Ana",)]


async def test_what_a_request_does_in_its_transaction_is_planned_once(
    database_url: str, app_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        _env_file=None,
        DATABASE_URL=database_url,
        DATABASE_APP_URL=app_url,
        GOALS_JWT_SECRET=JWT.secret.decode(),
        GOALS_HOME=str(tmp_path),
        GOALS_EMBEDDINGS="scripted",
    )

    async with open_services(settings, with_agent=False) as services:
        async with services.sessions.begin() as session:
            requests = await session.scalar(text("show plan_cache_mode"))
        async with services.system.begin() as session:
            others = await session.scalar(text("show plan_cache_mode"))

    assert (requests, others) == ("force_generic_plan", "force_custom_plan")

"""Row level security: a request sees its own user's rows, whatever SQL it comes to run."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import pytest_asyncio
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from api.app import create_app
from api.migrations import current_revision, make_config, migrate
from api.tenancy import Tenancy, is_in_force
from db.embedded import as_app, open_embedded
from db.engine import Sessions, make_engine, make_sessions
from db.reads import execute, make_statement, read, write
from db.tenancy import APP_ROLE, bind_tenant, tenant_of
from db.tenancy_checks import CHILDREN
from tests.conversations import converse
from tests.database import connect
from tests.service import Learner, Service, fill_pending
from tools.errors import SetupError

NO_USERS_ROWS = {
    "alembic_version",
    "checkpoint_migrations",
    "erased_events",
    "outbox",
    "parquet_batches",
    "rate_windows",
    "relay_claims",
}
"""Tables that show nobody anything of a user; requests may use the first and the rates alone."""
TABLES = (
    "select relname from pg_class"
    " where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace"
)
GUARDED = (
    "select relname from pg_class where relkind = 'r' and relrowsecurity and relforcerowsecurity"
)
_OWN_COUNT = make_statement("select count(*), min(user_id), max(user_id) from goals")
_RENAME_ALL = make_statement("update goals set title = :title returning user_id")


@pytest_asyncio.fixture
async def filled(service: Service, ana: Learner, bruno: Learner, sessions: Sessions) -> list[str]:
    """Give both learners a row in every table that has users' rows; return the tables."""
    for learner in (ana, bruno):
        course = await learner.make("courses", title=f"Curso de {learner.id}")
        goal = await learner.make("goals", title=f"Meta de {learner.id}", course_id=course["id"])
        task = await learner.make("tasks", title=f"Tarea de {learner.id}", goal_id=goal["id"])
        snapshot = {"file_path": "a.py", "code": "x = 1", "language": "python"}
        await learner.make("snapshots", task_id=task["id"], **snapshot)
        await converse(sessions, learner.id, about=learner.id, at=service.services.now())
        async with sessions.begin() as session:
            for statement in (
                "insert into operations (id, user_id, kind, request_hash, result)"
                " values (left(:id, 30), :id, 'k', 'h', '{}')",
                "insert into dismissed_findings (id, user_id, fingerprint, rule, reason)"
                " values (left(:id, 30), :id, 'f', 'r', 'r')",
                "insert into usage_days (user_id, day) values (:id, '2026-01-01')"
                " on conflict do nothing",
                "insert into erasures (user_id) values (:id)",
            ):
                await session.execute(text(statement), {"id": learner.id})
    async with sessions() as session:
        return list((await session.scalars(text(GUARDED))).all())


async def seen(session: AsyncSession, table: str) -> int:
    number = await session.scalar(text(f"select count(*) from {table}"))
    assert isinstance(number, int)
    return number


def test_no_table_with_a_users_rows_is_forgotten(database_url: str) -> None:
    policies = (
        "select polname, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid),"
        " array(select rolname::text from pg_roles where oid = any(polroles))"
        " from pg_policy where polrelid = %s::regclass order by polname desc"
    )
    granted = "select has_table_privilege(%s, %s, 'select, insert, update, delete, truncate')"
    with connect(database_url) as connection:
        tables = {row[0] for row in connection.execute(TABLES)}
        forced = {row[0] for row in connection.execute(GUARDED)}
        by_table = {table: connection.execute(policies, [table]).fetchall() for table in forced}
        open_to_requests = {
            table
            for table in NO_USERS_ROWS
            if connection.execute(granted, [APP_ROLE, table]).fetchone() == (True,)
        }

    assert forced == tables - NO_USERS_ROWS
    assert set(CHILDREN) < forced
    for table, found in by_table.items():
        (_, shown, written, to), system = found
        assert (to, system) == (["goals_app"], ("system", "true", "true", ["goals_system"])), table
        assert shown == written, table
    assert open_to_requests == {"alembic_version", "rate_windows"}


async def test_without_a_tenant_nothing_is_seen_and_nothing_written(
    filled: list[str], app_sessions: Sessions
) -> None:
    refused = []
    async with app_sessions() as session:
        counts = {table: await seen(session, table) for table in filled}
    for statement in (
        "insert into goals (id, user_id, title) values ('gol_x', (select 'usr_x'), 't')",
        "insert into events (id, event_type, entity_type, entity_id, payload)"
        " values ('evt_x', 'goal.created', 'goal', 'g', '{}')",
        "insert into usage_days (user_id, day) values ('', '2026-01-01')",
    ):
        async with app_sessions() as session:
            with pytest.raises(DBAPIError) as error:
                await session.execute(text(statement))
            refused.append(getattr(error.value.orig, "sqlstate", None))

    assert counts == dict.fromkeys(filled, 0)
    assert len(filled) == 20
    assert refused == ["42501"] * 3


async def test_sql_that_names_no_owner_touches_the_tenants_rows_only(
    filled: list[str], app_sessions: Sessions, sessions: Sessions, ana: Learner, bruno: Learner
) -> None:
    async with sessions() as session:
        everything = {table: await seen(session, table) for table in filled}
    async with app_sessions.begin() as session:
        bind_tenant(session, ana.id)
        own = {table: await seen(session, table) for table in filled}
        for table in filled:
            may = await session.scalar(
                text("select has_table_privilege(:table, 'delete')"), {"table": table}
            )
            if may:
                await session.execute(text(f"delete from {table}"))
        await session.execute(text("update users set full_name = 'canario'"))

    async with sessions() as session:
        names = (await session.execute(text("select id, full_name from users"))).all()
        left = {
            table: await seen(session, table)
            for table in filled
            if table not in {"users", "events", "erasures"}
        }
    assert min(own.values()) > 0
    assert all(0 < own[table] < everything[table] for table in filled)
    assert {(ana.id, "canario"), (bruno.id, None)} == {(row[0], row[1]) for row in names}
    assert left == {table: everything[table] - own[table] for table in left}


async def test_a_row_is_never_given_to_another_user(
    filled: list[str], app_sessions: Sessions, ana: Learner, bruno: Learner
) -> None:
    states = []
    for statement in (
        "update goals set user_id = :other",
        "insert into goals (id, user_id, title) values ('gol_x', :other, 'plantado')",
        "insert into embeddings (id, user_id, entity_type, entity_id, content, embedding, model)"
        " select 'emb_x', :other, 'goal', 'x', content, embedding, model from embeddings limit 1",
        "insert into run_events (run_id, user_id, seq, type, data)"
        " values ('run_x', :other, 9, 't', '{}')",
    ):
        async with app_sessions() as session:
            bind_tenant(session, ana.id)
            with pytest.raises(DBAPIError) as error:
                await session.execute(text(statement), {"other": bruno.id})
            states.append(getattr(error.value.orig, "sqlstate", None))

    assert states == ["42501"] * 4


async def test_no_error_message_tells_of_another_users_row(
    filled: list[str], app_sessions: Sessions, ana: Learner, bruno: Learner
) -> None:
    async with app_sessions() as session:
        bind_tenant(session, ana.id)

        with pytest.raises(DBAPIError) as error:
            await session.execute(text("select 1 from goals where cast(title as integer) > 0"))

    assert ana.id in str(error.value.orig)
    assert bruno.id not in str(error.value.orig)


async def test_the_search_for_words_gives_the_tenants_rows_only(
    filled: list[str], app_sessions: Sessions, ana: Learner, bruno: Learner
) -> None:
    statement = text("select id from embeddings_with_words(:owner, 'meta | curso | tarea')")
    async with app_sessions() as session:
        bind_tenant(session, ana.id)
        own = (await session.execute(statement, {"owner": ana.id})).all()
        others = (await session.execute(statement, {"owner": bruno.id})).all()

    assert len(own) >= 3
    assert others == []


@pytest_asyncio.fixture
async def narrow(app_url: str, service: Service) -> AsyncIterator[Service]:
    """Yield the application over a pool of two connections, and two past it."""
    engine = make_engine(app_url, pool_size=2, pool_timeout=60)
    services = replace(service.services, sessions=make_sessions(engine))
    yield Service(create_app(services), services)
    await engine.dispose()


async def test_a_thousand_interleaved_requests_over_two_connections_leak_nothing(
    narrow: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.reads.CONNECTIONS", 2)
    learners = [await narrow.sign_in(name) for name in ("ana", "bruno")]
    for learner in learners:
        await learner.make("goals", title=f"de {learner.id}")
    turns = asyncio.Semaphore(16)

    async def ask(number: int, learner: Learner) -> str | None:
        async with turns:
            if number % 4 < 2:
                found = await learner.read("/v1/goals")
                owners = {goal["title"] for goal in found["items"]}
                return None if owners == {f"de {learner.id}"} else str(owners)
            async with narrow.services.sessions() as session:
                bind_tenant(session, learner.id)
                [row] = await read(session, _OWN_COUNT, {})
                written = await write(session, _RENAME_ALL, {"title": f"de {learner.id}"})
                left = (
                    None
                    if number % 8 < 4
                    else await session.scalar(text("select max(user_id) from goals"))
                )
            owner = learner.id
            whole = [*row[1:], *(one for (one,) in written), left or owner]
            return None if row[0] == 1 and set(whole) == {owner} else str((row, written, left))

    asked = zip(range(1_000), itertools.cycle(learners))
    leaks = [leak for leak in await asyncio.gather(*(ask(*one) for one in asked)) if leak]

    assert leaks == []


@pytest.mark.parametrize("way", ["rolled back", "errored", "committed", "past"])
async def test_no_transaction_leaves_its_tenant_on_the_connection(
    app_url: str, ana: Learner, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.reads.CONNECTIONS", 1)
    await ana.make("goals", title="canario")
    engine = make_engine(app_url, pool_size=1)
    sessions = make_sessions(engine)
    own = make_statement("select count(*), pg_backend_pid() from goals")

    async with sessions() as session:
        bind_tenant(session, ana.id)
        if way == "past":
            [(rows, pid)] = await read(session, own, {})
            with pytest.raises(DBAPIError):
                await read(
                    session, make_statement("select 1 / count(*) from goals where id = ''"), {}
                )
        else:
            rows, pid = (await session.execute(text(own.sql))).one()
            if way == "errored":
                with pytest.raises(DBAPIError):
                    await session.execute(text("select 1 / 0"))
            await (session.commit() if way == "committed" else session.rollback())
    async with sessions() as session:
        if way == "past":
            [after] = await read(session, own, {})
        else:
            after = tuple((await session.execute(text(own.sql))).one())
        assert tenant_of(session) is None
    await engine.dispose()

    assert rows == 1
    assert tuple(after) == (0, pid)


async def test_a_savepoint_that_is_undone_does_not_take_the_tenant_along(
    app_sessions: Sessions, ana: Learner
) -> None:
    await ana.make("goals", title="canario")

    async with app_sessions.begin() as session:
        bind_tenant(session, ana.id)
        savepoint = await session.begin_nested()
        before = await execute(session, _OWN_COUNT, {})
        await savepoint.rollback()
        after = await execute(session, _OWN_COUNT, {})

    assert before == after == [(1, ana.id, ana.id)]


async def test_a_transaction_names_its_tenant_in_one_message_with_its_first_statement(
    app_sessions: Sessions, ana: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ana.make("goals", title="canario")
    messages = 0
    pipeline = psycopg.AsyncConnection.pipeline

    def count(connection: psycopg.AsyncConnection[Any]) -> Any:
        nonlocal messages
        messages += 1
        return pipeline(connection)

    monkeypatch.setattr(psycopg.AsyncConnection, "pipeline", count)
    async with app_sessions.begin() as session:
        bind_tenant(session, ana.id)
        own = await execute(session, _OWN_COUNT, {})

    assert own == [(1, ana.id, ana.id)]
    assert messages == 1


async def test_a_session_has_one_tenant(app_sessions: Sessions) -> None:
    async with app_sessions() as session:
        bind_tenant(session, "usr_a")

        with pytest.raises(RuntimeError, match="one tenant"):
            bind_tenant(session, "usr_b")
        with pytest.raises(ValueError, match="has an id"):
            bind_tenant(session, "")


async def test_the_nearest_neighbour_that_another_user_planted_is_never_found(
    service: Service, ana: Learner, bruno: Learner, sessions: Sessions, app_sessions: Sessions
) -> None:
    question = "cómo guardar contraseñas con sal"
    await ana.make("goals", title="Aprender a hornear pan")
    await bruno.make("goals", title=question, description="canario")
    await fill_pending(service)
    vector = await service.services.embedder.embed_query(question)

    found = await ana.read("/v1/search", q=question, min_similarity=-1)
    async with app_sessions() as session:
        bind_tenant(session, ana.id)
        nearest = (
            await session.execute(
                text(
                    "select user_id, content from embeddings"
                    " order by embedding <=> cast(:vector as vector) limit 10"
                ),
                {"vector": str(np.asarray(vector).tolist())},
            )
        ).all()

    assert "canario" not in str(found)
    assert {owner for owner, _ in nearest} == {ana.id}


@pytest.fixture
def roles(server_url: str, database_url: str) -> Iterator[psycopg.Connection]:
    """Yield a connection to make roles on, which go with the test."""
    with connect(database_url) as connection:
        connection.execute("create role goals_test_owner login")
        connection.execute("create role goals_test_bypass login bypassrls in role goals_app")
        connection.execute("create role goals_test_super login superuser")
        connection.execute("create role goals_test_stranger login")
        connection.execute("create role goals_test_system login in role goals_app, goals_system")
        yield connection
        connection.execute("reassign owned by goals_test_owner to current_user")
        connection.execute("drop owned by goals_test_owner, goals_test_stranger")
        for role in ("owner", "bypass", "super", "stranger", "system"):
            connection.execute(f"drop role goals_test_{role}")


@pytest.mark.parametrize(
    ("role", "said"),
    [
        ("super", "goals_test_super is a superuser"),
        ("bypass", "alter role goals_test_bypass nobypassrls"),
        ("owner", "goals_test_owner owns the tables (goals)"),
        ("stranger", "grant goals_app to goals_test_stranger"),
        ("system", "revoke goals_system from goals_test_system"),
        ("nobody", "alter role goals_test_nobody login password"),
    ],
)
def test_a_role_that_sees_too_much_is_refused_with_what_mends_it(
    roles: psycopg.Connection, database_url: str, role: str, said: str
) -> None:
    if role == "owner":
        roles.execute("grant create on schema public to goals_test_owner")
        roles.execute("alter table goals owner to goals_test_owner")
    url = make_url(database_url).set(username=f"goals_test_{role}")

    with pytest.raises(SetupError) as refused:
        is_in_force(database_url, url.render_as_string(hide_password=False))

    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("damage", "mend"),
    [
        ("alter table goals no force row level security", "alter table goals enable row level"),
        ("alter table embeddings disable row level security", "alter table embeddings enable row"),
        ("create table notes (id int, user_id varchar)", "alter table notes enable row level"),
        ("create policy leak on tasks using (true)", "drop policy leak on tasks"),
    ],
)
def test_a_database_that_keeps_users_no_more_apart_is_refused(
    database_url: str, app_url: str, damage: str, mend: str
) -> None:
    before = is_in_force(database_url, app_url)
    with connect(database_url) as connection:
        connection.execute(damage)

    with pytest.raises(SetupError) as refused:
        is_in_force(database_url, app_url)

    assert before is True
    assert mend in refused.value.detail


def test_an_owner_who_does_not_see_everything_is_refused(
    roles: psycopg.Connection, database_url: str, app_url: str
) -> None:
    roles.execute("grant select on alembic_version to goals_test_stranger")
    url = make_url(database_url).set(username="goals_test_stranger")

    with pytest.raises(SetupError, match="grant goals_system to goals_test_stranger"):
        is_in_force(url.render_as_string(hide_password=False), app_url)


async def test_what_nobody_could_look_at_is_looked_at_before_the_first_request(
    service: Service, ana: Learner, database_url: str, app_url: str
) -> None:
    away = Tenancy("postgresql+psycopg://nobody@127.0.0.1:9/nothing", app_url)
    back = Tenancy(database_url, app_url)
    statuses = []
    with connect(database_url) as connection:
        connection.execute("alter table goals no force row level security")
    broken = Tenancy(database_url, app_url)
    for tenancy in (away, broken, back):
        if tenancy is back:
            with connect(database_url) as connection:
                connection.execute("alter table goals force row level security")
        services = replace(service.services, tenancy=tenancy)
        async with Service(create_app(services), services).client() as client:
            client.headers = ana.client.headers
            answers = [await client.get(path) for path in ("/v1/goals", "/readyz")]
        statuses.append([answer.status_code for answer in answers])

    assert statuses == [[503, 503], [503, 503], [200, 200]]


def test_databases_of_one_server_make_the_roles_at_once(data_folder: Path) -> None:
    script = ScriptDirectory.from_config(make_config()).get_revision("023")
    assert script is not None
    make_roles: str = script.module.MAKE_ROLES
    found = []

    def make(url: str) -> None:
        with connect(url) as connection:
            connection.execute(make_roles)

    with open_embedded(data_folder / "pg") as url, connect(url) as connection:
        connection.execute("create role owner login createrole")
        urls = []
        for number in range(4):
            connection.execute(f"create database d{number} owner owner")
            database = make_url(url).set(username="owner", database=f"d{number}")
            urls.append(database.render_as_string(hide_password=False))
        for _ in range(15):
            with ThreadPoolExecutor(len(urls)) as threads:
                list(threads.map(make, urls))
            found += connection.execute(
                "select rolcanlogin, rolsuper, rolbypassrls, pg_has_role('owner', oid, 'usage')"
                " from pg_roles where rolname in ('goals_app', 'goals_system') order by rolname"
            ).fetchall()
            connection.execute("drop role goals_app, goals_system")

    assert found == [(True, False, False, False), (False, False, False, True)] * 15


def test_who_may_not_make_roles_is_told_what_an_administrator_runs(data_folder: Path) -> None:
    with open_embedded(data_folder / "pg") as url:
        with connect(url) as connection:
            connection.execute("create role poor login")
            connection.execute("create extension vector")
            connection.execute("grant create on schema public to poor")
        poor = make_url(url).set(username="poor").render_as_string(hide_password=False)
        with pytest.raises(DBAPIError) as refused:
            migrate(poor)
        stopped_at = current_revision(poor)
        with connect(url) as connection:
            for statement in str(refused.value.orig).split("run: ")[1].split("; ")[:3]:
                connection.execute(statement)
        migrate(poor)
        in_force = is_in_force(poor, as_app(poor))

    assert stopped_at == "022"
    assert in_force is True

"""Vectors for what waits: in order, outside transactions, one filler at a time, after any death."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import psycopg
import pytest
import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

import db.embedding_backlog
import tools.backfill
import tools.embedders
from api.doctor import look
from api.indexing import run_backfill, run_status
from api.settings import Settings
from db.base import new_id, utc_now
from db.embedding_backlog import LOCK_KEY
from db.embeddings import EmbeddingRow, copy_rows
from db.engine import Sessions, conninfo
from db.retry import retry_delay
from events.gauges import DatabaseGauges
from tests.database import connect
from tests.embedding_services import PlayedEmbeddings, Refusal, serve_embeddings, with_embeddings
from tests.scrapes import scrape
from tests.service import Learner, Service, fill_pending
from tools.backfill import Filler, filling
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.errors import EmbeddingError
from tools.users import get_or_create_user

ROOT: Final = Path(__file__).resolve().parents[2]
PENDING: Final = "select count(*) from embeddings where model = ''"


@pytest.fixture
def embeddings() -> PlayedEmbeddings:
    """Return an embedding service that counts and can fail."""
    return PlayedEmbeddings()


@pytest.fixture
def played(service: Service, embeddings: PlayedEmbeddings) -> Service:
    """Return the application over that service."""
    return with_embeddings(service, embeddings)


@pytest_asyncio.fixture
async def owner(sessions: Sessions) -> str:
    """Return the id of a learner."""
    async with sessions.begin() as session:
        user = await get_or_create_user(session, username="ana", now=utc_now(), source="tests")
    return user.id


@pytest_asyncio.fixture
async def eva(played: Service) -> AsyncIterator[Learner]:
    """Yield a learner of that application."""
    learner = await played.sign_in("eva")
    async with learner.client:
        yield learner


def row(owner: str, title: str, *, model: str = "") -> EmbeddingRow:
    vector = ScriptedEmbeddings().embed_query(title) if model else [0.0] * 1536
    return EmbeddingRow(
        id=new_id("emb"),
        user_id=owner,
        entity_type="goal",
        entity_id=title,
        chunk=0,
        content=title,
        content_hash=title,
        vector=np.array(vector, dtype=np.float32),
        model=model,
        metadata={"de": title} if model else None,
        created_at=utc_now(),
    )


async def store(sessions: Sessions, *rows: EmbeddingRow) -> None:
    async with sessions.begin() as session:
        await copy_rows(session, rows)


async def models(sessions: Sessions) -> dict[str, str]:
    """Return the model of each row by its text."""
    async with sessions() as session:
        found = await session.execute(text("select content, model from embeddings"))
        return {each.content: each.model for each in found}


async def test_pending_rows_come_first_the_newest_first_then_those_of_other_models(
    sessions: Sessions, owner: str, embeddings: PlayedEmbeddings
) -> None:
    kinds = {"viejo": "a-model", "nuevo": "z-model", "uno": "", "dos": "", "hecho": SCRIPTED_MODEL}
    await store(sessions, *(row(owner, title, model=model) for title, model in kinds.items()))

    filled = await Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings), texts_a_call=2).fill()

    assert embeddings.calls == [["dos", "uno"], ["viejo"], ["nuevo"]]
    assert filled.embedded == 4
    assert set((await models(sessions)).values()) == {SCRIPTED_MODEL}


async def test_what_was_written_just_now_is_left_to_its_writer_for_a_while(
    sessions: Sessions, owner: str, embeddings: PlayedEmbeddings
) -> None:
    old = row(owner, "viejo")._replace(created_at=utc_now() - timedelta(minutes=2))
    ahead = row(owner, "adelantado")._replace(created_at=utc_now() + timedelta(minutes=2))
    await store(sessions, old, row(owner, "nuevo"), ahead)
    filler = Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings))

    await filler.fill(settled_for=timedelta(minutes=1))
    settled = sorted(embeddings.texts)
    await filler.fill()

    assert settled == ["adelantado", "viejo"]
    assert embeddings.texts[-1] == "nuevo"


async def test_a_vector_that_somebody_gave_meanwhile_is_not_written_twice(
    sessions: Sessions, owner: str, embeddings: PlayedEmbeddings
) -> None:
    await store(sessions, row(owner, "uno"))
    version = text("select xmin::text, model from embeddings")

    async def give() -> None:
        async with sessions.begin() as session:
            await session.execute(text("update embeddings set model = :m"), {"m": SCRIPTED_MODEL})
            seen.append((await session.execute(version)).one())

    seen: list[Any] = []
    embeddings.meanwhile = give
    filled = await Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings)).fill()

    async with sessions() as session:
        assert (await session.execute(version)).one() == seen[0]
    assert (filled.embedded, filled.changed) == (0, 1)


@pytest.mark.parametrize("was", ["", "a-model", "z-model"])
async def test_what_waits_is_looked_up_in_its_index_also_by_old_statistics(
    sessions: Sessions, owner: str, was: str
) -> None:
    await store(sessions, *(row(owner, f"t{number}", model=was) for number in range(300)))
    now = utc_now().replace(tzinfo=None)
    values = {"model": "m", "limit": 64, "without": [], "since": now, "now": now}
    async with sessions.begin() as session:
        await session.execute(text("analyze embeddings"))
        await session.execute(text("update embeddings set model = 'm'"))

        plans = {
            str(statement): (await session.execute(text(f"explain {statement}"), values)).scalars()
            for statement in (*db.embedding_backlog._TAKES, db.embedding_backlog._IS_WAITING)
        }

    for plan in map("\n".join, plans.values()):
        assert "Seq Scan" not in plan
        assert "idx_embeddings_model" in plan


async def test_a_text_that_changes_while_it_is_embedded_waits_again(
    played: Service, embeddings: PlayedEmbeddings, eva: Learner
) -> None:
    goal = await eva.make("goals", title="Antes")

    async def change() -> None:
        embeddings.meanwhile = None
        await eva.client.patch(f"/v1/goals/{goal['id']}", json={"title": "Después"})

    embeddings.meanwhile = change

    filled = await fill_pending(played)

    assert (filled.embedded, filled.changed) == (1, 1)
    assert embeddings.texts == ["Antes", "Después"]
    [distance] = [hit["similarity"] for hit in (await eva.read("/v1/search", q="después"))["hits"]]
    assert distance == pytest.approx(1.0)


async def test_no_transaction_is_open_while_the_service_thinks(
    played: Service, embeddings: PlayedEmbeddings, eva: Learner
) -> None:
    await eva.make("goals", title="Pensar")
    states: list[int] = []

    async def look_around() -> None:
        states.append(
            await played.count(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and xact_start is not null"
            )
        )

    embeddings.meanwhile = look_around

    await fill_pending(played)

    assert states == [0]


@pytest.mark.parametrize("error", [Refusal("no"), RuntimeError("500")])
async def test_a_text_that_is_refused_does_not_hold_up_the_others(
    sessions: Sessions,
    owner: str,
    embeddings: PlayedEmbeddings,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    monkeypatch.setattr(tools.backfill, "retry_delay", lambda failures, *, longest: longest)
    await store(sessions, *(row(owner, f"t{number}") for number in range(64)))

    def refuse(texts: list[str]) -> None:
        if {"t20", "t50"} & set(texts):
            raise error

    embeddings.fails = refuse
    filler = Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings), texts_a_call=64)

    first = await filler.fill()
    calls = len(embeddings.calls)
    again = await filler.fill()

    assert (first.embedded, len(first.refused)) == (62, 2)
    assert calls < 64
    assert (again.embedded, again.refused, len(embeddings.calls)) == (0, (), calls)
    stored = await models(sessions)
    assert {title for title, model in stored.items() if not model} == {"t20", "t50"}


async def test_a_service_that_is_down_is_not_asked_for_every_text(
    sessions: Sessions, owner: str, embeddings: PlayedEmbeddings
) -> None:
    await store(sessions, *(row(owner, f"t{number}") for number in range(64)))
    embeddings.go_down()
    filler = Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings), texts_a_call=64)

    with pytest.raises(EmbeddingError):
        await filler.fill()
    asked = len(embeddings.calls)
    embeddings.come_back()
    filled = await Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings)).fill()

    assert asked == 3
    assert filled.embedded == 64


async def test_one_filler_works_at_a_time_and_the_next_after_it(
    sessions: Sessions, owner: str, database_url: str, embeddings: PlayedEmbeddings
) -> None:
    await store(sessions, row(owner, "uno"))
    filler = Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings))

    with connect(database_url) as other:
        other.execute("select pg_advisory_lock(%s)", [LOCK_KEY])
        busy = await filler.fill()
        asked = len(embeddings.calls)
        other.execute("select pg_advisory_unlock(%s)", [LOCK_KEY])
    free = await filler.fill()

    assert (busy.busy, busy.embedded, asked) == (True, 0, 0)
    assert free.embedded == 1


async def test_a_filler_that_is_cancelled_gives_its_turn_back(
    sessions: Sessions, owner: str, embeddings: PlayedEmbeddings
) -> None:
    await store(sessions, row(owner, "uno"))
    began, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        began.set()
        await never.wait()

    embeddings.meanwhile = hang
    task = asyncio.create_task(Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings)).fill())
    await began.wait()
    task.cancel()
    await asyncio.wait([task])
    embeddings.meanwhile = None

    filled = await Filler(sessions, Embedder(SCRIPTED_MODEL, embeddings)).fill()

    assert task.cancelled()
    assert (filled.busy, filled.embedded) == (False, 1)


async def test_two_processes_with_different_models_do_not_embed_each_others_work_for_ever(
    sessions: Sessions, owner: str, embeddings: PlayedEmbeddings
) -> None:
    await store(sessions, row(owner, "uno"))
    one = Filler(sessions, Embedder("one", embeddings))
    other = Filler(sessions, Embedder("other", embeddings))

    for _ in range(5):
        await one.fill()
        await other.fill()
    await store(sessions, row(owner, "dos"))
    filled = await one.fill()

    assert embeddings.texts == ["uno", "uno", "dos"]
    assert filled.embedded == 1


async def test_what_is_written_is_found_by_meaning_soon_also_after_failures(
    played: Service,
    embeddings: PlayedEmbeddings,
    eva: Learner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tools.backfill, "retry_delay", lambda failures, *, longest: 0.0)

    def fail_at_first(_: list[str]) -> None:
        if len(embeddings.calls) < 3:
            raise ConnectionError("refused")

    embeddings.fails = fail_at_first
    filler = Filler(played.services.system, played.services.embedder)

    async with filling(filler, poll_seconds=0.01), asyncio.timeout(10):
        await eva.make("goals", title="Pronto")
        while await played.count(PENDING):
            continue

    assert set(embeddings.texts) == {"Pronto"}


@pytest.mark.parametrize("longest", [30.0, 600.0])
def test_the_delay_grows_is_jittered_and_has_an_end(longest: float) -> None:
    delays = [
        [retry_delay(failures, longest=longest) for _ in range(50)] for failures in (1, 4, 5_000)
    ]

    assert max(delays[0]) <= 0.5 <= min(delays[1]) <= 4.0
    assert longest / 2 <= min(delays[2]) < max(delays[2]) <= longest


async def test_rows_are_copied_as_they_are(
    sessions: Sessions, engine: AsyncEngine, owner: str, database_url: str
) -> None:
    rows = [row(owner, f"t{number}", model="m") for number in range(50)]

    await store(sessions, *rows[:25])
    async with await psycopg.AsyncConnection.connect(conninfo(database_url)) as connection:
        copied = await copy_rows(connection, rows[25:])

    assert copied == 25
    async with engine.connect() as reader:
        columns = ", ".join(EmbeddingRow._fields).replace("vector", "embedding")
        stored = (await reader.execute(text(f"select {columns} from embeddings order by id"))).all()
    assert [tuple(each)[:7] for each in stored] == [each[:7] for each in rows]
    assert [each.metadata for each in stored] == [each.metadata for each in rows]
    assert [each.created_at for each in stored] == [r.created_at.replace(tzinfo=None) for r in rows]
    assert all((a.embedding == b.vector).all() for a, b in zip(stored, rows, strict=True))


async def test_a_copy_that_fails_leaves_nothing(sessions: Sessions, owner: str) -> None:
    rows = [row(owner, "uno", model="m"), row("usr_nobody", "dos", model="m")]

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        await store(sessions, *rows)

    assert await models(sessions) == {}


async def test_prometheus_and_the_doctor_count_what_waits(
    sessions: Sessions, owner: str, database_url: str
) -> None:
    await store(sessions, row(owner, "uno"), row(owner, "dos"), row(owner, "tres", model="old"))
    settings = scripted_settings(database_url)

    gauges = await asyncio.to_thread(scrape, DatabaseGauges(database_url))
    [finding] = [each for each in await asyncio.to_thread(lambda: list(look(settings)))
                 if each.name == "index"]  # fmt: skip

    assert gauges.value("goals_embeddings_pending") == 2
    assert finding.state == "warning"
    assert finding.detail.startswith("2 texts have no vector yet, 1 one of another model")
    assert "goals index backfill" in finding.fix


def scripted_settings(database_url: str) -> Settings:
    return Settings(
        _env_file=None,
        DATABASE_URL=SecretStr(database_url),
        GOALS_EMBEDDINGS="scripted",
        GOALS_JWT_SECRET=SecretStr("x" * 32),
    )


async def test_the_command_embeds_what_waits_and_says_so(
    sessions: Sessions, owner: str, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await store(sessions, row(owner, "uno"), row(owner, "dos", model="old-model"))
    settings = scripted_settings(database_url)

    await asyncio.to_thread(run_status, settings)
    before = capsys.readouterr().out
    code = await asyncio.to_thread(run_backfill, settings)
    told = capsys.readouterr().err
    await asyncio.to_thread(run_status, settings)
    after = capsys.readouterr().out

    assert code == 0
    assert "2 texts waited, 0 wait now." in told
    assert [line.split()[:2] for line in before.splitlines()[1:]] == [
        [SCRIPTED_MODEL, "0"], ["-", "1"], ["old-model", "1"]
    ]  # fmt: skip
    assert [line.split()[:2] for line in after.splitlines()[1:]] == [
        [SCRIPTED_MODEL, "2"],
        ["-", "0"],
    ]


def start_backfill(database_url: str, service_url: str) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GOALS_")}
    own = {
        "DATABASE_URL": database_url,
        "GOALS_EMBEDDINGS": "openai",
        "GOALS_EMBEDDINGS_MODEL": "m",
        "OPENAI_BASE_URL": service_url,
        "OPENAI_API_KEY": "k",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "api", "index", "backfill"],
        cwd=ROOT,
        env=clean | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.faults
async def test_the_command_goes_on_after_it_was_killed_in_the_middle(
    sessions: Sessions, owner: str, database_url: str
) -> None:
    await store(sessions, *(row(owner, f"t{number}") for number in range(300)))

    with serve_embeddings(hold_at=3) as first:
        killed = start_backfill(database_url, first.url)
        assert await asyncio.to_thread(first.held.wait, 60)
        killed.kill()
        await asyncio.to_thread(killed.communicate)
        done = list(first.texts)
    with serve_embeddings() as second:
        process = start_backfill(database_url, second.url)
        told, _ = await asyncio.to_thread(process.communicate, timeout=60)

    assert process.returncode == 0, told
    assert len(done) == 128
    assert sorted(second.texts) == sorted({f"t{number}" for number in range(300)} - set(done))
    assert set((await models(sessions)).values()) == {"m"}


async def test_the_command_ends_where_the_service_is_down_and_names_it(
    sessions: Sessions,
    owner: str,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tools.backfill, "retry_delay", lambda failures, *, longest: 0.0)
    monkeypatch.setattr(tools.embedders, "MAX_RETRIES", 0)
    await store(sessions, row(owner, "uno"))
    settings = scripted_settings(database_url).model_copy(
        update={
            "embeddings": "openai",
            "embeddings_model": "m",
            "openai_base_url": "http://127.0.0.1:1/v1",
        }
    )

    code = await asyncio.to_thread(run_backfill, settings)

    assert code == 1
    told = capsys.readouterr().err
    assert "the embedding model m does not answer; run `goals index backfill` again" in told
    assert await models(sessions) == {"uno": ""}

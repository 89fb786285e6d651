"""A PostgreSQL whose processes are stopped: it neither answers nor closes a connection."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import pytest_asyncio

from api.app import create_app
from api.bootstrap import open_services
from api.migrations import migrate
from api.settings import Settings
from db import watch
from db.embedded import as_app, open_embedded
from db.reads import make_statement, read
from tests.scratch import open_scratch
from tests.service import JWT, Learner, Service

WISH = {"wish": "aprender SQL", "count": 1}
BOUND = 5.0
"""Seconds within which a request is to be answered."""


@dataclass(frozen=True)
class Frozen:
    """An application and the server that it works with."""

    service: Service
    ana: Learner
    folder: Path

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop all processes of the server within the block."""
        server = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
        processes = [server, *server.children(recursive=True)]
        for one in processes:
            one.suspend()
        try:
            yield
        finally:
            for one in processes:
                one.resume()


@pytest_asyncio.fixture
async def frozen(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Frozen]:
    with open_scratch() as folder, open_embedded(folder / "pg") as url:
        migrate(url)
        settings = Settings(
            _env_file=None,
            DATABASE_URL=url,
            DATABASE_APP_URL=as_app(url),
            GOALS_JWT_SECRET=JWT.secret.decode(),
            GOALS_JWT_ISSUER=JWT.issuer,
            GOALS_JWT_AUDIENCE=JWT.audience,
            GOALS_HOME=str(folder / "home"),
            GOALS_CHAT="scripted",
            GOALS_EMBEDDINGS="scripted",
        )
        async with open_services(settings) as services:
            service = Service(create_app(services), services)
            yield Frozen(service, await service.sign_in("ana"), folder / "pg")


async def _suggest(ana: Learner) -> None:
    answer = await ana.client.post("/v1/goals/suggest", json=WISH)
    assert answer.status_code == 201, answer.text


async def test_requests_end_in_503_in_time_and_heal_by_themselves(
    frozen: Frozen, caplog: pytest.LogCaptureFixture
) -> None:
    ana = frozen.ana
    goal = await ana.make("goals", title="before")
    await asyncio.gather(*(ana.read("/v1/goals") for _ in range(6)), _suggest(ana))
    took: dict[str, float] = {}

    async def ask(method: str, path: str, **body: Any) -> Any:
        started = time.monotonic()
        async with asyncio.timeout(10 * BOUND):
            answer = await ana.client.request(method, path, **body)
        took[f"{method} {path}"] = time.monotonic() - started
        return answer

    with frozen.stopped():
        answers = await asyncio.gather(
            ask("GET", "/v1/goals"),
            ask("PATCH", f"/v1/goals/{goal['id']}", json={"title": "never"}),
            ask("POST", "/v1/goals", json={"title": "lost"}),
            ask("POST", "/v1/goals/suggest", json=WISH),
            ask("GET", "/readyz"),
        )
        again = await ask("GET", "/v1/tasks")

    for answer in (*answers, again):
        assert (answer.status_code, answer.json()["code"]) == (503, "DB_UNAVAILABLE"), answer.text
        assert int(answer.headers["retry-after"]) > 0
    assert max(took.values()) < BOUND, took
    assert any("database is frozen" in record.getMessage() for record in caplog.records)

    await asyncio.sleep(watch.SILENT)
    found = await ana.read("/v1/goals")
    titles = {one["title"] for one in found["items"]}
    assert "before" in titles
    assert not titles & {"never", "lost"}
    await _suggest(ana)
    assert (await ana.make("goals", title="after"))["title"] == "after"


async def test_a_slow_statement_of_a_server_that_answers_goes_on(frozen: Frozen) -> None:
    async with frozen.service.services.sessions() as session:
        rows = await read(session, make_statement("select 1 from pg_sleep(3)"), {})

    assert rows == [(1,)]


async def test_a_server_that_refuses_because_it_is_full_has_answered(frozen: Frozen) -> None:
    async with frozen.service.services.system() as session:
        raw: Any = await (await session.connection()).get_raw_connection()
        full: Any = raw.driver_connection

        async def refuse() -> psycopg.AsyncConnection[Any]:
            raise psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients")

        async def lose() -> psycopg.AsyncConnection[Any]:
            raise psycopg.OperationalError("connection failed: No route to host")

        full.probe = refuse
        assert await watch.lets_in(full)
        full.probe = lose
        assert not await watch.lets_in(full)

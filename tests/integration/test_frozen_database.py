"""A PostgreSQL whose processes are stopped: it neither answers nor closes a connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
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
PATIENCE = 30.0
"""Seconds within which a request is answered, where it would wait for ever; promised are 5."""


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
        server.suspend()
        processes = [server, *server.children(recursive=True)]
        try:
            for one in processes:
                with suppress(psutil.NoSuchProcess):
                    one.suspend()
            yield
        finally:
            for one in processes:
                with suppress(psutil.NoSuchProcess):
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


async def test_requests_end_in_503_and_heal_by_themselves(
    frozen: Frozen, caplog: pytest.LogCaptureFixture
) -> None:
    ana = frozen.ana
    goal = await ana.make("goals", title="before")
    await asyncio.gather(*(ana.read("/v1/goals") for _ in range(6)), _suggest(ana))

    async def ask(method: str, path: str, **body: Any) -> Any:
        async with asyncio.timeout(PATIENCE):
            return await ana.client.request(method, path, **body)

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
    assert any("database is frozen" in record.getMessage() for record in caplog.records)

    async with asyncio.timeout(PATIENCE):
        found = await ask("GET", "/v1/goals")
        while found.status_code == 503:
            found = await ask("GET", "/v1/goals")
    titles = {one["title"] for one in found.json()["items"]}
    assert "before" in titles
    assert not titles & {"never", "lost"}
    await _suggest(ana)
    assert (await ana.make("goals", title="after"))["title"] == "after"


async def test_a_slow_statement_of_a_server_that_answers_goes_on(frozen: Frozen) -> None:
    async with frozen.service.services.sessions() as session:
        rows = await read(session, make_statement("select 1 from pg_sleep(3)"), {})

    assert rows == [(1,)]


async def test_a_server_that_is_full_has_answered_and_one_that_is_stopped_has_not(
    frozen: Frozen,
) -> None:
    async with frozen.service.services.system() as session:
        raw: Any = await (await session.connection()).get_raw_connection()
        there: psycopg.ConnectionInfo = raw.driver_connection.info

    with ExitStack() as crowd, pytest.raises(psycopg.OperationalError, match="too many"):
        while True:
            crowd.enter_context(psycopg.connect(there.dsn))
            assert await watch.answers(there.host, there.port)
    with frozen.stopped():
        assert not await watch.answers(there.host, there.port)


async def test_over_tcp_nobody_and_one_who_says_nothing_have_not_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not await watch.answers("127.0.0.1", port)
    assert not await watch.answers("127.0.0.1", port)

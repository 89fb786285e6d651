"""The API for tests: the whole application in this process, over the test's own database."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from sqlalchemy import text

from api.app import create_app
from api.auth import JwtConfig, make_token
from api.bootstrap import Services
from api.settings import Settings
from db.engine import Sessions
from tools.backfill import Filled, Filler
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.passwords import Passwords
from tools.users import get_or_create_user

JWT: Final = JwtConfig(secret=b"a secret of tests, 32 bytes long", issuer="tests", audience="tests")
JsonObject = dict[str, Any]
ASK_A_MODEL: Final = ("/suggest", "/breakdown", "/validate", "/feedback", "/runs")


@dataclass(frozen=True)
class Learner:
    """A user of the API and a client that is signed in as them."""

    id: str
    client: httpx2.AsyncClient
    token: str = ""

    async def make(self, kind: str, **fields: Any) -> JsonObject:
        """Create something through the API and return it."""
        response = await self.client.post(f"/v1/{kind}", json=fields)
        assert response.status_code == 201, response.text
        created: JsonObject = response.json()
        return created

    async def read(self, path: str, **query: Any) -> JsonObject:
        """Read something that must be there."""
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        found: JsonObject = response.json()
        return found

    async def event_types(self) -> list[str]:
        """Return the types of the learner's events but USER_CREATED, oldest first."""
        page = await self.read("/v1/events", limit=100)
        return [
            item["event_type"]
            for item in reversed(page["items"])
            if item["event_type"] != "user.created"
        ]


async def name_request(request: httpx2.Request) -> None:
    """Give a request that asks a model a key of its own, unless the test gave one."""
    if request.method == "POST" and request.url.path.endswith(ASK_A_MODEL):
        request.headers.setdefault("Idempotency-Key", uuid.uuid4().hex)


@dataclass(frozen=True)
class Service:
    """The application, and a way to sign in."""

    app: FastAPI
    services: Services

    def client(self, token: str | None = None) -> httpx2.AsyncClient:
        """Return a client that speaks to the application in this process."""
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app, raise_app_exceptions=False),
            base_url="http://service",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            event_hooks={"request": [name_request]},
        )

    async def sign_in(self, username: str) -> Learner:
        """Make a user and return them, signed in."""
        async with self.services.system.begin() as session:
            user = await get_or_create_user(
                session, username=username, now=datetime.now(UTC), source="tests"
            )
        token = make_token(JWT, user_id=user.id, hours=1, now=datetime.now(UTC))
        return Learner(user.id, self.client(token), token)

    async def count(self, statement: str, **values: Any) -> int:
        """Return the number that a SQL statement gives."""
        async with self.services.system() as session:
            number = await session.scalar(text(statement), values)
        assert isinstance(number, int)
        return number

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Return the first column of what a SQL statement gives."""
        async with self.services.system() as session:
            return list((await session.scalars(text(statement), values)).all())


async def fill_pending(service: Service) -> Filled:
    """Give every text that waits its vector, as `goals serve` does in the background."""
    return await Filler(service.services.system, service.services.embedder).fill()


@pytest.fixture
def service(
    sessions: Sessions, app_sessions: Sessions, database_url: str, app_url: str, tmp_path: Path
) -> Service:
    """Return the application over this test's database and lake, without the agent."""
    services = Services(
        settings=Settings(_env_file=None, GOALS_LAKE=str(tmp_path / "lake")),
        database_url=database_url,
        app_url=app_url,
        sessions=app_sessions,
        system=sessions,
        embedder=Embedder(SCRIPTED_MODEL, ScriptedEmbeddings()),
        jwt=JWT,
        passwords=Passwords(memory=64, passes=1),
    )
    return Service(create_app(services), services)


@pytest_asyncio.fixture
async def ana(service: Service) -> AsyncIterator[Learner]:
    """Yield a learner."""
    learner = await service.sign_in("ana")
    async with learner.client:
        yield learner


@pytest_asyncio.fixture
async def bruno(service: Service) -> AsyncIterator[Learner]:
    """Yield another learner."""
    learner = await service.sign_in("bruno")
    async with learner.client:
        yield learner

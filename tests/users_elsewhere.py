"""Users and courses elsewhere, for tests: the stub as a process, and the API that asks it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import pytest
import pytest_asyncio
from sqlalchemy.engine import make_url

from agent.models import make_chat_model
from api.app import create_app
from api.auth import make_token
from api.bootstrap import Services
from api.migrations import ROOT, migrate
from api.settings import Settings
from db.engine import make_engine, make_sessions
from db.external import externalize
from tests.agents import opened
from tests.database import as_app, open_database
from tests.service import JWT, Learner, Service
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings
from tools.http import make_http_clients
from tools.users_service import UsersService

READY: Final = "Uvicorn running on "
SECONDS: Final = 5.0
"""How long one question may take while all is well, on a busy machine too."""
IMPATIENT: Final = 0.3
"""How long one may take where it is to take too long."""
SERVICE_TOKEN: Final = "a token of the service's own"


@dataclass(frozen=True)
class Stub:
    """The running stub."""

    process: subprocess.Popen[str]
    url: str

    def put(self, path: str, **changes: Any) -> dict[str, Any]:
        """Change what the stub knows, or how it fails."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/stub/{path}",
            json.dumps(changes).encode(),
            {"Content-Type": "application/json"},
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own server
            answer: dict[str, Any] = json.load(response)
            return answer

    def fail(self, fault: str) -> int:
        """Let it fail in this way from now on; return what it was asked so far."""
        return int(self.put(f"fault/{fault}")["calls"])

    def wait_until_asked(self, before: int) -> None:
        """Wait until it was asked more often than that, while it is slow."""
        while self.fail("slow") <= before:
            pass

    def stop(self) -> None:
        """Let it answer nobody, and keep its connections open."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self.process.send_signal(signal.SIGCONT)


def start_stub() -> Stub:
    """Start `goals users-stub` on a free port, and wait until it listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "users-stub", "--port", "0"],
        cwd=ROOT,
        env=os.environ
        | {
            "GOALS_JWT_SECRET": JWT.secret.decode(),
            "GOALS_JWT_ISSUER": JWT.issuer,
            "GOALS_JWT_AUDIENCE": JWT.audience,
            "GOALS_USERS_TOKEN": SERVICE_TOKEN,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if READY in line:
            return Stub(process, line.split(READY, 1)[1].split()[0])
    raise AssertionError("the stub ended before it listened")


def kill_stub(stub: Stub) -> None:
    """End the stub's process, whatever it does."""
    stub.process.kill()
    stub.process.communicate(timeout=30)


@pytest.fixture(scope="session")
def stub_process() -> Iterator[Stub]:
    """Yield one stub for all tests."""
    stub = start_stub()
    yield stub
    kill_stub(stub)


@pytest.fixture
def stub(stub_process: Stub) -> Iterator[Stub]:
    """Yield the stub, sound at the beginning and at the end."""
    stub_process.fail("none")
    yield stub_process
    stub_process.go_on()
    stub_process.fail("none")


@pytest.fixture(scope="session")
def external_template(server_url: str, template_database: str) -> Iterator[str]:
    """Yield the name of a database in which users are elsewhere."""
    with open_database(server_url, template=template_database) as url:
        migrate(url, afterwards=[partial(externalize, drop=True)])
        yield str(make_url(url).database)


@pytest.fixture
def external_url(server_url: str, external_template: str) -> Iterator[str]:
    """Yield the URL of a database of this test's own in which users are elsewhere."""
    with open_database(server_url, template=external_template) as url:
        yield url


@pytest_asyncio.fixture
async def users(stub: Stub) -> AsyncIterator[UsersService]:
    """Yield a client of the stub."""
    clients = make_http_clients(timeout=SECONDS)
    yield UsersService(stub.url, client=clients.asynchronous, timeout=SECONDS)
    await clients.aclose()


@pytest.fixture
def external_app_url(external_url: str, app_login: dict[str, str]) -> str:
    """Return the URL of `external_url` as requests connect to it."""
    return as_app(external_url, app_login)


@pytest_asyncio.fixture
async def external(
    external_url: str, external_app_url: str, users: UsersService
) -> AsyncIterator[Service]:
    """Yield the application with its agent, in service mode: one connection for requests."""
    async with opened_there(external_url, external_app_url, users) as service:
        yield service


@contextlib.asynccontextmanager
async def opened_there(url: str, app_url: str, users: UsersService) -> AsyncIterator[Service]:
    """Yield the application with the scripted agent on the database at `url`, in service mode."""
    engine, system = make_engine(app_url, pool_size=1), make_engine(url)
    services = Services(
        settings=Settings(_env_file=None, GOALS_USERS="service", GOALS_USERS_URL="http://x"),
        database_url=url,
        app_url=app_url,
        sessions=make_sessions(engine),
        system=make_sessions(system),
        embedder=Embedder(SCRIPTED_MODEL, ScriptedEmbeddings()),
        jwt=JWT,
        directory=users,
    )
    clients = make_http_clients(timeout=5)
    chat = make_chat_model("scripted", model="", api_key=None, base_url=None, clients=clients)
    async with opened(services, chat) as service:
        yield service
    await clients.aclose()
    await engine.dispose()
    await system.dispose()


def over(service: Service, users: UsersService) -> Service:
    """Return the same application, asking by another client: it has kept nothing."""
    services = replace(service.services, directory=users)
    return Service(create_app(services), services)


def sign_in(service: Service, user_id: str) -> Learner:
    """Return one of the stub's users, signed in."""
    token = make_token(JWT, user_id=user_id, hours=1, now=datetime.now(UTC))
    return Learner(user_id, service.client(token), token)

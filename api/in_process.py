"""The whole HTTP application in this process, over a database that nobody else works on."""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

import httpx2

from api.auth import JwtConfig, make_token
from api.bootstrap import Agent, Services
from api.settings import Settings
from api.tenancy import open_tenancy
from db.base import utc_now
from db.engine import REQUEST_OPTIONS, make_engine, make_sessions

if TYPE_CHECKING:
    from fastapi import FastAPI

    from agent.models import ChatModel
    from tools.embedders import Embedder

ADDRESS: Final = "http://service"
TOKEN_HOURS: Final = 24.0
SECRET_BYTES: Final = 48


@dataclass(frozen=True)
class InProcess:
    """The application and what it works with."""

    app: "FastAPI"
    services: Services

    def client(self, user_id: str) -> httpx2.AsyncClient:
        """Return a client that is signed in as `user_id` and needs no socket."""
        token = make_token(self.services.signer, user_id=user_id, hours=TOKEN_HOURS, now=utc_now())
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url=ADDRESS,
            headers={"Authorization": f"Bearer {token}"},
            timeout=None,  # the models that are asked have their own
        )


@contextlib.asynccontextmanager
async def open_in_process(
    url: str,
    app_url: str,
    *,
    chat: "ChatModel",
    embedder: "Embedder",
    now: Callable[[], datetime],
    call_seconds: float,
) -> AsyncIterator[InProcess]:
    """Yield the application over the migrated database at `url`, its runs at work.

    Requests connect to `app_url`, a call of the model may take `call_seconds`; other settings are
    the defaults, whatever the environment says. Nobody is limited to requests a minute, and nothing
    gets vectors in the background: a search finds what a filler has filled.
    """
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    from agent.graph import build_graph
    from api.app import create_app
    from api.checkpoints import open_checkpoints
    from api.runs.hub import open_hub

    settings = Settings.model_construct(chat="local", llm_timeout=call_seconds)
    async with AsyncExitStack() as stack:
        engine = make_engine(app_url, options=REQUEST_OPTIONS)
        system = make_engine(url, pool_size=2)
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(system.dispose)
        saver = await stack.enter_async_context(open_checkpoints(app_url))
        services = Services(
            settings=settings,
            database_url=url,
            app_url=app_url,
            sessions=make_sessions(engine),
            system=make_sessions(system),
            tenancy=await open_tenancy(url, app_url),
            embedder=embedder,
            jwt=JwtConfig(
                secret=secrets.token_bytes(SECRET_BYTES),
                issuer=settings.jwt_issuer,
                audience=settings.jwt_audience,
            ),
            agent=Agent(graph=build_graph(saver), chat=chat),
            now=now,
        )
        hub = await stack.enter_async_context(open_hub(services))
        services = replace(services, hub=hub)
        yield InProcess(create_app(services), services)

"""The wiring: from settings to everything that a process works with."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from api.auth import JwtConfig
from api.checkpoints import open_checkpoints
from api.directory import open_directory
from api.issuer import open_issuer, own_issuer
from api.tenancy import Tenancy, app_url_of, open_tenancy
from api.tracing import trace_database
from db.base import utc_now
from db.embeddings import KnownVector
from db.engine import REQUEST_OPTIONS, Sessions, database_url, make_engine, make_sessions
from db.tenancy import bind_tenant
from db.watch import watching
from tools.context import ToolContext
from tools.directory import OWN_TABLES, Directory
from tools.errors import SetupError
from tools.http import make_http_clients
from tools.passwords import Passwords

if TYPE_CHECKING:
    from agent.context import AgentContext
    from agent.graph import AgentGraph
    from agent.models import ChatModel
    from api.jwks import KeySet
    from api.rate_limits import RateLimits
    from api.runs.hub import RunHub
    from api.settings import Settings
    from tools.backfill import Filler
    from tools.embedders import Embedder
    from tools.http import HttpClients
    from tools.known_vectors import KnownVectors
    from tools.usage import Budget

SYSTEM_CONNECTIONS: Final = 2


@dataclass(frozen=True)
class Agent:
    """The compiled graph and the model that it asks."""

    graph: "AgentGraph"
    chat: "ChatModel"


@dataclass(frozen=True)
class Services:
    """What an edge works with, made once for a process; `agent` and `hub` only where asked for.

    `sessions`, on `app_url`, show each user their own rows and nobody anything else; `system`, on
    `database_url`, is for what this process does for all users.
    Without `rates` nobody is limited.
    """

    settings: "Settings"
    database_url: str
    app_url: str
    sessions: Sessions
    system: Sessions
    embedder: "Embedder"
    jwt: "JwtConfig | KeySet"
    agent: Agent | None = None
    hub: "RunHub | None" = None
    rates: "RateLimits | None" = None
    passwords: Passwords = field(default_factory=Passwords)
    known_vectors: "KnownVectors | None" = None
    tenancy: Tenancy | None = None
    directory: Directory = OWN_TABLES
    now: Callable[[], datetime] = utc_now

    @property
    def signer(self) -> JwtConfig:
        """Return what own tokens are signed with. Raises SetupError where another issuer does."""
        return own_issuer(self.jwt)

    @property
    def offers_sign_in(self) -> bool:
        """Tell whether people register and sign in here."""
        return self.settings.offers_sign_in and isinstance(self.jwt, JwtConfig)

    @property
    def budget(self) -> "Budget":
        """Return what models may take, and what they cost."""
        return budget_of(self.settings)

    @contextlib.asynccontextmanager
    async def open_tools(self, user_id: str, source: str = "api") -> AsyncIterator[ToolContext]:
        """Open one transaction as `user_id`: committed at the end of the block, or rolled back."""
        known: list[KnownVector] = []
        if self.tenancy is not None:
            await self.tenancy.require()
        async with self.sessions.begin() as session:
            bind_tenant(session, user_id)
            yield ToolContext(
                session=session,
                user_id=user_id,
                embedder=self.embedder,
                now=self.now(),
                source=source,
                known=None if self.known_vectors is None else known,
                directory=self.directory,
            )
        if known and self.known_vectors is not None:
            self.known_vectors.add(partial(self.open_tools, user_id, source), known)

    def agent_context(self, user_id: str, source: str = "api") -> "AgentContext":
        """Return what a run of the graph gets for `user_id`. Needs the agent."""
        from agent.context import AgentContext, Limits

        assert self.agent is not None, "these services were opened without the agent"

        def open_tools() -> AbstractAsyncContextManager[ToolContext]:
            return self.open_tools(user_id, source)

        return AgentContext(
            user_id=user_id,
            open_tools=open_tools,
            chat=self.agent.chat,
            embedder=self.embedder,
            limits=Limits(call_seconds=self.settings.call_seconds),
            budget=self.budget,
            courses_elsewhere=self.directory.is_elsewhere,
        )


@contextlib.contextmanager
def open_database(settings: "Settings") -> Iterator[str]:
    """Yield the URL of the database: the configured one as it is, else the embedded one, migrated.

    Raises SetupError where the URL is not PostgreSQL's or the embedded server does not start.
    """
    if settings.database_url is not None:
        try:
            yield database_url(settings.database_url.get_secret_value())
        except ValueError as error:
            raise SetupError(f"DATABASE_URL: {error}") from error
        return

    from api.migrations import current_revision, head_revision
    from api.users_elsewhere import migrate_for
    from db.embedded import open_embedded

    with open_embedded(settings.home / "postgres") as url:
        if current_revision(url) != head_revision():
            migrate_for(settings, url)
        yield url


@contextlib.asynccontextmanager
async def open_services(
    settings: "Settings", *, with_agent: bool = True
) -> AsyncIterator[Services]:
    """Open everything that the settings ask for, and close it at the end of the block.

    Raises SetupError for what is missing: a model, a secret, a database.
    """
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    from tools.analysis.runs.sandbox import close_sandbox
    from tools.known_vectors import KnownVectors

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(watching())
        clients = make_http_clients(timeout=settings.call_seconds)
        stack.push_async_callback(clients.aclose)
        stack.callback(close_sandbox)
        chat = (
            await stack.enter_async_context(_open_chat(settings, clients)) if with_agent else None
        )
        url = stack.enter_context(open_database(settings))
        directory = await stack.enter_async_context(open_directory(settings, url))
        app_url = app_url_of(settings, url)
        tenancy = await open_tenancy(url, app_url)
        engine = make_engine(app_url, options=REQUEST_OPTIONS)
        system = make_engine(url, pool_size=SYSTEM_CONNECTIONS)
        trace_database(engine)
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(system.dispose)
        embedder = _embedder_of(settings, clients)
        known_vectors = KnownVectors()
        stack.push_async_callback(known_vectors.aclose)
        agent = None
        if chat is not None:
            from agent.graph import build_graph

            saver = await stack.enter_async_context(open_checkpoints(app_url))
            agent = Agent(graph=build_graph(saver), chat=chat)
        sessions = make_sessions(engine)
        services = Services(
            settings=settings,
            database_url=url,
            app_url=app_url,
            sessions=sessions,
            system=make_sessions(system),
            tenancy=tenancy,
            embedder=embedder,
            jwt=await stack.enter_async_context(open_issuer(settings, clients)),
            agent=agent,
            rates=_rates_of(settings, sessions),
            known_vectors=known_vectors,
            directory=directory,
        )
        if agent is not None:
            from api.runs.hub import open_hub

            hub = await stack.enter_async_context(open_hub(services))
            services = replace(services, hub=hub)
        yield services


def budget_of(settings: "Settings") -> "Budget":
    """Return the budget that the settings ask for."""
    from tools.usage import Budget

    return Budget(
        day_tokens=settings.day_tokens,
        day_calls=settings.day_calls,
        run_tokens=settings.run_tokens,
        run_calls=settings.run_calls,
        input_price=settings.input_price,
        output_price=settings.output_price,
    )


@contextlib.asynccontextmanager
async def open_filler(
    settings: "Settings", url: str, *, embedder: "Embedder | None" = None
) -> AsyncIterator["Filler"]:
    """Yield what gives the texts in the database at `url` their vectors, on its own connection.

    Without an `embedder` it is the one that the settings ask for.
    """
    from tools.backfill import Filler

    async with AsyncExitStack() as stack:
        if embedder is None:
            clients = make_http_clients(timeout=settings.call_seconds)
            stack.push_async_callback(clients.aclose)
            embedder = _embedder_of(settings, clients)
        engine = make_engine(url, pool_size=1)
        stack.push_async_callback(engine.dispose)
        yield Filler(make_sessions(engine), embedder)


def _embedder_of(settings: "Settings", clients: "HttpClients") -> "Embedder":
    from tools.embedders import make_embedder

    return make_embedder(
        settings.embeddings_provider,
        model=settings.embeddings_model,
        api_key=_revealed(settings.openai_api_key),
        base_url=settings.openai_base_url,
        clients=clients,
    )


def _rates_of(settings: "Settings", sessions: Sessions) -> "RateLimits":
    from api.rate_limits import RateLimits

    return RateLimits(
        sessions,
        requests=settings.rate_requests,
        models=settings.rate_models,
        sign_in=settings.rate_sign_in,
    )


@contextlib.asynccontextmanager
async def _open_chat(settings: "Settings", clients: "HttpClients") -> AsyncIterator["ChatModel"]:
    from agent.models import make_chat_model

    provider = settings.chat_provider
    if provider != "local":
        yield make_chat_model(
            provider,
            model=settings.chat_model,
            api_key=_revealed(settings.openai_api_key),
            base_url=settings.openai_base_url,
            clients=clients,
        )
        return

    if settings.model_server is not None:
        yield make_chat_model(
            provider,
            model=settings.local_model.stem,
            api_key=_revealed(settings.model_server_key),
            base_url=settings.model_server,
            clients=clients,
        )
        return

    from agent.local_server import serve_model

    serving = serve_model(settings.local_model)
    server = await asyncio.to_thread(serving.__enter__)
    try:
        yield make_chat_model(
            provider,
            model=settings.local_model.stem,
            api_key=server.api_key,
            base_url=server.base_url,
            clients=clients,
        )
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)


def _revealed(secret: Any) -> str | None:
    return None if secret is None else secret.get_secret_value()

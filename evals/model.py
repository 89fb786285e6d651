"""The model that a suite is measured with: recorded, or live."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Literal

import httpx2

from evals.recordings import FILE, Recordings
from evals.suite import Model
from evals.vectors import FILE as VECTORS
from evals.vectors import RecordedEngine
from evals.wire import BASE_URL, RecordedTransport, forward_to
from tools.embedders import LOCAL_MODEL, Embedder
from tools.embedding_models import Engine, LocalEmbeddings, load_engine
from tools.http import HttpClients

RECORDED_MODEL: Final = "qwen2.5-coder-1.5b-instruct-q4_k_m"
"""The model whose answers are recorded."""
LIVE_SECONDS: Final = 1_800.0
"""The deadline of a call: a live model may have to answer six at once."""


@asynccontextmanager
async def open_model(
    fixtures: Path, *, live: str | None = None, record: bool = False
) -> AsyncIterator[Model]:
    """Yield the model of the suite whose fixtures are in that folder.

    Without `live` its recorded answers and vectors are all there is, and no socket is opened.
    `live` is `local`, `openai` or a base URL: it answers every question, and with `record` only
    those that are not recorded, which then are, as the vectors are when the block has ended well.
    Raises SetupError where the live model cannot be used.
    """
    path = fixtures / FILE
    async with AsyncExitStack() as stack:
        if live is None:
            recordings = Recordings(path)
            engine = RecordedEngine(fixtures / VECTORS, missed=recordings.misses.append)
            yield make_model(stack, recordings, engine=engine)
            return

        from api.live_model import open_live_model

        server = await stack.enter_async_context(open_live_model(live))
        client = await stack.enter_async_context(httpx2.AsyncClient(timeout=LIVE_SECONDS))
        recordings = Recordings(
            path if record else None,
            live=forward_to(client, server.base_url, api_key=server.api_key),
        )
        vectors = RecordedEngine(fixtures / VECTORS, live=load_engine) if record else None
        yield make_model(
            stack, recordings, engine=vectors, name=server.name, provider=server.provider
        )
        if vectors is not None:
            recordings.save()
            vectors.save()


def make_model(
    stack: AsyncExitStack,
    recordings: Recordings,
    *,
    engine: Engine | None = None,
    name: str = RECORDED_MODEL,
    provider: Literal["openai", "local"] = "local",
) -> Model:
    """Return the product's own clients with `recordings` for a server, closed with `stack`.

    `engine` stands for the embedding model's own, which is loaded where none is given.
    """
    from agent.models import make_chat_model

    engine = engine or load_engine()
    clients = HttpClients(
        sync=httpx2.Client(transport=httpx2.MockTransport(_refuse)),
        asynchronous=httpx2.AsyncClient(
            transport=RecordedTransport(recordings), timeout=LIVE_SECONDS
        ),
    )
    stack.push_async_callback(clients.aclose)
    chat = make_chat_model(provider, model=name, api_key=None, base_url=BASE_URL, clients=clients)
    embedder = Embedder(LOCAL_MODEL, LocalEmbeddings(engine))
    return Model(chat=chat, embedder=embedder, recordings=recordings, name=name, engine=engine)


def _refuse(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"the product asks its model by the async client: {request.url}")

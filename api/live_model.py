"""Where a chat model answers now: the local one, OpenAI's, or any server of that kind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from api.settings import Settings
from tools.errors import SetupError
from tools.http import OPENAI_URL


@dataclass(frozen=True)
class LiveModel:
    """A model's name and kind, and the address and key of its server."""

    name: str
    provider: Literal["openai", "local"]
    base_url: str
    api_key: str | None


@asynccontextmanager
async def open_live_model(where: str) -> AsyncIterator[LiveModel]:
    """Yield the model at `where`: `local`, `openai`, or a base URL such as `http://host/v1`.

    The local one is served in this process, unless GOALS_MODEL_SERVER names where it is served
    already. A server at a URL gets GOALS_MODEL_SERVER_KEY, never OpenAI's key, and is asked for
    GOALS_CHAT_MODEL. Raises SetupError where the model's file or the key is missing.
    """
    settings = Settings()
    server_key = settings.model_server_key
    key = None if server_key is None else server_key.get_secret_value()
    if where == "openai":
        if settings.openai_api_key is None:
            raise SetupError("OPENAI_API_KEY is not set")
        address = settings.openai_base_url or OPENAI_URL
        openai_key = settings.openai_api_key.get_secret_value()
        yield LiveModel(settings.chat_model, "openai", address, openai_key)
    elif where != "local":
        yield LiveModel(settings.chat_model, "openai", where.rstrip("/"), key)
    elif settings.model_server is not None:
        yield LiveModel(settings.local_model.stem, "local", settings.model_server, key)
    else:
        from agent.local_server import serve_model

        serving = serve_model(settings.local_model)
        server = await asyncio.to_thread(serving.__enter__)
        try:
            yield LiveModel(settings.local_model.stem, "local", server.base_url, server.api_key)
        finally:
            await asyncio.to_thread(serving.__exit__, None, None, None)

"""The chat model of the suites: recorded answers, and the local model behind them to record."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from agent.models import SMALL_MODEL, ChatModel
from evals.recorded_answers import RecordedModel

MODEL: Final = "qwen2.5-coder-1.5b-instruct-q4_k_m"
"""The model whose answers are recorded."""
LIVE_SECONDS: Final = 1_800.0


@contextlib.asynccontextmanager
async def open_chat(
    answers: Path, *, record: Path | None
) -> AsyncIterator[tuple[ChatModel, RecordedModel]]:
    """Yield the recorded model as our chat model, with the local one behind it to record."""
    if record is None:
        recorded = RecordedModel(path=answers)
        yield ChatModel(MODEL, recorded, body=SMALL_MODEL, takes_temperature=True), recorded
        return

    from agent.local_server import PARALLEL, serve_model
    from agent.models import make_chat_model
    from tools.http import make_http_clients

    with serve_model(record) as server:
        clients = make_http_clients(timeout=LIVE_SECONDS)
        live = make_chat_model(
            "local",
            model=MODEL,
            api_key=server.api_key,
            base_url=server.base_url,
            clients=clients,
        )
        recorded = RecordedModel(path=answers, live=live.model, at_once=PARALLEL)
        try:
            yield ChatModel(MODEL, recorded, body=live.body, takes_temperature=True), recorded
        finally:
            await clients.aclose()

"""Embedding services for tests: one that counts and can fail, and one that answers over HTTP."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_core.embeddings import Embeddings

from api.app import create_app
from tests.service import Service
from tools.embedders import SCRIPTED_MODEL, Embedder
from tools.embedding_models import ScriptedEmbeddings


class Refusal(Exception):
    """What a client raises where the service answers 400."""

    status_code = 400


class PlayedEmbeddings(Embeddings):
    """Scripted vectors, and a list of the texts of each call.

    `fails` may raise for the texts of a call; `meanwhile` happens while the service thinks.
    """

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.fails: Callable[[list[str]], None] = lambda _: None
        self.meanwhile: Callable[[], Any] | None = None

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        self.calls.append(texts)
        if self.meanwhile is not None:
            await self.meanwhile()
        self.fails(texts)
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        self.fails([text])
        return self.embed_query(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return ScriptedEmbeddings().embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        return ScriptedEmbeddings().embed_query(text)

    @property
    def texts(self) -> list[str]:
        return [text for call in self.calls for text in call]

    def go_down(self) -> None:
        """Answer nothing from now on."""

        def down(_: list[str]) -> None:
            raise ConnectionError("refused")

        self.fails = down

    def come_back(self) -> None:
        """Answer everything from now on."""
        self.fails = lambda _: None


def with_embeddings(
    service: Service, embeddings: Embeddings, *, model: str = SCRIPTED_MODEL
) -> Service:
    """Return the application with another embedding model."""
    services = replace(service.services, embedder=Embedder(model, embeddings))
    return Service(create_app(services), services)


@dataclass
class HttpService:
    """An OpenAI-compatible embedding service; call number `hold_at` is held until `release`."""

    url: str = ""
    hold_at: int | None = None
    texts: list[str] = field(default_factory=list)
    calls: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def answer(self, texts: list[str]) -> dict[str, Any]:
        self.calls += 1
        if self.calls == self.hold_at:
            self.held.set()
            self.release.wait(60)
        self.texts += texts
        vectors = ScriptedEmbeddings().embed_documents(texts)
        return {
            "object": "list",
            "model": "m",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ],
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }


@contextlib.contextmanager
def serve_embeddings(*, hold_at: int | None = None) -> Iterator[HttpService]:
    """Answer `POST /v1/embeddings` on a free port of this machine while the block runs."""
    service = HttpService(hold_at=hold_at)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps(service.answer(body["input"])).encode()
            with contextlib.suppress(ConnectionError):  # whoever asked may be dead by now
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield service
    finally:
        service.release.set()
        server.shutdown()
        server.server_close()
        thread.join()

"""A chat model that answers at once: OpenAI's wire, straight on asyncio, a process of its own.

`POST /v1/chat/completions` answers whole or as a stream. Beside it `GET /last` gives the latest
request's body. `POST /hold` {"steps": n} makes every later stream n chunks long, each of which is
sent only when `POST /step` has been asked for it; `GET /held` counts the streams that wait, and
`POST /free` takes it all back.
"""

import asyncio
import json
from typing import Any, Final

from api.agent_bench.answers import answer_as
from api.agent_bench.children import end_with_parent

CHUNKS: Final = 8
_HEADERS: Final = "HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\nconnection: keep-alive\r\n"


class Model:
    """What all connections share: the number of the next answer, and the streams that are held."""

    def __init__(self) -> None:
        self.calls = 0
        self.last = b"{}"
        self.held: list[Connection] = []
        self.steps = 0
        self.step = 0


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, each answered before the next is read."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._read = bytearray()
        self._transport: Any = None
        self._head: dict[str, Any] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where the answers go."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a stream that its reader has left."""
        if self in self._model.held:
            self._model.held.remove(self)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            start, *lines = self._read[:end].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            length = int(headers.get("content-length", "0"))
            if len(self._read) < end + 4 + length:
                return
            body = bytes(self._read[end + 4 : end + 4 + length])
            del self._read[: end + 4 + length]
            self._answer(start.split(" ")[1], body)

    def _answer(self, path: str, body: bytes) -> None:
        model = self._model
        if path == "/v1/chat/completions":
            model.last = body
            self._complete(json.loads(body))
        elif path == "/hold":
            model.steps, model.step = json.loads(body)["steps"], 0
            self._send({})
        elif path == "/step":
            model.step += 1
            for stream in model.held:
                stream.send_chunk(f"{model.step} ")
            self._send({"step": model.step})
        elif path == "/held":
            self._send({"held": len(model.held)})
        elif path == "/free":
            for stream in model.held:
                stream.end_stream()
            model.held, model.steps = [], 0
            self._send({})
        elif path == "/last":
            self._write(200, "application/json", model.last)
        else:
            self._write(404, "application/json", b"{}")

    def _complete(self, asked: dict[str, Any]) -> None:
        model = self._model
        model.calls += 1
        asked_format = asked.get("response_format") or {}
        said = answer_as(asked_format.get("json_schema", {}).get("name"), model.calls)
        text = said if isinstance(said, str) else json.dumps(said)
        self._head = {"id": f"stub-{model.calls}", "created": 0, "model": asked.get("model", "")}
        if not asked.get("stream"):
            message = {"role": "assistant", "content": text, "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send(
                {**self._head, "object": "chat.completion", "choices": [choice], "usage": USAGE}
            )
            return
        self._transport.write(
            _HEADERS.format(status=200, kind="text/event-stream").encode()
            + b"transfer-encoding: chunked\r\n\r\n"
        )
        if model.steps:
            model.held.append(self)
            return
        size = max(1, len(text) // CHUNKS)
        for at in range(0, len(text), size):
            self.send_chunk(text[at : at + size])
        self.end_stream()

    def send_chunk(self, text: str) -> None:
        """Send a piece of the answer in the stream."""
        self._send_event({"delta": {"role": "assistant", "content": text}, "finish_reason": None})

    def end_stream(self) -> None:
        """End the stream with its reason, what it cost, and [DONE]."""
        self._send_event({"delta": {}, "finish_reason": "stop"})
        self._send_event(None)
        self._send_piece(b"data: [DONE]\n\n")
        self._transport.write(b"0\r\n\r\n")

    def _send_event(self, choice: dict[str, Any] | None) -> None:
        event = {**self._head, "object": "chat.completion.chunk", "usage": None}
        event["choices"] = [] if choice is None else [{"index": 0, **choice}]
        if choice is None:
            event["usage"] = USAGE
        self._send_piece(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _send_piece(self, piece: bytes) -> None:
        self._transport.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

    def _send(self, body: Any) -> None:
        self._write(200, "application/json", json.dumps(body).encode())

    def _write(self, status: int, kind: str, body: bytes) -> None:
        head = _HEADERS.format(status=status, kind=kind) + f"content-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


USAGE: Final = {"prompt_tokens": 600, "completion_tokens": 200, "total_tokens": 800}


async def serve() -> None:
    """Listen on a free port of this machine and say which, until the parent ends."""
    model = Model()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(model), "127.0.0.1", 0, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"listening on http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(serve())

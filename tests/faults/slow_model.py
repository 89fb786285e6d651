"""A model server that says `words` words, each `pause` seconds after the other, to all who ask.

`python -m tests.faults.slow_model WORDS PAUSE` prints its port; it has no other answer.
"""

import asyncio
import json
import sys
from typing import Any, Final

HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


def frame(choices: list[Any], usage: dict[str, int] | None = None) -> bytes:
    """Return an event of OpenAI's stream."""
    kind = "chat.completion.chunk"
    head = {"id": "c", "object": kind, "created": 1, "model": "m"}
    return b"data: " + json.dumps({**head, "choices": choices, "usage": usage}).encode() + b"\n\n"


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request."""
    words, pause = int(sys.argv[1]), float(sys.argv[2])
    head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = next(line for line in head if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    writer.write(HEAD)
    for number in range(words):
        delta = {"role": "assistant", "content": f"palabra {number} "}
        writer.write(frame([{"index": 0, "delta": delta, "finish_reason": None}]))
        await writer.drain()
        await asyncio.sleep(pause)
    writer.write(frame([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    writer.write(frame([], {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}))
    writer.write(b"data: [DONE]\n\n")
    await writer.drain()
    writer.close()


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

"""A client that costs next to nothing: HTTP/1.1 over one kept connection, nothing checked twice."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from events.bench.figures import BenchFailed

PATIENCE_SECONDS: Final = 60.0
LONGEST_HEAD: Final = 1 << 20


@dataclass(frozen=True)
class Response:
    """Status, headers by their names in lower case, and the whole body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)


class Client:
    """One connection to a server of this machine; one request at a time."""

    def __init__(self, url: str) -> None:
        """Keep where to connect."""
        self._host = urlsplit(url)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def address(self) -> str:
        """Return host and port."""
        return self._host.netloc

    @property
    def is_ended(self) -> bool:
        """Tell whether the server has ended the connection, as it does with one idle for long."""
        return self._streams is not None and self._streams[0].at_eof()

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            writer, self._streams = self._streams[1], None
            writer.close()

    async def post(
        self, path: str, body: Any, *, token: str | None = None, keyed: bool = True
    ) -> Response:
        """Send `body`, bytes or JSON values, with an Idempotency-Key, and return the answer."""
        reader = await self._send("POST", path, body, token=token, keyed=keyed)
        status, headers = await _read_head(reader)
        return Response(status, headers, b"".join([part async for part in _parts(reader, headers)]))

    async def patch(self, path: str, body: Any, *, token: str | None = None) -> Response:
        """Send `body` as a change, and return the answer."""
        reader = await self._send("PATCH", path, body, token=token)
        status, headers = await _read_head(reader)
        return Response(status, headers, b"".join([part async for part in _parts(reader, headers)]))

    async def get(self, path: str, *, token: str | None = None) -> Response:
        """Return the answer to a GET."""
        reader = await self._send("GET", path, b"", token=token)
        status, headers = await _read_head(reader)
        return Response(status, headers, b"".join([part async for part in _parts(reader, headers)]))

    async def stream(self, path: str, body: Any, *, token: str | None = None) -> AsyncIterator[Any]:
        """Yield the JSON of each `data:` of the answer as it arrives, but for [DONE].

        Raises BenchFailed where the answer is no stream.
        """
        reader = await self._send("POST", path, body, token=token)
        status, headers = await _read_head(reader)
        if status != 200:
            said = b"".join([part async for part in _parts(reader, headers)])
            raise BenchFailed(f"POST {path} was answered {status}: {said[:300].decode()}")
        waiting = b""
        async for part in _parts(reader, headers):
            *lines, waiting = (waiting + part).split(b"\n")
            for line in lines:
                if line.startswith(b"data:") and not line.rstrip().endswith(b"[DONE]"):
                    yield json.loads(line[5:])

    async def _send(
        self, method: str, path: str, body: Any, *, token: str | None, keyed: bool = True
    ) -> asyncio.StreamReader:
        if self.is_ended:
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host.hostname, self._host.port, limit=LONGEST_HEAD
            )
        reader, writer = self._streams
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = f"authorization: Bearer {token}\r\n" if token else ""
        key = f"idempotency-key: {uuid.uuid4().hex}\r\n" if keyed else ""
        writer.write(
            f"{method} {path} HTTP/1.1\r\nhost: {self._host.netloc}\r\n{signed}{key}"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode()
            + content
        )
        return reader


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head[:-4].split("\r\n")
    named = (line.partition(":") for line in lines)
    return int(start.split(" ")[1]), {name.lower(): value.strip() for name, _, value in named}


async def _parts(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Yield the body as it arrives."""
    if headers.get("transfer-encoding") != "chunked":
        yield await reader.readexactly(int(headers.get("content-length", "0")))
        return
    while True:
        async with asyncio.timeout(PATIENCE_SECONDS):
            size = int(await reader.readuntil(b"\r\n"), 16)
            part = await reader.readexactly(size + 2)
        if not size:
            return
        yield part[:-2]

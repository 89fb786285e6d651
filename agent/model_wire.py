"""Chat completions straight from the wire, whole or as a stream: JSON of OpenAI's shape.

openai's client and LangChain's take 2 ms to the first word, .5 and 1.5 to a whole answer, and build
models of each chunk; here all is its JSON. What fails raises openai's own errors.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from agent.state import Json
from tools.http import MAX_RETRIES

RETRY_SECONDS: Final = 0.5
RETRY_AFTER_AT_MOST: Final = 60.0
RETRIED: Final = frozenset({408, 409, 429})
SERVER_ERROR: Final = 500
_STREAMED: Final = {"stream": True, "stream_options": {"include_usage": True}}
UNREACHABLE: Final = (httpx2.RequestError, OSError)


@dataclass(frozen=True)
class ModelWire:
    """Where a model's completions come from: the full URL, the headers and the model's name.

    A request is sent again, twice at most, where the server cannot answer it now.
    """

    client: httpx2.AsyncClient
    url: httpx2.URL
    headers: Mapping[str, str]
    model: str

    async def complete(self, body: Json) -> Any:
        """Return the completion that `body` asks for, as JSON of whatever shape.

        Raises openai's APIError and its kinds, and ValueError for what is no JSON.
        """
        request = self._request(body)
        async with _as_openai_raises(request):
            response = await self._open(request)
            try:
                return json.loads(await response.aread())
            finally:
                await response.aclose()

    async def chunks(self, body: Json) -> AsyncGenerator[Json, None]:
        """Yield the chunks of one completion that `body` asks for, to the end of the stream.

        Raises openai's APIError and its kinds, and ValueError for what is no stream of JSON.
        """
        import openai

        request, begun = self._request({**_STREAMED, **body}), False
        async with _as_openai_raises(request):
            response = await self._open(request)
            try:
                async with aclosing(_data(response)) as lines:
                    async for line in lines:
                        chunk = json.loads(line)
                        if chunk.get("error"):
                            raise openai.APIError("an error in the stream", request, body=None)
                        begun = True
                        yield chunk
                if not begun and "event-stream" not in response.headers.get("content-type", ""):
                    raise ValueError("the answer is no stream")
            finally:
                await response.aclose()

    def _request(self, body: Json) -> httpx2.Request:
        asked = {"model": self.model, **body}
        content = json.dumps(asked, ensure_ascii=False, separators=(",", ":")).encode()
        timeout = {"timeout": self.client.timeout.as_dict()}
        return httpx2.Request(
            "POST", self.url, headers=self.headers, content=content, extensions=timeout
        )

    async def _open(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer, its body unread."""
        for attempt in range(MAX_RETRIES + 1):
            last = attempt == MAX_RETRIES
            pause = RETRY_SECONDS * 2**attempt * random.uniform(0.75, 1.0)  # noqa: S311 - no secret
            try:
                response = await self.client.send(request, stream=True)
            except UNREACHABLE:
                if last:
                    raise
            else:
                if response.is_success:
                    return response
                await response.aclose()
                if last or not _is_retried(response.status_code):
                    raise _status_error(response)
                pause = _asked_pause(response) or pause
            await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")


@asynccontextmanager
async def _as_openai_raises(request: httpx2.Request) -> AsyncIterator[None]:
    import openai

    try:
        yield
    except httpx2.TimeoutException as error:
        raise openai.APITimeoutError(request) from error
    except UNREACHABLE as error:
        raise openai.APIConnectionError(request=request) from error


async def _data(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """Yield the data of each event up to [DONE]; then the rest is read, to keep the connection."""
    waiting, data, done = b"", b"", False
    async for part in response.aiter_bytes():
        *lines, waiting = (waiting + part).split(b"\n")
        for line in lines:
            text = line.rstrip(b"\r")
            if text.startswith(b"data:"):
                data += text[5:]
            elif not text and data:
                done = done or data.strip().startswith(b"[DONE]")
                if not done:
                    yield data
                data = b""


def _is_retried(status: int) -> bool:
    return status in RETRIED or status >= SERVER_ERROR


def _asked_pause(response: httpx2.Response) -> float | None:
    """Return the seconds that the server asks us to wait, None where it does not say so."""
    try:
        seconds = float(response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if 0 < seconds <= RETRY_AFTER_AT_MOST else None


def _status_error(response: httpx2.Response) -> Exception:
    import openai

    kinds: dict[int, type[openai.APIStatusError]] = {
        401: openai.AuthenticationError,
        403: openai.PermissionDeniedError,
        404: openai.NotFoundError,
        429: openai.RateLimitError,
    }
    kind = kinds.get(response.status_code, openai.APIStatusError)
    answer: Any = response
    return kind(f"status {response.status_code}", response=answer, body=None)

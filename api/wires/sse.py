"""Server-sent events of a run: a heartbeat where it is silent, and a wire's own encoding."""

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from agent.stream import RunEvent, read_event
from api.runs.log import Stored

HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
Encode = Callable[[RunEvent, int], Iterable[bytes]]


def stream(
    events: AsyncIterator[Stored | None],
    encode: Encode,
    *,
    after: int = 0,
    headers: dict[str, str] | None = None,
) -> EventSourceResponse:
    """Return the response that sends each event as `encode` writes it, by its number.

    An encoder remembers what it has encoded, so `events` begin with the run; what the client has
    seen, up to `after`, is not sent again.
    """

    async def body() -> AsyncIterator[bytes]:
        async for event in events:
            if event is None:
                yield KEEPALIVE_COMMENT
                continue
            chunk = b"".join(encode(read_event(event.data), event.seq))
            if chunk and event.seq > after:
                yield chunk

    return EventSourceResponse(body(), headers={**HEADERS, **(headers or {})})


def stream_plain(events: AsyncIterator[Stored | None]) -> EventSourceResponse:
    """Return the response that sends each event as it is stored, with its type and number."""

    async def body() -> AsyncIterator[bytes]:
        async for event in events:
            if event is None:
                yield KEEPALIVE_COMMENT
            else:
                yield format_sse_event(data_str=event.data, event=event.type, id=str(event.seq))

    return EventSourceResponse(body(), headers=HEADERS)

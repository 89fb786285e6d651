"""Server-sent events of a run: a heartbeat where it is silent, and a wire's own encoding."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from agent.stream import RunEvent, RunFailed, Used, read_event
from api.runs.log import STOPPING, Stored
from tools.errors import Stopping

HEADERS: Final = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
COME_BACK: Final = b": this server stops, the run goes on: come back\nretry: 1000\n\n"
STOPPED: Final = RunFailed(
    code=Stopping.code,
    detail="this server stops, the run goes on in another one: ask for it again",
    status=Stopping.status,
    retry_after=Stopping.retry_after,
    usage=Used(input=0, output=0, calls=0),
)
"""For wires on which a stream without an end looks like a short answer; it is not stored."""
Encode = Callable[[RunEvent, int], Iterable[bytes]]


def stream(
    events: AsyncIterator[Stored | None],
    encode: Encode,
    *,
    after: int = 0,
    headers: dict[str, str] | None = None,
    on_stop: RunEvent | None = None,
) -> EventSourceResponse:
    """Return the response that sends each event as `encode` writes it, by its number.

    An encoder remembers what it has encoded, so `events` begin with the run; what the client has
    seen, up to `after`, is not sent again. Where this process ends before the run the client is
    asked to come back, and told `on_stop`.
    """

    async def body() -> AsyncIterator[bytes]:
        with _counted():
            async for event in events:
                if event is None:
                    yield KEEPALIVE_COMMENT
                    continue
                if event is STOPPING:
                    yield COME_BACK
                    if on_stop is not None:
                        yield b"".join(encode(on_stop, after))
                    return
                chunk = b"".join(encode(read_event(event.data), event.seq))
                if chunk and event.seq > after:
                    yield chunk

    return EventSourceResponse(body(), headers={**HEADERS, **(headers or {})})


def stream_plain(events: AsyncIterator[Stored | None]) -> EventSourceResponse:
    """Return the response that sends each event as it is stored, with its type and number."""

    async def body() -> AsyncIterator[bytes]:
        with _counted():
            async for event in events:
                if event is None:
                    yield KEEPALIVE_COMMENT
                    continue
                if event is STOPPING:
                    yield COME_BACK
                    yield format_sse_event(data_str=event.data, event=event.type)
                    return
                yield format_sse_event(data_str=event.data, event=event.type, id=str(event.seq))

    return EventSourceResponse(body(), headers=HEADERS)


def _counted() -> AbstractContextManager[None]:
    """Count a stream that somebody listens to, while the block runs."""
    from api.http_metrics import OPEN_STREAMS

    return OPEN_STREAMS.track_inprogress()

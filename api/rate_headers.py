"""Rate limits at the edge: a request is counted, and its answer says what is left.

`RateLimit-Policy` and `RateLimit` are those of draft-ietf-httpapi-ratelimit-headers-10: `q` in `w`
seconds are allowed, `r` are left as far as this process knows, and `t` seconds from now there is
more.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from api.rate_limits import Name, RateLimits, Taken

STATE: Final = "rate limits"


async def count_request(
    request: Request, rates: "RateLimits | None", *names: "Name", who: str
) -> None:
    """Count `request` as one of `who` under each limit, at once where the store is asked.

    Raises RateLimited where it is one too many.
    """
    if rates is None:
        return
    if sum(rates.must_ask(name, who) for name in names) > 1:
        found = await asyncio.gather(*(rates.take(name, who) for name in names))
        for taken in found:
            _note(request, rates, taken)
        return
    for name in names:
        _note(request, rates, await rates.take(name, who))


def _note(request: Request, rates: "RateLimits", taken: "Taken | None") -> None:
    """Keep what became of a request for its answer's headers, and refuse it where it must be."""
    if taken is None:
        return
    request.scope.setdefault(STATE, []).append(taken)
    if not taken.is_granted:
        rates.refuse(taken)


class RateHeaders:
    """ASGI middleware: every answer to a request that was counted says what is left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_limits(message: Message) -> None:
            taken = scope.get(STATE)
            if taken and message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *rate_headers(taken)]
            await send(message)

        await self._app(scope, receive, send_with_limits)


def rate_headers(taken: "Sequence[Taken]") -> list[tuple[bytes, bytes]]:
    """Return the headers that tell of these limits."""
    policy = ", ".join(
        f'"{each.limit.name}";q={each.limit.item.amount};w={each.limit.seconds}' for each in taken
    )
    left = ", ".join(f'"{each.limit.name}";r={each.remaining};t={each.reset}' for each in taken)
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]

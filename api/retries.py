"""A transaction that PostgreSQL has given up, in a deadlock or a conflict, is done once more.

PostgreSQL undoes the whole transaction of whoever it ends a deadlock by, so a request that is one
transaction, and of whose answer nothing is sent, can be handled again from its beginning.
"""

import asyncio
import random
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

RETRIES: Final = 3
FIRST_DELAY_SECONDS: Final = 0.02
_REPEATABLE: Final = "goals.repeatable"
_LEFT: Final = "goals.retries"


class GivenUp(Exception):
    """The request's only transaction was undone, and may be done again."""


def begin_repeatable(scope: Scope) -> None:
    """Say that from here to `end_repeatable` the request is one transaction."""
    scope[_REPEATABLE] = True


def end_repeatable(scope: Scope) -> None:
    """Say that the transaction is committed: what fails now must not be done again."""
    scope[_REPEATABLE] = False


def give_up(scope: Scope, error: Exception) -> None:
    """Have the request done again for `error`, if it can be. Raises GivenUp then."""
    if scope.get(_REPEATABLE) and scope.get(_LEFT, 0) > 0:
        raise GivenUp from error


class Retries:
    """ASGI middleware: a request that raises GivenUp is handled again, three times at most."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request; its body is kept, so that it can be read again."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        fresh = dict(scope)
        received: list[Message] = []
        for left in range(RETRIES, -1, -1):
            scope.clear()
            scope.update(fresh, **{_LEFT: left})
            try:
                await self._app(scope, _replayed(received, receive), send)
            except GivenUp:
                longest = FIRST_DELAY_SECONDS * 2 ** (RETRIES - left)
                await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - jitter is no secret
            else:
                return


def _replayed(received: list[Message], receive: Receive) -> Receive:
    """Return what gives what was `received` before, then what comes."""
    position = 0

    async def replay() -> Message:
        nonlocal position
        if position == len(received):
            received.append(await receive())
        position += 1
        return received[position - 1]

    return replay

"""The end of a server: nobody new comes in, runs end or are handed back, listeners are told."""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import uvicorn

if TYPE_CHECKING:
    from api.runs.hub import RunHub

FINISH_SECONDS: Final = 8.0
"""How long runs may still take after SIGTERM, before another process goes on with them."""


class DrainingServer(uvicorn.Server):
    """uvicorn's server, with a hub whose runs it lets end while it waits for its connections."""

    def __init__(self, config: uvicorn.Config, hub: "RunHub | None") -> None:
        """Serve what `config` says."""
        super().__init__(config)
        self._hub = hub
        self.on_started: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started and self.on_started is not None:
            self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nobody more, and wait for what is under way, each part no longer than its time."""
        if self._hub is None:
            await super().shutdown(sockets)
            return
        draining = asyncio.create_task(self._hub.drain(patience=FINISH_SECONDS))
        await super().shutdown(sockets)
        await draining

"""`POST /mcp`: the tools over Streamable HTTP, for whoever has a token of this service.

Every request stands alone: no session is kept, so any process behind the port may answer it.
"""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.deps import bearer, find_services

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH: Final = "/mcp"


class McpEndpoint:
    """Answers MCP's requests; what a tool asks goes through the application's own routes.

    MCP's library is imported at the first request: it takes longer than all of the application.
    """

    def __init__(self, app: FastAPI) -> None:
        """Keep the application; nothing is opened."""
        self._app = app
        self._opening = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises AuthError without a token that this service accepts."""
        request = Request(scope, receive)
        await find_services(request).jwt.identify(await bearer(request))
        manager = await self._open()
        await manager.handle_request(scope, receive, send)

    async def aclose(self) -> None:
        """End what is under way."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def _open(self) -> "StreamableHTTPSessionManager":
        async with self._opening:
            if self._manager is None:
                self._manager = await asyncio.to_thread(self._make)
                ready = asyncio.Event()
                self._running = asyncio.create_task(_run(self._manager, ready), name="mcp")
                await ready.wait()
            return self._manager

    def _make(self) -> "StreamableHTTPSessionManager":
        import httpx2
        from mcp.server.transport_security import TransportSecuritySettings

        from api.mcp.client import Caller
        from api.mcp.server import make_server

        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self._app, raise_app_exceptions=False),
            base_url="http://goals",
            timeout=None,
        )

        def caller_of(call: Any) -> Caller:
            sent = call.request_context.request.headers["authorization"]
            return Caller(client, sent.partition(" ")[2])

        server = make_server(caller_of, version=self._app.version)
        server.streamable_http_app(
            stateless_http=True,
            # Whoever has no token is refused before, whatever page they were lured to.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        return server.session_manager


def add_mcp(app: FastAPI) -> None:
    """Serve the tools at `/mcp`."""
    endpoint = McpEndpoint(app)
    app.router.routes.append(Route(PATH, endpoint, methods=["POST"], include_in_schema=False))
    app.state.mcp = endpoint


async def _run(manager: "StreamableHTTPSessionManager", ready: asyncio.Event) -> None:
    """Hold the manager open; in a task of its own, as its scope is to be left where it began."""
    async with manager.run():
        ready.set()
        await asyncio.Event().wait()

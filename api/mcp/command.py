"""`goals mcp`: the tools over standard input and output, for an editor that starts the program."""

import asyncio
import logging
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from api.service_client import Service
    from api.settings import Settings

mcp = typer.Typer()


@mcp.command("mcp")
def serve_mcp(
    url: Annotated[str | None, typer.Option(help="A running service [this process]")] = None,
    token: Annotated[str | None, typer.Option(help="Who asks", envvar="GOALS_TOKEN")] = None,
    user: Annotated[
        str, typer.Option(help="Name of the learner who asks, without a token")
    ] = "developer",
    write: Annotated[
        bool, typer.Option("--write", help="Write at once; a given token says so itself")
    ] = False,
) -> None:
    """Serve the agent's tools to an editor or another agent, over standard input and output."""
    from api.logs import configure_logging
    from api.mcp.client import WRITE_SCOPE
    from api.service_client import Service
    from api.settings import Settings

    configure_logging(level=logging.WARNING)
    service = Service(url=url, token=token, user=user)
    asyncio.run(_serve(Settings(), service, scope=WRITE_SCOPE if write else ""))


async def _serve(settings: "Settings", service: "Service", *, scope: str) -> None:
    """Serve until the input ends; `scope` is what a token that is made here allows."""
    from api.app import VERSION
    from api.mcp.client import Caller
    from api.mcp.server import make_server
    from api.service_client import open_client

    async with open_client(settings, service, scope=scope) as client:
        token = client.headers["authorization"].partition(" ")[2]

        def caller_of(_call: Any) -> Caller:
            return Caller(client, token)

        await make_server(caller_of, version=VERSION).run_stdio_async()

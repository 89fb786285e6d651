"""The HTTP clients that speak to model servers.

openai 3 runs on httpx2; httpx 0.28 collapses at 64 calls at once. One pair of clients serves a
process: time-outs, limits and proxies are set here and nowhere else.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS: Final = 5.0
POOL_SECONDS: Final = 5.0
MAX_CONNECTIONS: Final = 1_000
"""A stream to a learner holds one until the model has finished."""
OPENAI_URL: Final = "https://api.openai.com/v1"
"""Named wherever no other is: the libraries take an empty OPENAI_BASE_URL for an address."""
MAX_RETRIES: Final = 2
"""At least two: a server may close an idle connection under a request."""


@dataclass(frozen=True)
class HttpClients:
    """A sync and an async client; `openai` accepts both by name."""

    sync: "httpx2.Client"
    asynchronous: "httpx2.AsyncClient"

    async def aclose(self) -> None:
        """Close both clients."""
        self.sync.close()
        await self.asynchronous.aclose()


def make_http_clients(*, timeout: float) -> HttpClients:
    """Return clients that give up on a silent server after `timeout` seconds."""
    import httpx2

    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=100)
    times = httpx2.Timeout(timeout, connect=CONNECT_SECONDS, pool=POOL_SECONDS)
    return HttpClients(
        sync=httpx2.Client(timeout=times, limits=limits),
        asynchronous=httpx2.AsyncClient(timeout=times, limits=limits),
    )

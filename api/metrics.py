"""Metrics for Prometheus: what there is to scrape, and where a worker answers."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.errors import SetupError

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from api.bootstrap import Services
    from api.settings import Settings


def make_registry(database_url: str, *, services: "Services | None" = None) -> "CollectorRegistry":
    """Return what this process counts, what PostgreSQL knows, and memory, processor and files.

    With the `services` of an API also its requests, runs, model calls and connections. Nothing is
    asked before a scrape, and there is nothing to close.
    """
    from prometheus_client import CollectorRegistry, ProcessCollector

    from api.identity_metrics import IDENTITY
    from events.gauges import DatabaseGauges
    from events.metrics import EVENT_PATH

    registry = CollectorRegistry()
    registry.register(EVENT_PATH)
    registry.register(IDENTITY)
    registry.register(DatabaseGauges(database_url))
    ProcessCollector(registry=registry)
    if services is not None:
        from agent.metrics import AGENT
        from api.http_metrics import HTTP
        from api.pool_gauges import PoolGauges
        from tools.metrics import TOOLS

        registry.register(TOOLS)
        registry.register(AGENT)
        registry.register(HTTP)
        registry.register(PoolGauges(services))
    return registry


@contextlib.contextmanager
def metrics_exposed(
    settings: "Settings",
    database_url: str,
    *,
    registry: "CollectorRegistry | None" = None,
    number: int = 0,
) -> Iterator[None]:
    """Answer Prometheus on GOALS_METRICS_PORT while the block runs, if there is such a port.

    Of several processes that share their settings each has a `number`, which is added to the port.
    Raises SetupError where the address cannot be listened on.
    """
    if settings.metrics_port is None:
        yield
        return

    import structlog
    from prometheus_client import start_http_server

    host = settings.metrics_host
    port = settings.metrics_port and settings.metrics_port + number
    try:
        server, thread = start_http_server(port, host, registry or make_registry(database_url))
    except OSError as error:
        raise SetupError(
            f"GOALS_METRICS_HOST, GOALS_METRICS_PORT: nobody can listen on {host} port {port}: "
            f"{error.strerror or error}"
        ) from error
    log = structlog.get_logger(__name__)
    log.info("metrics.listening", host=host, port=server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

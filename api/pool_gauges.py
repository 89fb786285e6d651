"""How busy this process's connections to PostgreSQL are, read when Prometheus asks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from db.fair_pool import FairPool
from db.reads import CONNECTIONS, READS, WRITES, Reads

if TYPE_CHECKING:
    from api.bootstrap import Services

SESSIONS: Final = "sessions"


class PoolGauges(Collector):
    """Connections in use, the most there may be, and who waits for one, of each pool."""

    def __init__(self, services: "Services") -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; nothing is asked of the database."""
        used = GaugeMetricFamily(
            "goals_database_connections_in_use", "Connections that somebody uses.", labels=["pool"]
        )
        most = GaugeMetricFamily(
            "goals_database_connections_max", "Connections that there may be.", labels=["pool"]
        )
        waiting = GaugeMetricFamily(
            "goals_database_connection_waiters", "Who waits for a connection.", labels=["pool"]
        )
        given: dict[str, Any] = self._services.sessions.kw
        pool = given["bind"].sync_engine.pool
        figures = [(SESSIONS, pool.checkedout(), pool.size(), _waiters(pool))]
        for name in (READS, WRITES):
            past = given.get("info", {}).get(name)
            if isinstance(past, Reads):
                figures.append((name, past.in_use, CONNECTIONS, past.waiting))
        for name, in_use, size, waits in figures:
            used.add_metric([name], in_use)
            most.add_metric([name], size)
            waiting.add_metric([name], waits)
        yield from (used, most, waiting)


def _waiters(pool: Any) -> int:
    return pool.waiting if isinstance(pool, FairPool) else 0

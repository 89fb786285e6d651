"""`/metrics`: what Prometheus asks."""

from typing import Final

from fastapi import APIRouter, Request, Response

from tools.errors import NotFound

METRICS_PATH: Final = "/metrics"

router = APIRouter(tags=["metrics"], generate_unique_id_function=lambda route: route.name)


# Not `async`: the database may take its time, which a thread of the pool has.
@router.get(METRICS_PATH, include_in_schema=False)
def read_metrics(request: Request) -> Response:
    """Return the metrics of this process and of the event path, as text; no user's data is in it.

    The format is Prometheus' own, or OpenMetrics for who accepts it. Raises NotFound where several
    processes answer on this port: each has a port of its own for this.
    """
    if request.app.state.metrics is None:
        raise NotFound(
            "several processes share this port; each answers on GOALS_METRICS_PORT + its number"
        )
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.metrics), media_type=content_type)

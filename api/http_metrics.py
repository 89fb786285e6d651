"""What this process counts of the requests that it answers, by Prometheus' rules.

A route is counted by its template and a method by its name or OTHER, so that nobody outside can
make series. The time is that to the answer's first byte: a stream lasts as long as its run.
"""

from functools import cache
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
HTTP: Final = CollectorRegistry()
LABELS: Final = ("method", "route", "status")

REQUESTS: Final = Counter(
    "goals_http_requests_total",
    "Requests that were answered, by the route's template and the status's class;"
    " aborted are those whose answer nobody waited for.",
    LABELS,
    registry=HTTP,
)
SECONDS: Final = Histogram(
    "goals_http_request_seconds",
    "Seconds until a request's answer began.",
    LABELS,
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
    registry=HTTP,
)
IN_PROGRESS: Final = Gauge(
    "goals_http_requests_in_progress",
    "Requests whose answer is not complete.",
    registry=HTTP,
)
OPEN_STREAMS: Final = Gauge(
    "goals_http_streams_open",
    "Streams of server-sent events that somebody listens to.",
    registry=HTTP,
)


class Series(NamedTuple):
    """The two series of one route, method and class of status."""

    requests: Counter
    seconds: Histogram


@cache
def series_of(method: str, route: str, status: str) -> Series:
    """Return the series; the labels are bounded, so all of them are kept at hand."""
    labels = (method, route, status)
    return Series(REQUESTS.labels(*labels), SECONDS.labels(*labels))

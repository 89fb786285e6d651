"""OpenTelemetry's traces: off unless an address is configured, and then not even imported."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from agent.tracing import current_tracer, trace_with
from tools.errors import SetupError

if TYPE_CHECKING:
    from opentelemetry.trace import Span
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine
    from starlette.types import Scope

    from api.settings import Settings

_SPAN: Final = "span"


@contextlib.contextmanager
def traced(settings: "Settings") -> Iterator[None]:
    """Send traces to OTEL_EXPORTER_OTLP_ENDPOINT while the block runs, if there is one.

    The sampler, headers and service name are OpenTelemetry's own variables. Raises SetupError
    where the libraries are not installed.
    """
    if settings.otlp_endpoint is None:
        yield
        return

    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SetupError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and OpenTelemetry is not installed: "
            "pip install 'ai-goals-tracker-agent[otel]'"
        ) from error

    from api.settings import APPLICATION

    resource = Resource.create({SERVICE_NAME: APPLICATION}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace_with(provider.get_tracer(APPLICATION), content=settings.trace_content)
    try:
        yield
    finally:
        trace_with(None)
        provider.shutdown()


class HttpSpan:
    """The span of a request, or none."""

    def __init__(self, span: "Span | None" = None) -> None:
        self._span = span

    def end(self, *, method: str, route: str, status: int | None) -> None:
        """Keep what the request was, by its route's template, and how it was answered."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode

        self._span.update_name(f"{method} {route}")
        self._span.set_attributes({"http.request.method": method, "http.route": route})
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            self._span.set_attribute("error.type", str(status or "aborted"))
            self._span.set_status(StatusCode.ERROR)


_NOTHING: Final = HttpSpan()


@contextlib.contextmanager
def http_span(scope: "Scope") -> Iterator[HttpSpan]:
    """Trace a request, as a part of its sender's trace where a traceparent says so.

    Neither path nor query is kept: what a learner sends is in them.
    """
    tracer = current_tracer()
    if tracer is None:
        yield _NOTHING
        return

    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    sent = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in {b"traceparent", b"tracestate"}
    }
    with tracer.start_as_current_span(
        "HTTP",
        context=TraceContextTextMapPropagator().extract(sent),
        kind=SpanKind.SERVER,
        attributes={"url.scheme": scope.get("scheme", "http")},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield HttpSpan(span)


def trace_database(engine: "AsyncEngine") -> None:
    """Trace each transaction of `engine` as one span, if anything is traced; no SQL is kept."""
    if current_tracer() is None:
        return

    from opentelemetry.trace import SpanKind
    from sqlalchemy import event

    def begin(connection: "Connection") -> None:
        tracer = current_tracer()
        if tracer is not None:
            connection.info[_SPAN] = tracer.start_span(
                "postgresql transaction",
                kind=SpanKind.CLIENT,
                attributes={"db.system.name": "postgresql"},
            )

    def end(connection: "Connection") -> None:
        span: Any = connection.info.pop(_SPAN, None)
        if span is not None:
            span.end()

    event.listen(engine.sync_engine, "begin", begin)
    event.listen(engine.sync_engine, "commit", end)
    event.listen(engine.sync_engine, "rollback", end)

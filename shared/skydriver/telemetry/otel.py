"""OpenTelemetry's SDK, known to this module only: spans and figures to a collector, as OTLP over HTTP.

To import it takes tenths of a second: `traces` does, where a collector is named. The SDK reads the standard
variables itself (OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES...).
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from skydriver.errors import TemporaryError
from skydriver.runtime.per_loop import PerLoop
from skydriver.telemetry.metrics import Metric

NAME = "skydriver"
MAX_TRACESTATE = 512
"""Characters of `tracestate` that are passed on, which is what the W3C asks for at least."""

_KINDS = {"server": (SpanKind.SERVER, 500), "consumer": (SpanKind.CONSUMER, 400)}
"""Of a span: its kind, and the first HTTP status that is an error of its own, not of who asks."""
_propagator = TraceContextTextMapPropagator()


def resource() -> Resource:
    """Say who speaks: the Knative Service, unless OTEL_SERVICE_NAME says otherwise."""
    name = os.environ.get("OTEL_SERVICE_NAME") or os.environ.get("K_SERVICE") or NAME
    return Resource.create({"service.namespace": NAME, "service.name": name})


def _start() -> TracerProvider:
    provider = TracerProvider(resource=resource())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


async def _stop(provider: TracerProvider) -> None:
    # It sends what is left.
    await asyncio.to_thread(provider.shutdown)


_provider = PerLoop(_start, _stop)


@contextmanager
def span(
    name: str, *, kind: str, parent: Mapping[str, str], attributes: Mapping[str, Any]
) -> Iterator[Callable[[int], None]]:
    """Make a span, the current one within this context; what is yielded takes the call's HTTP status."""
    span_kind, first_error = _KINDS[kind]
    tracer = _provider.get().get_tracer(NAME)
    with tracer.start_as_current_span(
        name, context=_propagator.extract(parent), kind=span_kind, attributes=dict(attributes)
    ) as current:

        def answered(status: int) -> None:
            current.set_attribute("http.response.status_code", status)
            if status >= first_error:
                current.set_attribute("error.type", str(status))
                current.set_status(Status(StatusCode.ERROR))

        yield answered


def current_context() -> dict[str, str]:
    """Return the current span's context, as events carry it."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    if len(carrier.get("tracestate", "")) > MAX_TRACESTATE:
        del carrier["tracestate"]
    return carrier


def trace_id() -> str:
    """Return the current span's trace, in hexadecimal."""
    return trace.format_trace_id(trace.get_current_span().get_span_context().trace_id)


def add_link(to: Mapping[str, str]) -> None:
    """Link the current span to another, unless they are of one trace."""
    context = trace.get_current_span(_propagator.extract(to)).get_span_context()
    current = trace.get_current_span()
    if context.is_valid and current.get_span_context().trace_id != context.trace_id:
        current.add_link(context)


_exporter = PerLoop(OTLPMetricExporter, lambda exporter: asyncio.to_thread(exporter.shutdown))


async def export_metrics(figures: Iterable[Metric], *, since: float, until: float) -> None:
    """Send figures; their meters stand in the database, so none of the SDK's own are needed.

    Args:
        figures: what was measured.
        since: since when totals have been counted, in seconds since the epoch.
        until: when this was measured.

    Raises:
        TemporaryError: the collector does not take them.
    """
    metrics = [
        export.Metric(
            figure.name, figure.description, figure.unit, _points(figure, int(since * 1e9), int(until * 1e9))
        )
        for figure in figures
    ]
    scope = export.ScopeMetrics(InstrumentationScope(NAME), metrics, "")
    data = export.MetricsData([export.ResourceMetrics(resource(), [scope], "")])
    if await asyncio.to_thread(_exporter.get().export, data) is not export.MetricExportResult.SUCCESS:
        raise TemporaryError("the collector does not take figures")


def _points(figure: Metric, since: int, until: int) -> export.Sum | export.Gauge | export.Histogram:
    cumulative = export.AggregationTemporality.CUMULATIVE
    if figure.spread:
        return export.Histogram(
            [
                export.HistogramDataPoint(
                    attributes=attributes,
                    start_time_unix_nano=since,
                    time_unix_nano=until,
                    count=of.count,
                    sum=of.sum,
                    min=of.min,
                    max=of.max,
                    bucket_counts=of.counts,
                    explicit_bounds=of.bounds,
                )
                for attributes, of in figure.spread
            ],
            cumulative,
        )
    points = [
        export.NumberDataPoint(attributes, start_time_unix_nano=since, time_unix_nano=until, value=value)
        for attributes, value in (*figure.now, *figure.totals)
    ]
    return export.Sum(points, cumulative, is_monotonic=True) if figure.totals else export.Gauge(points)

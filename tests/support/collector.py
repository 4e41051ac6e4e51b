"""An OpenTelemetry collector as tests need it: what came in over OTLP/HTTP, decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.support.loopback import Answer, Loopback, loopback


@dataclass(frozen=True)
class Span:
    """A span, ids in hexadecimal."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[tuple[str, str], ...]
    """Traces and spans that it is linked to."""
    attributes: dict[str, Any]
    is_error: bool
    service: str


class Collector:
    """What a collector was sent."""

    def __init__(self, server: Loopback) -> None:
        self._server = server
        self.url = server.url
        for path in ("/v1/traces", "/v1/metrics"):
            server.on("POST", path, Answer(200))

    @property
    def spans(self) -> list[Span]:
        """All spans so far, in the order of their beginnings."""
        found = []
        for body in self._bodies("/v1/traces"):
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = attributes_of(group.resource)["service.name"]
                found += [(span, service) for scope in group.scope_spans for span in scope.spans]
        found.sort(key=lambda pair: pair[0].start_time_unix_nano)
        return [_span(span, service) for span, service in found]

    @property
    def metrics(self) -> list[dict[str, Metric]]:
        """The metrics of each export so far, by name."""
        return [
            {
                metric.name: metric
                for group in ExportMetricsServiceRequest.FromString(body).resource_metrics
                for scope in group.scope_metrics
                for metric in scope.metrics
            }
            for body in self._bodies("/v1/metrics")
        ]

    def _bodies(self, path: str) -> list[bytes]:
        return [asked.body for asked in list(self._server.asked) if asked.path == path]


def _span(span: ProtoSpan, service: str) -> Span:
    return Span(
        name=span.name,
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        attributes=attributes_of(span),
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        service=service,
    )


def attributes_of(thing: Any) -> dict[str, Any]:
    """Read the attributes of a span, a resource or a data point."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in thing.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """Run a collector on the loopback while the context lasts."""
    with loopback() as server:
        yield Collector(server)

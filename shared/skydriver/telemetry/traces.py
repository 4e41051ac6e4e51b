"""Traces of scans from the request to the result; off unless a collector is named.

A scan's trace begins with its `POST /scan`: the scan keeps that span's context, and each of its events
carries the context of what has caused it, in CloudEvents' Distributed Tracing extension, from the moment
that it stands in the outbox. So a step goes on with the trace however often and however late it is called.
What is not of the scan's own making, a scanner's report or a sweep, has a trace of its own, with links.

Nothing of OpenTelemetry is imported while this is off.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from skydriver.settings import settings
from skydriver.telemetry.logging import log_context

Trace = Mapping[str, str]
"""The context of a span as events carry it: `traceparent` and, where a vendor adds to it, `tracestate`."""
Answered = Callable[[int], None]
"""Says which HTTP status a call was answered with."""

_carried: ContextVar[Trace] = ContextVar("carried", default={})  # noqa: B039 - never changed in place


def is_enabled() -> bool:
    """Say whether there is a collector to send traces to."""
    return bool(settings().otel_exporter_otlp_endpoint)


@contextmanager
def start_span(
    name: str,
    *,
    kind: Literal["server", "consumer"],
    parent: Mapping[str, str],
    attributes: Mapping[str, Any],
) -> Iterator[Answered]:
    """Make a span of a call, which the events made within it go on with. Only while traces are on.

    Args:
        name: of the span, with nothing in it that differs from scan to scan.
        kind: a request whose caller waits for the answer, or an event.
        parent: headers or extensions with the context of what has caused the call, if it has one.
        attributes: by OpenTelemetry's semantic conventions.
    """
    from skydriver.telemetry import otel

    with otel.span(name, kind=kind, parent=parent, attributes=attributes) as answered:
        here = otel.current_context()
        with log_context(trace_id=otel.trace_id()), _with_trace(here):
            yield answered


@contextmanager
def start_trace() -> Iterator[Trace]:
    """Let a new scan's trace begin with the call that is under way; what the scan is to keep of it."""
    if not is_enabled():
        yield {}
        return
    from skydriver.telemetry import otel

    here = otel.current_context()
    with _with_trace(here):
        yield here


@contextmanager
def attach_trace(scan: Mapping[str, Any] | None, *, linked: bool = False) -> Iterator[None]:
    """Let the events made within this context go on with a scan's trace, if it has one.

    Args:
        scan: its document, with `trace`.
        linked: whether the call that is under way is linked to that trace in any case, and not only once it
            makes an event.
    """
    trace = (scan or {}).get("trace")
    if not trace:
        yield
        return
    with _with_trace(trace):
        if linked:
            current_trace()
        yield


def current_trace() -> Trace:
    """Return what an event that is made now carries, and link the call to that trace, if it has another."""
    trace = _carried.get()
    if trace and is_enabled():
        from skydriver.telemetry import otel

        otel.add_link(trace)
    return trace


@contextmanager
def _with_trace(trace: Trace) -> Iterator[None]:
    token = _carried.set(trace)
    try:
        yield
    finally:
        _carried.reset(token)

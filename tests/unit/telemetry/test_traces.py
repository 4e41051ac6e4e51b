"""Spans as a collector gets them, over its own protocol; and that there are none without a collector."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

import skydriver
from skydriver.errors import NotFound, TemporaryError
from skydriver.eventing.codec import encode
from skydriver.eventing.events import Event, outbox_entry
from skydriver.eventing.handler import step
from skydriver.model.scan import new_scan
from skydriver.model.transitions import Fact
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.runtime.per_loop import PerLoop
from skydriver.store.scans import document as scan_document
from skydriver.telemetry import traces
from tests.conftest import ROOT
from tests.support.collector import Collector, Span, collector
from tests.support.serving import client_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "somebody=1"}


@pytest.fixture(name="collector")
def _collector() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest_asyncio.fixture(autouse=True)
async def _on(
    collector: Collector, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    monkeypatch.setenv("NO_PROXY", "*")
    configure(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, K_SERVICE="a-function")
    yield
    await PerLoop.close_all()


async def spans(collector: Collector) -> list[Span]:
    """End this loop's clients, which sends what is left."""
    await PerLoop.close_all()
    return collector.spans


def made(fact: Fact = Fact.REQUESTED) -> Any:
    (event,) = outbox_entry(fact, subject="5d2e", cause="0").values()
    return event


async def test_a_request_goes_on_with_its_callers_trace(collector: Collector) -> None:
    events = []

    @endpoint("GET /scan/{scan_id}/manifest", roles=(Role.USER,))
    async def get_it(call: RequestContext[NoArguments]) -> dict[str, Any]:
        events.append(made())
        return {}

    async with client_of(get_it) as client:
        await client.get("/scan/5d2e/manifest", headers={**PARENT, "User-Agent": "a test"})
    (span,) = await spans(collector)
    assert (span.name, span.kind, span.service) == ("GET /scan/{scan_id}/manifest", "server", "a-function")
    assert (span.trace_id, span.parent_id) == (TRACE, "b7ad6b7169203331")
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/scan/{scan_id}/manifest",
        "url.path": "/scan/5d2e/manifest",
        "url.scheme": "http",
        "server.address": "function",
        "user_agent.original": "a test",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
    }
    assert events[0]["traceparent"] == f"00-{TRACE}-{span.span_id}-01"
    assert events[0]["tracestate"] == "somebody=1"


@pytest.mark.parametrize(
    ("error", "status", "is_error"),
    [(NotFound("there is no such scan"), 404, False), (ValueError("a fault of ours"), 500, True)],
)
async def test_what_a_caller_does_wrong_is_no_error_of_a_request(
    collector: Collector, error: Exception, status: int, is_error: bool
) -> None:
    @endpoint("GET /", roles=())
    async def get_it(call: RequestContext[NoArguments]) -> dict[str, Any]:
        raise error

    async with client_of(get_it) as client:
        await client.get("/")
    (span,) = await spans(collector)
    assert (span.attributes["http.response.status_code"], span.is_error) == (status, is_error)
    assert (span.parent_id, span.links) == ("", ())


async def deliver(handle: Any, event: dict[str, Any]) -> httpx.Response:
    headers, body = encode(event)
    async with client_of(step()(handle)) as client:
        return await client.post("/", headers=headers, content=body)


async def test_a_step_goes_on_with_the_trace_of_its_event_however_often_it_is_called(
    collector: Collector,
) -> None:
    tries = []

    async def launch(event: Event) -> None:
        tries.append(made(Fact.READY))
        if len(tries) == 1:
            raise TemporaryError("not now")

    with traces.attach_trace({"trace": PARENT}):
        event = made()
    assert [(await deliver(launch, event)).status_code for _ in range(2)] == [503, 204]
    first, second = await spans(collector)
    for span in (first, second):
        assert (span.name, span.kind) == ("process org.icecube.skydriver.scan.requested.v1", "consumer")
        assert (span.trace_id, span.parent_id, span.links) == (TRACE, "b7ad6b7169203331", ())
    assert (first.is_error, second.is_error) == (True, False)
    assert first.attributes["error.type"] == "503"
    assert second.attributes == {
        "messaging.system": "knative",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": event["type"],
        "cloudevents.event_id": "5d2e/scan.requested/0",
        "cloudevents.event_source": "/skydriver/skydriver",
        "cloudevents.event_spec_version": "1.0",
        "cloudevents.event_subject": "5d2e",
        "cloudevents.event_type": event["type"],
        "code.function.name": f"{launch.__module__}.{launch.__qualname__}",
        "http.response.status_code": 204,
    }
    assert [one["traceparent"] for one in tries] == [
        f"00-{TRACE}-{first.span_id}-01",
        f"00-{TRACE}-{second.span_id}-01",
    ]


async def test_a_report_is_linked_to_its_scan_whose_trace_goes_on(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get(scan_id: str, part: type) -> dict[str, Any] | None:
        return {"_id": scan_id, "trace": PARENT} if scan_id == "5d2e" else None

    monkeypatch.setattr(scan_document, "get_part", get)
    events = []

    @endpoint("PUT /scan/{scan_id}/result", roles=(Role.SYSTEM,))
    async def put_it(call: RequestContext[NoArguments]) -> dict[str, Any]:
        if call.scan_id == "5d2e":
            events.append(made(Fact.FINISHED))
        return {}

    async with client_of(put_it) as client:
        await client.put("/scan/5d2e/result")
        await client.put("/scan/other/result")
    span, other = await spans(collector)
    assert span.trace_id != TRACE
    assert span.links[0] == (TRACE, "b7ad6b7169203331")
    assert other.links == ()
    assert {name: events[0][name] for name in PARENT} == PARENT


async def test_what_looks_after_many_scans_is_linked_to_those_that_it_makes_events_of(
    collector: Collector,
) -> None:
    events = []

    async def sweep(event: Event) -> None:
        with traces.attach_trace({"trace": PARENT}):
            events.append(made())
        with traces.attach_trace({"trace": {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}}):
            pass
        with traces.attach_trace({}):
            events.append(made())

    await deliver(sweep, made())
    (span,) = await spans(collector)
    assert span.links == ((TRACE, "b7ad6b7169203331"),)
    assert events[0]["traceparent"] == PARENT["traceparent"]
    # Of a scan from before anybody asked for traces, nothing else is known.
    assert events[1]["traceparent"].startswith(f"00-{span.trace_id}-{span.span_id}-")


async def test_a_new_scans_trace_begins_with_the_call_that_makes_it(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get(scan_id: str, part: type) -> dict[str, Any]:
        return {"trace": PARENT}

    monkeypatch.setattr(scan_document, "get_part", get)
    kept = []

    @endpoint("POST /scan/{scan_id}/actions/rescan", roles=(Role.USER,))
    async def rescan(call: RequestContext[NoArguments]) -> dict[str, Any]:
        with traces.start_trace() as trace:
            kept.append((trace, made()))
        return {}

    async with client_of(rescan) as client:
        await client.post("/scan/5d2e/actions/rescan")
    (span,) = await spans(collector)
    ((trace, event),) = kept
    assert trace["traceparent"].startswith(f"00-{span.trace_id}-{span.span_id}-")
    assert event["traceparent"] == trace["traceparent"]
    assert span.links == ((TRACE, "b7ad6b7169203331"),)


async def test_a_long_tracestate_stays_behind(collector: Collector) -> None:
    events = []

    async def handle(event: Event) -> None:
        events.append(made())

    long = ",".join(f"vendor{n}={'x' * 100}" for n in range(6))
    await deliver(handle, {**made(), **PARENT, "tracestate": long})
    (span,) = await spans(collector)
    assert span.trace_id == TRACE
    assert "tracestate" not in events[0]


async def test_the_context_is_a_header_of_the_request_too() -> None:
    headers, _ = encode({**made(), **PARENT})
    assert {name: headers[name] for name in PARENT} == PARENT
    assert headers["ce-traceparent"] == PARENT["traceparent"]


def test_a_scan_keeps_its_trace_where_there_is_one() -> None:
    options: Any = {
        "now": 0.0,
        "function": "test",
        "cause": "requested",
        "scanner_server_args": "",
        "tms_args": [],
        "env_vars": {},
        "classifiers": {},
        "outbox": {},
    }
    request: Any = {"scan_id": "5d2e", "priority": 0, "i3_event_id": "e", "submitted_by": None}
    assert new_scan(request, **options, trace=PARENT)["trace"] == PARENT
    assert "trace" not in new_scan(request, **options, trace={})


OFF = """
import asyncio, os, sys
import httpx
from functions_framework.aio import create_asgi_app
from skydriver.telemetry import traces
from skydriver.eventing.codec import encode
from skydriver.eventing.events import outbox_entry
from skydriver.model.transitions import Fact

async def call(target, source, method, path, **options):
    transport = httpx.ASGITransport(create_asgi_app(target, source, "http"))
    async with httpx.AsyncClient(transport=transport, base_url="http://function") as client:
        return (await client.request(method, path, **options)).status_code

async def main():
    with traces.start_trace() as trace, traces.attach_trace({"trace": {"traceparent": "x"}}, linked=True):
        (event,) = outbox_entry(Fact.REQUESTED, subject="5d2e", cause="0").values()
    headers, body = encode(event)
    print(await call("get_root", "functions/api/get_root.py", "GET", "/"))
    # There is no database: what matters is what was imported on the way to that answer.
    step = ("launch_scanner", "functions/steps/launch_scanner.py")
    print(await call(*step, "POST", "/", headers=headers, content=body))
    print(await call("delete_scan", "functions/api/delete_scan.py", "DELETE", "/scan/5d2e"))
    heavy = ("opentelemetry", "skydriver.telemetry.otel")
    print(*sorted(name for name in sys.modules if name.startswith(heavy)))
    sys.stdout.flush()
    os._exit(0)  # the driver goes on looking for a database, and holds up an orderly end
asyncio.run(main())
"""


def test_without_a_collector_nothing_of_opentelemetry_is_imported_even_by_calls() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment = {
        **kept,
        "PYTHONPATH": str(Path(skydriver.__file__).parents[1]),
        "STEP_DEADLINE": "0.1",
    }
    process = subprocess.run(
        [sys.executable, "-c", OFF],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines() == ["200", "503", "503", ""]

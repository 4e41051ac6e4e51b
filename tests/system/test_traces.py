"""A scan's trace, as an operator sees it in a collector: from the request to the end."""

from pathlib import Path

from tests.support.collector import collector
from tests.system.conftest import running

STEPS = {
    "scan.requested": "POST /scan",
    # What a report sets off goes on where the scan's trace begins.
    "scanner.ready": "POST /scan",
    "workers.requested": "scanner.ready",
    "scan.first_result": "POST /scan",
    "scan.finished": "POST /scan",
    "workers.unwanted": "scan.finished",
}
"""The events of a scan that finishes, and what causes each."""
REPORTS = (
    "PATCH /scan/{scan_id}/manifest",
    "PUT /scan/{scan_id}/result",
    "POST /scan/{scan_id}/events",
)
"""What its scanner's pod says of it."""


def short(name: str) -> str:
    """Name a span by the fact that its step hears, or by its route."""
    return name.removeprefix("process org.icecube.skydriver.").removesuffix(".v1")


async def test_one_trace_from_the_request_to_the_end_and_reports_linked_to_it(tmp_path: Path) -> None:
    with collector() as seen:
        async with running(tmp_path / "data", OTEL_EXPORTER_OTLP_ENDPOINT=seen.url) as skydriver:
            scan_id = await skydriver.submit()
            assert (await skydriver.ended(scan_id))["outcome"] == "finished"
            # The service keeps the trace to itself.
            assert "trace" not in await skydriver.call("GET", f"/scan/{scan_id}/manifest")
        # The end of the service has sent what was left.
        spans = seen.spans

    (request,) = [span for span in spans if span.name == "POST /scan"]
    assert (request.parent_id, request.kind, request.is_error) == ("", "server", False)
    trace = [span for span in spans if span.trace_id == request.trace_id]
    by_id = {span.span_id: span for span in trace}
    # A step that was called again, or told again by the sweep, is there as often.
    caused = {(short(span.name), short(by_id[span.parent_id].name)) for span in trace if span != request}
    assert caused == set(STEPS.items())
    assert all(span.attributes["cloudevents.event_subject"] == scan_id for span in trace if span != request)
    order = [short(span.name) for span in trace]
    assert [order.index(name) for name in ("POST /scan", *STEPS)] == sorted(
        order.index(name) for name in ("POST /scan", *STEPS)
    )

    for report in REPORTS:
        made = [span for span in spans if span.name == report]
        assert made
        assert all(span.links[0] == (request.trace_id, request.span_id) for span in made)
        assert all(span.trace_id != request.trace_id for span in made)

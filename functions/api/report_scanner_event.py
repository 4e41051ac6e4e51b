"""`POST /scan/SCAN_ID/events`: the CloudEvents of a scanner's pod.

`scanner.ready` comes from the uploader of the startup file. Progress and results may come as events, too,
with the bodies of `PATCH manifest` and `PUT result` as their data, and mean the same.
"""

from collections.abc import Coroutine
from typing import Any

from starlette.responses import Response

from skydriver.errors import InvalidArguments, PermanentError, UnsupportedEncoding
from skydriver.eventing.codec import decode
from skydriver.eventing.events import event_type
from skydriver.lifecycle.scanner.reports import report_manifest, report_result
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.model.reports import ManifestReport, ResultReport
from skydriver.model.transitions import Fact
from skydriver.rest.arguments import NoArguments, validate
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint, unless_late
from skydriver.settings import settings


@endpoint(
    "POST /scan/{scan_id}/events",
    roles=(Role.SYSTEM, Role.SCANNER),
    limit=lambda: settings().max_result_bytes,
    body_holds_arguments=False,
)
async def report_scanner_event(request: RequestContext[NoArguments]) -> Response:
    """Take the event, and answer with nothing.

    What the scan does not take is a 409, but not to a scanner server.
    """
    try:
        event = decode(request.headers, request.body)
    except UnsupportedEncoding:
        raise
    except PermanentError as error:
        raise InvalidArguments({"event": str(error)}) from None
    scan_id, attempt = request.scan_id, request.attempt
    said: Coroutine[Any, Any, Any]
    if event.type == event_type(Fact.READY):
        said = scanner_ready(scan_id, attempt=attempt)
    elif event.type == event_type(Fact.PROGRESS_REPORTED):
        report = validate(ManifestReport, event.data)
        said = report_manifest(scan_id, attempt=attempt, report=report)
    elif event.type == event_type(Fact.RESULT_REPORTED):
        result = validate(ResultReport, event.data)
        content, is_final = result.skyscan_result, result.is_final
        said = report_result(scan_id, attempt=attempt, content=content, is_final=is_final)
    else:
        raise InvalidArguments({"event": f"a scanner says nothing of the type '{event.type}'"})
    await unless_late(request, said)
    return Response(status_code=204)

"""`GET /scan/SCAN_ID/status`: where a scan stands."""

from typing import Any

from starlette.responses import Response

from skydriver.errors import TemporaryError
from skydriver.model.manifest import visible_clusters
from skydriver.model.phases import COMPLETE, Phase, scan_state
from skydriver.model.scan import scanner_name
from skydriver.model.workforce import deactivated, workforce
from skydriver.rest.arguments import StatusArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.etags import json_with_etag
from skydriver.rest.logs import server_log_url
from skydriver.rest.views import read_scan
from skydriver.scanner.backend import backend

_FIELDS = (
    "scan_id",
    "phase",
    "phase_since",
    "outcome",
    "reason",
    "reason_code",
    "attempt",
    "progress",
    "report",
    "ewms_task.clusters",
    "furthest_step",
    "ewms_workflow_id",
)


@endpoint(
    "GET /scan/{scan_id}/status",
    roles=(Role.USER, Role.SYSTEM, Role.SCANNER),
    arguments=StatusArguments,
    answer="Status",
)
async def get_status(request: RequestContext[StatusArguments]) -> Response:
    """Answer the state code, deleted scans included; scanner servers read it as their kill switch."""
    scan = await read_scan(
        request.scan_id,
        _FIELDS,
        include_deleted=request.arguments.include_deleted,
        lead=request.is_led(no_redirect=request.arguments.no_redirect),
    )
    answer: dict[str, Any] = {
        "scan_state": scan_state(scan),
        "is_deleted": scan["is_deleted"],
        "scan_complete": scan["phase"] in COMPLETE,
        "clusters": visible_clusters(scan["ewms_task"]["clusters"]),
        "phase": scan["phase"],
        "phase_since": scan["phase_since"],
        "attempt": scan["attempt"],
        "outcome": scan["outcome"],
        "reason": scan["reason"],
        "reason_code": scan["reason_code"],
        "reported_at": scan["report"] and scan["report"]["at"],
        # v2's:
        "ewms_deactivated": deactivated(scan),
        "ewms_workforce": workforce(scan),
        "scanner_server_logs": {"url": server_log_url(request.scan_id, scan["attempt"])},
    }
    if request.arguments.include_pod_statuses:
        status, message = await _pods(request.scan_id, scan)
        # README and v1 name the message differently: both are served.
        answer["pods"] = {"pod_status": status, "pod_status_message": message, "pod_message": message}
    return json_with_etag(request.headers, answer)


async def _pods(scan_id: str, scan: dict[str, Any]) -> tuple[dict[str, Any], str]:
    if scan["phase"] == Phase.QUEUED:
        return {}, "in backlog"
    try:
        pods = await backend().pods(scanner_name(scan_id, scan["attempt"]))
    except TemporaryError as error:
        return {}, f"not retrieved: {error}"
    return pods, "retrieved" if pods else "pod(s) not found"

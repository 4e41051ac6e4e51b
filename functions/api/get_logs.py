"""`GET /scan/SCAN_ID/logs`: where the logs of a scan can be seen."""

from typing import Any
from urllib.parse import urlencode

from skydriver.model.scan import scanner_name
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.route import Call, route
from skydriver.rest.scans import read_scan
from skydriver.settings import settings


@route("GET /scan/{scan_id}/logs", roles=(Role.USER,))
async def get_logs(call: Call[NoArguments]) -> dict[str, Any]:
    """Answer a link to the dashboard with the scanner server's logs; empty where none is configured."""
    scan = await read_scan(call.scan_id, ["attempt"])
    base = settings().grafana_dashboard_baseurl
    container = scanner_name(call.scan_id, scan["attempt"]).replace("skyscan-", "skyscan-server-", 1)
    query = urlencode({"var-namespace": settings().k8s_namespace, "var-container": container})
    return {"scanner_server": {"url": f"{base}&{query}" if base else ""}}

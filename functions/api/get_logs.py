"""`GET /scan/SCAN_ID/logs`: where the logs of a scan can be seen."""

from collections.abc import Mapping
from typing import Any

from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.logs import server_log_url
from skydriver.rest.views import read_scan
from skydriver.s3 import logs


@endpoint("GET /scan/{scan_id}/logs", roles=(Role.USER,), answer="Logs")
async def get_logs(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer links: to the dashboard with the scanner server's logs, and to workers' logs that were kept.

    The former is empty where no dashboard is configured; the latter are valid for an hour.
    """
    scan = await read_scan(request.scan_id, ["attempt", "ewms_task.clusters"])
    return {
        "scanner_server": {"url": server_log_url(request.scan_id, scan["attempt"])},
        "worker_clusters": [
            await _link(cluster) for cluster in scan["ewms_task"]["clusters"] if cluster.get("logs")
        ],
    }


async def _link(cluster: Mapping[str, Any]) -> dict[str, Any]:
    kept = cluster["logs"]
    return {
        "name": cluster["name"],
        "uuid": cluster["uuid"],
        "cluster_id": cluster["cluster_id"],
        "n_workers": kept["workers"],
        "url": None if kept["key"] is None else await logs.url(kept["key"]),
        "kept_until": kept.get("until"),
        "reason": kept["reason"],
    }

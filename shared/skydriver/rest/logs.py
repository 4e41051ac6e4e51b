"""Where the log of a scanner server can be seen."""

from urllib.parse import urlencode

from skydriver.model.scan import scanner_name, server_container_name
from skydriver.settings import settings


def server_log_url(scan_id: str, attempt: int) -> str:
    """Link to the dashboard with the log of an attempt's scanner server; empty where there is none."""
    base = settings().grafana_dashboard_baseurl
    container = server_container_name(scanner_name(scan_id, attempt))
    query = urlencode({"var-namespace": settings().k8s_namespace, "var-container": container})
    return f"{base}&{query}" if base else ""

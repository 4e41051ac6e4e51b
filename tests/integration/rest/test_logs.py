"""Where logs can be seen: the scanner server's on a dashboard, workers' as long as they are kept."""

from collections.abc import Callable

from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.workers.request_workers import request_workers
from skydriver.model.phases import ClusterState
from skydriver.model.transitions import Fact
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from tests.integration.rest.api import Api
from tests.support.documents import clusters_of


async def test_without_a_dashboard_and_logs_there_is_nothing_to_link_to(api: Api, scan_id: str) -> None:
    answer = await api.call("GET", f"/scan/{scan_id}/logs")
    assert answer == {"scanner_server": {"url": ""}, "worker_clusters": []}


async def test_the_dashboard_is_linked_to(api: Api, scan_id: str, configure: Callable[..., None]) -> None:
    configure(GRAFANA_DASHBOARD_BASEURL="https://grafana.example.org/d/x?orgId=1", K8S_NAMESPACE="here")
    answer = await api.call("GET", f"/scan/{scan_id}/logs")
    assert answer["scanner_server"]["url"] == (
        f"https://grafana.example.org/d/x?orgId=1&var-namespace=here&var-container=skyscan-server-{scan_id}"
    )


async def test_workers_logs_are_linked_to_or_their_lack_has_a_reason(api: Api, scan_id: str) -> None:
    for fact in (Fact.ADMITTED, Fact.LAUNCHED):
        assert await scan_document.advance(scan_id, fact)
    await scanner_ready(scan_id, attempt=1)
    await request_workers(scan_id)
    [uuid] = await clusters_of(scan_id)
    requested = [ClusterState.REQUESTED]
    kept = {"key": "client-logs/a/b.zip", "workers": 2, "until": 99.0, "reason": None}
    assert await scan_clusters.update_cluster(
        scan_id, uuid, {"cluster_id": 5, "logs": kept}, states=requested
    )
    [link] = (await api.call("GET", f"/scan/{scan_id}/logs"))["worker_clusters"]
    url = link.pop("url")
    assert "client-logs/a/b.zip" in url
    assert "X-Amz-Signature" in url
    assert link == {
        "name": "local",
        "uuid": uuid,
        "cluster_id": 5,
        "n_workers": 2,
        "kept_until": 99.0,
        "reason": None,
    }
    gone = {"key": None, "workers": 2, "reason": "kept for long enough"}
    assert await scan_clusters.update_cluster(scan_id, uuid, {"logs": gone}, states=requested)
    [link] = (await api.call("GET", f"/scan/{scan_id}/logs"))["worker_clusters"]
    assert (link["url"], link["kept_until"], link["reason"]) == (None, None, "kept for long enough")

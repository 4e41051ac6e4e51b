"""What a cluster does to the service over its life: `make cluster-test`, minutes each (see README.md)."""

import json
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.box import HOST, OVERLAY
from tests.cluster.images import images, import_built
from tests.components.node.node import NAME, api_server_is_ready
from tests.conftest import ROOT
from tests.system.cluster.conftest import SCANS_RUNNING, Cluster
from tests.system.conftest import SLOW

QUEUED = 20
SMALL = {"scanner_server_memory": "256M", "worker_memory": "256M"}
SLOW_ONE: dict[str, Any] = {**SMALL, **SLOW}
NEXT = "2.0.1-next"
REFUSED = """
import os, urllib.request
event = {{
    "ce-specversion": "1.0", "ce-id": "refused", "ce-source": "tests", "ce-subject": "{scan_id}",
    "ce-type": "org.icecube.skydriver.workers.requested.v1", "content-type": "application/json",
}}
print(urllib.request.urlopen(urllib.request.Request(os.environ["K_SINK"], b"{{}}", event)).status)
"""
"""Publishes an event that does not say which workers; what the Broker answers."""


def submit_many(cluster: Cluster, number: int, **changes: Any) -> list[str]:
    """Ask for scans, a few at a time; their ids."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: cluster.submit(**{**SMALL, **changes}), range(number)))


def phases(cluster: Cluster, scans: list[str]) -> Counter[str]:
    """Count scans by their phases."""
    with ThreadPoolExecutor(4) as pool:
        return Counter(status["phase"] for status in pool.map(cluster.status, scans))


def all_ended(cluster: Cluster, scans: list[str], deadline: float = 1500.0) -> list[Any]:
    """Wait until all scans have ended; their statuses."""

    def look() -> bool:
        cluster.sweep()
        return phases(cluster, scans) == {"ENDED": len(scans)}

    cluster.box.until(look, f"{len(scans)} scans end", deadline=deadline, pause=5.0)
    return [cluster.status(scan_id) for scan_id in scans]


def build_next(cluster: Cluster, folder: Path) -> None:
    """Build the service with another version text, and make the overlay name it."""
    context = folder / "next"
    for name in ("functions", "shared/skydriver", "knative"):
        shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("requirements.lock", "requirements-skymap.lock"):
        shutil.copyfile(ROOT / name, context / name)
    version = context / "shared" / "skydriver" / "__init__.py"
    version.write_text(f'{version.read_text()}\nNEXT = "{NEXT}"\n')
    box = cluster.box
    for image in images(OVERLAY, ROOT / "knative" / "Dockerfile"):
        tag = f"{image.tag.rpartition(':')[0]}:{NEXT}"
        identity = box.builder.build(context, tag, target=image.target)
        import_built(box.node, box.state, box.builder, tag, identity)


def deploy(cluster: Cluster, version: str | None) -> None:
    """Apply the overlay as docs/operate.md says: with the images of a version, or with its own."""
    kustomization = cluster.box.folder / "overlay" / "kustomization.yaml"
    content = json.loads(json.dumps(cluster.box.kustomization))
    if version:
        names = [image.tag.rpartition(":")[0] for image in images(OVERLAY, ROOT / "knative" / "Dockerfile")]
        content["images"] = [{"name": name, "newTag": version} for name in names]
    kustomization.write_text(json.dumps(content))
    cluster.box.rehearse("Upgrade, and roll back", blocks=slice(0, 1))


def revision_in_use(cluster: Cluster) -> str:
    """Name the revision of `get-docs` that its requests go to."""
    path = "jsonpath={.status.traffic[0].revisionName}"
    return cluster.box.kubectl("get", "ksvc", "get-docs", "-o", path)


def test_an_upgrade_and_its_way_back_with_scans_in_flight(cluster: Cluster, tmp_path: Path) -> None:
    build_next(cluster, tmp_path)
    scans = submit_many(cluster, SCANS_RUNNING + QUEUED, **SLOW)
    cluster.box.until(lambda: phases(cluster, scans)["RUNNING"] >= 3, "scans are running", deadline=900.0)
    assert phases(cluster, scans)["QUEUED"]
    deploy(cluster, NEXT)
    newest = revision_in_use(cluster)
    cluster.box.rehearse("Upgrade, and roll back", blocks=slice(1, 2))
    assert revision_in_use(cluster) != newest
    cluster.box.rehearse("Upgrade, and roll back", blocks=slice(2, 3))
    alert = cluster.submit(**SMALL, client="realtime", priority=100)
    deploy(cluster, None)
    assert cluster.ended(alert)["outcome"] == "finished"
    statuses = all_ended(cluster, scans)
    assert Counter(status["outcome"] for status in statuses) == {"finished": len(scans)}, statuses


def test_a_new_key_in_three_rollouts_with_scans_in_flight(cluster: Cluster) -> None:
    scans = submit_many(cluster, 4, **SLOW)
    cluster.box.until(lambda: phases(cluster, scans)["RUNNING"] >= 1, "scans are running", deadline=400.0)
    cluster.box.rehearse("Upgrade, and roll back", blocks=slice(3, None))
    later = submit_many(cluster, 2)
    statuses = all_ended(cluster, scans + later)
    assert {status["outcome"] for status in statuses} == {"finished"}
    # A report that was refused would have ended its scanner server.
    assert {status["attempt"] for status in statuses} == {1}


@pytest.mark.parametrize("service", ["kubelet", "containerd"])
def test_a_service_of_the_node_starts_again(cluster: Cluster, service: str) -> None:
    scans = submit_many(cluster, 2, **SLOW)
    cluster.box.until(lambda: phases(cluster, scans)["RUNNING"] == 2, "scans are running", deadline=400.0)
    cluster.box.node.restart(service)
    statuses = all_ended(cluster, scans)
    assert {status["outcome"] for status in statuses} == {"finished"}


def test_the_api_server_is_away_for_a_minute(cluster: Cluster) -> None:
    node = cluster.box.node
    scans = submit_many(cluster, 2, **SLOW)
    cluster.box.until(lambda: phases(cluster, scans)["RUNNING"] == 2, "scans are running", deadline=400.0)
    node.end("kube-apiserver")
    # Functions that run go on; what starts one, or a scanner server, waits.
    asked_for = [cluster.box.request("GET", f"/scan/{one}/status", cluster.token()) for one in scans]
    assert all(answer.status_code in (200, 502, 503, 504) for answer in asked_for)
    node.wait_out(60.0)
    node.restart("kube-apiserver")
    cluster.box.until(lambda: api_server_is_ready(node), "the API server is back")
    statuses = all_ended(cluster, scans)
    assert {status["outcome"] for status in statuses} == {"finished"}


def test_a_function_is_killed_in_mid_request(cluster: Cluster) -> None:
    box = cluster.box
    scan_id = cluster.submit(**SLOW_ONE)
    cluster.until(scan_id, lambda status: status["phase"] == "RUNNING")
    for function in ("put-result", "patch-manifest", "gateway"):
        for pod in box.pods(f"serving.knative.dev/service={function}"):
            box.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
    assert cluster.ended(scan_id, sweeping=True)["outcome"] == "finished"


def test_a_scanner_that_is_evicted_is_launched_again(cluster: Cluster) -> None:
    box = cluster.box
    scan_id = cluster.submit(**SLOW_ONE)
    cluster.until(scan_id, lambda status: status["phase"] == "RUNNING")
    (pod, *_) = box.pods("app.kubernetes.io/component=scanner")
    name = pod["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": "skydriver"},
    }
    path = f"/api/v1/namespaces/skydriver/pods/{name}/eviction"
    box.node.kubectl("create", "--raw", path, "-f", "-", content=json.dumps(eviction))
    status = cluster.ended(scan_id, sweeping=True)
    assert (status["outcome"], status["attempt"]) == ("finished", 2)


def test_a_node_is_drained_in_mid_scan(cluster: Cluster) -> None:
    box = cluster.box
    scan_id = cluster.submit(**SLOW_ONE)
    cluster.until(scan_id, lambda status: status["phase"] == "RUNNING")
    ours = "--pod-selector=app.kubernetes.io/managed-by=skydriver"
    # The only node there is: functions stay, or the test would be one of nothing at all.
    box.node.kubectl("drain", NAME, ours, "--delete-emptydir-data", "--timeout=120s")
    box.node.kubectl("uncordon", NAME)
    status = cluster.ended(scan_id, sweeping=True)
    assert (status["outcome"], status["attempt"]) == ("finished", 2)


def test_a_dead_letter_is_noted_on_its_scan(cluster: Cluster) -> None:
    """An event that a step refuses goes from the Broker to record-failure, by Knative's own channel."""
    scan_id = cluster.submit(**SLOW_ONE)
    program = REFUSED.format(scan_id=scan_id)
    assert cluster.box.run_python("launch-scanner", program) == 202

    def noted() -> list[Any]:
        tries: list[Any] = cluster.call("GET", f"/scan/{scan_id}/history")["failed_tries"]
        return [one for one in tries if one["reason_code"] == "dead_letter"]

    (one,) = cluster.box.until(noted, "the dead letter is noted")
    assert "workers.requested" in one["reason"]
    assert "answered 400" in one["reason"] or "answered 422" in one["reason"]
    assert cluster.ended(scan_id)["outcome"] == "finished"


def test_a_database_that_hangs_is_said_before_knative_gives_up(cluster: Cluster) -> None:
    """A function ends its own request in time: 503 of its own, and not the 504 of its Service's timeout."""
    token = cluster.token()
    with cluster.box.hanging_backends():
        answer = cluster.box.request("GET", "/scans/backlog", token, tries=1)
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("application/json")
    assert cluster.box.request("GET", "/scans/backlog", token).status_code == 200


def test_a_host_is_served_while_its_domain_mapping_is_there(cluster: Cluster) -> None:
    box = cluster.box
    mapping = box.kubectl("get", "domainmapping", HOST, "-o", "yaml")
    box.kubectl("delete", "domainmapping", HOST)
    box.until(lambda: box.request("GET", "/openapi.json").status_code == 404, "the host is not known")
    box.kubectl("apply", "-f", "-", content=mapping)
    box.until(lambda: box.request("GET", "/openapi.json").status_code == 200, "the host is served again")


def test_more_pictures_than_instances_make_are_refused(cluster: Cluster) -> None:
    """One request an instance (`containerConcurrency`), 8 at once (`max_requests`), and a 429 beyond."""
    scan_id = cluster.submit()
    assert cluster.ended(scan_id)["outcome"] == "finished"
    token = cluster.token()
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda _: cluster.box.request("GET", f"/scan/{scan_id}/skymap.png", token, tries=1),
                range(16),
            )
        )
    codes = Counter(answer.status_code for answer in answers)
    assert set(codes) == {200, 429}, codes
    assert codes[200] >= 8


def test_more_requests_than_instances_take_wait_and_are_answered(cluster: Cluster) -> None:
    token = cluster.token()
    with ThreadPoolExecutor(40) as pool:
        answers = list(
            pool.map(lambda _: cluster.box.request("GET", "/scans/backlog", token).status_code, range(200))
        )
    assert Counter(answers) == {200: 200}

"""Whole scans as Jobs of a real Kubernetes API, with the stand-in scanner's processes in their Pods."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from skydriver.kube import pod_status
from tests.components.kubernetes.control_plane import ControlPlane
from tests.components.kubernetes.kubelet import Kubelet
from tests.conftest import eventually
from tests.system.conftest import SLOW, Skydriver, running
from tests.system.kubernetes.conftest import JOBS, PODS, SECRETS, Namespace
from tests.system.kubernetes.door import Door, Way


async def reached(service: Skydriver, scan_id: str, *phases: str, attempt: int = 1) -> Any:
    """Wait until a scan is in one of the phases; its status."""

    async def look() -> Any:
        status = await service.status(scan_id)
        return status if status["phase"] in phases and status["attempt"] == attempt else None

    return await eventually(look, deadline=60, what=f"{phases}")


async def at_work(service: Skydriver, scan_id: str, attempt: int = 1) -> None:
    """Wait until a scan has a first result."""

    async def look() -> bool:
        status = await service.status(scan_id)
        return bool(
            status["scan_state"] == "IN_PROGRESS__PARTIAL_RESULT_GENERATED" and status["attempt"] == attempt
        )

    await eventually(look, deadline=60)


@pytest.mark.parametrize("cluster", ["here", "there"])
async def test_a_scan_from_event_to_skymap(deployed: Skydriver, namespace: Namespace, cluster: str) -> None:
    scan_id = await deployed.submit(cluster={cluster: 2})
    status = await deployed.ended(scan_id)
    assert (status["scan_state"], status["outcome"]) == ("SCAN_FINISHED_SUCCESSFULLY", "finished")
    assert (await deployed.call("GET", f"/scan/{scan_id}/result"))["is_final"] is True
    (entry,) = status["clusters"]
    assert entry["cluster_id"].startswith("skyscan-worker-")
    assert await namespace.left() == []


async def test_what_runs_is_shown(deployed: Skydriver, namespace: Namespace) -> None:
    scan_id = await deployed.submit(cluster={"here": 2}, **SLOW)
    await at_work(deployed, scan_id)
    answer = await deployed.call("GET", f"/scan/{scan_id}/status", include_pod_statuses=True)
    pods = answer["pods"]
    assert pods["pod_message"] == pods["pod_status_message"] == "retrieved"
    ((name, status),) = pods["pod_status"].items()
    assert name.startswith(f"skyscan-{scan_id}-")
    assert status["phase"] == "Running"

    async def workers_are_seen() -> Any:
        (entry,) = (await deployed.status(scan_id))["clusters"]
        return entry["statuses"].get("Running") == {"Tasking": 2}

    await eventually(workers_are_seen)
    # No token is anywhere but in Secrets.
    token = next(
        secret
        for secret in await namespace.all(SECRETS)
        if secret["metadata"]["name"] == f"skyscan-{scan_id}-secret"
    )["data"]
    assert set(token) == {"SKYSCAN_SKYDRIVER_AUTH", "SKYDRIVER_UPLOAD_URL", "SKYDRIVER_REPORT_TOKEN"}
    shown = str([await namespace.all(path) for path in (JOBS, PODS)])
    for name, value in token.items():
        assert base64.b64decode(value).decode() not in shown, name
    assert "X-Amz-Signature" not in shown


async def test_a_server_that_ran_out_of_memory_is_launched_again(
    deployed: Skydriver, namespace: Namespace, node: Kubelet
) -> None:
    scan_id = await deployed.submit(cluster={"here": 1}, **SLOW)
    await at_work(deployed, scan_id)
    await node.end(f"skyscan-{scan_id}-", reason="OOMKilled")
    status = await deployed.ended(scan_id)
    assert (status["outcome"], status["attempt"]) == ("finished", 2), status["reason"]
    history = (await deployed.call("GET", f"/scan/{scan_id}/history"))["history"]
    reasons = [line["reason"] for line in history if line.get("reason")]
    assert any("ran out of memory (limit 1024M)" in reason for reason in reasons), reasons
    assert await namespace.left() == []


async def test_an_evicted_server_is_launched_again(deployed: Skydriver, node: Kubelet) -> None:
    scan_id = await deployed.submit(cluster={"here": 1}, **SLOW)
    await at_work(deployed, scan_id)
    await node.evict(f"skyscan-{scan_id}-")
    status = await reached(deployed, scan_id, "LAUNCHING", "STARTING", "RUNNING", attempt=2)
    assert "the pod was evicted: The node was low on resource: memory." in str(
        await deployed.call("GET", f"/scan/{scan_id}/history")
    )
    assert status["outcome"] is None


async def test_a_server_whose_node_went_dark_is_launched_again(
    deployed: Skydriver, namespace: Namespace, node: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pod stays until the node returns: that holds up neither the next attempt nor the end."""
    monkeypatch.setattr(pod_status, "REMOVAL_GRACE_PERIOD", 0.0)
    scan_id = await deployed.submit(cluster={"here": 1}, **SLOW)
    await at_work(deployed, scan_id)
    await node.go_dark(f"skyscan-{scan_id}-")
    status = await deployed.ended(scan_id)
    assert (status["outcome"], status["attempt"]) == ("finished", 2), status["reason"]
    assert await namespace.left() == [f"skyscan-{scan_id}", *node.dark]
    node.dark.clear()

    async def nothing_is_left() -> bool:
        return await namespace.left() == []

    await eventually(nothing_is_left)


async def test_a_pod_lost_between_the_last_result_and_the_last_progress(
    deployed: Skydriver, namespace: Namespace, node: Kubelet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.api import patch_manifest
    from skydriver.errors import TemporaryError
    from skydriver.lifecycle.scanner.reports import report_manifest

    heard = report_manifest

    async def deaf_to_the_last(scan_id: str, *, report: Any, **more: Any) -> Any:
        if report.progress is not None and report.progress.processing_stats.finished:
            raise TemporaryError("not now")
        return await heard(scan_id, report=report, **more)

    monkeypatch.setattr(patch_manifest, "report_manifest", deaf_to_the_last)
    scan_id = await deployed.submit(cluster={"here": 1})

    async def has_final_result() -> bool:
        return bool((await deployed.call("GET", f"/scan/{scan_id}/result")).get("is_final"))

    await eventually(has_final_result, deadline=60)
    assert (await deployed.status(scan_id))["outcome"] is None
    await node.lose(f"skyscan-{scan_id}-")
    status = await deployed.ended(scan_id)
    assert (status["outcome"], status["attempt"]) == ("finished", 1)
    assert status["scan_state"] == "SCAN_FINISHED_SUCCESSFULLY"
    assert await namespace.left() == []


async def test_an_image_that_cannot_be_pulled_fails_the_scan_with_that_reason(
    deployed: Skydriver, namespace: Namespace, node: Kubelet
) -> None:
    node.unpullable.add("icecube/skymap_scanner:3.22.1")
    scan_id = await deployed.submit(cluster={"here": 1})
    status = await deployed.ended(scan_id, deadline=60)
    assert (status["outcome"], status["attempt"]) == ("failed", 1)
    assert "the image icecube/skymap_scanner:3.22.1 cannot be pulled" in status["reason"]
    assert await namespace.left() == []


@asynccontextmanager
async def quota(namespace: Namespace, **hard: str) -> AsyncIterator[None]:
    """Have a quota that Kubernetes counts by while the context lasts."""
    await namespace.create("api/v1/resourcequotas", {"metadata": {"name": "quota"}, "spec": {"hard": hard}})

    async def counted() -> bool:
        (found,) = await namespace.all("api/v1/resourcequotas")
        return "hard" in found.get("status", {})

    await eventually(counted)
    yield
    await namespace.http.delete(f"/api/v1/namespaces/{namespace.name}/resourcequotas/quota")


async def test_a_full_quota_sends_a_scan_back_to_the_backlog(
    deployed: Skydriver, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skydriver.lifecycle.scanner import launch_scanner

    monkeypatch.setattr(launch_scanner, "FULL_DELAY", 1.0)
    async with quota(namespace, **{"count/jobs.batch": "0"}):
        scan_id = await deployed.submit(cluster={"here": 1})

        async def waits() -> Any:
            status = await deployed.status(scan_id)
            return status if status["reason"] else None

        status = await eventually(waits)
        assert "exceeded quota: quota" in status["reason"]
        assert status["scan_state"] == "PENDING__PRESTARTUP"
    assert (await deployed.ended(scan_id))["outcome"] == "finished"


async def test_a_quota_that_leaves_no_pod_shows_while_the_scan_waits_for_its_server(
    deployed: Skydriver, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skydriver.scanner.kubernetes import backend

    monkeypatch.setattr(backend, "NO_POD_SECONDS", 0.0)
    async with quota(namespace, pods="0"):
        scan_id = await deployed.submit(cluster={"here": 1})

        async def waits() -> Any:
            status = await deployed.status(scan_id)
            return status if status["phase"] == "STARTING" and status["reason"] else None

        status = await eventually(waits)
        assert status["reason_code"] == "scanner_starting"
        assert (len(await namespace.names(JOBS)), await namespace.names(PODS)) == (1, [])
    assert (await deployed.ended(scan_id))["outcome"] == "finished"


async def test_deleted_in_mid_run_nothing_is_left(deployed: Skydriver, namespace: Namespace) -> None:
    scan_id = await deployed.submit(cluster={"here": 2, "there": 1}, **SLOW)
    await at_work(deployed, scan_id)
    assert len(await namespace.names(JOBS)) == 3
    await deployed.call("DELETE", f"/scan/{scan_id}")
    status = await deployed.ended(scan_id, deadline=60)
    assert status["outcome"] == "aborted"
    assert await namespace.left() == []


async def test_an_abort_that_races_the_jobs_creation_leaves_nothing(
    deployed: Skydriver, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skydriver.kube.client import Kubernetes

    create = Kubernetes.create
    ids: list[str] = []

    async def aborted_meanwhile(self: Kubernetes, manifest: dict[str, Any]) -> Any:
        if manifest["kind"] == "Job":
            # The Job is not there yet, and its scan is over already.
            await deployed.call("DELETE", f"/scan/{ids[0]}")
        return await create(self, manifest)

    monkeypatch.setattr(Kubernetes, "create", aborted_meanwhile)
    from skydriver.lifecycle.scanner import launch_scanner as module

    launch_scanner = module.launch_scanner

    waiting: list[str] = []

    async def later(scan_id: str, **more: Any) -> None:
        await eventually(lambda: ids)
        waiting.append(scan_id)
        await launch_scanner(scan_id, **more)

    monkeypatch.setattr(module, "launch_scanner", later)
    ids.append(await deployed.submit(cluster={"here": 1}))
    status = await deployed.ended(ids[0], deadline=60)
    assert (status["outcome"], waiting[0]) == ("aborted", ids[0])
    assert await namespace.left() == []


@pytest.mark.parametrize("more_settings", [{"WORKERS_DEAD_GRACE": "1"}])
async def test_workers_whose_image_cannot_be_pulled_fail_the_scan(deployed: Skydriver, node: Kubelet) -> None:
    scan_id = await deployed.submit(cluster={"here": 2})

    async def server_runs() -> bool:
        return any(name.startswith(f"skyscan-{scan_id}-") for name in node.started)

    await eventually(server_runs)
    node.unpullable.add("icecube/skymap_scanner:3.22.1")
    status = await deployed.ended(scan_id, deadline=60)
    assert status["outcome"] == "failed"
    assert "cannot be pulled" in status["reason"]


@pytest.mark.parametrize("way", [Way.REFUSING, Way.HANGING])
async def test_scans_survive_an_api_server_that_is_away_for_a_while(
    plane: ControlPlane,
    namespace: Namespace,
    node: Kubelet,
    settings_in: Callable[[str], dict[str, str]],
    tmp_path: Path,
    way: Way,
) -> None:
    async with Door(httpx.URL(plane.url).port or 0).serve() as (door, port):
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(plane.kubeconfig.read_text().replace(plane.url, f"https://127.0.0.1:{port}"))
        settings = {**settings_in(namespace.name), "KUBECONFIG": str(kubeconfig), "CALL_TIMEOUT": "2"}
        async with running(tmp_path / "data", **settings) as service:
            busy = await service.submit(cluster={"here": 1}, **SLOW)
            await at_work(service, busy)
            door.stand(way)
            waiting = await service.submit(cluster={"here": 1})

            async def is_told_why() -> Any:
                status = await service.status(waiting)
                return status["phase"] == "QUEUED" and status["reason"]

            async def is_stale() -> Any:
                (cluster,) = (await service.status(busy))["clusters"]
                return cluster["stale_since"] and cluster["stale_reason"]

            for told in (is_told_why, is_stale):
                assert "Kubernetes" in await eventually(told, deadline=60, what=told.__name__)
            door.stand(Way.OPEN)
            for scan_id in (busy, waiting):
                status = await service.ended(scan_id, deadline=180)
                assert (status["outcome"], status["attempt"]) == ("finished", 1), status
            assert await namespace.left() == []

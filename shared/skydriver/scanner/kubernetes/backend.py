"""Scanner servers as Kubernetes Jobs in the service's own cluster."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from skydriver.errors import TemporaryError
from skydriver.kube.client import Kubernetes, in_cluster
from skydriver.kube.pod_status import PodState, diagnose_pod, epoch_seconds
from skydriver.model.reasons import cut
from skydriver.scanner.era import Era
from skydriver.scanner.kubernetes.job import (
    ATTEMPT,
    FILES_FOLDER,
    FOLDER,
    KIND,
    SCAN_ID,
    job_manifest,
    secret_manifest,
    secret_name,
)
from skydriver.scanner.protocol import ScannerSpec, ScannerState, ScannerStatus
from skydriver.settings import settings

JOB_NAME = "job-name"
"""The label by which Kubernetes itself ties a pod to its Job."""
NO_POD_SECONDS = 120.0
"""Seconds after which a Job without a pod is said to have none; as a rule it has one at once."""


class KubernetesScanners:
    """One Job a server, and one Secret that the Job owns."""

    folder = FOLDER
    files_folder = FILES_FOLDER

    def __init__(self) -> None:
        self._cluster = Kubernetes(in_cluster, settings().k8s_namespace)

    def program(self, era: Era) -> tuple[str, ...]:
        """Tell how the scanner is run: in the same way in both eras."""
        return ("python", "-m", "skymap_scanner.server")

    async def start(self, spec: ScannerSpec) -> None:
        """Start a scanner server; where one of this name exists, make sure that it has its Secret.

        Raises:
            Full: the namespace's quota leaves no room.
            PermanentError: Kubernetes finds the Job invalid.
        """
        # The Job first: it owns the Secret. Its pod waits until the Secret is there.
        job = await self._cluster.create(job_manifest(spec, settings()))
        if job is None:
            job = await self._cluster.get("Job", spec.name)
            if job is None or "deletionTimestamp" in job["metadata"]:
                raise TemporaryError(f"a former Job {spec.name} is still being removed")
        secret = secret_manifest(spec, job)
        if await self._cluster.create(secret) is None:
            # Of an earlier try, maybe of another Job of this name. A new one does no harm to a running pod.
            await self._cluster.delete("Secret", secret_name(spec.name))
            if await self._cluster.create(secret) is None:
                raise TemporaryError(f"a former Secret of {spec.name} is still being removed")

    async def stop(self, name: str) -> None:
        """End a scanner server; returns once it is verified gone, also where there was none."""
        await self._cluster.remove_job(name, secret=secret_name(name))

    async def request_stop(self, name: str) -> None:
        """Ask for a scanner server's end, without waiting for it."""
        await self._cluster.delete_job(name, secret=secret_name(name))

    async def list(self) -> dict[str, ScannerStatus]:
        """List every scanner server of this installation, by name."""
        jobs = await self._cluster.find("Job", KIND)
        pods: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for pod in await self._cluster.find("Pod", KIND):
            pods[pod["metadata"]["labels"].get(JOB_NAME, "")].append(pod)
        timeout = settings().image_pull_timeout
        return {
            name: status_of(job, pods[name], now=time.time(), pull_timeout=timeout)
            for job in jobs
            if (name := job["metadata"]["name"])
        }

    async def pods(self, name: str) -> dict[str, Any]:
        """Tell the status of a scanner server's pods, by pod, in Kubernetes' own words (as v1 did)."""
        pods = await self._cluster.find("Pod", {JOB_NAME: name})
        return {pod["metadata"]["name"]: pod.get("status", {}) for pod in pods}


def status_of(
    job: Mapping[str, Any], pods: list[dict[str, Any]], *, now: float, pull_timeout: float
) -> ScannerStatus:
    """Say what has become of a scanner server.

    Args:
        job: as the API server gives it.
        pods: of the job.
        now: seconds since the epoch.
        pull_timeout: seconds that an image may take to become available.
    """
    labels = job["metadata"]["labels"]
    scan_id, attempt = labels[SCAN_ID], int(labels[ATTEMPT])
    conditions = {
        condition["type"]: condition
        for condition in job.get("status", {}).get("conditions") or ()
        if condition["status"] == "True"
    }
    failed = conditions.get("Failed") or conditions.get("FailureTarget")
    if failed and failed.get("reason") == "DeadlineExceeded":
        deadline = job["spec"]["activeDeadlineSeconds"]
        return ScannerStatus(
            scan_id,
            attempt,
            ScannerState.FAILED,
            f"the scanner server ran longer than its deadline of {deadline} s",
            transient=False,
            timed_out=True,
        )
    if pods:
        newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        diagnosis = diagnose_pod(newest, now=now, pull_timeout=pull_timeout)
        if diagnosis.state is PodState.FAILED:
            words = f"the scanner server died ({diagnosis.reason})"
            return ScannerStatus(scan_id, attempt, ScannerState.FAILED, words, diagnosis.transient)
        if not failed:
            return ScannerStatus(scan_id, attempt, ScannerState(diagnosis.state))
    if failed:
        why = cut(": ".join(filter(None, [failed.get("reason"), failed.get("message")])), 300)
        words = f"the scanner server's pod was removed ({why})"
        return ScannerStatus(scan_id, attempt, ScannerState.FAILED, words)
    if "Complete" in conditions:
        return ScannerStatus(scan_id, attempt, ScannerState.SUCCEEDED)
    # Why is told by the Job's events alone, which we may not read.
    late = now - epoch_seconds(job["metadata"]["creationTimestamp"]) > NO_POD_SECONDS
    words = "Kubernetes has made no pod for it: a quota of pods, processors or memory may leave no room"
    return ScannerStatus(scan_id, attempt, ScannerState.PENDING, words if late else None)

"""The manifests of a cluster's workers on Kubernetes: a Job, and the Secret with what only they may know.

Pure builders, from a spec to the whole objects.
"""

from typing import Any

from skydriver.kube.pod_template import (
    CONTAINER_SECURITY,
    from_secret,
    literal,
    opaque_secret,
    plain,
    pod_security,
)
from skydriver.model.redaction import is_secret
from skydriver.model.worker_pools import KubernetesCluster
from skydriver.settings import Settings
from skydriver.workers.protocol import PILOT_FILE, STARTUP_FILE, WorkersSpec
from skydriver.workers.v1_tms_args import worker_image

KIND = {"app.kubernetes.io/managed-by": "skydriver", "app.kubernetes.io/component": "workers"}
"""The labels by which all workers of an installation are found."""
UUID = "skydriver.icecube.org/cluster-uuid"
SCAN_ID = "skydriver.icecube.org/scan-id"
FOLDER = "/startup"
STARTUP_URL = "SKYDRIVER_STARTUP_URL"
ALERT = 100
"""The priority from which a scan answers an alert."""
TTL = 7200
"""Seconds that an ended Job is kept, for the sweep to see how it ended (v1's)."""


def job_name(uuid: str) -> str:
    """Name a cluster's Job."""
    return f"skyscan-worker-{uuid}"


def secret_name(uuid: str) -> str:
    """Name the Secret of a cluster's Job."""
    return f"{job_name(uuid)}-secret"


def labels_of(spec: WorkersSpec) -> dict[str, str]:
    """Label everything that belongs to a cluster."""
    return {"app.kubernetes.io/name": "skymap-scanner", **KIND, SCAN_ID: spec.scan_id, UUID: spec.uuid}


def job_manifest(spec: WorkersSpec, settings: Settings) -> dict[str, Any]:
    """Build the Job: so many workers at once, each until the scan needs it no longer."""
    labels = labels_of(spec)
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "activeDeadlineSeconds": spec.max_worker_runtime,
        "securityContext": pod_security(settings.scanner_user),
        "initContainers": [_fetcher(spec, settings)],
        "containers": [_worker(spec, settings)],
        "volumes": [
            {"name": "startup", "emptyDir": {}},
            # The default of 64 MiB is too little for the worker's processes.
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": _shared_memory(spec)}},
        ],
    }
    if priority_class := _priority_class(spec, settings):
        pod["priorityClassName"] = priority_class
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(spec.uuid), "labels": labels},
        "spec": {
            "parallelism": spec.n_workers,
            "completions": spec.n_workers,
            # A worker that fails is replaced, until as many have failed as were asked for.
            "backoffLimit": spec.n_workers,
            # One that is evicted, preempted or loses its node has not failed.
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
            },
            # No worker is of use for longer than there may be a server.
            "activeDeadlineSeconds": settings.scanner_deadline,
            "ttlSecondsAfterFinished": TTL,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def secret_manifest(spec: WorkersSpec, job: dict[str, Any]) -> dict[str, Any]:
    """Build the Secret of a Job as it was made."""
    content = {name: value for name, value in spec.environment.items() if is_secret(name)}
    return opaque_secret(
        secret_name(spec.uuid), {**content, STARTUP_URL: spec.startup_url}, labels=labels_of(spec), job=job
    )


def starter_info(spec: WorkersSpec, settings: Settings) -> dict[str, Any]:
    """Tell users how workers were started, without secrets."""
    return {
        "job": job_name(spec.uuid),
        "namespace": spec.known.location.model_dump()["namespace"],
        "image": worker_image(spec.known, spec.docker_tag, settings),
        "parallelism": spec.n_workers,
        "memory": spec.memory_bytes,
        "disk": spec.disk_bytes,
        "max_worker_runtime": spec.max_worker_runtime,
        "priority_class": _priority_class(spec, settings),
    }


def _priority_class(spec: WorkersSpec, settings: Settings) -> str | None:
    if spec.priority >= ALERT and settings.alert_priority_class:
        return settings.alert_priority_class
    return settings.worker_priority_class


def _shared_memory(spec: WorkersSpec) -> str:
    # EWMS gives clients since v4 so much; it counts as the worker's memory.
    return "6Gi" if spec.has_pilot else "512Mi"


def _fetcher(spec: WorkersSpec, settings: Settings) -> dict[str, Any]:
    return {
        "name": "fetch-startup-file",
        "image": settings.service_image,
        "command": [
            "python",
            "-m",
            "skydriver.workers.kubernetes.startup_fetcher",
            f"{FOLDER}/{STARTUP_FILE}",
            *([f"{FOLDER}/{PILOT_FILE}"] if spec.has_pilot else []),
        ],
        "env": from_secret(secret_name(spec.uuid), [STARTUP_URL]),
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"cpu": "200m", "memory": "64Mi"},
        },
        "securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "startup", "mountPath": FOLDER}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _command(spec: WorkersSpec) -> list[str]:
    client = ("python", "-m", "skymap_scanner.client")
    return spec.command(python="python", pilot=PILOT_FILE, client=client, startup_file=STARTUP_FILE)


def _worker(spec: WorkersSpec, settings: Settings) -> dict[str, Any]:
    secret = [name for name in spec.environment if is_secret(name)]
    public = {name: value for name, value in spec.environment.items() if not is_secret(name)}
    if not isinstance(spec.known, KubernetesCluster):
        raise TypeError(f"a cluster of {spec.known.orchestrator} has no pods")
    size = {"memory": str(spec.memory_bytes), "ephemeral-storage": str(spec.disk_bytes)}
    return {
        "name": "worker",
        "image": worker_image(spec.known, spec.docker_tag, settings),
        # Its image's entry point brings up icetray around these.
        "args": [literal(word) for word in _command(spec)],
        "workingDir": FOLDER,
        "env": [*plain(public), *from_secret(secret_name(spec.uuid), secret)],
        "resources": {"requests": {"cpu": f"{spec.known.cpu:g}", **size}, "limits": {"cpu": "1", **size}},
        "securityContext": dict(CONTAINER_SECURITY),
        "volumeMounts": [
            {"name": "startup", "mountPath": FOLDER},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - a mount of its own
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }

"""The manifests of a scanner server: a Job with the server and its uploader, and the Secret with its tokens.

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
from skydriver.model.images import IMAGE
from skydriver.model.redaction import is_secret
from skydriver.model.scan import server_container_name
from skydriver.scanner.command_line import STARTUP_FILE
from skydriver.scanner.protocol import ScannerSpec
from skydriver.settings import Settings

FOLDER = "/common-space"
FILES_FOLDER = "/server-files"
_FILES_VOLUME = "server-files"
KIND = {"app.kubernetes.io/managed-by": "skydriver", "app.kubernetes.io/component": "scanner"}
"""The labels by which all scanner servers of an installation are found."""
SCAN_ID = "skydriver.icecube.org/scan-id"
ATTEMPT = "skydriver.icecube.org/attempt"
UPLOADER = "uploader"
SCRATCH = "8Gi"
"""What a server may write: GCD files, logs (v1 asked for next to nothing, v2 for this)."""


def labels_of(spec: ScannerSpec) -> dict[str, str]:
    """Label everything that belongs to a scanner server."""
    return {
        "app.kubernetes.io/name": "skymap-scanner",
        **KIND,
        SCAN_ID: spec.scan_id,
        ATTEMPT: str(spec.attempt),
    }


def secret_name(name: str) -> str:
    """Name the Secret of a scanner server's Job."""
    return f"{name}-secret"


def job_manifest(spec: ScannerSpec, settings: Settings) -> dict[str, Any]:
    """Build the Job: one pod that is never restarted, since a relaunch is the service's to decide."""
    labels = labels_of(spec)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": spec.name, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": spec.deadline,
            "ttlSecondsAfterFinished": settings.scanner_ttl,
            "template": {
                "metadata": {
                    "labels": labels,
                    # No autoscaler is to move a scan of hours.
                    "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
                },
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": settings.scanner_service_account,
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": pod_security(settings.scanner_user),
                    "containers": [_server(spec, settings), _uploader(spec, settings)],
                    "volumes": [
                        {"name": "common-space", "emptyDir": {"sizeLimit": SCRATCH}},
                        *_files_volumes(spec),
                    ],
                },
            },
        },
    }


def secret_manifest(spec: ScannerSpec, job: dict[str, Any]) -> dict[str, Any]:
    """Build the Secret with the server's and the uploader's secrets; `job` is the Job as it was made."""
    content = {name: value for name, value in spec.environment.items() if is_secret(name)}
    return opaque_secret(
        secret_name(spec.name),
        {
            **content,
            **spec.files,
            "SKYDRIVER_UPLOAD_URL": spec.upload_url,
            "SKYDRIVER_REPORT_TOKEN": spec.token,
        },
        labels=labels_of(spec),
        job=job,
    )


def _files_volumes(spec: ScannerSpec) -> list[dict[str, Any]]:
    """Show the server's files as a volume: of the whole Secret it has these keys only."""
    if not spec.files:
        return []
    items = [{"key": name, "path": name} for name in spec.files]
    # Read by the server's user by way of the pod's fsGroup.
    secret = {"secretName": secret_name(spec.name), "items": items, "defaultMode": 0o440}
    return [{"name": _FILES_VOLUME, "secret": secret}]


def _server(spec: ScannerSpec, settings: Settings) -> dict[str, Any]:
    secret = [name for name in spec.environment if is_secret(name)]
    public = {name: value for name, value in spec.environment.items() if not is_secret(name)}
    memory = str(spec.memory_bytes)
    return {
        "name": server_container_name(spec.name),
        "image": f"{IMAGE}:{spec.docker_tag}",
        # Its image's entry point brings up icetray around these.
        "args": [literal(argument) for argument in spec.arguments],
        # It makes folders where it runs, and its image's own working folder is root's.
        "workingDir": FOLDER,
        "env": [*plain(public), *from_secret(secret_name(spec.name), secret)],
        "resources": {
            "requests": {"cpu": f"{settings.scanner_cpu:g}", "memory": memory, "ephemeral-storage": "1Gi"},
            "limits": {"cpu": "1", "memory": memory, "ephemeral-storage": SCRATCH},
        },
        "securityContext": dict(CONTAINER_SECURITY),
        "volumeMounts": [
            {"name": "common-space", "mountPath": FOLDER},
            *([{"name": _FILES_VOLUME, "mountPath": FILES_FOLDER, "readOnly": True}] if spec.files else []),
        ],
        # The end of its log becomes the pod's message where it ends badly without one.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _uploader(spec: ScannerSpec, settings: Settings) -> dict[str, Any]:
    public = {
        "SKYDRIVER_REPORT_URL": spec.report_url,
        "SKYDRIVER_SCAN_ID": spec.scan_id,
        "SKYDRIVER_ATTEMPT": str(spec.attempt),
    }
    return {
        "name": UPLOADER,
        "image": settings.service_image,
        "command": ["python", "-m", "skydriver.scanner.startup_uploader", f"{FOLDER}/{STARTUP_FILE}"],
        "env": [
            *plain(public),
            *from_secret(secret_name(spec.name), ["SKYDRIVER_UPLOAD_URL", "SKYDRIVER_REPORT_TOKEN"]),
        ],
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"cpu": "200m", "memory": "64Mi"},
        },
        "securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "common-space", "mountPath": FOLDER, "readOnly": True}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }

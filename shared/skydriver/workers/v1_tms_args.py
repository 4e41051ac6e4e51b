"""What the manifest says of how a cluster's workers are started (v1's `tms_args`)."""

from collections.abc import Mapping
from typing import Any

from skydriver.model.images import IMAGE, cvmfs_name
from skydriver.model.worker_pools import KnownCluster
from skydriver.settings import Settings


def worker_image(known: KnownCluster, docker_tag: str, settings: Settings) -> str:
    """Name the image as a cluster's configuration wants it: a folder on CVMFS, or a container's name."""
    if known.orchestrator == "condor" and known.image == "cvmfs":
        return str(settings.cvmfs_images / cvmfs_name(docker_tag))
    return f"{IMAGE}:{docker_tag}"


def starter_arguments(
    request: Mapping[str, Any], settings: Settings, *, known: KnownCluster, n_workers: int, uuid: str
) -> str:
    """Write the start of a cluster as the command line that v1's client manager was given."""
    location = " ".join(f"--{part} {value}" for part, value in known.location.model_dump().items())
    image = worker_image(known, request["docker_tag"], settings)
    line = (
        f"--uuid {uuid} {known.orchestrator} {location} start --n-workers {n_workers}"
        f" --worker-memory-bytes {request['worker_memory_bytes']}"
        f" --worker-disk-bytes {request['worker_disk_bytes']} --image {image}"
        f" --client-startup-json startup.json --max-worker-runtime {request['max_worker_runtime']}"
        f" --priority {request['priority']}"
    )
    return f"{line} --spool" if request["debug_mode"] else line

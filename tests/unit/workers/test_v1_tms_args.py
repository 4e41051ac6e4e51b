"""What the manifest says of the start of a cluster, word for word (v1's `tms_args`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from skydriver.model.worker_pools import KnownCluster
from skydriver.scanner.image_tag import resolve_tag
from skydriver.settings import settings
from skydriver.workers.v1_tms_args import starter_arguments, worker_image

KNOWN: TypeAdapter[KnownCluster] = TypeAdapter(KnownCluster)
SUB_2: dict[str, Any] = {
    "orchestrator": "condor",
    "location": {"collector": "glidein-cm.example.org", "schedd": "sub-2.example.org"},
}
GKE: dict[str, Any] = {
    "orchestrator": "k8s",
    "location": {"host": "https://192.0.2.1:443", "namespace": "scans"},
}
LOCAL: dict[str, Any] = {
    "orchestrator": "local",
    "location": {"host": "localhost", "namespace": "local"},
}
CVMFS = "/cvmfs/icecube.opensciencegrid.org/containers/realtime/skymap_scanner:3.22.1"
REQUEST: dict[str, Any] = {
    "docker_tag": "3.22.1",
    "worker_memory_bytes": 8_000_000_000,
    "worker_disk_bytes": 1_000_000_000,
    "max_worker_runtime": 86400,
    "priority": -5,
    "debug_mode": [],
}


@pytest.fixture(autouse=True)
def _configured(configure: Callable[..., None]) -> None:
    configure()


def line(known: dict[str, Any], **changed: Any) -> str:
    return starter_arguments(
        {**REQUEST, **changed}, settings(), known=KNOWN.validate_python(known), n_workers=1234, uuid="a1"
    )


def test_a_condor_cluster() -> None:
    assert line(SUB_2) == (
        "--uuid a1 condor --collector glidein-cm.example.org --schedd sub-2.example.org start"
        " --n-workers 1234 --worker-memory-bytes 8000000000 --worker-disk-bytes 1000000000"
        f" --image {CVMFS} --client-startup-json startup.json --max-worker-runtime 86400 --priority -5"
    )


def test_a_kubernetes_cluster() -> None:
    assert line(GKE) == (
        "--uuid a1 k8s --host https://192.0.2.1:443 --namespace scans start"
        " --n-workers 1234 --worker-memory-bytes 8000000000 --worker-disk-bytes 1000000000"
        " --image icecube/skymap_scanner:3.22.1 --client-startup-json startup.json"
        " --max-worker-runtime 86400 --priority -5"
    )


@pytest.mark.parametrize("known", [SUB_2, GKE, LOCAL], ids=["condor", "k8s", "local"])
def test_logs_are_spooled_in_debug_mode(known: dict[str, Any]) -> None:
    assert line(known, debug_mode=["client-logs"]) == f"{line(known)} --spool"


@pytest.mark.parametrize(
    ("known", "image"),
    [
        (SUB_2, CVMFS),
        ({**SUB_2, "image": "cvmfs"}, CVMFS),
        ({**SUB_2, "image": "container"}, "icecube/skymap_scanner:3.22.1"),
        (GKE, "icecube/skymap_scanner:3.22.1"),
        (LOCAL, "icecube/skymap_scanner:3.22.1"),
    ],
)
def test_the_workers_image(known: dict[str, Any], image: str) -> None:
    assert worker_image(KNOWN.validate_python(known), "3.22.1", settings()) == image


async def test_workers_take_their_image_from_where_tags_are_listed(
    configure: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "skymap_scanner:3.22.1").mkdir()
    configure(IMAGE_TAG_SOURCE="cvmfs", CVMFS_IMAGES=str(tmp_path))
    tag = await resolve_tag("latest")
    image = worker_image(KNOWN.validate_python(SUB_2), tag, settings())
    assert Path(image).is_dir()
    assert f" --image {image} " in line(SUB_2, docker_tag=tag)

"""The manifests of a scanner server, whole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from skydriver.scanner.kubernetes.job import job_manifest, secret_manifest
from skydriver.scanner.protocol import ScannerSpec
from skydriver.settings import settings

GOLDEN = Path(__file__).parent / "golden"
SCAN = "0123456789abcdef0123456789abcdef"


def spec(attempt: int = 1) -> ScannerSpec:
    return ScannerSpec(
        name=f"skyscan-{SCAN}" if attempt == 1 else f"skyscan-{SCAN}-{attempt}",
        scan_id=SCAN,
        attempt=attempt,
        docker_tag="3.22.1",
        arguments=["python", "-m", "skymap_scanner.server", "--reco-algo", "dummy", "--nsides", "8:0"],
        environment={
            "USERS_OWN": "costs $5, or $(SKYSCAN_SKYDRIVER_AUTH)",
            "USERS_API_TOKEN": "hunter2",
            "SKYSCAN_BROKER_ADDRESS": "rabbitmq.example.org",
            "SKYSCAN_SKYDRIVER_ADDRESS": "https://skydriver.example.org",
            "SKYSCAN_SKYDRIVER_SCAN_ID": SCAN,
            "SKYSCAN_SKYDRIVER_AUTH": "scanner-token",
        },
        files={},
        memory_bytes=1_024_000_000,
        upload_url="https://s3.example.org/skydriver/startup?X-Amz-Signature=secret",
        report_url=f"https://skydriver.example.org/scan/{SCAN}/events",
        token="scanner-token",
        deadline=172800,
    )


def golden(name: str) -> Any:
    return yaml.safe_load((GOLDEN / name).read_text())


@pytest.fixture(autouse=True)
def _settings(configure: Callable[..., None]) -> None:
    configure(SERVICE_IMAGE="icecube/skydriver:2.0.0")


def test_the_job() -> None:
    assert job_manifest(spec(), settings()) == golden("scanner_job.yaml")


def test_the_secret_belongs_to_the_job_as_it_was_made() -> None:
    job = {"metadata": {"name": f"skyscan-{SCAN}", "uid": "9b8a1f3e-0000-4000-8000-000000000001"}}
    assert secret_manifest(spec(), job) == golden("scanner_secret.yaml")


SINCE_V4 = replace(spec(), docker_tag="4.2.1", files={"ewms.json": '{"toclient": {"auth_token": "queues"}}'})


def test_the_job_and_the_secret_since_v4() -> None:
    job = {"metadata": {"name": f"skyscan-{SCAN}", "uid": "9b8a1f3e-0000-4000-8000-000000000001"}}
    assert job_manifest(SINCE_V4, settings()) == golden("scanner_job_v4.yaml")
    assert secret_manifest(SINCE_V4, job) == golden("scanner_secret_v4.yaml")


def test_the_files_are_for_the_servers_container_alone() -> None:
    pod = job_manifest(SINCE_V4, settings())["spec"]["template"]["spec"]
    mounts = {
        container["name"]: [mount for mount in container["volumeMounts"] if mount["name"] == "server-files"]
        for container in pod["containers"]
    }
    assert mounts == {
        f"skyscan-server-{SCAN}": [{"name": "server-files", "mountPath": "/server-files", "readOnly": True}],
        "uploader": [],
    }


def test_no_secret_is_in_the_job() -> None:
    text = str(job_manifest(SINCE_V4, settings()))
    for secret in ("scanner-token", "hunter2", "X-Amz-Signature", "auth_token", "queues"):
        assert secret not in text


def test_a_relaunch_has_names_and_an_attempt_of_its_own() -> None:
    first, second = (job_manifest(spec(attempt), settings()) for attempt in (1, 2))
    assert first["metadata"]["name"] != second["metadata"]["name"]
    assert second["metadata"]["labels"]["skydriver.icecube.org/attempt"] == "2"
    assert second["metadata"]["labels"]["skydriver.icecube.org/scan-id"] == SCAN
    tokens = [
        variable["valueFrom"]["secretKeyRef"]["name"]
        for container in second["spec"]["template"]["spec"]["containers"]
        for variable in container["env"]
        if "valueFrom" in variable
    ]
    assert set(tokens) == {f"skyscan-{SCAN}-2-secret"}


def test_names_fit_into_what_kubernetes_allows() -> None:
    manifest = job_manifest(spec(attempt=9), settings())
    names = [
        manifest["metadata"]["name"],
        *(container["name"] for container in manifest["spec"]["template"]["spec"]["containers"]),
    ]
    assert all(len(name) <= 63 for name in names)

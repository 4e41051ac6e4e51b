"""The manifests of workers on Kubernetes, whole."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from skydriver.model.worker_pools import KubernetesCluster, KubernetesLocation
from skydriver.scanner.era import Era, worker_command
from skydriver.settings import settings
from skydriver.workers.kubernetes.job import job_manifest, secret_manifest, starter_info
from skydriver.workers.protocol import WorkersSpec

GOLDEN = Path(__file__).parent / "golden"
UUID = "fedcba9876543210fedcba9876543210"
SPEC = WorkersSpec(
    uuid=UUID,
    scan_id="0123456789abcdef0123456789abcdef",
    known=KubernetesCluster(
        orchestrator="k8s",
        location=KubernetesLocation(host="https://k8s.example.org", namespace="workers"),
        secret="k8s-example",
    ),
    n_workers=100,
    docker_tag="3.22.1",
    memory_bytes=8_000_000_000,
    disk_bytes=1_000_000_000,
    priority=0,
    max_worker_runtime=14400,
    startup_url="https://s3.example.org/skydriver/startup?X-Amz-Signature=secret",
    command=partial(worker_command, Era.V3),
    has_pilot=False,
    environment={"SKYSCAN_BROKER_ADDRESS": "rabbitmq.example.org", "SKYSCAN_BROKER_AUTH": "broker-token"},
    collect_logs=False,
)
JOB = {"metadata": {"name": f"skyscan-worker-{UUID}", "uid": "9b8a1f3e-0000-4000-8000-000000000002"}}


def golden(name: str) -> Any:
    return yaml.safe_load((GOLDEN / name).read_text())


@pytest.fixture(autouse=True)
def _settings(configure: Callable[..., None]) -> None:
    configure(
        SERVICE_IMAGE="icecube/skydriver:2.0.0",
        WORKER_PRIORITY_CLASS="opportunistic",
        ALERT_PRIORITY_CLASS="alerts",
    )


def test_the_job() -> None:
    assert job_manifest(SPEC, settings()) == golden("workers_job.yaml")


def test_the_job_since_v4() -> None:
    since = replace(SPEC, docker_tag="4.2.1", command=partial(worker_command, Era.V4), has_pilot=True)
    assert job_manifest(since, settings()) == golden("workers_job_v4.yaml")


def test_the_secret_belongs_to_the_job_as_it_was_made() -> None:
    assert secret_manifest(SPEC, JOB) == golden("workers_secret.yaml")


def test_no_secret_is_in_the_job_or_in_what_users_are_told() -> None:
    text = str(job_manifest(SPEC, settings())) + str(starter_info(SPEC, settings()))
    for secret in ("broker-token", "X-Amz-Signature"):
        assert secret not in text


def test_the_workers_of_an_alert_have_its_priority_class() -> None:
    alert = job_manifest(replace(SPEC, priority=100), settings())
    assert alert["spec"]["template"]["spec"]["priorityClassName"] == "alerts"


def test_without_a_priority_class_none_is_named(configure: Callable[..., None]) -> None:
    plain = settings().model_copy(update={"worker_priority_class": None, "alert_priority_class": None})
    assert (
        "priorityClassName"
        not in job_manifest(replace(SPEC, priority=100), plain)["spec"]["template"]["spec"]
    )


def test_users_are_told_how_workers_were_started() -> None:
    assert starter_info(SPEC, settings()) == {
        "job": f"skyscan-worker-{UUID}",
        "namespace": "workers",
        "image": "icecube/skymap_scanner:3.22.1",
        "parallelism": 100,
        "memory": 8_000_000_000,
        "disk": 1_000_000_000,
        "max_worker_runtime": 14400,
        "priority_class": "opportunistic",
    }

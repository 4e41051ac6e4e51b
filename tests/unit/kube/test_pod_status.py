"""What a pod's status says in words."""

import datetime
from typing import Any

import pytest

from skydriver.kube.pod_status import PodState, diagnose_pod

NOW = 1_800_000_000.0


def stamp(seconds: float) -> str:
    """A time so many seconds from now, as Kubernetes writes it."""
    return datetime.datetime.fromtimestamp(NOW + seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(phase: str, *, age: float = 600.0, removal: str | None = None, **status: Any) -> dict[str, Any]:
    metadata = {"name": "p", "creationTimestamp": stamp(-age)}
    return {
        "metadata": metadata | ({"deletionTimestamp": removal} if removal else {}),
        "spec": {
            "containers": [
                {"name": "server", "resources": {"limits": {"memory": "1024M"}}},
                {"name": "helper"},
            ]
        },
        "status": {"phase": phase, **status},
    }


def containers(**states: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "image": "icecube/x:1", "state": state} for name, state in sorted(states.items())]


def ended(code: int, reason: str = "Error", message: str | None = None) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


RUNNING = {"running": {"startedAt": stamp(-60)}}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            pod(
                "Failed",
                containerStatuses=containers(server=ended(137, "OOMKilled"), helper=ended(0, "Completed")),
            ),
            "server ran out of memory (limit 1024M)",
        ),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: ephemeral-storage."),
            "the pod was evicted: The node was low on resource",
        ),
        (pod("Failed", reason="NodeLost"), "the pod's node was lost"),
        (pod("Unknown"), "the pod's node was lost"),
        (pod("Failed", reason="OutOfcpu", message="no room"), "the pod's node did not take it: OutOfcpu"),
        (
            pod(
                "Failed",
                conditions=[
                    {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
                ],
                containerStatuses=containers(server=ended(143)),
            ),
            "the pod was preempted",
        ),
        (pod("Failed", containerStatuses=containers(server=ended(137))), "server was killed"),
        (pod("Failed", containerStatuses=containers(server=ended(143))), "server was terminated"),
        (pod("Running", removal=stamp(-31)), "the pod's node was lost"),
    ],
)
def test_another_pod_may_fare_better(status: dict[str, Any], words: str) -> None:
    fate = diagnose_pod(status, now=NOW, pull_timeout=180)
    assert (fate.state, fate.transient) == (PodState.FAILED, True)
    assert words in str(fate.reason)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            pod("Failed", containerStatuses=containers(server=ended(1, message="a\nb\nValueError: bad\n"))),
            "server ended with exit code 1: ValueError: bad",
        ),
        (
            pod("Pending", containerStatuses=containers(server=waiting("ImagePullBackOff", "not found"))),
            "the image icecube/x:1 cannot be pulled: not found",
        ),
        (
            pod("Pending", age=1, containerStatuses=containers(server=waiting("InvalidImageName"))),
            "cannot be pulled",
        ),
        (
            pod("Failed", containerStatuses=containers(server=ended(128, "StartError", "no such file"))),
            "server cannot be started: StartError: no such file",
        ),
        (pod("Failed", reason="DeadlineExceeded"), "ran longer than it may"),
    ],
)
def test_another_pod_would_fare_no_better(status: dict[str, Any], words: str) -> None:
    fate = diagnose_pod(status, now=NOW, pull_timeout=180)
    assert (fate.state, fate.transient) == (PodState.FAILED, False)
    assert words in str(fate.reason)


def test_a_pod_has_failed_once_one_of_its_containers_has() -> None:
    # The helper would wait for the dead server for ever.
    out_of_memory = pod(
        "Running", containerStatuses=containers(server=ended(137, "OOMKilled"), helper=RUNNING)
    )
    assert diagnose_pod(out_of_memory, now=NOW, pull_timeout=180).state is PodState.FAILED
    no_helper = pod("Running", containerStatuses=containers(server=RUNNING, helper=ended(1)))
    assert diagnose_pod(no_helper, now=NOW, pull_timeout=180).reason == "helper ended with exit code 1"


def test_the_first_containers_failure_is_told_rather_than_anothers() -> None:
    both = pod("Failed", containerStatuses=containers(server=ended(137, "OOMKilled"), helper=ended(143)))
    assert "server ran out of memory" in str(diagnose_pod(both, now=NOW, pull_timeout=180).reason)


def test_a_pod_has_succeeded_once_its_first_container_has_ended_well() -> None:
    done = pod("Running", containerStatuses=containers(server=ended(0, "Completed"), helper=RUNNING))
    assert diagnose_pod(done, now=NOW, pull_timeout=180).state is PodState.SUCCEEDED
    helped = pod("Running", containerStatuses=containers(server=RUNNING, helper=ended(0, "Completed")))
    assert diagnose_pod(helped, now=NOW, pull_timeout=180).state is PodState.RUNNING


def test_a_registry_may_stumble() -> None:
    young = pod("Pending", age=30, containerStatuses=containers(server=waiting("ErrImagePull")))
    assert diagnose_pod(young, now=NOW, pull_timeout=180).state is PodState.PENDING


def test_an_image_is_waited_for_from_when_a_node_took_the_pod() -> None:
    # It stood in the scheduler's queue for an hour.
    late = pod(
        "Pending",
        age=3600,
        startTime=stamp(-30),
        containerStatuses=containers(server=waiting("ErrImagePull")),
    )
    assert diagnose_pod(late, now=NOW, pull_timeout=180).state is PodState.PENDING


@pytest.mark.parametrize("phase", ["Pending", "Running", "Succeeded"])
def test_a_pod_that_goes_on_as_it_should(phase: str) -> None:
    assert diagnose_pod(pod(phase), now=NOW, pull_timeout=180).state == phase.lower()


def test_a_pod_that_is_being_removed_is_given_its_time_to_end() -> None:
    assert (
        diagnose_pod(pod("Running", removal=stamp(-5)), now=NOW, pull_timeout=180).state is PodState.RUNNING
    )


def test_long_messages_are_cut() -> None:
    wordy = pod("Failed", reason="Evicted", message="x" * 5000)
    assert len(str(diagnose_pod(wordy, now=NOW, pull_timeout=180).reason)) <= 300

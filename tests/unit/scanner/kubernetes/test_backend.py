"""What a Job and its pods say of a scanner server."""

from typing import Any

from skydriver.scanner.kubernetes.backend import NO_POD_SECONDS, status_of
from skydriver.scanner.protocol import ScannerState, ScannerStatus

NOW = 1_800_000_000.0


def job(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "skyscan-abc-2",
            "creationTimestamp": "2027-01-15T08:00:00Z",
            "labels": {"skydriver.icecube.org/scan-id": "abc", "skydriver.icecube.org/attempt": "2"},
        },
        "spec": {"activeDeadlineSeconds": 172800},
        "status": {"conditions": list(conditions)},
    }


def condition(kind: str, reason: str = "") -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": reason, "message": "in Kubernetes' words"}


def pod(phase: str, *, created: str = "2026-11-24T00:00:00Z", code: int | None = None) -> dict[str, Any]:
    state: dict[str, Any] = {} if code is None else {"terminated": {"exitCode": code, "reason": "Error"}}
    return {
        "metadata": {"name": "p", "creationTimestamp": created},
        "spec": {"containers": [{"name": "server"}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "server", "state": state}]},
    }


def look(one: dict[str, Any], *pods: dict[str, Any]) -> ScannerStatus:
    return status_of(one, list(pods), now=NOW, pull_timeout=180)


def test_it_belongs_to_the_scan_and_the_attempt_of_its_labels() -> None:
    assert look(job(), pod("Running")) == ScannerStatus("abc", 2, ScannerState.RUNNING)


def test_a_job_without_a_pod_is_pending_and_says_so_after_a_while() -> None:
    for age, is_late in ((0, False), (NO_POD_SECONDS, False), (NO_POD_SECONDS + 1, True)):
        status = status_of(job(), [], now=NOW + age, pull_timeout=180)
        assert (status.state, status.reason is not None) == (ScannerState.PENDING, is_late)
    late = NOW + NO_POD_SECONDS + 1
    assert status_of(job(), [pod("Pending")], now=late, pull_timeout=180).reason is None


def test_a_job_is_pending_while_its_pod_is() -> None:
    assert look(job(), pod("Pending")).state is ScannerState.PENDING


def test_a_complete_job_has_succeeded_even_if_its_pod_is_gone() -> None:
    assert look(job(condition("Complete"))).state is ScannerState.SUCCEEDED


def test_the_deadline_is_named_and_another_launch_would_not_help() -> None:
    status = look(job(condition("Failed", "DeadlineExceeded")))
    assert (status.state, status.transient, status.timed_out) == (ScannerState.FAILED, False, True)
    assert "its deadline of 172800 s" in str(status.reason)


def test_the_pods_own_reason_is_told_rather_than_the_jobs() -> None:
    status = look(job(condition("Failed", "BackoffLimitExceeded")), pod("Failed", code=1))
    assert status.reason == "the scanner server died (server ended with exit code 1)"
    assert (status.transient, status.timed_out) == (False, False)


def test_a_pod_that_was_removed_may_fare_better_the_next_time() -> None:
    status = look(job(condition("Failed", "BackoffLimitExceeded")))
    assert (status.state, status.transient) == (ScannerState.FAILED, True)
    assert "was removed" in str(status.reason)


def test_the_newest_pod_counts() -> None:
    older, newer = pod("Failed", code=1), pod("Running", created="2026-11-24T01:00:00Z")
    assert look(job(), newer, older).state is ScannerState.RUNNING

"""What a Job and its pods say of a cluster's workers."""

from typing import Any

from skydriver.workers.kubernetes.backend import observation
from skydriver.workers.protocol import Observation

NOW = 1_800_000_000.0


def job(completions: int = 10, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "spec": {"completions": completions}, "status": status}


def pod(phase: str, **state: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "creationTimestamp": "2026-11-24T00:00:00Z"},
        "spec": {"containers": [{"name": "worker"}]},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "worker", "image": "icecube/x:1", "state": state}],
        },
    }


CRASHED = pod("Failed", terminated={"exitCode": 1, "reason": "Error", "message": "no icetray"})
NO_IMAGE = pod("Pending", waiting={"reason": "ImagePullBackOff"})


def look(one: dict[str, Any], *pods: dict[str, Any]) -> Observation:
    return observation(one, list(pods), now=NOW, pull_timeout=180)


def test_workers_that_no_pod_was_made_for_yet_are_idle() -> None:
    assert look(job()) == Observation({"Idle": {"null": 10}}, alive=10)


def test_workers_are_counted_by_what_they_do() -> None:
    seen = look(job(active=7, ready=5, succeeded=3))
    assert seen.statuses == {"Idle": {"null": 2}, "Running": {"Tasking": 5}, "Completed": {"Done": 3}}
    assert (seen.alive, seen.reason) == (7, None)


def test_failed_workers_are_counted_with_their_errors() -> None:
    seen = look(job(active=10, ready=10, failed=2), CRASHED, CRASHED)
    assert seen.statuses == {"Running": {"Tasking": 10}, "Failed": {"FatalError": 2}}
    assert seen.top_task_errors == {"worker ended with exit code 1: no icetray": 2}
    assert seen.reason == "failed: worker ended with exit code 1: no icetray (x2)"
    assert seen.errors_by_site == {}


def test_failed_workers_are_counted_by_their_node() -> None:
    crashed = {**CRASHED, "spec": {"nodeName": "node-7"}}
    seen = look(job(active=10, ready=10, failed=3), crashed, crashed, CRASHED)
    assert seen.errors_by_site == {"node-7": {"worker ended with exit code 1: no icetray": 2}}


def test_workers_that_can_never_start_are_not_alive() -> None:
    seen = look(job(2, active=2), NO_IMAGE, NO_IMAGE)
    assert (seen.alive, seen.statuses) == (0, {"Failed": {"FatalError": 2}})
    assert "the image icecube/x:1 cannot be pulled (x2)" in str(seen.reason)


def test_a_job_that_was_given_up_has_no_worker_left() -> None:
    given_up = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too many"}
    seen = look(job(failed=11, conditions=[given_up]), CRASHED)
    assert seen.alive == 0
    assert "BackoffLimitExceeded: too many" in str(seen.reason)


def test_a_job_that_is_done_has_no_worker_left() -> None:
    done = {"type": "Complete", "status": "True"}
    assert look(job(succeeded=10, conditions=[done])) == Observation({"Completed": {"Done": 10}}, alive=0)

"""A scan's workers in EWMS' words."""

from typing import Any

import pytest

from skydriver.model.phases import ClusterState, Outcome, Phase
from skydriver.model.workforce import deactivated, n_known_running, n_running, taskforces, workforce


def cluster(statuses: dict[str, dict[str, int]], **changes: Any) -> dict[str, Any]:
    return {
        "uuid": "u1",
        "name": "sub-2",
        "attempt": 1,
        "state": ClusterState.STARTED,
        "cluster_id": 7,
        "n_workers": 30,
        "stale_since": None,
        "starter_info": {"executable": "/usr/bin/python3"},
        "statuses": statuses,
        "top_task_errors": {"it broke": 2},
        **changes,
    }


def scan(*clusters: dict[str, Any], attempt: int = 1) -> dict[str, Any]:
    return {"scan_id": "5d2e", "attempt": attempt, "ewms_task": {"clusters": list(clusters)}}


def test_workers_of_all_clusters_are_added_up() -> None:
    busy = {"Running": {"Tasking": 20, "FatalError": 2, "Done": 1, "null": 1}, "Idle": {"null": 6}}
    other = {"Running": {"Tasking": 4}, "Held: no disk": {"null": 1}}
    assert workforce(scan(cluster(busy), cluster(other))) == {
        "workflow_id": "5d2e",
        "statuses": {
            "RUNNING": {"Tasking": 24, "FatalError": 2, "Done": 1, "null": 1},
            "IDLE": {"null": 6},
            "Held: no disk": {"null": 1},
        },
        # Pilots that failed or are done hold a place only.
        "n_running": 25,
        "top_errors": {"it broke": 4},
    }


def test_workers_of_an_earlier_attempt_and_those_that_are_gone_do_not_count() -> None:
    busy = {"Running": {"Tasking": 20}}
    former, gone = cluster(busy), cluster(busy, attempt=2, state=ClusterState.STOPPED)
    assert workforce(scan(former, gone, attempt=2))["n_running"] == 0
    assert workforce(scan(attempt=1))["n_running"] == 0


def test_of_workers_at_a_location_that_does_not_answer_it_is_not_known_whether_they_run() -> None:
    seen, silent = (
        cluster({"Running": {"Tasking": 4}}),
        cluster({"Running": {"Tasking": 20}}, stale_since=1.0),
    )
    assert (n_running(scan(seen, silent)), n_known_running(scan(seen, silent))) == (24, 4)
    assert n_known_running(scan(silent)) == 0


@pytest.mark.parametrize(
    ("phase", "outcome", "said"),
    [
        (Phase.QUEUED, None, None),
        (Phase.RUNNING, None, None),
        (Phase.STOPPING, Outcome.FINISHED, "FINISHED"),
        (Phase.ENDED, Outcome.FINISHED, "FINISHED"),
        (Phase.STOPPING, Outcome.ABORTED, "ABORTED"),
        (Phase.ENDED, Outcome.FAILED, "ABORTED"),
    ],
)
def test_what_ends_a_server(phase: Phase, outcome: Outcome | None, said: str | None) -> None:
    assert deactivated({"phase": phase, "outcome": outcome}) == said


def test_clusters_are_taskforces() -> None:
    assert taskforces(scan(cluster({}))) == [
        {
            "taskforce_uuid": "u1",
            "cluster_location": "sub-2",
            "n_workers": 30,
            "phase": "started",
            "attempt": 1,
            "cluster_id": 7,
            "submit_dict": {"executable": "/usr/bin/python3"},
            "compound_statuses": {},
            "top_task_errors": {"it broke": 2},
        }
    ]

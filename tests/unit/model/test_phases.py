"""The README's "Scan State Codes"; the eleven cases are those of v1's own test."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skydriver.model.phases import COMPLETE, UNFINISHED, Outcome, Phase, scan_state

WITHOUT_RATE: dict[str, Any] = {"processing_stats": {"start": {}, "runtime": {}}}
EMPTY_RATE: dict[str, Any] = {"processing_stats": {"start": {}, "runtime": {}, "rate": {}}}
WITH_RATE: dict[str, Any] = {"processing_stats": {"start": {}, "runtime": {}, "rate": {"all recos": {}}}}
FINISHED: dict[str, Any] = {"processing_stats": {"rate": {"all recos": {}}, "finished": True}}
STARTED: list[dict[str, Any]] = [{"cluster_id": 123}]
PLANNED: list[dict[str, Any]] = [{"cluster_id": None}]


def scan(
    phase: Phase,
    *,
    outcome: Outcome | None = None,
    progress: dict[str, Any] | None = None,
    clusters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    return {
        "phase": phase,
        "outcome": outcome,
        "progress": progress,
        "ewms_task": {"clusters": clusters or []},
    }


def test_00_a_finished_scan() -> None:
    done = scan(Phase.ENDED, outcome=Outcome.FINISHED, progress=FINISHED, clusters=STARTED)
    assert scan_state(done) == "SCAN_FINISHED_SUCCESSFULLY"


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
@pytest.mark.parametrize(
    ("progress", "clusters", "prefix", "step"),
    [
        pytest.param(WITH_RATE, STARTED, "IN_PROGRESS", "PARTIAL_RESULT_GENERATED", id="10"),
        pytest.param(WITHOUT_RATE, STARTED, "IN_PROGRESS", "WAITING_ON_FIRST_PIXEL_RECO", id="20"),
        pytest.param(WITHOUT_RATE, [], "PENDING", "WAITING_ON_CLUSTER_STARTUP", id="30"),
        pytest.param(None, STARTED, "PENDING", "WAITING_ON_SCANNER_SERVER_STARTUP", id="40"),
        pytest.param(None, [], "PENDING", "PRESTARTUP", id="50"),
    ],
)
def test_an_unfinished_scan(
    progress: dict[str, Any] | None, clusters: list[dict[str, Any]], prefix: str, step: str, stopped: bool
) -> None:
    alive = scan(Phase.RUNNING, progress=progress, clusters=clusters)
    dead = scan(Phase.STOPPING, outcome=Outcome.ABORTED, progress=progress, clusters=clusters)
    assert scan_state(dead if stopped else alive) == f"{'STOPPED' if stopped else prefix}__{step}"


def test_an_empty_rate_is_no_result() -> None:
    waiting = scan(Phase.RUNNING, progress=EMPTY_RATE, clusters=STARTED)
    assert scan_state(waiting) == "IN_PROGRESS__WAITING_ON_FIRST_PIXEL_RECO"


@pytest.mark.parametrize(
    ("progress", "state"),
    [
        (WITH_RATE, "PENDING__WAITING_ON_CLUSTER_STARTUP"),
        (None, "PENDING__PRESTARTUP"),
    ],
)
def test_planned_clusters_do_not_count(progress: dict[str, Any] | None, state: str) -> None:
    assert scan_state(scan(Phase.RUNNING, progress=progress, clusters=PLANNED)) == state


def test_one_started_cluster_of_two_counts() -> None:
    half = scan(Phase.RUNNING, progress=WITH_RATE, clusters=[*PLANNED, *STARTED])
    assert scan_state(half) == "IN_PROGRESS__PARTIAL_RESULT_GENERATED"


def test_a_cluster_may_have_the_id_zero() -> None:
    first = scan(Phase.RUNNING, clusters=[{"cluster_id": 0}])
    assert scan_state(first) == "PENDING__WAITING_ON_SCANNER_SERVER_STARTUP"


@pytest.mark.parametrize("phase", COMPLETE)
def test_a_scan_with_finished_progress_that_was_aborted_is_stopped(phase: Phase) -> None:
    stopped = scan(phase, outcome=Outcome.ABORTED, progress=FINISHED, clusters=STARTED)
    assert scan_state(stopped) == "STOPPED__PARTIAL_RESULT_GENERATED"


PROGRESSES = st.sampled_from([None, WITHOUT_RATE, WITH_RATE, FINISHED])
CLUSTERS = st.lists(st.sampled_from([*STARTED, *PLANNED]), max_size=3)


@given(
    phase=st.sampled_from(Phase),
    outcome=st.none() | st.sampled_from(Outcome),
    progress=PROGRESSES,
    clusters=CLUSTERS,
)
def test_successful_if_and_only_if_the_outcome_is_finished(
    phase: Phase, outcome: Outcome | None, progress: dict[str, Any] | None, clusters: list[dict[str, Any]]
) -> None:
    state = scan_state(scan(phase, outcome=outcome, progress=progress, clusters=clusters))
    assert (state == "SCAN_FINISHED_SUCCESSFULLY") == (outcome is Outcome.FINISHED)


@given(
    phase=st.sampled_from(Phase),
    outcome=st.sampled_from([None, Outcome.ABORTED, Outcome.FAILED]),
    progress=PROGRESSES,
    clusters=CLUSTERS,
)
def test_stopped_if_and_only_if_complete_as_scanners_take_it_for_their_kill_switch(
    phase: Phase, outcome: Outcome | None, progress: dict[str, Any] | None, clusters: list[dict[str, Any]]
) -> None:
    state = scan_state(scan(phase, outcome=outcome, progress=progress, clusters=clusters))
    assert state.startswith("STOPPED__") == (phase not in UNFINISHED)

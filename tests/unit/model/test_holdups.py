"""What holds a scan up is said with its code, in a sentence without ages."""

from typing import Any

import pytest

from skydriver.model.holdups import HoldUp, Limits, held_up, predicted_end, why_it_waits
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.reasons import ReasonCode
from tests.support.documents import cluster, scan

pytestmark = pytest.mark.usefixtures("configure")

NOW = 1_000_000.0
ROOM = Limits(starts_per_minute=10, started=0, scans_running=200, running=0)
RUNNING = {"Running": {"Tasking": 3}}


def code_of(found: HoldUp | None) -> ReasonCode | None:
    return found and found.code


def running(*clusters: Any, **fields: Any) -> Any:
    report = {"attempt": 1, "finished": False, "order": "", "at": NOW - 10}
    return scan(
        Phase.RUNNING, clusters=list(clusters), **{"phase_since": NOW - 60, "report": report, **fields}
    )


@pytest.mark.parametrize(
    ("fields", "limits", "alerts", "code"),
    [
        ({}, ROOM, 0, ReasonCode.NEXT_SWEEP),
        ({}, ROOM, 1, ReasonCode.ALERTS_FIRST),
        ({"priority": 100}, ROOM._replace(running=200), 1, ReasonCode.NEXT_SWEEP),
        ({}, ROOM._replace(running=200), 0, ReasonCode.RUNNING_LIMIT),
        ({}, ROOM._replace(started=10), 0, ReasonCode.STARTS_LIMIT),
        (
            {
                "not_before": NOW + 60,
                "refusals": 2,
                "reason": "the quota is exhausted.",
                "reason_code": ReasonCode.SCANNER_START_NO_ROOM,
            },
            ROOM,
            0,
            ReasonCode.SCANNER_START_NO_ROOM,
        ),
    ],
)
def test_why_a_scan_waits_in_the_backlog(fields: Any, limits: Limits, alerts: int, code: ReasonCode) -> None:
    waiting = scan(Phase.QUEUED, timestamp=NOW - 600, **fields)
    found = why_it_waits(waiting, now=NOW, limits=limits, alerts=alerts)
    assert (found.code, found.since) == (code, NOW - 600)
    if code is ReasonCode.SCANNER_START_NO_ROOM:
        assert found.reason == "Its start was refused 2 times, last because the quota is exhausted."


def test_a_scan_that_goes_on_is_not_held_up() -> None:
    assert held_up(running(cluster(statuses=RUNNING)), now=NOW) is None
    assert held_up(scan(Phase.LAUNCHING, phase_since=NOW - 100), now=NOW) is None
    assert held_up(scan(Phase.STARTING, phase_since=NOW - 100), now=NOW) is None
    assert held_up(scan(Phase.STOPPING, phase_since=NOW - 100), now=NOW) is None


def test_a_start_that_takes_long() -> None:
    for phase in (Phase.LAUNCHING, Phase.STARTING):
        found = held_up(scan(phase, phase_since=NOW - 200), now=NOW)
        assert found is not None
        assert (found.code, found.since) == (ReasonCode.SCANNER_STARTING, NOW - 200)
        found = held_up(scan(phase, phase_since=NOW - 200, reason="it has no pod"), now=NOW)
        assert found is not None
        assert "it has no pod" in found.reason
    leaving = scan(Phase.LAUNCHING, clusters=[cluster(state=ClusterState.STOPPING)], phase_since=NOW)
    assert code_of(held_up(leaving, now=NOW)) == ReasonCode.FORMER_WORKERS_LEFT


def test_workers_that_are_not_there() -> None:
    refused = cluster(state=ClusterState.REQUESTED, reason="the schedd is full.")
    found = held_up(running(refused), now=NOW)
    assert found is not None
    assert found.code == ReasonCode.WORKERS_NOT_STARTED
    assert found.reason == "No workers have been started yet: local (the schedd is full.)."
    found = held_up(running(cluster(statuses={"Idle": {"null": 5}, "Held": {"null": 2}})), now=NOW)
    assert found is not None
    assert (found.code, found.reason) == (
        ReasonCode.WORKERS_NOT_RUNNING,
        "No worker runs on local: 5 Idle, 2 Held.",
    )
    of_the_last_attempt = running(cluster(statuses=RUNNING), attempt=2, phase_since=NOW - 200)
    assert code_of(held_up(of_the_last_attempt, now=NOW)) == ReasonCode.WORKERS_NOT_STARTED


def test_workers_may_take_some_minutes_to_be_started_and_seen() -> None:
    unseen = [cluster()]
    for clusters, code in (([], ReasonCode.WORKERS_NOT_STARTED), (unseen, ReasonCode.WORKERS_NOT_RUNNING)):
        assert held_up(running(*clusters, phase_since=NOW - 170), now=NOW) is None
        assert code_of(held_up(running(*clusters, phase_since=NOW - 190), now=NOW)) == code


def test_a_location_that_does_not_answer_holds_up_only_if_there_is_no_other() -> None:
    silent = cluster("a", statuses=RUNNING, stale_since=NOW - 300, stale_reason="timed out")
    found = held_up(running(silent), now=NOW)
    assert found is not None
    assert (found.code, found.since) == (ReasonCode.LOCATION_SILENT, NOW - 300)
    assert "local: timed out" in found.reason
    assert held_up(running(silent, cluster("b", statuses=RUNNING)), now=NOW) is None
    # That others wait in a queue says nothing of those.
    idle = cluster("b", statuses={"Idle": {"null": 5}})
    found = held_up(running(silent, idle), now=NOW)
    assert found is not None
    assert (found.code, found.since) == (ReasonCode.LOCATION_SILENT, NOW - 300)


def test_a_scanner_that_is_silent_and_pixels_that_do_not_come() -> None:
    at_work = cluster(statuses=RUNNING)
    report = {"attempt": 1, "finished": False, "order": "", "at": NOW - 1000}
    found = held_up(running(at_work, report=report), now=NOW)
    assert found is not None
    assert (found.code, found.since) == (ReasonCode.SCANNER_SILENT, NOW - 1000)
    watched = {"attempt": 1, "done": 0, "since": NOW - 2000}
    assert code_of(held_up(running(at_work, watched=watched), now=NOW)) == ReasonCode.NO_NEW_PIXELS
    assert held_up(running(at_work, watched={**watched, "done": 7}), now=NOW) is None
    finished = {"tallies": {}, "processing_stats": {"finished": True}}
    assert held_up(running(progress=finished), now=NOW) is None


def test_a_removal_that_takes_long() -> None:
    found = held_up(scan(Phase.STOPPING, phase_since=NOW - 700), now=NOW)
    assert found is not None
    assert found.code == ReasonCode.REMOVAL_PENDING


@pytest.mark.parametrize(
    ("left", "end"),
    [("1:00:30", NOW + 3630), ("2 days, 0:00:01", NOW + 172801), ("soon", None), (None, None), (5, None)],
)
def test_when_a_scan_should_be_finished(left: Any, end: float | None) -> None:
    assert predicted_end({"processing_stats": {"predictions": {"time left": left}}}, NOW) == end


def test_nothing_is_predicted_without_a_report() -> None:
    assert predicted_end(None, NOW) is None
    assert predicted_end({"processing_stats": {"predictions": {"time left": "0:01:00"}}}, None) is None

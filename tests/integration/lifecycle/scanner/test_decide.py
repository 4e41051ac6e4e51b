"""A scanner server died: the scan is launched again, finishes, or fails."""

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest

from skydriver.errors import Busy, NotTaken
from skydriver.lifecycle.scanner.decide import Decision, Verdict, act, all_workers_dead, decide, watch
from skydriver.lifecycle.scanner.launch_scanner import launch_scanner
from skydriver.lifecycle.scanner.reports import report_manifest, report_result
from skydriver.lifecycle.scanner.scanner_ready import scanner_ready
from skydriver.lifecycle.sweep.reconcile_scans import reconcile_scans
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.users.delete_scan import delete_scan
from skydriver.lifecycle.workers.request_workers import request_workers
from skydriver.lifecycle.workers.start_workers import start_workers
from skydriver.lifecycle.workers.stop_workers import stop_workers
from skydriver.model.phases import PLACED, ClusterState, Outcome, Phase
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import cluster_uuid
from skydriver.scanner.backend import backend
from skydriver.scanner.protocol import ScannerState, ScannerStatus
from skydriver.store import rate_limit
from skydriver.workers.local import job_name
from tests.support.documents import (
    METADATA,
    Document,
    change,
    cluster,
    clusters_of,
    read,
    report,
    result,
    scan,
    stored,
)
from tests.support.parts import Broker, Bucket, Jobs
from tests.support.repeats import Repeat

pytestmark = pytest.mark.usefixtures("database", "broker")


def _status(state: ScannerState, *, transient: bool = True, reason: str | None = "it broke") -> ScannerStatus:
    return ScannerStatus("scan", 1, state, reason=reason, transient=transient)


PENDING, RUNNING = (_status(state, reason=None) for state in (ScannerState.PENDING, ScannerState.RUNNING))
WELL = _status(ScannerState.SUCCEEDED)
SHORTLY, FOR_GOOD = _status(ScannerState.FAILED), _status(ScannerState.FAILED, transient=False)
TIMED_OUT = dataclasses.replace(FOR_GOOD, timed_out=True)


@pytest.mark.parametrize(
    ("status", "attempt", "is_final", "verdict", "reason"),
    [
        (PENDING, 1, None, Verdict.GO_ON, ""),
        (RUNNING, 1, False, Verdict.GO_ON, ""),
        (RUNNING, 3, True, Verdict.GO_ON, ""),
        # With a final result a scan is never launched again: it finishes once its server is gone.
        (WELL, 1, True, Verdict.FINISH, "the final result is there"),
        (SHORTLY, 1, True, Verdict.FINISH, "the final result is there"),
        (FOR_GOOD, 3, True, Verdict.FINISH, "the final result is there"),
        (TIMED_OUT, 1, True, Verdict.FINISH, "the final result is there"),
        (None, 1, True, Verdict.FINISH, "the final result is there"),
        # Without one, what ended well has failed.
        (WELL, 1, None, Verdict.FAIL, "the scanner server ended without a final result"),
        (WELL, 1, False, Verdict.FAIL, "the scanner server ended without a final result"),
        (FOR_GOOD, 1, False, Verdict.FAIL, "it broke"),
        (TIMED_OUT, 1, False, Verdict.FAIL, "it broke"),
        (SHORTLY, 1, None, Verdict.RELAUNCH, "it broke"),
        (SHORTLY, 2, False, Verdict.RELAUNCH, "it broke"),
        (None, 1, False, Verdict.RELAUNCH, "the scanner server has disappeared"),
        (SHORTLY, 3, False, Verdict.FAIL, "it broke, and so did those before it: given up after 3"),
        (None, 3, None, Verdict.FAIL, "the scanner server has disappeared, and so did"),
    ],
)
async def test_what_becomes_of_a_scan(
    status: ScannerStatus | None,
    attempt: int,
    is_final: bool | None,
    verdict: Verdict,
    reason: str,
    configure: Any,
) -> None:
    configure(MAX_ATTEMPTS="3")
    pointer = None if is_final is None else result(is_final=is_final, attempt=attempt)
    document = scan(Phase.RUNNING, attempt=attempt, result=pointer, phase_since=1000.0)
    decision = decide(document, status, 2000.0)
    assert decision.verdict is verdict
    assert (decision.why is None) == (verdict is Verdict.GO_ON)
    assert decision.why is None or decision.why.reason.startswith(reason)


SINCE_V4: Document = {"docker_tag": "4.2.1", "max_pixel_reco_time": 60}
BUSY = {"Running": {"Tasking": 3}}


def _tallies(done: int) -> Document:
    return {"tallies": {"nsides": {"8": {"pixels": {"done": done, "generated": 768.0}}}}}


def _since_v4(**fields: Any) -> Document:
    document = scan(Phase.RUNNING, attempt=1, phase_since=1000.0, **fields)
    document["request"] |= SINCE_V4
    return document


@pytest.mark.parametrize(
    ("done", "statuses", "verdict"),
    [
        # It ends with each connection that it loses: what it had done says more than its exit.
        (5, {}, Verdict.RELAUNCH),
        (0, BUSY, Verdict.RELAUNCH),
        (0, {"Idle": {"null": 3}}, Verdict.FAIL),
    ],
)
async def test_a_server_since_v4_that_ended_at_work_is_launched_again(
    done: int, statuses: Document, verdict: Verdict
) -> None:
    document = _since_v4(progress=_tallies(done), clusters=[cluster(statuses=statuses)])
    decision = decide(document, FOR_GOOD, 2000.0)
    assert (decision.verdict, decision.why and decision.why.reason) == (verdict, "it broke")
    document["request"]["docker_tag"] = "3.22.1"
    assert decide(document, FOR_GOOD, 2000.0).verdict is Verdict.FAIL


async def test_a_server_since_v4_that_reached_its_deadline_at_work_is_not_launched_again() -> None:
    document = _since_v4(progress=_tallies(5), clusters=[cluster(statuses=BUSY)])
    decision = decide(document, TIMED_OUT, 2000.0)
    assert decision == Decision(Verdict.FAIL, Why(ReasonCode.SCANNER_TIMED_OUT, "it broke"))


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.RUNNING])
@pytest.mark.parametrize(
    "entry",
    [
        {"statuses": BUSY},
        {"statuses": {}, "dead_since": 2000.0, "reason": "have disappeared"},
        {"statuses": {}, "dead_since": 2000.0, "stale_since": 2000.0},
    ],
    ids=["busy", "dead", "unknown"],
)
async def test_what_would_end_a_scan_or_launch_it_again_finishes_it_with_a_final_result(
    phase: Phase, entry: Document
) -> None:
    servers = (None, PENDING, RUNNING, WELL, SHORTLY, FOR_GOOD, TIMED_OUT)
    for server, attempt in itertools.product(servers, (1, 3)):
        watched = {"attempt": attempt, "done": 5, "since": 1000.0}
        own = {**cluster(), **entry, "attempt": attempt}
        document = _since_v4(progress=_tallies(5), clusters=[own], watched=watched)
        document |= {"phase": phase, "attempt": attempt}
        without = decide(document, server, 50000.0)
        document["result"] = result(is_final=True, attempt=attempt)
        with_one = decide(document, server, 50000.0)
        if server in (PENDING, RUNNING) and phase is Phase.RUNNING and "stale_since" in entry:
            assert without == with_one == Decision(Verdict.GO_ON)
        else:
            assert without.verdict in (Verdict.FAIL, Verdict.RELAUNCH)
            assert with_one.verdict is Verdict.FINISH
            assert with_one.why is not None
            assert with_one.why.code is ReasonCode.FINAL_RESULT_ONLY


async def test_a_server_that_waits_for_ever_is_found_by_pixels_and_workers(configure: Any) -> None:
    configure(PIXEL_DEADLINE="600", MAX_ATTEMPTS="2", REDRIVE_AFTER="60")
    scan_id = await stored(Phase.RUNNING, clusters=[cluster(statuses=BUSY)], progress=_tallies(5))
    await change(scan_id, request__docker_tag="4.2.1", request__max_pixel_reco_time=100)

    async def look(now: float) -> Decision:
        document = await read(scan_id)
        await watch(document, now)
        return decide(document, RUNNING, now)

    assert (await look(1000.0)).verdict is Verdict.GO_ON
    assert (await look(1600.0)).verdict is Verdict.GO_ON
    # A pixel more, and the time begins anew.
    await change(scan_id, progress=_tallies(6))
    assert (await look(1700.0)).verdict is Verdict.GO_ON
    assert (await look(2300.0)).verdict is Verdict.GO_ON
    stalled = await look(2301.0)
    assert stalled == Decision(
        Verdict.RELAUNCH,
        Why(
            ReasonCode.SCANNER_STALLED,
            "no pixel was done for 600 s, though 3 workers run: "
            "the scanner server waits for what does not come",
        ),
    )
    # Workers that wait in a queue are no reason: the time begins with the first that runs.
    await change(scan_id, ewms_task__clusters=[cluster(statuses={"Idle": {"null": 3}})])
    assert (await look(2400.0)).verdict is Verdict.GO_ON
    await change(scan_id, ewms_task__clusters=[cluster(statuses=BUSY)])
    assert (await look(2900.0)).verdict is Verdict.GO_ON
    assert (await look(3001.0)).verdict is Verdict.RELAUNCH
    # A long pixel is given its time.
    await change(scan_id, request__max_pixel_reco_time=1000)
    assert (await look(3001.0)).verdict is Verdict.GO_ON
    # A scanner before v4 ends by itself.
    await change(scan_id, request__max_pixel_reco_time=100, request__docker_tag="3.22.1")
    assert (await look(9000.0)).verdict is Verdict.GO_ON
    # A second attempt has a time of its own, and is the last.
    await change(scan_id, request__docker_tag="4.2.1", attempt=2)
    await change(scan_id, ewms_task__clusters=[cluster(statuses=BUSY, attempt=2)])
    assert (await look(9000.0)).verdict is Verdict.GO_ON
    assert (await look(9601.0)).verdict is Verdict.FAIL


async def test_no_scan_is_stalled_by_workers_of_which_nothing_newer_is_known(configure: Any) -> None:
    configure(PIXEL_DEADLINE="600", REDRIVE_AFTER="60")
    seen, silent = cluster("a", statuses=BUSY), cluster("b", statuses=BUSY, stale_since=1000.0)
    scan_id = await stored(Phase.RUNNING, clusters=[silent], progress=_tallies(5))
    await change(scan_id, request__docker_tag="4.2.1")

    async def look(now: float) -> Verdict:
        document = await read(scan_id)
        await watch(document, now)
        return decide(document, RUNNING, now).verdict

    for now in range(1000, 9000, 300):
        assert await look(now) is Verdict.GO_ON
    # Where its location answers again, the time counts from then on.
    await change(scan_id, ewms_task__clusters=[{**silent, "stale_since": None}])
    assert await look(9000.0) is Verdict.GO_ON
    assert await look(9300.0) is Verdict.GO_ON
    assert await look(9401.0) is Verdict.RELAUNCH
    # Those at another location that answers do count.
    await change(scan_id, ewms_task__clusters=[seen, silent])
    assert await look(9401.0) is Verdict.RELAUNCH


def _decide(verdict: Verdict) -> Decision:
    return Decision(verdict, Why(ReasonCode.SCANNER_DIED, "it broke"))


async def test_nothing_happens_to_a_scan_that_goes_on(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING)
    before = await read(scan_id)
    await act(before, _decide(Verdict.GO_ON))
    assert await read(scan_id) == before
    assert broker.events == []


@pytest.mark.parametrize("phase", PLACED)
async def test_a_relaunch_without_workers_asks_for_its_launch_at_once(
    broker: Broker, phase: Phase, repeat: Repeat
) -> None:
    scan_id = await stored(phase, clusters=[cluster("b", ClusterState.STOPPED)], priority=100)
    before = await read(scan_id)
    await repeat(lambda: act(before, _decide(Verdict.RELAUNCH)))
    [event] = broker.events
    assert event.id == f"{scan_id}/scan.requested/attempt-2"
    assert event.extensions == {"priorityclass": "alert"}
    assert (await read(scan_id))["outbox"] == {}


@pytest.mark.parametrize("phase", PLACED)
async def test_a_relaunch_is_decided_once(broker: Broker, phase: Phase, repeat: Repeat) -> None:
    states = {
        "a": ClusterState.STARTED,
        "b": ClusterState.STOPPED,
        "c": ClusterState.REQUESTED,
        "d": ClusterState.FAILED,
    }
    clusters = [cluster(uuid, state) for uuid, state in states.items()]
    scan_id = await stored(phase, clusters=clusters, priority=100)
    before = await read(scan_id)

    await repeat(lambda: act(before, _decide(Verdict.RELAUNCH)))

    after = await read(scan_id)
    assert (after["phase"], after["attempt"], after["outcome"]) == (Phase.LAUNCHING, 2, None)
    assert after["reason"] == "launched again: it broke"
    assert len(after["history"]) == 2
    assert after["history"][-1].items() >= {"attempt": 2, "reason_code": "scanner_died"}.items()
    gone = {uuid: entry["state"] for uuid, entry in (await clusters_of(scan_id)).items()}
    assert gone == dict.fromkeys("acd", ClusterState.STOPPING) | {"b": ClusterState.STOPPED}
    assert {event.data["uuid"] for event in broker.heard(Fact.WORKERS_UNWANTED, scan_id)} == set("acd")
    # The launch would be refused while they are there.
    assert broker.heard(Fact.REQUESTED, scan_id) == []
    assert after["outbox"] == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"result": result(is_final=True)},
        {"scanner": {"leased_until": 1e11, "gone": False}},
        {"attempt": 2},
        {"phase": Phase.STOPPING},
        {"ewms_task__clusters": [{"uuid": "u", "state": ClusterState.REQUESTED}]},
    ],
    ids=str,
)
async def test_no_relaunch_of_a_scan_that_has_changed_meanwhile(
    broker: Broker, fields: dict[str, Any]
) -> None:
    scan_id = await stored(Phase.RUNNING)
    seen = await read(scan_id)
    await change(scan_id, **fields)
    before = await read(scan_id)
    await act(seen, _decide(Verdict.RELAUNCH))
    assert await read(scan_id) == before
    assert broker.events == []


async def test_a_scan_with_a_final_result_finishes_with_the_reason(broker: Broker, repeat: Repeat) -> None:
    scan_id = await stored(Phase.RUNNING, result=result(is_final=True))
    seen = await read(scan_id)
    await repeat(lambda: act(seen, _decide(Verdict.FINISH)))
    after = await read(scan_id)
    assert (after["phase"], after["outcome"], after["reason"]) == (
        Phase.STOPPING,
        Outcome.FINISHED,
        "it broke",
    )
    assert len(broker.heard(Fact.FINISHED, scan_id)) == 1


async def test_a_scan_fails_with_the_reason(broker: Broker) -> None:
    scan_id = await stored(Phase.RUNNING)
    await act(await read(scan_id), _decide(Verdict.FAIL))
    after = await read(scan_id)
    assert (after["outcome"], after["reason"]) == (Outcome.FAILED, "it broke")


async def test_a_server_must_be_on_a_list_made_well_after_its_scan_entered_its_phase(configure: Any) -> None:
    configure(CALL_TIMEOUT="20")
    entered = scan(Phase.STARTING, phase_since=1000.0)
    for listed_at, verdict in (
        (1010.0, Verdict.GO_ON),
        (1020.0, Verdict.GO_ON),
        (1020.1, Verdict.RELAUNCH),
    ):
        assert decide(entered, None, listed_at).verdict is verdict


async def test_of_all_that_can_end_a_scan_the_first_one_does(configure: Any) -> None:
    """A dead server that took too long, and whose workers are dead: it is launched again, once."""
    configure(STARTUP_DEADLINE="100", WORKERS_DEAD_GRACE="300")
    dead = [cluster("a", dead_since=1.0, reason="held: too long (x2)")]
    late: dict[str, Any] = {"phase_since": 1000.0, "clusters": dead}
    assert decide(scan(Phase.STARTING, **late), SHORTLY, 5000.0).verdict is Verdict.RELAUNCH
    assert decide(scan(Phase.RUNNING, **late), SHORTLY, 5000.0).verdict is Verdict.RELAUNCH
    too_long = decide(scan(Phase.STARTING, **late), RUNNING, 5000.0)
    reason = "the scanner server did not become ready within 100 s"
    assert too_long == Decision(Verdict.FAIL, Why(ReasonCode.SCANNER_NOT_READY, reason))
    without_pod = dataclasses.replace(PENDING, reason="it has no pod")
    too_long = decide(scan(Phase.STARTING, **late), without_pod, 5000.0)
    assert too_long == Decision(Verdict.FAIL, Why(ReasonCode.SCANNER_NOT_READY, f"{reason}: it has no pod"))
    no_workers = decide(scan(Phase.RUNNING, **late), RUNNING, 5000.0)
    reason = "all 2 workers on local held: too long (x2)"
    assert no_workers == Decision(Verdict.FAIL, Why(ReasonCode.ALL_WORKERS_DEAD, reason))
    over: dict[str, Any] = {"result": result(is_final=True), "report": {"attempt": 1, "finished": True}}
    assert decide(scan(Phase.RUNNING, **late, **over), SHORTLY, 5000.0) == Decision(Verdict.FINISH)
    for phase in (Phase.LAUNCHING, Phase.STOPPING):
        assert decide(scan(phase, **late), None, 5000.0).verdict is Verdict.GO_ON


async def _servers(jobs: Jobs) -> dict[str, ScannerStatus]:
    return {name: status for name, status in (await backend().list()).items() if name in jobs.names}


@pytest.mark.parametrize("program", [("true",), ("sh", "-c", "echo no event; exit 3"), None])
async def test_a_backend_tells_how_a_server_ended(jobs: Jobs, program: tuple[str, ...] | None) -> None:
    if program:
        jobs.use(*program)
    scan_id = await stored()
    await launch_scanner(scan_id)
    name = f"skyscan-{scan_id}"
    if program:
        await jobs.over(name)
    else:
        await jobs.kill(name)
    status = (await _servers(jobs))[name]
    assert (status.scan_id, status.attempt) == (scan_id, 1)
    if program == ("true",):
        assert status.state is ScannerState.SUCCEEDED
    elif program:
        assert (status.state, status.transient) == (ScannerState.FAILED, False)
        assert status.reason is not None and "exit code 3: no event" in status.reason
    else:
        assert (status.state, status.transient) == (ScannerState.FAILED, True)
        assert status.reason is not None and "was killed" in status.reason


def _said_by(attempt: int, scan_id: str) -> Document:
    own = scan_id if attempt == 1 else f"{scan_id}_{attempt}"
    return METADATA | {"scan_metadata": {**METADATA["scan_metadata"], "scan_id": own}}


async def _run(scan_id: str, attempt: int, bucket: Bucket) -> str:
    """Take a scan to where its workers work, as its events would; returns the cluster's uuid."""
    await launch_scanner(scan_id)
    await bucket.put(scan_id if attempt == 1 else f"{scan_id}_{attempt}")
    await scanner_ready(scan_id, attempt=attempt)
    await request_workers(scan_id)
    uuid = cluster_uuid(scan_id, attempt, 0)
    await start_workers(scan_id, uuid)
    said = report("2024-06-18 12:00:00", **_said_by(attempt, scan_id))
    await report_manifest(scan_id, attempt=attempt, report=said)
    return uuid


async def test_from_a_servers_death_to_the_end_of_the_next_one(
    jobs: Jobs, bucket: Bucket, broker: Broker
) -> None:
    scan_id = await stored()
    server, second_server = f"skyscan-{scan_id}", f"skyscan-{scan_id}-2"
    workers = await _run(scan_id, 1, bucket)
    await report_result(scan_id, attempt=1, content=b"1", is_final=False)
    await jobs.kill(server)
    assert jobs.names == {server, job_name(workers)}

    # The sweep notices, but not before the server must be there.
    await reconcile_scans()
    assert (await read(scan_id))["phase"] == Phase.RUNNING
    await change(scan_id, phase_since=time.time() - 100)
    await reconcile_scans()
    after = await read(scan_id)
    assert (after["phase"], after["attempt"]) == (Phase.LAUNCHING, 2)
    assert "was killed" in after["reason"]

    # The old workers go first: the launch is asked for once they are gone, not even by an impatient sweep.
    with pytest.raises(Busy):
        await launch_scanner(scan_id)
    await change(scan_id, phase_since=time.time() - 1000)
    await reconcile_scans()
    assert broker.heard(Fact.REQUESTED, scan_id) == []
    assert second_server not in jobs.names
    await stop_workers(scan_id, workers)
    [requested] = broker.heard(Fact.REQUESTED, scan_id)
    assert requested.id == f"{scan_id}/scan.requested/attempt-2"
    second_workers = await _run(scan_id, 2, bucket)
    assert jobs.names == {second_server, job_name(second_workers)}
    assert second_workers != workers
    after = await read(scan_id)
    assert (after["phase"], after["reason"]) == (Phase.RUNNING, None)
    assert after["report"].items() >= {"attempt": 2, "finished": False}.items()
    assert after["scan_metadata"]["scan_id"] == scan_id

    # The first one was only out of reach, it seems.
    before = await read(scan_id)
    late = report("2030-01-01 00:00:00", finished=True, **_said_by(1, scan_id))
    for said in (
        scanner_ready(scan_id, attempt=1),
        report_manifest(scan_id, attempt=1, report=late),
        report_result(scan_id, attempt=1, content=b"9", is_final=True),
    ):
        with pytest.raises(NotTaken):
            await said
    assert await read(scan_id) == before

    await report_result(scan_id, attempt=2, content=b"2", is_final=True)
    last = report("2024-06-18 12:00:01", finished=True, **_said_by(2, scan_id))
    await report_manifest(scan_id, attempt=2, report=last)
    await tear_down(scan_id)
    await stop_workers(scan_id, second_workers)

    after = await read(scan_id)
    assert (after["phase"], after["outcome"], after["attempt"]) == (Phase.ENDED, Outcome.FINISHED, 2)
    assert after["result"].items() >= {"attempt": 2, "is_final": True, "bytes": 1}.items()
    assert jobs.names == set()
    assert not await bucket.has(scan_id)
    assert not await bucket.has(f"{scan_id}_2")
    assert await rate_limit.holders() == []
    assert [line["phase"] for line in after["history"]] == [
        *("QUEUED", "LAUNCHING", "STARTING", "RUNNING"),
        *("LAUNCHING", "STARTING", "RUNNING", "STOPPING", "ENDED"),
    ]


async def test_an_abort_and_a_relaunch_at_once_leave_one_of_them(broker: Broker) -> None:
    for _ in range(5):
        scan_id = await stored(Phase.RUNNING, clusters=[cluster("a")])
        seen = await read(scan_id)
        await asyncio.gather(
            act(seen, _decide(Verdict.RELAUNCH)),
            delete_scan(scan_id, delete_completed=False, by=None),
        )
        after = await read(scan_id)
        assert (after["phase"], after["outcome"]) == (Phase.STOPPING, Outcome.ABORTED)
        assert after["attempt"] == len(after["history"]) - 1


NOW, GRACE = 1000.0, 300.0


def _dead(uuid: str, since: float | None = 1.0, state: ClusterState = ClusterState.STARTED) -> Any:
    return cluster(uuid, state, dead_since=since, reason=f"{uuid} broke")


Clusters = Callable[[], list[Any]]


@pytest.mark.parametrize(
    ("clusters", "dead"),
    [
        (list, False),
        (lambda: [_dead("a")], True),
        (lambda: [_dead("a", since=NOW - GRACE)], True),
        (lambda: [_dead("a", since=NOW - GRACE + 1)], False),
        (lambda: [_dead("a", since=None)], False),
        (lambda: [_dead("a"), _dead("b")], True),
        # One bad cluster of two does not end a scan.
        (lambda: [_dead("a"), _dead("b", since=None)], False),
        (lambda: [_dead("a"), cluster("b", ClusterState.REQUESTED)], False),
        # Those that could not be started count; those of an earlier attempt do not.
        (lambda: [_dead("a"), _dead("b", since=0.0, state=ClusterState.FAILED)], True),
        (lambda: [_dead("a"), _dead("b", since=None, state=ClusterState.STOPPED)], True),
        (lambda: [_dead("a"), _dead("b", since=None, state=ClusterState.STOPPING)], True),
        (lambda: [_dead("a", state=ClusterState.STOPPED)], False),
        # Those that others have started count like our own; where nothing newer is known, as alive.
        (lambda: [_dead("a", state=ClusterState.REPORTED)], True),
        (lambda: [_dead("a"), _dead("b", since=None, state=ClusterState.REPORTED)], False),
        (lambda: [{**_dead("a"), "stale_since": 2.0}], False),
    ],
)
async def test_when_all_workers_are_dead(
    clusters: Clusters, dead: bool, configure: Callable[..., None]
) -> None:
    reason = all_workers_dead(clusters(), now=NOW, grace=GRACE)
    assert (reason is not None) == dead
    if reason is not None:
        assert "all 2 workers on local" in reason
        assert "a broke" in reason

"""The screen of `skydriver status` in every situation, as it stands in `golden/`.

After a change of the screens, write them anew with GOLDEN=write in the environment, and read them.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"
T0 = 1718712000.0
"""When the scan was asked for: 2024-06-18 12:00:00 UTC."""
NOW = T0 + 400


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("skydriver.cli.commands.status.now", lambda: NOW)
    yield
    monkeypatch.undo()
    time.tzset()


def line(phase: str, after: float, cause: str, function: str, **more: Any) -> dict[str, Any]:
    return {"phase": phase, "time": T0 + after, "cause": cause, "function": function, **more}


HISTORY = [
    line("QUEUED", 0, "requested", "create_scan"),
    line("LAUNCHING", 5, "x/scan.requested/0", "launch_scanner"),
    line("STARTING", 6, "x/scan.requested/0", "launch_scanner", attempt=1),
    line("RUNNING", 40, "startup file uploaded", "report_scanner_event", attempt=1),
]
STOPPED = [*HISTORY, line("STOPPING", 380, "final progress", "patch_manifest", attempt=1)]
LIMITS = {"starts_per_minute": 10, "started": 3, "scans_running": 200, "running": 17}


def entry(scan_id: str, **more: Any) -> dict[str, Any]:
    return {
        "scan_id": scan_id,
        "timestamp": T0,
        "pending_timestamp": 0.0,
        "priority": 0,
        "next_attempt": 0,
        "reason": None,
        "not_before": 0.0,
        **more,
    }


def backlog(*entries: dict[str, Any], **limits: int) -> dict[str, Any]:
    return {"entries": list(entries), "limits": LIMITS | limits}


def cluster(name: str = "sub-2", **more: Any) -> dict[str, Any]:
    return {
        "orchestrator": "condor",
        "location": {"collector": "cm.example", "schedd": f"{name}.example"},
        "name": name,
        "state": "started",
        "cluster_id": 123,
        "n_workers": 10,
        "statuses": {"Running": {"Tasking": 7, "null": 1}, "Held: (6, 0) no such file": {"null": 2}},
        "top_task_errors": {},
        "reason": None,
        "observed_at": NOW - 20,
        "stale_since": None,
        "stale_reason": None,
        **more,
    }


Answers = dict[str, Any]


def at(phase: str, after: float, state: str, **more: Any) -> Answers:
    """Make the answer of GET status in a phase that began so long after the scan was asked for."""
    return {
        "scan_state": state,
        "is_deleted": False,
        "scan_complete": phase in ("STOPPING", "ENDED"),
        "clusters": [],
        "phase": phase,
        "phase_since": T0 + after,
        "attempt": 0 if phase == "QUEUED" else 1,
        "outcome": None,
        "reason": None,
        "reported_at": None,
        **more,
    }


def queued(answer: Answers, **more: Any) -> Answers:
    return {
        "status": at("QUEUED", 0, "PENDING__PRESTARTUP", **more),
        "history": HISTORY[:1],
        "backlog": answer,
    }


def starting(pod: Answers) -> Answers:
    pods = {
        "pod_status": {"skyscan-x-7k": pod},
        "pod_status_message": "retrieved",
        "pod_message": "retrieved",
    }
    return {
        "status": at("STARTING", 6, "PENDING__PRESTARTUP", pods=pods),
        "history": HISTORY[:3],
    }


def running(*clusters: Answers, reported: float | None = NOW - 72, **more: Any) -> Answers:
    return {
        "status": at(
            "RUNNING",
            40,
            "IN_PROGRESS__PARTIAL_RESULT_GENERATED",
            clusters=list(clusters),
            reported_at=reported,
        ),
        "history": HISTORY,
        "asked": [["sub-2", 10]],
        "progress": reported is not None,
        **more,
    }


def over(
    phase: str, outcome: str, reason: str | None = None, *clusters: Answers, code: str | None = None
) -> Answers:
    state = "SCAN_FINISHED_SUCCESSFULLY" if outcome == "finished" else "STOPPED__PARTIAL_RESULT_GENERATED"
    return {
        "status": at(
            phase,
            380 if phase == "STOPPING" else 385,
            state,
            outcome=outcome,
            reason=reason,
            reason_code=code,
            clusters=list(clusters),
        ),
        "history": STOPPED if phase == "STOPPING" else [*STOPPED, line("ENDED", 385, "u/1", "stop_workers")],
    }


NO_ROOM = "the scanner server could not be started yet: exceeded quota: pods"


def failed(after: float, function: str, code: str, reason: str, name: str | None, times: int = 1) -> Answers:
    return {
        "function": function,
        "cluster": None,
        "name": name,
        "reason": reason,
        "reason_code": code,
        "first": T0 + after,
        "last": T0 + after,
        "times": times,
    }


SITUATIONS: dict[str, Answers] = {
    "queued": queued(backlog(entry("a"), entry("x"), entry("b"))),
    "queued-behind-an-alert": queued(backlog(entry("a", priority=100), entry("x"))),
    "queued-starts-limit": queued(backlog(entry("x"), started=10)),
    "queued-running-limit": queued(backlog(entry("a"), entry("x"), running=200)),
    "queued-refused": queued(
        backlog(entry("a"), entry("x", next_attempt=2, reason=NO_ROOM, not_before=NOW + 42)),
        reason=NO_ROOM,
        attempt=1,
    ),
    "queued-just-left": queued(backlog(entry("a"))),
    "launching": {
        "status": at("LAUNCHING", 390, "PENDING__PRESTARTUP"),
        "history": [HISTORY[0], line("LAUNCHING", 390, "sweep", "sweep")],
    },
    "launching-dead-letter": {
        "status": at("LAUNCHING", 5, "PENDING__PRESTARTUP"),
        "history": HISTORY[:2],
        "failed_tries": [
            failed(
                90,
                "record_failure",
                "dead_letter",
                "org.icecube.skydriver.scan.requested.v1 was given up by the broker: "
                "http://launch-scanner answered 500",
                None,
            )
        ],
    },
    "launching-for-long": {
        "status": at("LAUNCHING", 5, "PENDING__PRESTARTUP"),
        "history": HISTORY[:2],
    },
    "relaunching": {
        "status": at(
            "LAUNCHING",
            300,
            "PENDING__WAITING_ON_SCANNER_SERVER_STARTUP",
            attempt=2,
            reason="launched again: the scanner server died (OOMKilled)",
            clusters=[cluster(state="stopping", reason="cannot be stopped yet: the schedd does not answer")],
        ),
        "history": [
            *HISTORY,
            line(
                "LAUNCHING",
                300,
                "the scanner server died (OOMKilled)",
                "sweep",
                attempt=2,
                reason="launched again: the scanner server died (OOMKilled)",
            ),
        ],
    },
    "starting-image": starting(
        {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [
                {
                    "state": {
                        "waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image x:1"}
                    }
                }
            ],
        }
    ),
    "starting-unschedulable": starting(
        {
            "phase": "Pending",
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": "0/3 nodes are available: 3 Insufficient memory.",
                }
            ],
        }
    ),
    "starting-no-pod": {
        "status": at(
            "STARTING",
            6,
            "PENDING__PRESTARTUP",
            reason="Kubernetes has made no pod for it: a quota may leave no room",
            pods={"pod_status": {}, "pod_status_message": "retrieved", "pod_message": "retrieved"},
        ),
        "history": HISTORY[:3],
    },
    "starting-local": starting({"name": "skyscan-x-0", "phase": "Running", "reason": None, "message": None}),
    "running": running(cluster(top_task_errors={"ValueError: [bad] pixel": 3})),
    "running-no-prediction": running(cluster(), no_prediction=True),
    "running-overdue": running(cluster(), reported=NOW - 880, time_left="0:05:00"),
    "running-quiet": running(cluster(), reported=NOW - 3000),
    "running-not-reported": running(cluster(), reported=None),
    "running-finished": running(cluster(), finished=True),
    "running-stale": running(
        cluster(stale_since=NOW - 200, stale_reason="the schedd does not answer within 25 s")
    ),
    "running-stale-and-idle": running(
        cluster(stale_since=NOW - 200, stale_reason="the schedd does not answer within 25 s"),
        cluster("sub-3", statuses={"Idle": {"null": 10}}),
        reported=NOW - 3000,
    ),
    "running-idle-and-held": running(
        cluster(statuses={"Idle": {"null": 8}, "Held: (6, 0) no such file": {"null": 2}}), reported=None
    ),
    "running-not-seen": running(cluster(statuses={}), reported=None),
    "running-no-workers": running(
        reported=None,
        asked=[["sub-2", 10], ["sub-3", 5]],
        failed_tries=[
            failed(45, "start_workers", "workers_start_refused", "the schedd does not answer", "sub-2", 3)
        ],
    ),
    "running-one-of-two": running(
        cluster(),
        asked=[["sub-2", 10], ["sub-3", 5]],
        failed_tries=[
            failed(
                45,
                "start_workers",
                "workers_start_given_up",
                "given up after 6 tries: no such schedd",
                "sub-3",
            )
        ],
    ),
    "running-workers-not-asked": running(reported=None),
    "stopping": over(
        "STOPPING", "finished", None, cluster(state="stopped"), cluster("sub-3", state="stopping")
    ),
    "stopping-failed": over("STOPPING", "failed", "all 10 workers on sub-2 have disappeared"),
    "ended": over("ENDED", "finished", None, cluster(state="stopped")) | {"progress": True, "finished": True},
    "ended-aborted": over(
        "ENDED", "aborted", "aborted by someone", cluster(state="stopped"), code="aborted_by_user"
    ),
    "ended-failed": over("ENDED", "failed", "the scanner server died (Error: exit code 1)"),
}


def script(service: Any, progress: Answers, manifest: Answers, situation: Answers) -> None:
    stats = progress["processing_stats"]
    if situation.get("finished"):
        stats["finished"] = True
    if situation.get("no_prediction") or situation.get("finished"):
        del stats["predictions"]
    if left := situation.get("time_left"):
        stats["predictions"]["time left"] = left
    shown = progress if situation.get("progress") else None
    service.on("GET", "/scan/x/status", situation["status"])
    service.on("GET", "/scan/x/manifest", manifest | {"timestamp": T0, "progress": shown})
    answer = {
        "scan_id": "x",
        "history": situation["history"],
        "failed_tries": situation.get("failed_tries", []),
    }
    service.on("GET", "/scan/x/history", answer)
    if "backlog" in situation:
        service.on("GET", "/scans/backlog", situation["backlog"])
    if "asked" in situation:
        service.on("GET", "/scan-request/x", {"request_clusters": situation["asked"]})


@pytest.mark.parametrize("name", SITUATIONS)
def test_one_screen_says_why(run: Any, service: Any, progress: Any, manifest: Any, name: str) -> None:
    script(service, progress, manifest, SITUATIONS[name])
    answer = run("status", "x")
    assert (answer.exit_code, answer.stderr) == (0, "")
    screen = "\n".join(part.rstrip() for part in answer.stdout.splitlines()) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(screen)
    assert screen == path.read_text()
    assert screen.count("\n") <= 24
    assert len(service.requests) <= 4


def test_the_screens_are_those_of_the_situations() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(SITUATIONS)


def test_every_phase_has_its_screens() -> None:
    phases = {situation["status"]["phase"] for situation in SITUATIONS.values()}
    assert phases == {"QUEUED", "LAUNCHING", "STARTING", "RUNNING", "STOPPING", "ENDED"}


def test_a_deleted_scan(run: Any, service: Any, progress: Any, manifest: Any) -> None:
    situation = SITUATIONS["ended-failed"]
    deleted = situation | {"status": situation["status"] | {"is_deleted": True}}
    script(service, progress, manifest, deleted)
    assert run("status", "x").stdout.startswith("scan       x  deleted\n")


def test_a_service_that_knows_no_phases(run: Any, service: Any, progress: Any, manifest: Any) -> None:
    """As v1 is: what it does not say is left out."""
    status = {
        "scan_state": "PENDING__PRESTARTUP",
        "is_deleted": False,
        "scan_complete": False,
        "clusters": [],
    }
    script(service, progress, manifest, {"status": status, "history": []})
    answer = run("status", "x")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        "scan       x",
        "state      PENDING__PRESTARTUP",
        "event      run 130033, event 50579430",
    ]


def test_as_json_it_is_the_services_answer(run: Any, service: Any, running: Any) -> None:
    service.on("GET", "/scan/x/status", running)
    answer = run("status", "x", "--json")
    assert json.loads(answer.stdout) == running
    assert answer.stderr == ""


def test_pods_are_asked_for_only_on_demand(run: Any, service: Any, running: Any) -> None:
    service.on("GET", "/scan/x/status", running)
    run("status", "x", "--json")
    run("status", "x", "--json", "--pods")
    asked = service.asked("GET", "/scan/x/status")
    stay = {"no_redirect": "true"}
    assert [r.query for r in asked] == [stay, {**stay, "include_pod_statuses": "true"}]

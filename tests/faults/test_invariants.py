"""The invariants bite: each kind of wrong is noticed."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.broker import Letter
from tests.faults.invariants import Evidence, judge
from tests.faults.play import Life, Report
from tests.faults.subscribers import Heard
from tests.faults.watch import Seen

SCAN = "5" * 32


def state(phase: str, attempt: int, time: float, **changes: Any) -> dict[str, Any]:
    """Make what the watch sees of a scan that has just entered a phase."""
    line = {"phase": phase, "time": time, "attempt": attempt}
    return {
        "_id": SCAN,
        "phase": phase,
        "phase_since": time,
        "attempt": attempt,
        "outcome": None,
        "reason": None,
        "priority": 0,
        "timestamp": 0.0,
        "not_before": 0.0,
        "report": None,
        "result": None,
        "history": [line],
        "outbox": {},
        "scanner": {"leased_until": 0.0},
        "ewms_task": {"clusters": []},
        **changes,
    }


FINAL = {"version": "v", "is_final": True, "attempt": 1}
QUEUED = state("QUEUED", 0, 0.0)
LAUNCHING = state("LAUNCHING", 1, 1.0, scanner={"leased_until": 10.0})
RUNNING = state("RUNNING", 1, 2.0)
WITH_RESULT = {**RUNNING, "result": FINAL}
STOPPING = state("STOPPING", 1, 5.0, outcome="finished", result=FINAL)
ENDED = state("ENDED", 1, 6.0, outcome="finished", result=FINAL)
STEPS = [QUEUED, LAUNCHING, RUNNING, WITH_RESULT, STOPPING, ENDED]


def changes(*steps: dict[str, Any], scan_id: str = SCAN) -> list[Seen]:
    """Make what the watch sees of one step after the other."""
    return [Seen(scan_id, before, after) for before, after in zip([None, *steps], steps, strict=False)]


def life(name: str, made: float, over: float | None, **labels: str) -> Life:
    """Make a job's life."""
    return Life(
        name, {f"skydriver/{key.replace('_', '-')}": value for key, value in labels.items()}, made, over
    )


SERVER = life("one", 1.0, 5.0, scan_id=SCAN, kind="scanner", attempt="1")
SENT = Report(SCAN, 1, "final", {"skyscan_result": {"a": 1}}, 3.0, 4.0, 200)
DOCUMENT = {
    **ENDED,
    "history": [step["history"][0] for step in STEPS if step is not WITH_RESULT],
    "ewms_task": {"clusters": [{"uuid": "u", "attempt": 1}, {"uuid": "w", "attempt": 2}]},
    "classifiers": {},
}


def heard(subscription: str, at: float, *, fact: str = "scan.finished", event_id: str = "e") -> Heard:
    """Make a received notification."""
    return Heard(subscription, event_id, fact, SCAN, at)


GOOD = Evidence(
    scans={SCAN: DOCUMENT},
    seen=changes(*STEPS),
    lives=[SERVER, life("w1", 2.0, 5.0, scan_id=SCAN, kind="workers", uuid="u")],
    reports=[SENT],
    wanted={"m": 200, "refused": 400, "unknown": None},
    marks={SCAN: "m"},
    served={SCAN: {"skyscan_result": {"a": 1}, "is_final": True}},
    left={"job": []},
    outages=[],
    scans_running=2,
    letters=[Letter("a", SCAN, ((1.0, 409), (2.0, 502))), Letter("a", SCAN, ((2.5, 409), (9.0, 409)))],
    lease=8.0,
    heard=[heard("all", 20.0), heard("all-again", 21.0), heard("all-again", 25.0)],
    unanswered=[21.0],
)


def test_a_good_run_is_good() -> None:
    verdict = judge(GOOD)
    assert verdict.violations == []
    assert len(verdict.checked) > 15


def with_scan(**fields: Any) -> Evidence:
    return replace(GOOD, scans={SCAN: {**DOCUMENT, **fields}})


ALERT = {**state("QUEUED", 0, 0.0), "priority": 100}
LATE_ADMISSION = state("LAUNCHING", 1, 9.0)
OTHER = "6" * 32

WRONG = {
    "every scan has ended": with_scan(phase="RUNNING"),
    "every end has an outcome": with_scan(outcome=None),
    "every bad end has a reason": with_scan(outcome="failed"),
    "every outbox is empty": with_scan(outbox={"slot": {}}),
    "no outbox is marked": with_scan(outbox_since=1.0),
    "no job is left": replace(GOOD, left={"job": ["skyscan-x"]}),
    "every cluster's workers are on record": replace(
        GOOD, lives=[life("w", 1.0, 2.0, scan_id=SCAN, kind="workers", uuid="x")]
    ),
    "never two scanner servers of a scan": replace(
        GOOD, lives=[SERVER, life("two", 4.0, None, scan_id=SCAN, kind="scanner", attempt="2")]
    ),
    "never workers of two attempts": replace(
        GOOD, lives=[*GOOD.lives, life("w2", 4.0, None, scan_id=SCAN, kind="workers", uuid="w")]
    ),
    "every scan was seen from its beginning": replace(GOOD, seen=GOOD.seen[1:]),
    "no scan vanishes": replace(GOOD, seen=[*GOOD.seen, Seen(SCAN, ENDED, None)]),
    "every transition is in the table": replace(GOOD, seen=changes(QUEUED, RUNNING, ENDED)),
    "every transition is in the history": replace(
        GOOD, seen=changes(QUEUED, {**LAUNCHING, "history": QUEUED["history"]})
    ),
    "no outcome is replaced": replace(GOOD, seen=changes(*STEPS, {**ENDED, "outcome": "failed"})),
    "no final result is replaced": replace(GOOD, seen=changes(*STEPS, {**ENDED, "result": None})),
    "no older report replaces a newer": replace(
        GOOD,
        seen=changes(
            QUEUED,
            {**RUNNING, "report": {"attempt": 1, "finished": True, "order": "1"}},
            {**RUNNING, "report": {"attempt": 1, "finished": False, "order": "2"}},
        ),
    ),
    "no alert waits while another is admitted": replace(
        GOOD, seen=[*changes(ALERT, scan_id=OTHER), *changes(QUEUED, LATE_ADMISSION)]
    ),
    "the limits hold": replace(
        GOOD,
        seen=[
            *changes(QUEUED, LAUNCHING, scan_id=OTHER),
            *changes(QUEUED, LAUNCHING, scan_id="7" * 32),
            *changes(QUEUED, LAUNCHING),
        ],
    ),
    "every acknowledged scan exists": replace(GOOD, marks={}),
    "no refused scan exists": replace(GOOD, marks={SCAN: "m", OTHER: "refused"}),
    "no unanswered scan exists twice": replace(GOOD, marks={SCAN: "m", "a": "unknown", "b": "unknown"}),
    "no report is refused": replace(GOOD, reports=[SENT, replace(SENT, kind="progress", status=400)]),
    "no acknowledged final result is lost": with_scan(result=None),
    "a finished scan serves its final result": replace(GOOD, served={SCAN: {}}),
    "every dead letter is of an injected fault": replace(
        GOOD, letters=[Letter("a", SCAN, ((2.5, 409), (14.0, 409)))]
    ),
    "every subscriber hears what it asked for": replace(GOOD, heard=GOOD.heard[1:]),
    "no subscriber hears more": replace(GOOD, heard=[*GOOD.heard, heard("alerts", 22.0)]),
    "a repeat has the same event id": replace(
        GOOD, heard=[*GOOD.heard, heard("all-again", 26.0, event_id="another")]
    ),
    "nothing is heard twice without a fault": replace(GOOD, unanswered=[15.0]),
    "what is served is what was sent": replace(
        GOOD, served={SCAN: {"skyscan_result": {"a": 2}, "is_final": True}}
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_each_violation_is_noticed(what: str) -> None:
    violations = judge(WRONG[what]).violations
    assert any(violation.startswith(f"{what}: ") for violation in violations), violations


def test_every_invariant_is_tried() -> None:
    assert set(judge(GOOD).checked) <= {*WRONG, "no job is left"}

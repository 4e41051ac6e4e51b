"""What must hold of every scan, whatever was broken on the way."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from skydriver.model.phases import ALERT_PRIORITY, PLACED, Outcome, Phase
from skydriver.model.transitions import TABLE, Fact
from tests.faults.broker import Letter
from tests.faults.play import Life, Report
from tests.faults.subscribers import SUBSCRIPTIONS, Heard, wants
from tests.faults.watch import Seen

SLACK = 3.0
"""Seconds that an alert may have been ready while another was admitted, which was chosen before it was."""

_STEPS = {(phase, row.to) for row in TABLE.values() if row.to for phase in row.accepts}


@dataclass
class Verdict:
    """How often each invariant was checked, and what broke it."""

    checked: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def check(self, what: str, holds: bool, detail: str) -> None:
        """Note that something was checked."""
        self.checked[what] += 1
        if not holds:
            self.violations.append(f"{what}: {detail}")


@dataclass
class Evidence:
    """All that is known of a run after the world has become quiet.

    Attributes:
        scans: the documents, by id.
        seen: every change of a scan, in order.
        lives: every job there was.
        reports: every report that was answered.
        wanted: what `POST /scan` answered (a status, or None) by the mark that the scan carries.
        marks: the marks of the stored scans, by id.
        served: of every finished scan, what `GET result` answers.
        left: what is left outside, by kind.
        outages: when the database was away, (from, to).
        letters: events that the broker gave up.
        lease: seconds that a step holds what it works at.
        heard: every received notification, in order.
        unanswered: when receivers got one whose answer the sender may not have got.
        hit: when faults have hit processes that deliver.
    """

    scans: Mapping[str, dict[str, Any]]
    seen: list[Seen]
    lives: list[Life]
    reports: list[Report]
    wanted: Mapping[str, int | None]
    marks: Mapping[str, str]
    served: Mapping[str, Any]
    left: Mapping[str, list[str]]
    outages: list[tuple[float, float]]
    scans_running: int
    letters: list[Letter] = field(default_factory=list)
    lease: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    unanswered: list[float] = field(default_factory=list)
    hit: list[float] = field(default_factory=list)


def judge(evidence: Evidence) -> Verdict:
    """Check everything."""
    verdict = Verdict()
    _ends(evidence, verdict)
    _nothing_is_left(evidence, verdict)
    _one_server_at_a_time(evidence, verdict)
    _changes(evidence, verdict)
    _admissions(evidence, verdict)
    _acknowledged(evidence, verdict)
    _results(evidence, verdict)
    _dead_letters(evidence, verdict)
    _subscribers(evidence, verdict)
    return verdict


def _ends(evidence: Evidence, verdict: Verdict) -> None:
    for scan_id, scan in evidence.scans.items():
        where = f"{scan_id} is {scan['phase']}, {scan['outcome']}, {scan['reason']}"
        verdict.check("every scan has ended", scan["phase"] == Phase.ENDED, where)
        verdict.check("every end has an outcome", scan["outcome"] in list(Outcome), where)
        has_reason = bool(scan["reason"]) or scan["outcome"] == Outcome.FINISHED
        verdict.check("every bad end has a reason", has_reason, where)
        verdict.check("every outbox is empty", not scan["outbox"], f"{scan_id}: {list(scan['outbox'])}")
        verdict.check("no outbox is marked", "outbox_since" not in scan, scan_id)


def _nothing_is_left(evidence: Evidence, verdict: Verdict) -> None:
    for kind, names in evidence.left.items():
        verdict.check(f"no {kind} is left", not names, ", ".join(names[:5]))


def _one_server_at_a_time(evidence: Evidence, verdict: Verdict) -> None:
    attempts = {
        cluster["uuid"]: cluster["attempt"]
        for scan in evidence.scans.values()
        for cluster in scan["ewms_task"]["clusters"]
    }
    servers: dict[str, list[tuple[int, Life]]] = defaultdict(list)
    workers: dict[str, list[tuple[int, Life]]] = defaultdict(list)
    for life in evidence.lives:
        scan_id = life.labels["skydriver/scan-id"]
        if life.labels["skydriver/kind"] == "scanner":
            servers[scan_id].append((int(life.labels["skydriver/attempt"]), life))
        else:
            uuid = life.labels["skydriver/uuid"]
            verdict.check("every cluster's workers are on record", uuid in attempts, f"{scan_id}: {uuid}")
            workers[scan_id].append((attempts.get(uuid, 0), life))
    for what, by_scan, same_attempt in (
        ("never two scanner servers of a scan", servers, False),
        ("never workers of two attempts", workers, True),
    ):
        for scan_id, lives in by_scan.items():
            for (one, first), (two, second) in _overlapping(lives):
                holds = same_attempt and (one == two and first.name != second.name)
                verdict.check(what, holds, f"{scan_id}: {first.name} and {second.name}")
            verdict.checked[what] += 1


def _overlapping(lives: Iterable[tuple[int, Life]]) -> Iterator[tuple[tuple[int, Life], tuple[int, Life]]]:
    ordered = sorted(lives, key=lambda item: item[1].made)
    for index, one in enumerate(ordered):
        for two in ordered[index + 1 :]:
            if one[1].over is None or two[1].made < one[1].over:
                yield one, two


def _changes(evidence: Evidence, verdict: Verdict) -> None:
    made = {seen.scan_id for seen in evidence.seen if seen.before is None}
    verdict.check(
        "every scan was seen from its beginning", made >= set(evidence.scans), "the watch has a gap"
    )
    for seen in evidence.seen:
        verdict.check("no scan vanishes", seen.after is not None, seen.scan_id)
        if seen.before is not None and seen.after is not None:
            _change(seen.scan_id, seen.before, seen.after, verdict)


def _change(scan_id: str, before: dict[str, Any], after: dict[str, Any], verdict: Verdict) -> None:
    old, new = (before["phase"], before["attempt"]), (after["phase"], after["attempt"])
    if old != new:
        step = f"{scan_id}: {old} -> {new}"
        relaunch = new == (Phase.LAUNCHING, old[1] + 1) and old[0] in PLACED
        admitted = old == (Phase.QUEUED, 0) and new == (Phase.LAUNCHING, 1)
        in_table = (old[0], new[0]) in _STEPS and (old[1] == new[1] or relaunch or admitted)
        verdict.check("every transition is in the table", in_table, step)
        line = after["history"][-1]
        told = line["phase"] == new[0] and line["time"] == after["phase_since"]
        verdict.check("every transition is in the history", told and line != before["history"][-1], step)
    if before["outcome"] is not None:
        same = before["outcome"] == after["outcome"]
        verdict.check("no outcome is replaced", same, f"{scan_id}: {before['outcome']} -> {after['outcome']}")
    if before["result"] and before["result"]["is_final"]:
        verdict.check("no final result is replaced", before["result"] == after["result"], scan_id)
    if before["report"] and before["report"] != after["report"]:
        old_rank, new_rank = (
            (report["attempt"], report["finished"], report["order"])
            for report in (before["report"], after["report"])
        )
        verdict.check(
            "no older report replaces a newer", new_rank >= old_rank, f"{scan_id}: {old_rank} {new_rank}"
        )


def _admissions(evidence: Evidence, verdict: Verdict) -> None:
    now: dict[str, dict[str, Any]] = {}
    for seen in evidence.seen:
        before, after = seen.before, seen.after
        if after is None:
            continue
        admitted = before and (before["phase"], after["phase"]) == (Phase.QUEUED, Phase.LAUNCHING)
        if admitted and after["priority"] < ALERT_PRIORITY:
            _admission(seen.scan_id, after, now, evidence, verdict)
        now[seen.scan_id] = after


def _admission(
    scan_id: str, scan: dict[str, Any], now: dict[str, dict[str, Any]], evidence: Evidence, verdict: Verdict
) -> None:
    at = scan["phase_since"]
    waiting = []
    for other_id, other in now.items():
        if other["phase"] == Phase.QUEUED and other["priority"] >= ALERT_PRIORITY:
            ready = max(other["timestamp"], other["not_before"], other["phase_since"])
            away = sum(max(0.0, min(at, end) - max(ready, start)) for start, end in evidence.outages)
            if ready < at - SLACK - away:
                waiting.append(f"{other_id} for {at - ready:.1f} s")
    verdict.check("no alert waits while another is admitted", not waiting, f"{scan_id} before {waiting}")
    # Alerts are not bounded by the limits, but count. Scans that were aborted in the backlog do not.
    placed = [other for other in now.values() if other["phase"] in PLACED]
    alerts = sum(other["priority"] >= ALERT_PRIORITY for other in placed)
    holds = len(placed) < max(evidence.scans_running, alerts + 1)
    verdict.check("the limits hold", holds, f"{scan_id} with {len(placed)} placed, {alerts} alerts")


def _acknowledged(evidence: Evidence, verdict: Verdict) -> None:
    stored = Counter(evidence.marks.values())
    for mark, status in evidence.wanted.items():
        if status == 200:
            verdict.check("every acknowledged scan exists", stored[mark] == 1, f"{mark}: {stored[mark]}")
        elif status is not None and 400 <= status < 500:
            verdict.check("no refused scan exists", not stored[mark], f"{mark}: {status}")
        else:
            verdict.check("no unanswered scan exists twice", stored[mark] <= 1, f"{mark}: {stored[mark]}")


def _results(evidence: Evidence, verdict: Verdict) -> None:
    for report in evidence.reports:
        verdict.check(
            "no report is refused", report.status == 200, f"{report.scan_id} {report.kind}: {report.status}"
        )
    sent: dict[str, list[Any]] = defaultdict(list)
    for report in evidence.reports:
        if report.kind == "final" and report.status == 200:
            sent[report.scan_id].append(report.content["skyscan_result"])
            scan = evidence.scans.get(report.scan_id)
            if scan is not None and _was_heard(report, scan):
                result = scan["result"]
                kept = result is not None and result["is_final"] and result["attempt"] == report.attempt
                verdict.check("no acknowledged final result is lost", kept, f"{report.scan_id}: {result}")
    for scan_id, answer in evidence.served.items():
        result = answer and answer.get("skyscan_result")
        verdict.check("a finished scan serves its final result", bool(result) and answer["is_final"], scan_id)
        verdict.check(
            "what is served is what was sent", result in sent[scan_id] or not sent[scan_id], scan_id
        )


def _dead_letters(evidence: Evidence, verdict: Verdict) -> None:
    """Check that each dead letter is an injected fault's.

    It is where a try had no answer, or met a part that was away (5xx). And a step that died keeps its lease,
    at which all others are refused (409) until it expires.
    """
    leases: dict[str, set[float]] = defaultdict(set)
    for seen in evidence.seen:
        if seen.after is not None:
            holders = [seen.after["scanner"], *seen.after["ewms_task"]["clusters"]]
            leases[seen.scan_id].update(holder["leased_until"] for holder in holders)
    for letter in evidence.letters:
        excused = any(status >= 500 for _, status in letter.tries) or all(
            status == 409 and any(end - evidence.lease <= at <= end + SLACK for end in leases[letter.subject])
            for at, status in letter.tries
        )
        verdict.check("every dead letter is of an injected fault", excused, f"{letter}")


def _subscribers(evidence: Evidence, verdict: Verdict) -> None:
    """Check that each subscriber gets what it asked for, and nothing twice unless a fault explains it."""
    by_event: dict[tuple[str, str, str], list[Heard]] = defaultdict(list)
    for heard in evidence.heard:
        by_event[heard.subscription, heard.scan_id, heard.fact].append(heard)
    for scan_id, scan in evidence.scans.items():
        facts = {f"scan.{scan['outcome']}"}
        if "first_result_at" in scan:
            facts.add(Fact.FIRST_RESULT)
        for name, filters in SUBSCRIPTIONS.items():
            said = {fact for one, of, fact in by_event if (one, of) == (name, scan_id)}
            expected = facts if wants(filters, scan) else set()
            what = "every subscriber hears what it asked for" if expected else "no subscriber hears more"
            verdict.check(what, said == expected, f"{name} of {scan_id}: {said}, not {expected}")
    for key, heard_of_one in by_event.items():
        ids = {heard.event_id for heard in heard_of_one}
        verdict.check("a repeat has the same event id", len(ids) == 1, f"{key}: {ids}")
        for first, second in pairwise(heard_of_one):
            verdict.check(
                "nothing is heard twice without a fault",
                _is_excused(first, second, evidence),
                f"{key}: {second.at - first.at:.2f} s apart",
            )


def _is_excused(first: Heard, second: Heard, evidence: Evidence) -> bool:
    """Say whether, from one to the other, an answer, a function or the database was lost."""
    faults = [*evidence.unanswered, *evidence.hit]
    away = any(start <= second.at and first.at - SLACK <= end for start, end in evidence.outages)
    return away or any(first.at - SLACK <= at <= second.at for at in faults)


def _was_heard(report: Report, scan: dict[str, Any]) -> bool:
    """Say whether the scan was at the report's attempt, and placed, all the time that the report took."""
    attempt, phase = 0, Phase.QUEUED
    for line in scan["history"]:
        if line["time"] > report.answered:
            break
        if line["time"] >= report.asked:
            return False
        phase = line["phase"]
        attempt = line.get("attempt") or attempt
        if phase == Phase.LAUNCHING:
            attempt = max(attempt, 1)
    return attempt == report.attempt and phase in PLACED

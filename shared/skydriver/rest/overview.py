"""The service at a glance: whether all is well, what runs, what waits, what has ended lately."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from skydriver.eventing.events import fact_of_type
from skydriver.model.documents import ScanAtAGlance, ScanInBacklog, ScanOver, ScanUnderWay
from skydriver.model.holdups import Limits, held_up, predicted_end, why_it_waits
from skydriver.model.phases import ALERT_PRIORITY, ClusterState, Outcome
from skydriver.model.reasons import ReasonCode
from skydriver.model.tallies import pixels_by_nside
from skydriver.model.workforce import n_asked, n_running
from skydriver.settings import settings
from skydriver.store import rate_limit
from skydriver.store.scans import overview as scan_overview
from skydriver.store.scans.overview import Figures

LATELY = 24 * 3600.0
"""Seconds that what has ended is shown for."""
PAGE = 50
MAX_PAGE = 500

SWEEP_LATE = 300.0
"""Seconds after which the next sweep, which comes once a minute, is missed."""
STUCK = 300.0
"""Seconds that a scan may wait though the limits leave room."""
UNPUBLISHED = 120.0
"""Seconds that events may wait for the broker: each sweep publishes what is left."""
LETTERS_RECENT = 3600.0
"""Seconds for which a dead letter counts as a problem; afterwards it is only counted."""


class OverviewArguments(BaseModel):
    """The arguments of `GET /scans/overview`: which parts of long lists are shown."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    running_skip: int = Field(0, ge=0, le=1_000_000, description="pass over so many scans under way")
    running_limit: int = Field(MAX_PAGE, ge=1, le=MAX_PAGE, description="list so many of them")
    backlog_skip: int = Field(0, ge=0, le=1_000_000, description="pass over so many scans of the backlog")
    backlog_limit: int = Field(PAGE, ge=1, le=MAX_PAGE, description="list so many of them")
    ended_skip: int = Field(0, ge=0, le=1_000_000, description="pass over so many of those that have ended")
    ended_limit: int = Field(PAGE, ge=1, le=MAX_PAGE, description="list so many of them")


def limits(*, started: int, running: int) -> Limits:
    """Say within which limits scans are started, and how much of them is used."""
    return Limits(
        starts_per_minute=settings().starts_per_minute,
        started=started,
        scans_running=settings().scans_running,
        running=running,
    )


async def read_overview(asked: OverviewArguments) -> dict[str, Any]:
    """Read the service at a glance, in three round trips at once, each by an index.

    A later page of what runs takes one more.

    Nothing in it says how long ago something was: as long as nothing changes, it stays the same.
    """
    now = time.time()
    figures, running, waiting = await asyncio.gather(
        scan_overview.figures(since=now - LATELY, skip=asked.ended_skip, limit=asked.ended_limit),
        scan_overview.under_way(skip=asked.running_skip, limit=asked.running_limit),
        scan_overview.backlog_page(skip=asked.backlog_skip, limit=asked.backlog_limit),
    )
    used = limits(started=rate_limit.started_lately(figures.starts, now=now), running=figures.running)
    queued = figures.backlog
    shown = [_under_way(scan, now) for scan in running]
    alerts = shown
    if asked.running_skip:  # a later page is without them: they come first
        found = await scan_overview.under_way(limit=MAX_PAGE, alerts=True)
        alerts = [_under_way(scan, now) for scan in found]
    problems = [*_problems(figures, used, now), *_alerts_held_up(alerts)]
    return {
        "is_well": not problems,
        "problems": problems,
        "sweep": {"at": figures.swept, "failed": figures.failed},
        "counts": dict(sorted(figures.phases.items())),
        "outboxes": {"n": figures.outboxes.n, "since": figures.outboxes.since},
        "dead_letters": [
            {"fact": fact_of_type(kind), "n": found.n, "last": found.since}
            for kind, found in figures.dead_letters.items()
        ],
        "silent_locations": [
            {"location": location, "since": since, "reason": reason}
            for location, (since, reason) in figures.silent.items()
        ],
        "limits": used._asdict(),
        "running": shown,
        "backlog": {
            "total": queued.n,
            "since": queued.since,
            "skip": asked.backlog_skip,
            "entries": [
                _waiting(scan, place, now, used, queued.alerts)
                for place, scan in enumerate(waiting, start=asked.backlog_skip + 1)
            ],
        },
        "ended": {
            "counts": {outcome.value: figures.ended.get(outcome, 0) for outcome in Outcome},
            "skip": asked.ended_skip,
            "entries": [_over(scan) for scan in figures.over],
        },
    }


def _under_way(scan: ScanUnderWay, now: float) -> dict[str, Any]:
    own = [one for one in scan["ewms_task"]["clusters"] if one["attempt"] == scan["attempt"]]
    report = scan.get("report")
    reported = report["at"] if report else None
    why = held_up(scan, now=now)
    return {
        **_scan(scan),
        "phase": scan["phase"],
        "phase_since": scan["phase_since"],
        "attempt": scan["attempt"],
        "outcome": scan["outcome"],
        "nsides": pixels_by_nside(scan.get("progress") or {}),
        "reported_at": reported,
        "predicted_end": predicted_end(scan.get("progress"), reported),
        "workers": {
            "running": n_running(scan),
            "asked": n_asked(scan["request"]),
            "clusters": [
                {"name": one["name"], "n_workers": one["n_workers"], "stale_since": one["stale_since"]}
                for one in own
                if one["state"] != ClusterState.STOPPED
            ],
        },
        "has_result": scan.get("result") is not None,
        "held_up": why and why._asdict(),
    }


def _waiting(scan: ScanInBacklog, place: int, now: float, limits: Limits, alerts: int) -> dict[str, Any]:
    return {
        "scan_id": scan["_id"],
        "place": place,
        "timestamp": scan["timestamp"],
        "priority": scan["priority"],
        "submitted_by": scan["submitted_by"],
        "not_before": scan["not_before"],
        "refusals": scan["refusals"],
        "held_up": why_it_waits(scan, now=now, limits=limits, alerts=alerts)._asdict(),
    }


def _over(scan: ScanOver) -> dict[str, Any]:
    return {
        **_scan(scan),
        "is_deleted": scan["is_deleted"],
        "ended_at": scan["phase_since"],
        "outcome": scan["outcome"],
        "reason": scan["reason"],
        "reason_code": scan["reason_code"],
        "has_result": scan.get("result") is not None,
    }


def _scan(scan: ScanAtAGlance) -> dict[str, Any]:
    event = scan["event_metadata"]
    return {
        "scan_id": scan["_id"],
        "timestamp": scan["timestamp"],
        "priority": scan["priority"],
        "submitted_by": scan["submitted_by"],
        "run_id": event and event["run_id"],
        "event_id": event and event["event_id"],
    }


def _problem(
    code: ReasonCode, reason: str, since: float | None, scan_id: str | None = None
) -> dict[str, Any]:
    return {"code": code, "reason": reason, "since": since, "scan_id": scan_id}


def _problems(figures: Figures, limits: Limits, now: float) -> list[dict[str, Any]]:
    """Say what is wrong with the service, the gravest first."""
    found: list[dict[str, Any]] = []

    def say(code: ReasonCode, reason: str, since: float | None = None) -> None:
        found.append(_problem(code, reason, since))

    if figures.swept is None:
        say(ReasonCode.SWEEP_LATE, "No sweep has run yet, and no scan is started until one has.")
    elif now - figures.swept > SWEEP_LATE:
        say(ReasonCode.SWEEP_LATE, "The sweep, due once a minute, does not come.", figures.swept)
    for duty, reason in figures.failed.items():
        say(
            ReasonCode.SWEEP_FAILED,
            f"The last sweep could not do {duty}: {reason.rstrip('.')}.",
            figures.swept,
        )
    for location, (since, reason) in figures.silent.items():
        say(ReasonCode.LOCATION_SILENT, f"{location} does not answer: {reason.rstrip('.')}.", since)
    outboxes = figures.outboxes
    if outboxes.since is not None and now - outboxes.since > UNPUBLISHED:
        reason = f"The broker does not take the events of {outboxes.n} scans."
        say(ReasonCode.EVENTS_NOT_PUBLISHED, reason, outboxes.since)
    recent = [one for one in figures.dead_letters.values() if now - (one.since or 0.0) <= LETTERS_RECENT]
    if recent:
        n = sum(one.n for one in recent)
        reason = f"The broker has given up {n} event{'' if n == 1 else 's'} within a day."
        say(ReasonCode.DEAD_LETTERS, reason, max(one.since or 0.0 for one in recent))
    queued = figures.backlog
    if queued.alerts_since is not None and now - queued.alerts_since > STUCK:
        waiting = "1 alert waits" if queued.alerts == 1 else f"{queued.alerts} alerts wait"
        reason = f"{waiting} in the backlog, though no limit applies to alerts."
        say(ReasonCode.BACKLOG_STUCK, reason, queued.alerts_since)
    elif queued.since is not None and now - queued.since > STUCK and limits.leave_room:
        say(
            ReasonCode.BACKLOG_STUCK, "Scans wait in the backlog, though the limits leave room.", queued.since
        )
    return found


def _alerts_held_up(running: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        _problem(ReasonCode.ALERT_HELD_UP, _alert(scan, why), why["since"], scan["scan_id"])
        for scan in running
        if scan["priority"] >= ALERT_PRIORITY and (why := scan["held_up"])
    ]


def _alert(scan: Mapping[str, Any], why: Mapping[str, Any]) -> str:
    event = "" if scan["run_id"] is None else f" of run {scan['run_id']}, event {scan['event_id']}"
    return f"An alert's scan{event}: {why['reason']}"

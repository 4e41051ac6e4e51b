"""What holds a scan up, and when it should be finished: by its document alone.

Nothing here says how long ago something was, but since when: so what is said changes only with what is so.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from skydriver.model.phases import ALERT_PRIORITY, ClusterState, Phase
from skydriver.model.reasons import ReasonCode
from skydriver.model.tallies import pixels_done
from skydriver.model.workforce import n_known_running

LONG_SECONDS = 180.0
"""Seconds after which a start is said to take long."""
QUIET_SECONDS = 900.0
"""Seconds without a report after which a scanner is said to be silent; it reports about once a minute."""
NO_PIXEL_SECONDS = 1800.0
"""Seconds without a new pixel, while workers run, that are worth a look."""
REMOVAL_SECONDS = 600.0
"""Seconds after which a removal is said to take long."""

_TIME_LEFT = re.compile(r"(?:(\d{1,6}) days?, )?(\d{1,6}):(\d\d):(\d\d)")
LIVE = (ClusterState.STARTED, ClusterState.REPORTED)
"""States of clusters whose workers count."""


class HoldUp(NamedTuple):
    """What holds something up: the code, a sentence, and since when (None where that is not known)."""

    code: ReasonCode
    reason: str
    since: float | None


class Limits(NamedTuple):
    """Within which scans are started, and how much of them is used."""

    starts_per_minute: int
    started: int
    scans_running: int
    running: int

    @property
    def leave_room(self) -> bool:
        """Whether another scan may be started, alerts aside."""
        return self.running < self.scans_running and self.started < self.starts_per_minute


def predicted_end(progress: Mapping[str, Any] | None, reported_at: float | None) -> float | None:
    """Say when a scan should be finished, as its scanner last predicted.

    Args:
        progress: its last report.
        reported_at: when that came.

    Returns:
        Seconds since the epoch; None where nothing is predicted.
    """
    stats = (progress or {}).get("processing_stats") or {}
    left = _TIME_LEFT.fullmatch(str((stats.get("predictions") or {}).get("time left")))
    if left is None or reported_at is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in left.groups())
    return float(reported_at) + ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def why_it_waits(scan: Mapping[str, Any], *, now: float, limits: Limits, alerts: int) -> HoldUp:
    """Say why a scan in the backlog waits.

    Args:
        scan: the fields of `ScanInBacklog`.
        now: seconds since the epoch.
        limits: of the service.
        alerts: how many alerts wait.
    """
    since, is_alert = scan["timestamp"], scan["priority"] >= ALERT_PRIORITY
    if scan["not_before"] > now and scan["refusals"]:
        reason = str(scan["reason"] or "of something unknown").rstrip(".")
        code = ReasonCode(scan["reason_code"] or ReasonCode.SCANNER_START_REFUSED)
        return HoldUp(
            code, f"Its start was refused {_times(scan['refusals'])}, last because {reason}.", since
        )
    if not is_alert and alerts:
        return HoldUp(ReasonCode.ALERTS_FIRST, "Alerts go first.", since)
    if not is_alert and limits.running >= limits.scans_running:
        reason = f"The limit of scans that run at once is reached ({limits.scans_running})."
        return HoldUp(ReasonCode.RUNNING_LIMIT, reason, since)
    if not is_alert and limits.started >= limits.starts_per_minute:
        reason = f"The limit of starts within a minute is reached ({limits.starts_per_minute})."
        return HoldUp(ReasonCode.STARTS_LIMIT, reason, since)
    reason = "It starts with the next sweep, which runs once a minute."
    return HoldUp(ReasonCode.NEXT_SWEEP, reason, since)


def held_up(scan: Mapping[str, Any], *, now: float) -> HoldUp | None:
    """Say what holds up a scan that is placed or stopping; None where it goes on as it should.

    Args:
        scan: the fields of `ScanUnderWay`.
        now: seconds since the epoch.
    """
    since, clusters = scan["phase_since"], scan["ewms_task"]["clusters"]
    waited = now - since
    leaving = [one for one in clusters if one["state"] == ClusterState.STOPPING]
    match scan["phase"]:
        case Phase.LAUNCHING if leaving:
            reason = (
                f"It is launched again once the workers of its last attempt are gone: {_places(leaving)}."
            )
            return HoldUp(ReasonCode.FORMER_WORKERS_LEFT, reason, since)
        case Phase.LAUNCHING if waited > LONG_SECONDS:
            reason = f"Its scanner server is being started{_said(scan)}."
            return HoldUp(ReasonCode.SCANNER_STARTING, reason, since)
        case Phase.STARTING if waited > LONG_SECONDS:
            reason = f"Its scanner server was started, and is not ready for workers yet{_said(scan)}."
            return HoldUp(ReasonCode.SCANNER_STARTING, reason, since)
        case Phase.RUNNING:
            return _running(scan, now)
        case Phase.STOPPING if waited > REMOVAL_SECONDS:
            left = f"its workers on {_places(leaving)}" if leaving else "its scanner server"
            return HoldUp(ReasonCode.REMOVAL_PENDING, f"What is left is being removed: {left}.", since)
    return None


def _running(scan: Mapping[str, Any], now: float) -> HoldUp | None:
    progress = scan.get("progress") or {}
    if (progress.get("processing_stats") or {}).get("finished"):
        return None
    # Workers take a while to be started, and to be seen: clusters are looked at once a minute.
    is_new = now - scan["phase_since"] < LONG_SECONDS
    own = [one for one in scan["ewms_task"]["clusters"] if one["attempt"] == scan["attempt"]]
    live = [one for one in own if one["state"] in LIVE]
    if not live:
        said = [_place(one) for one in own if one["reason"]]
        if is_new and not said:
            return None
        reason = f"No workers have been started yet{': ' if said else ''}{'; '.join(said)}"
        return HoldUp(ReasonCode.WORKERS_NOT_STARTED, f"{reason.rstrip('.')}.", scan["phase_since"])
    running = n_known_running(scan)
    stale = [one for one in live if one["stale_since"]]
    if stale and not running:
        said = [f"{one['name']}: {one['stale_reason']}" for one in stale]
        reason = f"Nothing newer is known of its workers: {'; '.join(said).rstrip('.')}."
        return HoldUp(ReasonCode.LOCATION_SILENT, reason, max(one["stale_since"] for one in stale))
    report = scan.get("report")
    reported = report["at"] if report else scan["phase_since"]
    if not running:
        states = Counter[str]()
        for one in live:
            states.update({state: sum(pilots.values()) for state, pilots in one["statuses"].items()})
        if is_new and not states:
            return None
        seen = ", ".join(f"{n} {state}" for state, n in states.most_common()) or "none has been seen yet"
        reason = f"No worker runs on {', '.join(one['name'] for one in live)}: {seen}."
        return HoldUp(ReasonCode.WORKERS_NOT_RUNNING, reason, None)
    workers = f"{running} workers run"
    if now - reported > QUIET_SECONDS:
        return HoldUp(
            ReasonCode.SCANNER_SILENT, f"Its scanner server does not report, though {workers}.", reported
        )
    seen_at = scan.get("watched")
    if (
        seen_at is not None
        and (seen_at["attempt"], seen_at["done"]) == (scan["attempt"], pixels_done(progress))
        and now - seen_at["since"] > NO_PIXEL_SECONDS
    ):
        return HoldUp(ReasonCode.NO_NEW_PIXELS, f"No pixel is done, though {workers}.", seen_at["since"])
    return None


def _places(clusters: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(map(_place, clusters)).rstrip(".")


def _place(cluster: Mapping[str, Any]) -> str:
    return str(cluster["name"]) + (f" ({cluster['reason']})" if cluster["reason"] else "")


def _said(scan: Mapping[str, Any]) -> str:
    return f": {scan['reason'].rstrip('.')}" if scan["reason"] else ""


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"

"""The scan document: everything about a scan that can change."""

import re
from collections.abc import Mapping

from skydriver.model.documents import SCHEMA, EnvVars, FreeForm, HistoryLine, Outbox, Request, WholeScan
from skydriver.model.phases import Phase
from skydriver.model.reasons import Why, cut

MAX_HISTORY = 200
MAX_FAILED_TRIES = 50
MAX_RECENT = 10
"""The latest times that are kept of a failed try, for whatever counts them once a minute."""


def new_scan(
    request: Request,
    *,
    now: float,
    function: str,
    cause: str,
    scanner_server_args: str,
    tms_args: list[str],
    env_vars: EnvVars,
    classifiers: FreeForm,
    outbox: Outbox,
    trace: Mapping[str, str] | None = None,
    first_scan_id: str | None = None,
) -> WholeScan:
    """Make the document of a scan that was just asked for, with the events that this causes in its outbox.

    With `trace` it keeps where its trace begins, see `skydriver.telemetry.traces`. A rescan also keeps which
    scan was the first.
    """
    scan: WholeScan = {
        "_id": request["scan_id"],
        "schema": SCHEMA,
        # the manifest's fields
        "scan_id": request["scan_id"],
        "timestamp": now,
        "is_deleted": False,
        "scanner_server_args": scanner_server_args,
        "priority": request["priority"],
        "classifiers": classifiers,
        "event_i3live_json_dict__hash": None,
        "i3_event_id": request["i3_event_id"],
        "ewms_task": {"tms_args": tms_args, "env_vars": env_vars, "clusters": [], "complete": False},
        "event_metadata": None,
        "scan_metadata": None,
        "progress": None,
        "last_updated": now,
        "phase": Phase.QUEUED,
        "attempt": 0,
        "outcome": None,
        "reason": None,
        "reason_code": None,
        "submitted_by": request["submitted_by"],
        "replaced_by_scan_id": None,
        # what the service keeps for itself
        "request": request,
        "phase_since": now,
        "history": [history_entry(Phase.QUEUED, now=now, cause=cause, function=function)],
        "failed_tries": [],
        "outbox": outbox,
        "outbox_since": now,
        "not_before": 0.0,
        "refusals": 0,
        "report": None,
        "result": None,
        "scanner": {"leased_until": 0.0, "gone": True},
    }
    if trace:
        scan["trace"] = dict(trace)
    if first_scan_id:
        scan["first_scan_id"] = first_scan_id
    return scan


def history_entry(
    phase: str,
    *,
    now: float,
    cause: str,
    function: str,
    attempt: int | None = None,
    why: Why | None = None,
) -> HistoryLine:
    """Make one line of a scan's history: what phase was entered, when, why and by which function."""
    entry: HistoryLine = {"phase": phase, "time": now, "cause": cut(cause), "function": function}
    if attempt is not None:
        entry["attempt"] = attempt
    if why is not None:
        entry["reason"], entry["reason_code"] = cut(why.reason), why.code
    return entry


def scanner_name(scan_id: str, attempt: int) -> str:
    """Name the scanner server's Job of an attempt: `skyscan-ID`, later `skyscan-ID-N`."""
    return f"skyscan-{scan_id}" if attempt <= 1 else f"skyscan-{scan_id}-{attempt}"


def server_container_name(name: str) -> str:
    """Name the container of the server itself in a Job, by which dashboards know its log (v1's name)."""
    return name.replace("skyscan-", "skyscan-server-", 1)


def scanner_id(scan_id: str, attempt: int) -> str:
    """Name a scan as the scanner server of an attempt knows it: `ID`, later `ID_N`.

    The scanner names its queues by it, so what an earlier attempt left there never reaches a later one.
    """
    return scan_id if attempt <= 1 else f"{scan_id}_{attempt}"


def split_scanner_id(name: str) -> tuple[str, int | None]:
    """Resolve `ID` or `ID_N` to the scan's id and, where named, the attempt."""
    scan_id, _, attempt = name.partition("_")
    if scan_id and re.fullmatch(r"[1-9][0-9]{0,5}", attempt):
        return scan_id, int(attempt)
    return name, None

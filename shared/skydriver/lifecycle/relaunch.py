"""A scanner server died: its scan is launched again, finishes, or fails."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish
from skydriver.lifecycle.fail import fail
from skydriver.lifecycle.finish import finish
from skydriver.model.states import ClusterState
from skydriver.model.transitions import Fact
from skydriver.scanner.protocol import ScannerState, ScannerStatus
from skydriver.settings import settings
from skydriver.store import scans


class Verdict(Enum):
    """What is to become of a scan."""

    GO_ON = "go on"
    FINISH = "finish"
    RELAUNCH = "relaunch"
    FAIL = "fail"


@dataclass(frozen=True)
class Decision:
    """What is to become of a scan, and why."""

    verdict: Verdict
    reason: str = ""


def judge(scan: Mapping[str, Any], status: ScannerStatus | None, *, max_attempts: int) -> Decision:
    """Decide on a scan that should have a scanner server.

    A scan with a final result is never launched again: it is finished once its server is gone. A server that
    ended well without one makes it fail; one that died of something transient, or has disappeared, is
    launched again, up to `max_attempts` times in all.

    Args:
        scan: the scan, read after `status` was.
        status: of the scanner server of its attempt, None if there is none.
        max_attempts: how many scanner servers a scan may use up.
    """
    if status is not None and status.state in (ScannerState.PENDING, ScannerState.RUNNING):
        return Decision(Verdict.GO_ON)
    if scan["result"] and scan["result"]["is_final"]:
        return Decision(
            Verdict.FINISH, "the final result is there; the scanner server ended before its last progress"
        )
    if status is None:
        reason, transient = "the scanner server has disappeared", True
    elif status.state is ScannerState.SUCCEEDED:
        reason, transient = "the scanner server ended without a final result", False
    else:
        reason, transient = status.reason or "the scanner server died", status.transient
    if not transient:
        return Decision(Verdict.FAIL, reason)
    if scan["attempt"] >= max_attempts:
        return Decision(Verdict.FAIL, f"{reason}, and so did those before it: given up after {max_attempts}")
    return Decision(Verdict.RELAUNCH, reason)


async def act(scan: Mapping[str, Any], decision: Decision, *, function: str) -> None:
    """Carry a decision out."""
    scan_id, attempt = scan["_id"], scan["attempt"]
    match decision.verdict:
        case Verdict.GO_ON:
            pass
        case Verdict.FINISH:
            await finish(
                scan_id, attempt=attempt, function=function, cause="scanner gone", reason=decision.reason
            )
        case Verdict.FAIL:
            await fail(
                scan_id, reason=decision.reason, function=function, cause="scanner gone", attempt=attempt
            )
        case Verdict.RELAUNCH:
            await _relaunch(scan, decision.reason, function=function)


async def _relaunch(scan: Mapping[str, Any], reason: str, *, function: str) -> None:
    scan_id, attempt = scan["_id"], scan["attempt"]
    outbox = entry(
        Fact.REQUESTED,
        subject=scan_id,
        function=function,
        cause=f"attempt-{attempt + 1}",
        priority=scan["priority"],
    )
    for cluster in scan["ewms_task"]["clusters"]:
        if cluster["state"] != ClusterState.GONE:
            uuid = cluster["uuid"]
            outbox |= entry(
                Fact.WORKERS_UNWANTED, subject=scan_id, function=function, cause=uuid, data={"uuid": uuid}
            )
    change = await scans.advance(
        scan_id,
        Fact.RELAUNCHED,
        function=function,
        cause=reason,
        attempt=attempt,
        reason=f"launched again: {reason}",
        outbox=outbox,
        unwanted_clusters=True,
        # Whoever holds the lease is still at the former attempt's server.
        guard={"result.is_final": {"$ne": True}, "scanner.leased_until": {"$lte": time.time()}},
    )
    if change is not None and change.applied:
        await publish(scan_id, outbox)


def is_due(scan: Mapping[str, Any], listed_at: float) -> bool:
    """Say whether the server of a STARTING or RUNNING scan must be on a list made at a time.

    It was there when the scan entered this phase, by its own word or by its launcher's, whichever came first.
    """
    entered_at: float = scan["phase_since"]
    return entered_at < listed_at - settings().call_timeout

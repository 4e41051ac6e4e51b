"""What is to become of a scan whose scanner server or workers are dead, or that takes too long."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish
from skydriver.lifecycle.fail import fail
from skydriver.lifecycle.finish import finish, is_finished
from skydriver.model.states import PLACED, ClusterState, Phase
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
    """What is to become of a scan.

    Attributes:
        verdict: what.
        cause: in a few words, for the history.
        reason: in a sentence, for whoever is on shift; None where there is nothing to say.
    """

    verdict: Verdict
    cause: str = ""
    reason: str | None = None


GO_ON = Decision(Verdict.GO_ON)


def decide(scan: Mapping[str, Any], server: ScannerStatus | None, now: float) -> Decision:
    """Decide on a scan that is placed: the first that holds, of all that can end it or launch it again.

    Args:
        scan: the scan, read after its server was looked for.
        server: the scanner server of its attempt, None if there is none.
        now: when it was looked for, in seconds since the epoch.
    """
    if scan["phase"] in PLACED and is_finished(scan):
        return Decision(Verdict.FINISH, "sweep")
    if scan["phase"] not in (Phase.STARTING, Phase.RUNNING):
        return GO_ON
    # It was there when the scan entered this phase, by its own word or by its launcher's.
    must_be_there = scan["phase_since"] < now - settings().call_timeout
    if must_be_there and (server is None or not server.is_alive):
        return _without_server(scan, server)
    if scan["phase"] == Phase.STARTING:
        deadline = settings().startup_deadline
        if now - scan["phase_since"] > deadline:
            reason = f"the scanner server did not become ready within {deadline} s"
            return Decision(Verdict.FAIL, "sweep", reason)
        return GO_ON
    dead = all_workers_dead(scan["ewms_task"]["clusters"], now=now, grace=settings().workers_dead_grace)
    return GO_ON if dead is None else Decision(Verdict.FAIL, "workers gone", dead)


def _without_server(scan: Mapping[str, Any], server: ScannerStatus | None) -> Decision:
    """Decide on a scan whose scanner server is dead.

    With a final result it is never launched again, but finished. A server that ended well without one makes
    it fail; one that died of something transient, or has disappeared, is launched again, as often as
    MAX_ATTEMPTS allows.
    """
    cause = "scanner gone"
    if scan["result"] and scan["result"]["is_final"]:
        reason = "the final result is there; the scanner server ended before its last progress"
        return Decision(Verdict.FINISH, cause, reason)
    if server is None:
        reason, transient = "the scanner server has disappeared", True
    elif server.state is ScannerState.SUCCEEDED:
        reason, transient = "the scanner server ended without a final result", False
    else:
        reason, transient = server.reason or "the scanner server died", server.transient
    if not transient:
        return Decision(Verdict.FAIL, cause, reason)
    most = settings().max_attempts
    if scan["attempt"] >= most:
        return Decision(Verdict.FAIL, cause, f"{reason}, and so did those before it: given up after {most}")
    return Decision(Verdict.RELAUNCH, cause, reason)


def all_workers_dead(clusters: Sequence[Mapping[str, Any]], *, now: float, grace: float) -> str | None:
    """Say why, if all workers on all clusters that count have been dead for the grace time.

    Clusters that are gone (of an earlier attempt) do not count; one cluster that works is enough, and so is
    one of which it is not known at present whether it does.

    Args:
        clusters: a scan's cluster entries.
        now: seconds since the epoch.
        grace: seconds.
    """
    counted = [
        cluster for cluster in clusters if cluster["state"] not in (ClusterState.GONE, ClusterState.UNWANTED)
    ]
    if not counted or not all(_is_dead(cluster, now - grace) for cluster in counted):
        return None
    return "; ".join(map(_words, counted))


def _is_dead(cluster: Mapping[str, Any], since: float) -> bool:
    if cluster["state"] == ClusterState.STARTED and cluster.get("stale_since") is not None:
        return False
    return cluster["dead_since"] is not None and cluster["dead_since"] <= since


def _words(cluster: Mapping[str, Any]) -> str:
    workers = f"all {cluster['n_workers']} workers on {cluster['name']}"
    if cluster["state"] == ClusterState.FAILED:
        return f"{workers} could not be started: {cluster['reason']}"
    return f"{workers} {cluster['reason'] or 'ended without a final result'}"


async def act(scan: Mapping[str, Any], decision: Decision, *, function: str) -> None:
    """Carry a decision out."""
    scan_id, attempt, cause, reason = scan["_id"], scan["attempt"], decision.cause, decision.reason or ""
    match decision.verdict:
        case Verdict.GO_ON:
            pass
        case Verdict.FINISH:
            await finish(scan_id, attempt=attempt, function=function, cause=cause, reason=decision.reason)
        case Verdict.FAIL:
            await fail(scan_id, reason=reason, function=function, cause=cause, attempt=attempt)
        case Verdict.RELAUNCH:
            await _relaunch(scan, reason, function=function)


async def _relaunch(scan: Mapping[str, Any], reason: str, *, function: str) -> None:
    """Let a scan's next attempt begin, once the workers of this one are gone."""
    scan_id, attempt, clusters = scan["_id"], scan["attempt"], scan["ewms_task"]["clusters"]
    outbox: dict[str, dict[str, Any]] = {}
    for cluster in clusters:
        if cluster["state"] != ClusterState.GONE:
            uuid = cluster["uuid"]
            outbox |= entry(
                Fact.WORKERS_UNWANTED, subject=scan_id, function=function, cause=uuid, data={"uuid": uuid}
            )
    if not outbox:
        # With workers left the launch would be refused: the last of them to be stopped asks for it.
        outbox = entry(
            Fact.REQUESTED,
            subject=scan_id,
            function=function,
            cause=f"attempt-{attempt + 1}",
            priority=scan["priority"],
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
        guard={
            "result.is_final": {"$ne": True},
            # A launcher that holds the lease is still at the former attempt's server.
            "scanner.leased_until": {"$lte": time.time()},
            # The events are those of the clusters that were seen.
            "ewms_task.clusters": {"$size": len(clusters)},
        },
    )
    if change is not None and change.applied:
        await publish(scan_id, outbox)

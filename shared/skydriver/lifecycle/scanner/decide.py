"""What is to become of a scan whose scanner server or workers are dead, or that takes too long."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from skydriver.eventing.events import cluster_event
from skydriver.lifecycle.transition import apply, fail, finish, is_finished
from skydriver.model.documents import ClusterAlive, Outbox, ScanAlive
from skydriver.model.phases import PLACED, ClusterState, Phase
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.tallies import pixels_done
from skydriver.model.transitions import Fact
from skydriver.model.workforce import n_known_running, n_running
from skydriver.scanner.command_line import era_of_request
from skydriver.scanner.era import Era, may_stall, survives_its_server
from skydriver.scanner.protocol import ScannerState, ScannerStatus
from skydriver.settings import settings
from skydriver.store.scans import document as scan_document


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
        why: None where there is nothing to say.
    """

    verdict: Verdict
    why: Why | None = None


GO_ON = Decision(Verdict.GO_ON)
_AGAIN = (ReasonCode.SCANNER_DISAPPEARED, ReasonCode.SCANNER_DIED, ReasonCode.SCANNER_STALLED)
"""What another launch may help against."""


def decide(scan: ScanAlive, server: ScannerStatus | None, now: float) -> Decision:
    """Decide on a scan that is placed: the first that holds, of all that can end it or launch it again.

    With a final result it is never failed nor launched again, but finished: its last progress report may
    never come. Without one it is launched again, as often as MAX_ATTEMPTS allows, where that may help; else
    it fails.

    Args:
        scan: the scan, read after its server was looked for.
        server: the scanner server of its attempt, None if there is none.
        now: when it was looked for, in seconds since the epoch.
    """
    if scan["phase"] in PLACED and is_finished(scan):
        return Decision(Verdict.FINISH)
    if scan["phase"] not in (Phase.STARTING, Phase.RUNNING):
        return GO_ON
    why = _failure(scan, server, now)
    if why is None:
        return GO_ON
    if scan["result"] and scan["result"]["is_final"]:
        reason = "the final result is there; the last progress of its scanner server is awaited no longer"
        return Decision(Verdict.FINISH, Why(ReasonCode.FINAL_RESULT_ONLY, reason))
    if why.code not in _AGAIN:
        return Decision(Verdict.FAIL, why)
    most = settings().max_attempts
    if scan["attempt"] >= most:
        reason = f"{why.reason}, and so did those before it: given up after {most}"
        return Decision(Verdict.FAIL, Why(ReasonCode.SCANNER_GIVEN_UP, reason))
    return Decision(Verdict.RELAUNCH, why)


def _failure(scan: ScanAlive, server: ScannerStatus | None, now: float) -> Why | None:
    """Say what keeps a scan that is starting or running from going on; None if nothing does."""
    # It was there when the scan entered this phase, by its own word or by its launcher's.
    must_be_there = scan["phase_since"] < now - settings().call_timeout
    if must_be_there and (server is None or not server.is_alive):
        return _why_dead(scan, server)
    if scan["phase"] == Phase.STARTING:
        deadline = settings().startup_deadline
        if now - scan["phase_since"] > deadline:
            reason = f"the scanner server did not become ready within {deadline} s"
            if server is not None and server.reason is not None:
                reason = f"{reason}: {server.reason}"
            return Why(ReasonCode.SCANNER_NOT_READY, reason)
        return None
    dead = all_workers_dead(scan["ewms_task"]["clusters"], now=now, grace=settings().workers_dead_grace)
    if dead is not None:
        return Why(ReasonCode.ALL_WORKERS_DEAD, dead)
    return _stalled(scan, now)


async def watch(scan: ScanAlive, now: float) -> None:
    """Note how far a running scan has come, and since when no pixel was done while workers are known to run.

    The scan that is given is brought up to date, too.
    """
    if scan["phase"] != Phase.RUNNING or not may_stall(_era(scan)):
        return
    done, seen = pixels_done(scan.get("progress")), scan.get("watched")
    same = seen is not None and (seen["attempt"], seen["done"]) == (scan["attempt"], done)
    if same and n_known_running(scan):
        return
    if same and seen is not None and now - seen["since"] < settings().redrive_after:
        return  # where none is known to run the time begins anew: that need not be written each time
    scan["watched"] = {"attempt": scan["attempt"], "done": done, "since": now}
    await scan_document.set_fields(scan["_id"], {"watched": scan["watched"]})


def _stalled(scan: ScanAlive, now: float) -> Why | None:
    """Say why a scan is taken for stalled: its server may wait for ever for a pixel that was lost.

    A server's reports do not show whether it waits in vain (skymap_scanner v4.2.1, `collector.py`). This rule
    ends the server, and counts only while workers are known to run; `sweep.notice_stalls` only announces.
    """
    seen = scan.get("watched")
    if seen is None or not may_stall(_era(scan)) or not (running := n_known_running(scan)):
        return None
    # Whatever the setting says, a pixel may be begun, given back and done by another.
    deadline = max(settings().pixel_deadline, 3.0 * scan["request"]["max_pixel_reco_time"])
    if seen["attempt"] != scan["attempt"] or now - seen["since"] <= deadline:
        return None
    reason = (
        f"no pixel was done for {deadline:g} s, though {running} workers run: "
        f"the scanner server waits for what does not come"
    )
    return Why(ReasonCode.SCANNER_STALLED, reason)


def _era(scan: ScanAlive) -> Era:
    return era_of_request(scan["request"], settings())


def _why_dead(scan: ScanAlive, server: ScannerStatus | None) -> Why:
    if server is None:
        return Why(ReasonCode.SCANNER_DISAPPEARED, "the scanner server has disappeared")
    if server.state is ScannerState.SUCCEEDED:
        return Why(ReasonCode.SCANNER_WITHOUT_RESULT, "the scanner server ended without a final result")
    if server.timed_out:
        code = ReasonCode.SCANNER_TIMED_OUT
    elif server.transient or _has_worked(scan):
        code = ReasonCode.SCANNER_DIED
    else:
        code = ReasonCode.SCANNER_FAILED
    return Why(code, server.reason or "the scanner server died")


def _has_worked(scan: ScanAlive) -> bool:
    """Say whether a server that has ended by itself was at work before.

    Since v4 one ends with every connection to the broker that it loses, and its last words tell little.
    """
    if not survives_its_server(_era(scan)):
        return False
    return pixels_done(scan.get("progress")) > 0 or n_running(scan) > 0


def all_workers_dead(clusters: Sequence[ClusterAlive], *, now: float, grace: float) -> str | None:
    """Say why, if all workers on all clusters that count have been dead for the grace time.

    Clusters that are gone (of an earlier attempt) do not count; one cluster that works is enough, and so is
    one of which it is not known at present whether it does.

    Args:
        clusters: a scan's cluster entries.
        now: seconds since the epoch.
        grace: seconds.
    """
    counted = [
        cluster
        for cluster in clusters
        if cluster["state"] not in (ClusterState.STOPPED, ClusterState.STOPPING)
    ]
    if not counted or not all(_is_dead(cluster, now - grace) for cluster in counted):
        return None
    return "; ".join(map(_words, counted))


def _is_dead(cluster: ClusterAlive, since: float) -> bool:
    if cluster["state"] == ClusterState.STARTED and cluster.get("stale_since") is not None:
        return False
    return cluster["dead_since"] is not None and cluster["dead_since"] <= since


def _words(cluster: ClusterAlive) -> str:
    workers = f"all {cluster['n_workers']} workers on {cluster['name']}"
    if cluster["state"] == ClusterState.FAILED:
        return f"{workers} could not be started: {cluster['reason']}"
    return f"{workers} {cluster['reason'] or 'ended without a final result'}"


async def act(scan: ScanAlive, decision: Decision) -> None:
    """Carry a decision out."""
    match decision:
        case Decision(Verdict.FINISH, why):
            await finish(scan["_id"], attempt=scan["attempt"], why=why)
        case Decision(Verdict.FAIL, Why() as why):
            await fail(scan["_id"], why, attempt=scan["attempt"])
        case Decision(Verdict.RELAUNCH, Why() as why):
            await _relaunch(scan, why)


async def _relaunch(scan: ScanAlive, why: Why) -> None:
    """Let a scan's next attempt begin, once the workers of this one are gone."""
    scan_id, attempt, clusters = scan["_id"], scan["attempt"], scan["ewms_task"]["clusters"]
    outbox: Outbox = {}
    for cluster in clusters:
        if cluster["state"] != ClusterState.STOPPED:
            outbox |= cluster_event(Fact.WORKERS_UNWANTED, scan_id, cluster["uuid"])
    await apply(
        scan_id,
        Fact.RELAUNCHED,
        attempt=attempt,
        why=Why(why.code, f"launched again: {why.reason}"),
        outbox=outbox,
        # They are counted by attempt: each server has as many tries to start.
        fields={"refusals": 0},
        # With workers left the launch would be refused: the last of them to be stopped asks for it.
        announce=not outbox,
        cause=f"attempt-{attempt + 1}",
        priority=scan["priority"],
        guard={
            "result.is_final": {"$ne": True},
            # A launcher that holds the lease is still at the former attempt's server.
            "scanner.leased_until": {"$lte": time.time()},
            # The events are those of the clusters that were seen.
            "ewms_task.clusters": {"$size": len(clusters)},
        },
    )

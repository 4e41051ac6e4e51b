"""A scanner reports: progress, metadata, results.

A report that the scan does not take changes nothing and is an error of its own, `NotTaken`: a scanner is
answered as if nothing had happened, since an error would kill it, and anybody else is told why.
"""

import time
from collections.abc import Mapping
from typing import Any, cast

from skydriver.errors import Conflict, NotTaken, ScanNotFound
from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import publish
from skydriver.lifecycle.transition import finish, is_finished
from skydriver.model.documents import (
    EventMetadata,
    Metadata,
    Outbox,
    ResultPointer,
    Scan,
    ScanPhase,
    ScanReported,
)
from skydriver.model.phases import PLACED, ClusterState
from skydriver.model.reports import ClusterReport, ManifestReport
from skydriver.model.scan import scanner_id
from skydriver.model.transitions import Fact
from skydriver.model.worker_figures import bounded_errors, bounded_statuses
from skydriver.model.worker_pools import (
    MAX_CLUSTERS,
    CondorCluster,
    KubernetesCluster,
    cluster_entry,
    why_dead,
)
from skydriver.settings import known_clusters_at, settings
from skydriver.store import results
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import reports as scan_reports

REPORTED: dict[str, type[CondorCluster | KubernetesCluster]] = {
    "condor": CondorCluster,
    "k8s": KubernetesCluster,
}
"""The kinds of clusters that others may start."""
EMPTY = b"{}"
"""A result with nothing in it, which v1's scanners send at times (v1 did not store it)."""


async def report_manifest(scan_id: str, *, attempt: int, report: ManifestReport) -> Scan:
    """Take a scanner's progress and metadata.

    Returns:
        The scan as it is afterwards. A report that is older than the last one, or says what the scan holds
        already, changes nothing.

    Raises:
        ScanNotFound: there is no such scan.
        NotTaken: it is at another attempt, or has no scanner server that could report.
        Conflict: metadata differ from those stored; they are written once.
    """
    said: dict[str, object] = {}
    metadata = _metadata(scan_id, attempt, report)
    outbox: Outbox = {}
    scan: Scan | None = None
    if report.progress is not None:
        said["progress"] = report.progress.model_dump()
        finished = report.progress.processing_stats.finished
        outbox = _announced(
            Fact.PROGRESS_REPORTED,
            scan_id,
            cause=f"{attempt}-{'finished' if finished else report.progress.last_updated}",
        )
        scan = await scan_reports.report_progress(
            scan_id,
            attempt=attempt,
            order=report.progress.last_updated,
            finished=finished,
            fields=said,
            metadata=metadata,
            outbox=outbox,
        )
    elif metadata:
        scan = await scan_reports.report_metadata(scan_id, attempt=attempt, metadata=metadata)
    if scan is None:
        return await _unchanged(scan_id, attempt, said, metadata)
    await publish(scan_id, outbox)
    if is_finished(scan) and scan["phase"] in PLACED:
        return await finish(scan_id, attempt=attempt)
    return scan


def _announced(fact: Fact, scan_id: str, *, cause: str) -> Outbox:
    """Make the entry of an outbox for a report, if this installation announces such reports."""
    if fact not in settings().announced:
        return {}
    return outbox_entry(fact, subject=scan_id, cause=cause)


async def report_cluster(scan_id: str, report: ClusterReport) -> Scan:
    """Take a report on a worker cluster that was started by others.

    Its workers are dead once the report says that all of them are held or have ended; the sweep decides what
    this means for the scan, as of clusters that are observed.

    Returns:
        The scan as it is afterwards.

    Raises:
        ScanNotFound: there is no such scan.
        NotTaken: the cluster is a new one, and the scan takes no workers, or has as many clusters as it may.
    """
    scan = await scan_document.get_part(scan_id, ScanPhase)
    if scan is None:
        raise ScanNotFound(scan_id)
    location = report.location.model_dump()
    known = REPORTED[report.orchestrator].model_validate(
        {"orchestrator": report.orchestrator, "location": location}
    )
    entry = cluster_entry(
        name=next(iter(known_clusters_at(report.orchestrator, location)), known.at),
        known=known,
        n_workers=report.n_workers,
        uuid=report.uuid,
        attempt=scan["attempt"],
    )
    entry["state"] = ClusterState.REPORTED
    taken = await scan_clusters.report_cluster(
        scan_id,
        report.uuid,
        {
            **report.model_dump(exclude={"uuid"}),
            "statuses": bounded_statuses(report.statuses),
            "top_task_errors": bounded_errors(report.top_task_errors),
        },
        entry=entry,
        limit=MAX_CLUSTERS,
        why_dead=why_dead(report.n_workers, report.statuses, report.top_task_errors),
    )
    if not taken:
        raise NotTaken(
            f"the scan is {scan['phase']}: new worker clusters are taken in STARTING and RUNNING only, "
            f"and up to {MAX_CLUSTERS}"
        )
    reported = await scan_document.get(scan_id)
    if reported is None:
        raise ScanNotFound(scan_id)
    return reported


def _metadata(scan_id: str, attempt: int, report: ManifestReport) -> Metadata:
    metadata: Metadata = {}
    if report.event_metadata is not None:
        metadata["event_metadata"] = cast(EventMetadata, report.event_metadata.model_dump())
    if report.scan_metadata is not None:
        own = dict(report.scan_metadata)
        if own.get("scan_id") == scanner_id(scan_id, attempt):
            # A later attempt's server knows the scan by another name, which must not look like a change.
            own["scan_id"] = scan_id
        metadata["scan_metadata"] = _ordered(own)
    return metadata


def _ordered(value: Any) -> Any:
    """Sort the keys of objects: to MongoDB, objects that differ in the order of their keys are not equal."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


async def _unchanged(
    scan_id: str, attempt: int, said: Mapping[str, object], metadata: Mapping[str, object]
) -> Scan:
    """Answer a report that has changed nothing."""
    scan = await scan_document.get(scan_id)
    if scan is None:
        raise ScanNotFound(scan_id)
    stored: Mapping[str, object] = scan
    if all(stored[name] == value for name, value in {**said, **metadata}.items()):
        return scan
    check_reports(scan, attempt)
    for name, value in metadata.items():
        if stored[name] is not None and stored[name] != value:
            raise Conflict(f"Cannot change an existing {name}")
    return scan


def check_reports(scan: ScanPhase | Scan, attempt: int) -> None:
    """Check that a scan takes the reports of an attempt's scanner server.

    Raises:
        NotTaken: it does not.
    """
    if scan["phase"] not in PLACED:
        raise NotTaken(
            f"the scan is {scan['phase']}, so the report was not taken: scans take reports in "
            f"{', '.join(PLACED)} only"
        )
    if scan["attempt"] != attempt:
        own = scanner_id(scan["_id"], scan["attempt"])
        raise NotTaken(
            f"the scan is at attempt {scan['attempt']}, so the report of attempt {attempt} was not taken: "
            f"its scanner server reports as '{own}'"
        )


async def report_result(scan_id: str, *, attempt: int, content: bytes | memoryview, is_final: bool) -> bool:
    """Take a scanner's result, as JSON; an empty one (`{}`) is not stored.

    A final result is never replaced; a repeat of it changes nothing. A partial one never takes the place of
    one that came later. The first one of a scan is announced, once for all its attempts.

    Returns:
        Whether it is the scan's result now.

    Raises:
        ScanNotFound: there is no such scan.
        NotTaken: it is at another attempt, has no scanner server that could report, or holds a result that
            this one does not replace.
    """
    if content == EMPTY:
        return False
    came_at = time.time()
    now = await scan_document.get_part(scan_id, ScanReported)
    if now is None:
        raise ScanNotFound(scan_id)
    if now["phase"] not in PLACED or now["attempt"] != attempt:
        if await _is_result(now, content, is_final=is_final):
            return True
        check_reports(now, attempt)
    version = await results.put(scan_id, content)
    outbox = _announced(Fact.RESULT_REPORTED, scan_id, cause=str(version))
    first = outbox_entry(Fact.FIRST_RESULT, subject=scan_id, cause="0")
    pointer: ResultPointer = {
        "version": version,
        "is_final": is_final,
        "attempt": attempt,
        "bytes": len(content),
        "came_at": came_at,
    }
    taken, scan = await scan_reports.point_to_result(
        scan_id,
        attempt=attempt,
        pointer=pointer,
        outbox=outbox,
        first=first if "first_result_at" not in now else None,
    )
    if not taken:
        await results.remove(scan_id, version)
    elif scan is not None and scan["result"]:
        await results.remove(scan_id, scan["result"]["version"])
    if scan is None:
        raise ScanNotFound(scan_id)
    if taken:
        await publish(scan_id, outbox if "first_result_at" in scan else {**outbox, **first})
        scan["result"] = pointer
    if is_finished(scan) and scan["phase"] in PLACED:
        await finish(scan_id, attempt=attempt)
    if taken or await _is_result(scan, content, is_final=is_final):
        return True
    check_reports(scan, attempt)
    raise NotTaken("the scan has its final result, or one that came later: this one was not taken")


async def _is_result(scan: ScanReported, content: bytes | memoryview, *, is_final: bool) -> bool:
    """Say whether a scan's result is this one: what had no answer is sent again."""
    pointer = scan["result"]
    if not pointer or pointer["is_final"] != is_final or pointer["bytes"] != len(content):
        return False
    return await results.whole(scan["_id"], pointer) == content

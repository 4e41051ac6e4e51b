"""A scanner reports: progress, metadata, results. What is stale changes nothing and is no error."""

import time
from typing import Any

from skydriver.errors import Conflict, NotFound
from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish
from skydriver.lifecycle.finish import finish, is_finished
from skydriver.model.clusters import CondorCluster, KubernetesCluster, cluster_entry, location_key
from skydriver.model.reports import ClusterReport, ManifestReport
from skydriver.model.scan import scanner_id
from skydriver.model.states import PLACED, ClusterState
from skydriver.model.transitions import Fact
from skydriver.settings import known_clusters
from skydriver.store import results, scan_clusters, scan_reports, scans

REPORTED: dict[str, type[CondorCluster | KubernetesCluster]] = {
    "condor": CondorCluster,
    "k8s": KubernetesCluster,
}
"""The kinds of clusters that somebody else may start."""


async def report_manifest(
    scan_id: str, *, attempt: int, report: ManifestReport, function: str
) -> dict[str, Any]:
    """Take a scanner's progress and metadata.

    Returns:
        The scan as it is afterwards.

    Raises:
        NotFound: there is no such scan.
        Conflict: metadata differ from those stored; they are written once.
    """
    metadata = _metadata(scan_id, attempt, report)
    outbox: dict[str, dict[str, Any]] = {}
    scan: dict[str, Any] | None = None
    if report.progress is not None:
        progress = report.progress.model_dump()
        finished = report.progress.processing_stats.finished
        outbox = entry(
            Fact.PROGRESS_REPORTED,
            subject=scan_id,
            function=function,
            cause=f"{attempt}-{'finished' if finished else report.progress.last_updated}",
        )
        scan = await scan_reports.report_progress(
            scan_id,
            attempt=attempt,
            order=report.progress.last_updated,
            finished=finished,
            fields={"progress": progress},
            metadata=metadata,
            outbox=outbox,
        )
    elif metadata:
        scan = await scan_reports.report_metadata(scan_id, attempt=attempt, metadata=metadata)
    if scan is None:
        return await _not_taken(scan_id, attempt, metadata)
    await publish(scan_id, outbox)
    if is_finished(scan) and scan["phase"] in PLACED:
        await finish(scan_id, attempt=attempt, function=function, cause="final progress")
        return await scans.get(scan_id) or scan
    return scan


async def report_cluster(scan_id: str, report: ClusterReport) -> None:
    """Take what somebody says of a worker cluster that they have started.

    Raises:
        NotFound: there is no such scan.
    """
    scan = await scans.get(scan_id, ["attempt"])
    if scan is None:
        raise NotFound(f"there is no scan '{scan_id}'")
    fields = report.model_dump(exclude={"uuid"})
    known = REPORTED[report.orchestrator].model_validate(
        {"orchestrator": report.orchestrator, "location": fields["location"]}
    )
    at = location_key(report.orchestrator, fields["location"])
    entry = cluster_entry(
        name=_name_at(at) or at,
        known=known,
        n_workers=report.n_workers,
        uuid=report.uuid,
        attempt=scan["attempt"],
    )
    await scan_clusters.report_cluster(
        scan_id, report.uuid, fields, entry={**entry, **fields, "state": ClusterState.REPORTED}
    )


def _name_at(location: str) -> str | None:
    for name, known in known_clusters().items():
        if location_key(known.orchestrator, known.location.model_dump()) == location:
            return name
    return None


def _metadata(scan_id: str, attempt: int, report: ManifestReport) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if report.event_metadata is not None:
        metadata["event_metadata"] = report.event_metadata.model_dump()
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


async def _not_taken(scan_id: str, attempt: int, metadata: dict[str, Any]) -> dict[str, Any]:
    scan = await scans.get(scan_id)
    if scan is None:
        raise NotFound(f"there is no scan '{scan_id}'")
    if scan["attempt"] == attempt:
        for name, value in metadata.items():
            if scan[name] is not None and scan[name] != value:
                raise Conflict(f"Cannot change an existing {name}")
    return scan


async def report_result(scan_id: str, *, attempt: int, content: bytes, is_final: bool, function: str) -> None:
    """Take a scanner's result, as JSON.

    A final result is never replaced; a repeat of it changes nothing. A partial one never takes the place of
    one that came later.

    Raises:
        NotFound: there is no such scan.
    """
    came_at = time.time()
    now = await scans.get(scan_id, ["phase", "attempt"])
    if now is None:
        raise NotFound(f"there is no scan '{scan_id}'")
    if now["phase"] not in PLACED or now["attempt"] != attempt:
        return
    version = await results.put(scan_id, content)
    outbox = entry(Fact.RESULT_REPORTED, subject=scan_id, function=function, cause=str(version))
    pointer = {
        "version": version,
        "is_final": is_final,
        "attempt": attempt,
        "bytes": len(content),
        "came_at": came_at,
    }
    taken, scan = await scan_reports.point_to_result(scan_id, attempt=attempt, pointer=pointer, outbox=outbox)
    if not taken:
        await results.remove(scan_id, version)
    elif scan is not None and scan["result"]:
        await results.remove(scan_id, scan["result"]["version"])
    if taken:
        await publish(scan_id, outbox)
    if scan is None or scan["phase"] not in PLACED:
        return
    if taken:
        scan["result"] = pointer
    if is_finished(scan):
        await finish(scan_id, attempt=attempt, function=function, cause="final result")

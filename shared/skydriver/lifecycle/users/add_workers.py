"""A user gives a scan more workers: `POST /scan/SCAN_ID/actions/add-workers`."""

from typing import Any

from skydriver.errors import Busy, Conflict, InvalidArguments, ScanNotFound
from skydriver.eventing.outbox import publish
from skydriver.lifecycle.users.limits import check_clusters
from skydriver.lifecycle.users.store_scan import describe_starters
from skydriver.lifecycle.workers.request_workers import cluster_entries
from skydriver.model.documents import Cluster, Outbox, Scan, ScanToGrow
from skydriver.model.phases import COMPLETE, Phase
from skydriver.model.worker_pools import MAX_CLUSTERS
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document

TRIES = 5


async def add_workers(scan_id: str, clusters: list[tuple[str, int]]) -> Scan:
    """Add clusters to a scan's request, and ask for their workers if it has workers already.

    Before that they are asked for together with the others, and so they are on every later attempt.

    Args:
        scan_id: the scan.
        clusters: names and numbers of workers.

    Returns:
        The scan afterwards.

    Raises:
        ScanNotFound: there is no such scan.
        Conflict: it is complete.
        InvalidArguments: an unknown cluster, or too many workers for it together with those that the scan
            has.
        Busy: others change the scan at the same time, again and again.
    """
    for _ in range(TRIES):
        scan = await scan_document.get_part(scan_id, ScanToGrow)
        if scan is None:
            raise ScanNotFound(scan_id)
        if scan["phase"] in COMPLETE:
            raise Conflict("the scan is complete: it takes no more workers; ask for a rescan instead")
        changed = await _add(scan, [list(pair) for pair in clusters])
        if changed is not None:
            return changed
    raise Busy("the scan changes all the time; try again")


async def _add(scan: ScanToGrow, clusters: list[list[Any]]) -> Scan | None:
    scan_id, attempt, request = scan["_id"], scan["attempt"], scan["request"]
    before = request["request_clusters"]
    together = [*before, *clusters]
    if len(together) > MAX_CLUSTERS:
        raise InvalidArguments({"cluster": f"a scan has {MAX_CLUSTERS} clusters at most"})
    names = {name for name, _ in clusters}
    check_clusters(
        [(name, n_workers) for name, n_workers in together if name in names],
        debug=bool(request["debug_mode"]),
    )
    entries: list[Cluster] = []
    outbox: Outbox = {}
    has_workers = any(cluster["attempt"] == attempt for cluster in scan["ewms_task"]["clusters"])
    if scan["phase"] == Phase.RUNNING and has_workers:
        added = list(enumerate(clusters, start=len(before)))
        entries, outbox = cluster_entries(scan_id, added, attempt=attempt)
    tms_args, tms_starters = describe_starters({**request, "request_clusters": together})
    changed = await scan_clusters.ask_for_clusters(
        scan_id,
        clusters,
        phase=Phase(scan["phase"]),
        attempt=attempt,
        asked=len(before),
        has_workers=has_workers,
        tms_args=tms_args[len(before) :],
        tms_starters=tms_starters[len(before) :],
        entries=entries,
        outbox=outbox,
    )
    if changed is not None:
        await publish(scan_id, outbox)
    return changed

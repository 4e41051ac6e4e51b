"""The workers of a running scan are asked for."""

import time
from collections.abc import Collection
from typing import Any

from skydriver.errors import Busy, ScanNotFound
from skydriver.eventing.events import cluster_event
from skydriver.eventing.outbox import publish, publish_pending
from skydriver.lifecycle.transition import fail
from skydriver.model.documents import Cluster, Outbox, ScanWithRequest
from skydriver.model.phases import Phase
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import cluster_entry, cluster_uuid
from skydriver.settings import known_clusters
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document


async def request_workers(scan_id: str) -> None:
    """Ask for the workers of a running scan that were not asked for yet, one event a cluster.

    Raises:
        Busy: the request's clusters are being added to.
        ScanNotFound: there is no such scan.
    """
    scan = await scan_document.get_part(scan_id, ScanWithRequest)
    if scan is None:
        raise ScanNotFound(scan_id)
    if scan["phase"] != Phase.RUNNING:
        return
    attempt, asked = scan["attempt"], scan["request"]["request_clusters"]
    there = {cluster["uuid"] for cluster in scan["ewms_task"]["clusters"] if cluster["attempt"] == attempt}
    entries, outbox = cluster_entries(scan_id, list(enumerate(asked)), attempt=attempt, there=there)
    for name in {name for name, _ in asked if name not in known_clusters()}:
        reason = f"no workers were asked for on '{name}': it is no longer a known cluster"
        await scan_document.note_failed_try(scan_id, Why(ReasonCode.CLUSTER_UNKNOWN, reason), name=name)
    if entries:
        added = await scan_clusters.add_clusters(
            scan_id, attempt=attempt, entries=entries, outbox=outbox, asked=len(asked)
        )
        if not added:
            raise Busy("the scan's clusters have just changed")
        await publish(scan_id, outbox)
    elif not there:
        reason = "none of the clusters that were asked for is a known one any longer"
        await fail(scan_id, Why(ReasonCode.ALL_CLUSTERS_UNKNOWN, reason), attempt=attempt)
    else:
        await publish_pending(scan_id)


def cluster_entries(
    scan_id: str,
    asked: list[tuple[int, list[Any]]],
    *,
    attempt: int,
    there: Collection[str] = (),
) -> tuple[list[Cluster], Outbox]:
    """Make the entries of clusters, with the events that ask for their workers.

    Args:
        scan_id: the scan.
        asked: clusters of its request, `[name, n_workers]` each, with their places in it.
        attempt: of the scan.
        there: the uuids of clusters that have been asked for already.

    Returns:
        Entries and an outbox; clusters that are not known are in neither.
    """
    entries: list[Cluster] = []
    outbox: Outbox = {}
    for index, (name, n_workers) in asked:
        uuid = cluster_uuid(scan_id, attempt, index)
        known = known_clusters().get(name)
        if known is None or uuid in there:
            continue
        new = cluster_entry(name=name, known=known, n_workers=n_workers, uuid=uuid, attempt=attempt)
        new["due"] = time.time()
        entries.append(new)
        outbox |= cluster_event(Fact.WORKERS_REQUESTED, scan_id, uuid)
    return entries, outbox

"""A scan that is over is torn down."""

import logging
import time

from skydriver.errors import Busy, ScanNotFound, TemporaryError
from skydriver.eventing.events import cluster_event
from skydriver.eventing.outbox import publish
from skydriver.lifecycle.transition import apply
from skydriver.model.documents import Cluster, Outbox, Scan, ScanToTearDown
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.scan import scanner_id, scanner_name
from skydriver.model.transitions import Fact
from skydriver.s3 import startup
from skydriver.scanner.backend import backend
from skydriver.scanner.broker_queues import management
from skydriver.scanner.ewms_json import queue_names
from skydriver.settings import settings
from skydriver.store import rate_limit, results
from skydriver.store.scans import document as scan_document
from skydriver.store.scans.document import Change

logger = logging.getLogger(__name__)


async def tear_down(scan_id: str) -> None:
    """Have a scan's workers stopped, and remove its scanner server and startup files.

    Raises:
        Busy: another is at it.
        TemporaryError: something is not verified gone yet.
        ScanNotFound: there is no such scan.
    """
    scan = await scan_document.get_part(scan_id, ScanToTearDown)
    if scan is None:
        raise ScanNotFound(scan_id)
    if scan["phase"] != Phase.STOPPING:
        return
    await _request_stops(scan_id, scan["ewms_task"]["clusters"])
    if not scan["scanner"]["gone"]:
        await _remove_scanner(scan_id, scan["attempt"])
    await end_scan_if_all_gone(scan_id)


async def _request_stops(scan_id: str, clusters: list[Cluster]) -> None:
    outbox: Outbox = {}
    for cluster in clusters:
        if cluster["state"] == ClusterState.STOPPING:
            outbox |= cluster_event(Fact.WORKERS_UNWANTED, scan_id, cluster["uuid"])
    if outbox and await scan_document.put_events(scan_id, outbox, guard={"phase": Phase.STOPPING}):
        await publish(scan_id, outbox)


async def _remove_scanner(scan_id: str, attempt: int) -> None:
    if not await scan_document.lease_scanner(
        scan_id, phase=Phase.STOPPING, attempt=attempt, seconds=settings().step_lease
    ):
        raise Busy("another instance is at this scan's scanner server")
    gone = False
    try:
        # Of a former attempt, too: a relaunch that was not begun has left its server.
        for past in range(1, attempt + 1):
            await backend().stop(scanner_name(scan_id, past))
            await startup.remove(scanner_id(scan_id, past))
        gone = True
    finally:
        await scan_document.release_scanner(scan_id, attempt=attempt, gone=gone)


async def end_scan_if_all_gone(scan_id: str) -> None:
    """End a stopping scan of which all is verified gone, with no lease open.

    Its queues at the message broker are the last to go: until then a worker might wait at them.

    Raises:
        ScanNotFound: there is no such scan.
        TemporaryError: the queues cannot be deleted yet.
    """
    change = await _end(scan_id)
    if (
        change.scan["phase"] == Phase.STOPPING
        and _has_queues(change.scan)
        and await _remove_queues(change.scan)
    ):
        change = await _end(scan_id)
    if change.scan["phase"] != Phase.ENDED:
        return
    await rate_limit.release([scan_id])
    if change.applied:
        result = change.scan["result"]
        await results.keep_only(scan_id, result and result["version"])


async def _end(scan_id: str) -> Change:
    return await apply(
        scan_id,
        Fact.ENDED,
        guard={
            "scanner.gone": True,
            "scanner.leased_until": {"$lte": time.time()},
            "queues.gone": {"$ne": False},
            **scan_document.all_clusters_gone(),
        },
    )


def _has_queues(scan: Scan) -> bool:
    return "queues" in scan and not scan["queues"]["gone"]


async def _remove_queues(scan: Scan) -> bool:
    """Delete the queues of all attempts of a scan, if nothing else of it is left; False if it is not so far.

    What cannot be deleted for a set time is left to the sweep: it does not hold the scan for ever.
    """
    scan_id = scan["_id"]
    if not await scan_document.lease_queues(scan_id, seconds=settings().step_lease):
        return False
    gone = False
    try:
        broker = management()
        if broker is not None:
            for past in range(1, scan["attempt"] + 1):
                for name in queue_names(scanner_id(scan_id, past)):
                    await broker.delete_queue(name)
        gone = True
    except TemporaryError as error:
        if time.time() - scan["phase_since"] < settings().stop_deadline:
            raise
        logger.warning("scan %s: its queues are left to the sweep: %s", scan_id, error)
        gone = True
    finally:
        await scan_document.release_queues(scan_id, gone=gone)
    return True

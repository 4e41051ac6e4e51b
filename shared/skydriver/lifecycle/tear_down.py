"""A scan that is over is torn down."""

import asyncio
import logging
import time

from skydriver.errors import Busy, ScanNotFound, SkyDriverError, TemporaryError
from skydriver.eventing.events import cluster_event
from skydriver.eventing.outbox import publish
from skydriver.lifecycle.transition import apply
from skydriver.model.documents import Cluster, Outbox, Scan, ScanToTearDown
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.reasons import ReasonCode, Why
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

REMOVAL_SHARE = 0.75
"""Of a step's time, for the removal of scanner servers: the rest is for noting what came of it."""


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
        await _remove_scanner(scan)
    await end_scan_if_all_gone(scan_id)


async def _request_stops(scan_id: str, clusters: list[Cluster]) -> None:
    outbox: Outbox = {}
    for cluster in clusters:
        if cluster["state"] == ClusterState.STOPPING:
            outbox |= cluster_event(Fact.WORKERS_UNWANTED, scan_id, cluster["uuid"])
    if outbox and await scan_document.put_events(scan_id, outbox, guard={"phase": Phase.STOPPING}):
        await publish(scan_id, outbox)


async def _remove_scanner(scan: ScanToTearDown) -> None:
    """Remove the scanner servers and startup files of all attempts of a scan.

    What cannot be removed for a set time is left to the sweep: it does not hold the scan for ever.
    """
    scan_id, attempt = scan["_id"], scan["attempt"]
    if not await scan_document.lease_scanner(
        scan_id, phase=Phase.STOPPING, attempt=attempt, seconds=settings().step_lease
    ):
        raise Busy("another instance is at this scan's scanner server")
    gone = False
    try:
        await _remove_attempts(scan_id, attempt)
        gone = True
    except SkyDriverError as error:
        if time.time() - scan["phase_since"] < settings().stop_deadline:
            raise
        # Beside the scan's own reason, which says why it is over.
        reason = f"the scanner server is not verified to be gone: {error}"
        await scan_document.note_failed_try(scan_id, Why(ReasonCode.SCANNER_STOP_UNVERIFIED, reason))
        gone = True
    finally:
        await scan_document.release_scanner(scan_id, attempt=attempt, gone=gone)


async def _remove_attempts(scan_id: str, last: int) -> None:
    """Remove what the attempts up to the last have left: a relaunch that was not begun leaves its server.

    All at once: one that is stuck takes the time of a whole call, and keeps no other from being removed.

    Raises:
        SkyDriverError: of the first one that is not verified gone.
    """
    seconds = REMOVAL_SHARE * settings().step_deadline
    removals = [_remove_attempt(scan_id, attempt) for attempt in range(1, last + 1)]
    try:
        async with asyncio.timeout(seconds):
            outcomes = await asyncio.gather(*removals, return_exceptions=True)
    except TimeoutError:
        raise TemporaryError(f"its removal was not done within {seconds:g} s") from None
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def _remove_attempt(scan_id: str, attempt: int) -> None:
    await backend().stop(scanner_name(scan_id, attempt))
    # Not before: a server that is still there may store it once more.
    await startup.remove(scanner_id(scan_id, attempt))


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

"""Queues at the message broker that an ended attempt has left are removed; all else there is not ours.

A scan's tear-down removes its own. This is for attempts before a relaunch, and for what it had to leave.
"""

import logging

from skydriver.lifecycle.transition import all_gone
from skydriver.model.documents import ScanAttempts
from skydriver.model.phases import Phase
from skydriver.model.scan import split_scanner_id
from skydriver.scanner.broker_queues import management
from skydriver.scanner.ewms_json import scanner_of_queue
from skydriver.store.scans import overview as scan_overview

logger = logging.getLogger(__name__)


async def remove_orphaned_queues() -> None:
    """Delete the queues whose names carry an attempt of a scan in our database that has ended.

    Those of imported scans stay: the installation that they came from made them, and may still use them.

    Raises:
        TemporaryError: the broker does not answer.
    """
    broker = management()
    if broker is None:
        return
    queues: dict[str, tuple[str, int]] = {}
    for name in await broker.list_queues():
        if (scanner := scanner_of_queue(name)) is not None:
            scan_id, attempt = split_scanner_id(scanner)
            queues[name] = scan_id, attempt or 1
    known = {
        scan["_id"]: scan for scan in await scan_overview.attempts_of({one for one, _ in queues.values()})
    }
    for name, (scan_id, attempt) in queues.items():
        if scan_id in known and has_ended(known[scan_id], attempt):
            logger.info("removing the queue %s of an attempt that has ended", name)
            await broker.delete_queue(name)


def has_ended(scan: ScanAttempts, attempt: int) -> bool:
    """Say whether an attempt of a scan has ended: neither its server nor a worker of it is left."""
    if scan["phase"] == Phase.ENDED:
        return True
    if attempt >= scan["attempt"] or scan["phase"] in (Phase.LAUNCHING, Phase.STOPPING):
        # A launch begins with the end of the former server.
        return False
    return all_gone(cluster for cluster in scan["ewms_task"]["clusters"] if cluster["attempt"] <= attempt)

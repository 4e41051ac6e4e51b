"""Every living scan is compared with its scanner server: it goes on, is launched again, or ends."""

import logging
import time

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.scanner.decide import Verdict, act, decide, watch
from skydriver.lifecycle.sweep.notice_stalls import notice_stall
from skydriver.lifecycle.sweep.redrive import redrive
from skydriver.model.documents import ScanAlive
from skydriver.model.phases import Phase
from skydriver.model.reasons import ReasonCode, Why, reason_fields
from skydriver.scanner.backend import backend
from skydriver.scanner.protocol import ScannerStatus
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry import traces

logger = logging.getLogger(__name__)


async def reconcile_scans() -> None:
    """See to every scan that is alive, and remove scanner servers that belong to none."""
    listed_at = time.time()
    servers = await backend().list()
    by_attempt = {(status.scan_id, status.attempt): status for status in servers.values()}
    # Scans are read after the servers were listed: a server that is seen to have ended has said its last.
    alive: set[tuple[str, int]] = set()
    async for scan in scan_overview.living_scans():
        alive.add((scan["_id"], scan["attempt"]))
        try:
            with traces.attach_trace(scan):
                await _reconcile(scan, by_attempt.get((scan["_id"], scan["attempt"])), listed_at)
        except SkyDriverError as error:
            logger.warning("scan %s: %s", scan["_id"], error)
    for name, status in servers.items():
        if (status.scan_id, status.attempt) not in alive:
            logger.info("removing %s, which belongs to no living scan", name)
            await backend().stop(name)


async def _reconcile(scan: ScanAlive, server: ScannerStatus | None, listed_at: float) -> None:
    await watch(scan, listed_at)
    decision = decide(scan, server, listed_at)
    if decision.verdict is not Verdict.GO_ON:
        # The document is an old one now: the next sweep sees to the rest.
        await act(scan, decision)
        return
    await _note_start(scan, server)
    await notice_stall(scan, listed_at)
    await redrive(scan)


async def _note_start(scan: ScanAlive, server: ScannerStatus | None) -> None:
    """Note on a scan that is starting why its server has not started yet, or that this is over."""
    if scan["phase"] != Phase.STARTING:
        return
    said = server and server.reason
    fields = reason_fields(Why(ReasonCode.SCANNER_STARTING, said) if said else None)
    if fields["reason"] != scan["reason"]:
        guard = {"phase": Phase.STARTING, "attempt": scan["attempt"]}
        await scan_document.set_fields(scan["_id"], {**fields, "last_updated": time.time()}, guard=guard)

"""Every living scan is compared with its scanner server: it goes on, is launched again, or ends."""

import logging
import time

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.scanner.decide import Verdict, act, decide, watch
from skydriver.lifecycle.sweep.notice_stalls import notice_stall
from skydriver.lifecycle.sweep.redrive import redrive
from skydriver.model.documents import ScanAlive, ScanPhase
from skydriver.model.phases import Phase
from skydriver.scanner.backend import backend
from skydriver.scanner.protocol import ScannerStatus
from skydriver.settings import settings
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry import traces

logger = logging.getLogger(__name__)


async def reconcile_scans() -> None:
    """See to every scan that is alive, and remove scanner servers that belong to none."""
    listed_at = time.time()
    servers = await backend().list()
    by_attempt = {_of(server): server for server in servers.values()}
    # Scans are read after the servers were listed: a server that is seen to have ended has said its last.
    alive: set[tuple[str, int]] = set()
    async for scan in scan_overview.living_scans():
        alive.add((scan["_id"], scan["attempt"]))
        try:
            with traces.attach_trace(scan):
                await _reconcile(scan, by_attempt.get((scan["_id"], scan["attempt"])), listed_at)
        except SkyDriverError as error:
            logger.warning("scan %s: %s", scan["_id"], error)
    strays = {name: server for name, server in servers.items() if _of(server) not in alive}
    # Read once more: a scan that changes its phase while they are gone through may not be seen.
    found = await scan_overview.phases_of({server.scan_id for server in strays.values()})
    for name, server in strays.items():
        await _remove(name, server, found.get(server.scan_id))


def _of(server: ScannerStatus) -> tuple[str, int]:
    return server.scan_id, server.attempt


async def _remove(name: str, server: ScannerStatus, scan: ScanPhase | None) -> None:
    """Remove a scanner server, unless its scan is at this attempt and needs it.

    Args:
        name: of the server.
        server: what was listed.
        scan: where its scan stands; None if there is none.
    """
    phase = scan["phase"] if scan is not None and scan["attempt"] == server.attempt else Phase.ENDED
    if phase not in (Phase.QUEUED, Phase.ENDED):
        return
    # A start that seemed refused has made it. Without the lease another start, under the same name, could
    # overtake the removal. Where its answer does not come it may still have its effect: the lease expires.
    if phase == Phase.QUEUED and not await scan_document.lease_scanner(
        server.scan_id, phase=Phase.QUEUED, attempt=server.attempt, seconds=settings().step_lease
    ):
        return
    logger.info("removing %s, which belongs to no living scan", name)
    await backend().stop(name)
    if phase == Phase.QUEUED:
        await scan_document.release_scanner(server.scan_id, attempt=server.attempt, gone=False)


async def _reconcile(scan: ScanAlive, server: ScannerStatus | None, listed_at: float) -> None:
    await watch(scan, listed_at)
    decision = decide(scan, server, listed_at)
    if decision.verdict is not Verdict.GO_ON:
        # The document is an old one now: the next sweep sees to the rest.
        await act(scan, decision)
        return
    await notice_stall(scan, listed_at)
    await redrive(scan)

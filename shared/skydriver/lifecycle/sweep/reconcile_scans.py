"""Every living scan is compared with its scanner server: it goes on, is launched again, or ends."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from skydriver.errors import SkyDriverError, TemporaryError
from skydriver.lifecycle.scanner.decide import Verdict, act, decide, watch
from skydriver.lifecycle.sweep.notice_stalls import notice_stall
from skydriver.lifecycle.sweep.redrive import redrive
from skydriver.model.documents import ScanAlive, ScanPhase
from skydriver.model.phases import Phase
from skydriver.model.reasons import ReasonCode, Why, reason_fields
from skydriver.scanner.backend import backend
from skydriver.scanner.protocol import ScannerStatus
from skydriver.settings import settings
from skydriver.store.scans import document as scan_document
from skydriver.store.scans import overview as scan_overview
from skydriver.telemetry import traces

logger = logging.getLogger(__name__)


async def reconcile_scans() -> None:
    """See to every scan that is alive, and have scanner servers removed that belong to none.

    What goes wrong with one of them keeps no other from being seen to.

    Raises:
        TemporaryError: something unexpected has gone wrong with some of them.
    """
    listed_at = time.time()
    servers = await backend().list()
    by_attempt = {_of(server): server for server in servers.values()}
    # Scans are read after the servers were listed: a server that is seen to have ended has said its last.
    alive: set[tuple[str, int]] = set()
    faults: list[str] = []
    async for scan in scan_overview.living_scans():
        alive.add((scan["_id"], scan["attempt"]))
        with _by_itself(f"scan {scan['_id']}", faults), traces.attach_trace(scan):
            await _reconcile(scan, by_attempt.get((scan["_id"], scan["attempt"])), listed_at)
    strays = {name: server for name, server in servers.items() if _of(server) not in alive}
    # Read once more: a scan that changes its phase while they are gone through may not be seen.
    found = await scan_overview.phases_of({server.scan_id for server in strays.values()})

    async def remove(name: str, server: ScannerStatus) -> None:
        with _by_itself(f"scanner server {name}", faults):
            await _remove(name, server, found.get(server.scan_id))

    # All at once: one that is stuck takes the time of a whole call.
    await asyncio.gather(*(remove(name, server) for name, server in strays.items()))
    if faults:
        raise TemporaryError(f"{len(faults)} could not be seen to, such as {faults[0]}")


@contextmanager
def _by_itself(what: str, faults: list[str]) -> Iterator[None]:
    """Log what goes wrong with one of many, and note it if it was not to be expected."""
    try:
        yield
    except SkyDriverError as error:
        logger.warning("%s: %s", what, error)
    except Exception as error:
        logger.exception("%s", what)
        faults.append(f"{what}: {type(error).__name__}")


def _of(server: ScannerStatus) -> tuple[str, int]:
    return server.scan_id, server.attempt


async def _remove(name: str, server: ScannerStatus, scan: ScanPhase | None) -> None:
    """Have a scanner server removed, unless its scan is at this attempt and needs it.

    That it is gone shows in the list of the next sweep.

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
    await backend().request_stop(name)
    if phase == Phase.QUEUED:
        await scan_document.release_scanner(server.scan_id, attempt=server.attempt, gone=False)


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

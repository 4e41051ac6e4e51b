"""A scan's scanner server is launched."""

import time
from typing import Any

from skydriver.brokertoken import broker_environment
from skydriver.errors import Busy, Full, PermanentError, TemporaryError
from skydriver.eventing.publish import publish_rest
from skydriver.lifecycle.admit import admit
from skydriver.lifecycle.fail import fail
from skydriver.lifecycle.finish import finish
from skydriver.lifecycle.teardown import tear_down
from skydriver.model.scan import scanner_id, scanner_name
from skydriver.model.states import COMPLETE, ClusterState, Phase
from skydriver.model.transitions import Fact
from skydriver.s3 import startup
from skydriver.scanner.backend import backend
from skydriver.scanner.protocol import ScannerSpec
from skydriver.scanner.server import server_arguments, server_environment
from skydriver.settings import settings
from skydriver.store import limiter, scans
from skydriver.tokens import make_scanner_token

FUNCTION = "launch_scanner"
LONGEST_DELAY = 300.0
FULL_DELAY = 60.0
"""Seconds until a start is tried again for which a quota left no room."""
TOKEN_MARGIN = 3600
"""Seconds that a scanner's token outlives its server's deadline, for the last reports."""


async def launch(scan_id: str, *, cause: str) -> None:
    """Launch the scanner server of a scan whose turn it is.

    A queued scan is admitted first, with whatever stands before it in the backlog; if the limits leave no
    room it stays queued, and the sweep comes back to it. A start that is refused sends the scan back to the
    backlog with a reason; a start that can never work, or was refused too often, fails the scan.

    Raises:
        Busy: another is at it, or workers of an earlier attempt are not gone yet.
        PermanentError: there is no such scan.
    """
    scan = await scans.get(scan_id)
    if scan is None:
        raise PermanentError(f"there is no scan '{scan_id}'")
    if scan["phase"] == Phase.QUEUED:
        await admit(function=FUNCTION, cause=cause, caller=scan_id)
        scan = await scans.get(scan_id)
    if scan is None or scan["phase"] != Phase.LAUNCHING:
        await publish_rest(scan_id)
        return
    await _start(scan, cause=cause)


async def _start(scan: dict[str, Any], *, cause: str) -> None:
    scan_id, attempt = scan["_id"], scan["attempt"]
    if any(cluster["state"] != ClusterState.GONE for cluster in scan["ewms_task"]["clusters"]):
        raise Busy("workers of an earlier attempt are not gone yet")
    if not await scans.lease_scanner(
        scan_id, phase=Phase.LAUNCHING, attempt=attempt, seconds=settings().step_lease
    ):
        raise Busy("another instance is launching this scan")
    name = scanner_name(scan_id, attempt)
    try:
        if attempt > 1:
            await backend().stop(scanner_name(scan_id, attempt - 1))
        if scan["refusals"]:
            # A start that seemed refused may have made a server all the same: what that has said while the
            # scan was in the backlog, nobody has heard.
            await backend().stop(name)
        await backend().start(await _spec(scan))
    except TemporaryError as error:
        await _refused(scan, error, cause=cause)
        return
    except PermanentError as error:
        await _give_up(scan, f"the scanner server cannot be started: {error}", cause=cause)
        return
    change = await scans.advance(
        scan_id,
        Fact.LAUNCHED,
        function=FUNCTION,
        cause=cause,
        attempt=attempt,
        fields={"scanner.leased_until": 0.0, "reason": None},
    )
    if change is None or change.applied:
        return
    if change.scan["phase"] in COMPLETE:
        # Aborted while it was being started: undo, since tear-down has waited for the lease. It may have put
        # its startup file into S3 already.
        await backend().stop(name)
        await scans.release_scanner(scan_id, attempt=attempt, gone=False)
        await tear_down(scan_id, cause=cause)
    elif change.scan["attempt"] == attempt:
        # Its word that it is ready was quicker than ours that it was launched.
        await scans.release_scanner(scan_id, attempt=attempt, gone=False)


async def _spec(scan: dict[str, Any]) -> ScannerSpec:
    scan_id, attempt, request = scan["_id"], scan["attempt"], scan["request"]
    deadline = settings().scanner_deadline
    own_id = scanner_id(scan_id, attempt)
    token = make_scanner_token(scan_id, attempt, lifetime=deadline + TOKEN_MARGIN)
    return ScannerSpec(
        name=scanner_name(scan_id, attempt),
        scan_id=scan_id,
        attempt=attempt,
        docker_tag=request["docker_tag"],
        arguments=server_arguments(request, program=backend().program, folder=backend().folder),
        environment=server_environment(
            request,
            settings(),
            scanner_id=own_id,
            tokens={"SKYSCAN_SKYDRIVER_AUTH": token, **await broker_environment()},
        ),
        memory_bytes=request["scanner_server_memory_bytes"],
        upload_url=await startup.url_to_put(own_id, seconds=deadline),
        report_url=f"{settings().skydriver_url}/scan/{own_id}/events",
        token=token,
        deadline=deadline,
    )


async def _refused(scan: dict[str, Any], error: TemporaryError, *, cause: str) -> None:
    """Send a scan back to the backlog, each time for longer, or fail it when that was often enough.

    Where there is merely no room for it, it waits for as long as that takes.
    """
    scan_id, reason = scan["_id"], str(error)
    is_full = isinstance(error, Full)
    refusals = scan["refusals"] + (not is_full)
    if refusals > settings().max_refusals:
        await _give_up(
            scan, f"the scanner server could not be started in {refusals} tries: {reason}", cause=cause
        )
        return
    delay = FULL_DELAY if is_full else min(settings().retry_delay * 2 ** (refusals - 1), LONGEST_DELAY)
    change = await scans.advance(
        scan_id,
        Fact.REFUSED,
        function=FUNCTION,
        cause=cause,
        attempt=scan["attempt"],
        reason=f"the scanner server could not be started yet: {reason}",
        fields={
            "not_before": time.time() + delay,
            "refusals": refusals,
            "scanner.leased_until": 0.0,
        },
    )
    if change is not None and change.applied:
        await limiter.release([scan_id])
    else:
        await scans.release_scanner(scan_id, attempt=scan["attempt"], gone=False)


async def _give_up(scan: dict[str, Any], reason: str, *, cause: str) -> None:
    """Fail a scan, unless a start that seemed refused has made a server that gave the final result."""
    scan_id, attempt = scan["_id"], scan["attempt"]
    await scans.release_scanner(scan_id, attempt=attempt, gone=False)
    if not await fail(scan_id, reason=reason, function=FUNCTION, cause=cause):
        await finish(
            scan_id,
            attempt=attempt,
            function=FUNCTION,
            cause=cause,
            reason=f"the final result is there; {reason}",
        )

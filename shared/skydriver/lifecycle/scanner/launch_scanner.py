"""A scan's scanner server is launched."""

import time

from skydriver.errors import Busy, Full, PermanentError, ScanNotFound, TemporaryError
from skydriver.eventing.outbox import publish_pending
from skydriver.lifecycle.sweep.admit_backlog import admit_backlog
from skydriver.lifecycle.tear_down import tear_down
from skydriver.lifecycle.transition import all_gone, apply, fail, finish, retry_delay
from skydriver.model.documents import Scan
from skydriver.model.phases import COMPLETE, Phase
from skydriver.model.reasons import ReasonCode, Why, reason_fields
from skydriver.model.scan import scanner_id, scanner_name
from skydriver.model.transitions import Fact
from skydriver.s3 import startup
from skydriver.scanner.backend import backend
from skydriver.scanner.broker_token import check_reachable, message_broker
from skydriver.scanner.command_line import (
    EWMS_JSON,
    era_of_request,
    secret_files,
    server_arguments,
    server_environment,
)
from skydriver.scanner.era import dies_without_broker, leaves_queues
from skydriver.scanner.image_tag import check_tag
from skydriver.scanner.protocol import ScannerSpec
from skydriver.scanner.tokens import make_scanner_token
from skydriver.settings import settings
from skydriver.store import rate_limit
from skydriver.store.scans import document as scan_document

FULL_DELAY = 60.0
"""Seconds until a start is tried again for which a quota left no room."""
TOKEN_MARGIN = 3600
"""Seconds that a scanner's token outlives its server's deadline, for the last reports."""


async def launch_scanner(scan_id: str) -> None:
    """Launch the scanner server of a scan whose turn it is.

    A queued scan is admitted first, with whatever stands before it in the backlog; if the limits leave no
    room it stays queued, and the sweep comes back to it. A start that is refused sends the scan back to the
    backlog with a reason; a start that can never work, or was refused too often, fails the scan.

    Raises:
        Busy: another is at it, or workers of an earlier attempt are not gone yet.
        ScanNotFound: there is no such scan.
    """
    scan = await scan_document.get(scan_id)
    if scan is None:
        raise ScanNotFound(scan_id)
    if scan["phase"] == Phase.QUEUED:
        await admit_backlog(caller=scan_id)
        scan = await scan_document.get(scan_id)
    if scan is None or scan["phase"] != Phase.LAUNCHING:
        await publish_pending(scan_id)
        return
    await _start(scan)


async def _start(scan: Scan) -> None:
    scan_id, attempt = scan["_id"], scan["attempt"]
    if not all_gone(scan["ewms_task"]["clusters"]):
        raise Busy("workers of an earlier attempt are not gone yet")
    if not await scan_document.lease_scanner(
        scan_id,
        phase=Phase.LAUNCHING,
        attempt=attempt,
        seconds=settings().step_lease,
        makes_queues=leaves_queues(era_of_request(scan["request"], settings())),
    ):
        raise Busy("another instance is launching this scan")
    name = scanner_name(scan_id, attempt)
    try:
        if attempt > 1:
            await backend().stop(scanner_name(scan_id, attempt - 1))
        if scan["refusals"]:
            # A start that seemed refused may have made a server all the same: what that has said while the
            # scan was in the backlog was not heard.
            await backend().stop(name)
        await backend().start(await _spec(scan))
    except TemporaryError as error:
        await _refused(scan, error)
        return
    except PermanentError as error:
        reason = f"the scanner server cannot be started: {error}"
        await _give_up(scan, Why(ReasonCode.SCANNER_START_IMPOSSIBLE, reason))
        return
    change = await apply(
        scan_id,
        Fact.LAUNCHED,
        attempt=attempt,
        fields={"scanner.leased_until": 0.0, **reason_fields(None)},
    )
    if change.applied:
        return
    if change.scan["phase"] in COMPLETE:
        # Aborted while it was being started: undo, since tear-down has waited for the lease. It may have put
        # its startup file into S3 already.
        await backend().stop(name)
        await scan_document.release_scanner(scan_id, attempt=attempt, gone=False)
        await tear_down(scan_id)
    elif change.scan["attempt"] == attempt:
        # Its word that it is ready was quicker than ours that it was launched.
        await scan_document.release_scanner(scan_id, attempt=attempt, gone=False)


async def _spec(scan: Scan) -> ScannerSpec:
    scan_id, attempt, request = scan["_id"], scan["attempt"], scan["request"]
    deadline = settings().scanner_deadline
    own_id = scanner_id(scan_id, attempt)
    token = make_scanner_token(scan_id, attempt, lifetime=deadline + TOKEN_MARGIN)
    check_tag(request["docker_tag"])  # what could run when it was asked for need not now
    where, broker = backend(), await message_broker()
    era = era_of_request(request, settings())
    if dies_without_broker(era):
        await check_reachable(broker)
    return ScannerSpec(
        name=scanner_name(scan_id, attempt),
        scan_id=scan_id,
        attempt=attempt,
        docker_tag=request["docker_tag"],
        arguments=server_arguments(request, program=where.program(era), folder=where.folder),
        environment=server_environment(
            request,
            settings(),
            scanner_id=own_id,
            token=token,
            broker=broker,
            ewms_json=f"{where.files_folder}/{EWMS_JSON}",
        ),
        files=secret_files(request, settings(), scanner_id=own_id, broker=broker),
        memory_bytes=request["scanner_server_memory_bytes"],
        upload_url=await startup.url_to_put(own_id, seconds=deadline),
        report_url=f"{settings().skydriver_url}/scan/{own_id}/events",
        token=token,
        deadline=deadline,
    )


async def _refused(scan: Scan, error: TemporaryError) -> None:
    """Send a scan back to the backlog, each time for longer, or fail it when that was often enough.

    Where there is merely no room for it, it waits for as long as that takes.
    """
    scan_id, reason = scan["_id"], str(error)
    is_full = isinstance(error, Full)
    refusals = scan["refusals"] + (not is_full)
    if refusals > settings().max_refusals:
        reason = f"the scanner server could not be started in {refusals} tries: {reason}"
        await _give_up(scan, Why(ReasonCode.SCANNER_START_GIVEN_UP, reason))
        return
    delay = FULL_DELAY if is_full else retry_delay(refusals)
    code = ReasonCode.SCANNER_START_NO_ROOM if is_full else ReasonCode.SCANNER_START_REFUSED
    change = await apply(
        scan_id,
        Fact.REFUSED,
        attempt=scan["attempt"],
        why=Why(code, f"the scanner server could not be started yet: {reason}"),
        fields={
            "not_before": time.time() + delay,
            "refusals": refusals,
            "scanner.leased_until": 0.0,
        },
    )
    if change.applied:
        await rate_limit.release([scan_id])
    else:
        await scan_document.release_scanner(scan_id, attempt=scan["attempt"], gone=False)


async def _give_up(scan: Scan, why: Why) -> None:
    """Fail a scan, unless a start that seemed refused has made a server that gave the final result."""
    scan_id, attempt = scan["_id"], scan["attempt"]
    await scan_document.release_scanner(scan_id, attempt=attempt, gone=False)
    if not await fail(scan_id, why):
        why = Why(ReasonCode.FINAL_RESULT_ONLY, f"the final result is there; {why.reason}")
        await finish(scan_id, attempt=attempt, why=why)

"""Storing a scan that is asked for, with what its manifest shows of servers and workers."""

import time

from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import publish, publish_pending
from skydriver.model.documents import FreeForm, Request, Scan
from skydriver.model.redaction import MASK, mask_environment
from skydriver.model.scan import new_scan
from skydriver.model.transitions import Fact
from skydriver.model.worker_pools import cluster_uuid
from skydriver.scanner.backend import backend
from skydriver.scanner.broker_token import shown_broker
from skydriver.scanner.command_line import (
    EWMS_JSON,
    era_of_request,
    server_arguments,
    server_environment,
    worker_environment,
)
from skydriver.settings import known_clusters, settings
from skydriver.store.scans import document as scan_document
from skydriver.telemetry import traces
from skydriver.telemetry.logging import work
from skydriver.workers.v1_tms_args import starter_arguments


def describe_starters(request: Request) -> tuple[list[str], list[list[FreeForm]]]:
    """Make what a manifest shows of how a request's workers are started, one entry a cluster.

    Returns:
        `tms_args` and `env_vars.tms_starters` of the manifest's `ewms_task`; secrets are masked.
    """
    known = known_clusters()
    arguments = [
        starter_arguments(
            request,
            settings(),
            known=known[name],
            n_workers=n_workers,
            uuid=cluster_uuid(request["scan_id"], 1, index),
        )
        if name in known
        else ""
        for index, (name, n_workers) in enumerate(request["request_clusters"])
    ]
    told = worker_environment(request, settings(), scanner_id=request["scan_id"], broker=shown_broker())
    environment = mask_environment(told)
    return arguments, [environment for _ in arguments]


async def store_scan(request: Request, *, classifiers: FreeForm, first_scan_id: str | None = None) -> Scan:
    """Store a scan and say that it was requested; a repeat with the same id finds the scan.

    Args:
        request: what is asked for, with all defaults and the scan's id.
        classifiers: of its manifest.
        first_scan_id: the scan that was asked for by hand, for a rescan.

    Returns:
        The scan document.
    """
    scanner = backend()
    with traces.start_trace() as trace:
        outbox = outbox_entry(
            Fact.REQUESTED,
            subject=request["scan_id"],
            cause="0",
            priority=request["priority"],
        )
    tms_args, tms_starters = describe_starters(request)
    environment = server_environment(
        request,
        settings(),
        scanner_id=request["scan_id"],
        token=MASK,
        broker=shown_broker(),
        ewms_json=f"{scanner.files_folder}/{EWMS_JSON}",
    )
    scan = new_scan(
        request,
        now=time.time(),
        function=work().function,
        cause=work().cause,
        scanner_server_args=" ".join(
            server_arguments(
                request,
                program=scanner.program(era_of_request(request, settings())),
                folder=scanner.folder,
            )
        ),
        tms_args=tms_args,
        env_vars={"scanner_server": mask_environment(environment), "tms_starters": tms_starters},
        classifiers=classifiers,
        outbox=outbox,
        trace=trace,
        first_scan_id=first_scan_id,
    )
    if not await scan_document.insert(scan):
        # The submission of this key has made it already.
        await publish_pending(request["scan_id"])
        return await scan_document.get(request["scan_id"]) or scan
    await publish(request["scan_id"], outbox)
    return scan

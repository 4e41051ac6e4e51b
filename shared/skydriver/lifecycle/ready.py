"""A scanner server is ready for workers, and workers are asked for."""

import time
from typing import Any

from skydriver.errors import NotFound, PermanentError
from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish, publish_rest
from skydriver.lifecycle.fail import fail
from skydriver.model.clusters import cluster_entry, cluster_uuid
from skydriver.model.states import Phase
from skydriver.model.transitions import Fact
from skydriver.settings import known_clusters
from skydriver.store import scans


async def scanner_ready(scan_id: str, *, attempt: int, function: str) -> None:
    """Take the word of a scanner's uploader that the startup file is in S3.

    Raises:
        NotFound: there is no such scan.
    """
    outbox = entry(Fact.READY, subject=scan_id, function=function, cause=str(attempt))
    change = await scans.advance(
        scan_id,
        Fact.READY,
        function=function,
        cause="startup file uploaded",
        attempt=attempt,
        fields={"reason": None},
        outbox=outbox,
    )
    if change is None:
        raise NotFound(f"there is no scan '{scan_id}'")
    if change.applied:
        await publish(scan_id, outbox)
    else:
        await publish_rest(scan_id)


async def request_workers(scan_id: str, *, cause: str) -> None:
    """Ask for the workers of a running scan, one event a cluster.

    Raises:
        PermanentError: there is no such scan.
    """
    function = "request_workers"
    scan = await scans.get(scan_id, ["phase", "attempt", "request"])
    if scan is None:
        raise PermanentError(f"there is no scan '{scan_id}'")
    if scan["phase"] != Phase.RUNNING:
        return
    attempt = scan["attempt"]
    entries: list[dict[str, Any]] = []
    outbox: dict[str, dict[str, Any]] = {}
    for index, (name, n_workers) in enumerate(scan["request"]["request_clusters"]):
        uuid = cluster_uuid(scan_id, attempt, index)
        known = known_clusters().get(name)
        if known is None:
            await scans.note(
                scan_id,
                function=function,
                cause=cause,
                reason=f"no workers were asked for on '{name}': it is no longer a known cluster",
            )
            continue
        new = cluster_entry(name=name, known=known, n_workers=n_workers, uuid=uuid, attempt=attempt)
        entries.append({**new, "due": time.time()})
        outbox |= entry(
            Fact.WORKERS_REQUESTED, subject=scan_id, function=function, cause=uuid, data={"uuid": uuid}
        )
    if not entries:
        await fail(
            scan_id,
            reason="none of the clusters that were asked for is a known one any longer",
            function=function,
            cause=cause,
            attempt=attempt,
        )
    elif await scans.add_clusters(scan_id, attempt=attempt, entries=entries, outbox=outbox):
        await publish(scan_id, outbox)
    else:
        await publish_rest(scan_id)

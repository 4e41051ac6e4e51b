"""The workers of a cluster are stopped."""

import time
from typing import Any

from skydriver.errors import Busy, SkyDriverError, TemporaryError
from skydriver.eventing.events import entry
from skydriver.eventing.publish import publish
from skydriver.lifecycle import logs
from skydriver.lifecycle.start import find_cluster
from skydriver.lifecycle.teardown import end_if_all_is_gone
from skydriver.model.scan import cut
from skydriver.model.states import ClusterState, Phase
from skydriver.model.transitions import Fact
from skydriver.settings import settings
from skydriver.store import scan_clusters, scans
from skydriver.workers.backend import backend

FUNCTION = "stop_workers"
CANNOT = "cannot be stopped yet:"
_UNWANTED = (ClusterState.UNWANTED,)


async def stop_workers(scan_id: str, uuid: str, *, cause: str, again: bool = False) -> None:
    """Stop the workers of a cluster that is no longer wanted, and end the scan if that was the last of it.

    A cluster that cannot be stopped for a set time counts as gone, with the reason that it was not verified:
    it does not hold the scan for ever.

    Args:
        scan_id: the scan.
        uuid: the cluster's.
        cause: why, for the history.
        again: whether workers are to be stopped that count as gone, but were seen to be there.

    Raises:
        Busy: another is at it.
        TemporaryError: the cluster's workers are not verified gone yet.
        PermanentError: there is no such scan or cluster.
    """
    scan = await scans.get(scan_id, ["request.debug_mode", "ewms_task.clusters"])
    cluster = find_cluster(scan, scan_id, uuid)
    assert scan is not None  # noqa: S101 - find_cluster has raised otherwise
    if cluster["state"] == ClusterState.UNWANTED:
        if not await scan_clusters.lease_cluster(
            scan_id, uuid, states=_UNWANTED, seconds=settings().step_lease, guard={}
        ):
            raise Busy("another instance is at these workers")
        await _stop(scan_id, cluster, keep_logs="client-logs" in scan["request"]["debug_mode"])
    elif cluster["state"] != ClusterState.GONE:
        return
    elif again:
        await backend(cluster["orchestrator"]).stop(cluster)
    await _go_on(scan_id, cause=cause)


async def _stop(scan_id: str, cluster: dict[str, Any], *, keep_logs: bool) -> None:
    reason = cluster["reason"]
    try:
        if keep_logs:
            await logs.keep(scan_id, cluster)
        await backend(cluster["orchestrator"]).stop(cluster)
    except (SkyDriverError, NotImplementedError) as error:
        if time.time() - cluster["unwanted_since"] < settings().stop_deadline:
            await scan_clusters.update_cluster(
                scan_id,
                cluster["uuid"],
                {
                    "leased_until": 0.0,
                    "due": time.time() + settings().retry_delay,
                    "reason": cut(f"{CANNOT} {error}"),
                },
                states=_UNWANTED,
            )
            raise TemporaryError(str(error)) from error
        reason = cut(f"not verified to be gone: {error}")
    else:
        if reason is not None and reason.startswith(CANNOT):
            reason = None
    await scan_clusters.update_cluster(
        scan_id,
        cluster["uuid"],
        {"state": ClusterState.GONE, "leased_until": 0.0, "reason": reason},
        states=_UNWANTED,
    )


async def _go_on(scan_id: str, *, cause: str) -> None:
    """End the scan if all is gone, or launch the next attempt if that is what it waits for."""
    scan = await scans.get(scan_id, ["phase", "attempt", "priority", "ewms_task.clusters"])
    if scan is None:
        return
    if scan["phase"] == Phase.STOPPING:
        await end_if_all_is_gone(scan_id, function=FUNCTION, cause=cause)
    elif scan["phase"] == Phase.LAUNCHING and all(
        cluster["state"] == ClusterState.GONE for cluster in scan["ewms_task"]["clusters"]
    ):
        outbox = entry(
            Fact.REQUESTED,
            subject=scan_id,
            function=FUNCTION,
            cause=f"attempt-{scan['attempt']}",
            priority=scan["priority"],
        )
        if await scans.put_events(scan_id, outbox, guard={"phase": Phase.LAUNCHING}):
            await publish(scan_id, outbox)

"""The workers of a cluster are stopped."""

import time

from skydriver.errors import Busy, ScanNotFound, SkyDriverError, TemporaryError
from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import publish
from skydriver.lifecycle.tear_down import end_scan_if_all_gone
from skydriver.lifecycle.transition import all_gone
from skydriver.lifecycle.workers import worker_logs
from skydriver.lifecycle.workers.backend_call import backend_call
from skydriver.model.documents import Cluster, ScanToStopWorkers, ScanWithClusters
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.reasons import ReasonCode, Why, reason_fields
from skydriver.model.transitions import Fact
from skydriver.settings import settings
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.workers.backend import backend

_STOPPING = (ClusterState.STOPPING,)


async def stop_workers(scan_id: str, uuid: str, *, again: bool = False) -> None:
    """Stop the workers of a cluster that is no longer wanted, and end the scan if that was the last of it.

    A cluster that cannot be stopped for a set time counts as gone, with the reason that it was not verified:
    it does not hold the scan for ever.

    Args:
        scan_id: the scan.
        uuid: the cluster's.
        again: whether workers are to be stopped that count as gone, but were seen to be there.

    Raises:
        Busy: another is at it.
        TemporaryError: the cluster's workers are not verified gone yet.
        ScanNotFound: there is no such scan.
        PermanentError: it has no such cluster.
    """
    scan = await scan_document.get_part(scan_id, ScanToStopWorkers)
    if scan is None:
        raise ScanNotFound(scan_id)
    cluster = scan_clusters.find_cluster(scan, uuid)
    if cluster["state"] == ClusterState.STOPPING:
        if not await scan_clusters.lease_cluster(
            scan_id, uuid, states=_STOPPING, seconds=settings().step_lease, guard={}
        ):
            raise Busy("another instance is at these workers")
        await _stop(scan_id, cluster, keep_logs="client-logs" in scan["request"]["debug_mode"])
    elif cluster["state"] != ClusterState.STOPPED:
        return
    elif again:
        await backend(cluster["orchestrator"]).stop(cluster)
    await _go_on(scan_id)


async def _stop(scan_id: str, cluster: Cluster, *, keep_logs: bool) -> None:
    is_pending = cluster["reason_code"] == ReasonCode.WORKERS_STOP_PENDING
    kept = {} if not is_pending else reason_fields(None)
    try:
        async with backend_call():
            if keep_logs:
                await worker_logs.collect_logs(scan_id, cluster)
            await backend(cluster["orchestrator"]).stop(cluster)
    except SkyDriverError as error:
        if time.time() - cluster["stopping_since"] < settings().stop_deadline:
            why = Why(ReasonCode.WORKERS_STOP_PENDING, f"cannot be stopped yet: {error}")
            await scan_clusters.update_cluster(
                scan_id,
                cluster["uuid"],
                {
                    "leased_until": 0.0,
                    "due": time.time() + settings().retry_delay,
                    **reason_fields(why),
                },
                states=_STOPPING,
            )
            raise TemporaryError(str(error)) from error
        kept = reason_fields(Why(ReasonCode.WORKERS_STOP_UNVERIFIED, f"not verified to be gone: {error}"))
    await scan_clusters.update_cluster(
        scan_id,
        cluster["uuid"],
        {"state": ClusterState.STOPPED, "leased_until": 0.0, **kept},
        states=_STOPPING,
    )


async def _go_on(scan_id: str) -> None:
    """End the scan if all is gone, or launch the next attempt if that is what it waits for."""
    scan = await scan_document.get_part(scan_id, ScanWithClusters)
    if scan is None:
        return
    if scan["phase"] == Phase.STOPPING:
        await end_scan_if_all_gone(scan_id)
    elif scan["phase"] == Phase.LAUNCHING and all_gone(scan["ewms_task"]["clusters"]):
        outbox = outbox_entry(
            Fact.REQUESTED,
            subject=scan_id,
            cause=f"attempt-{scan['attempt']}",
            priority=scan["priority"],
        )
        if await scan_document.put_events(scan_id, outbox, guard={"phase": Phase.LAUNCHING}):
            await publish(scan_id, outbox)

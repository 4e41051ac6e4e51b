"""The workers of a cluster are started."""

import time
from functools import partial

from skydriver.errors import Busy, Full, PermanentError, ScanNotFound, TemporaryError
from skydriver.eventing.outbox import publish_pending
from skydriver.lifecycle.transition import retry_delay
from skydriver.lifecycle.workers.backend_call import backend_call
from skydriver.model.documents import Cluster, ScanWithRequest
from skydriver.model.phases import ClusterState, Phase
from skydriver.model.reasons import ReasonCode, Why, reason_fields
from skydriver.model.scan import scanner_id
from skydriver.s3 import startup
from skydriver.scanner.broker_token import message_broker
from skydriver.scanner.command_line import era_of_request, worker_environment
from skydriver.scanner.era import has_pilot, worker_command
from skydriver.settings import known_clusters, settings
from skydriver.store.scans import clusters as scan_clusters
from skydriver.store.scans import document as scan_document
from skydriver.workers.backend import backend
from skydriver.workers.protocol import Started, WorkersSpec


async def start_workers(scan_id: str, uuid: str) -> None:
    """Start the workers of one cluster, if they are wanted and not started.

    A cluster that cannot be started for good, or was tried too often, is marked as failed with the reason;
    what this means for the scan is decided by the sweep, which sees all of its clusters.

    Raises:
        Busy: another is at it.
        TemporaryError: the cluster did not take them this time.
        ScanNotFound: there is no such scan.
        PermanentError: it has no such cluster.
    """
    scan = await scan_document.get_part(scan_id, ScanWithRequest)
    if scan is None:
        raise ScanNotFound(scan_id)
    cluster = scan_clusters.find_cluster(scan, uuid)
    if scan["phase"] != Phase.RUNNING or cluster["state"] != ClusterState.REQUESTED:
        await publish_pending(scan_id)
        return
    wanted = {"phase": Phase.RUNNING, "attempt": cluster["attempt"]}
    requested = (ClusterState.REQUESTED,)
    if not await scan_clusters.lease_cluster(
        scan_id, uuid, states=requested, seconds=settings().step_lease, guard=wanted
    ):
        raise Busy("another instance is starting these workers")
    try:
        async with backend_call():
            started = await _start(scan, cluster)
    except TemporaryError as error:
        await _not_this_time(scan_id, cluster, error)
        raise
    except PermanentError as error:
        await _failed(scan_id, cluster, Why(ReasonCode.WORKERS_START_IMPOSSIBLE, str(error)))
        return
    recorded = await scan_clusters.update_cluster(
        scan_id,
        uuid,
        {
            "state": ClusterState.STARTED,
            "cluster_id": started.cluster_id,
            "starter_info": started.starter_info,
            **reason_fields(None),
            "leased_until": 0.0,
            "started_at": time.time(),
        },
        states=requested,
        guard=wanted,
    )
    if not recorded:
        # No longer wanted: undo. stop_workers has waited for the lease, and verifies.
        await backend(cluster["orchestrator"]).stop({**cluster, "cluster_id": started.cluster_id})
        await scan_clusters.update_cluster(
            scan_id, uuid, {"leased_until": 0.0}, states=(ClusterState.STOPPING,)
        )


async def _start(scan: ScanWithRequest, cluster: Cluster) -> Started:
    request = scan["request"]
    own_id, era = scanner_id(scan["_id"], cluster["attempt"]), era_of_request(request, settings())
    known = known_clusters().get(cluster["name"])
    if known is None:
        raise PermanentError(f"'{cluster['name']}' is no longer a known cluster")
    spec = WorkersSpec(
        uuid=cluster["uuid"],
        scan_id=scan["_id"],
        known=known,
        n_workers=cluster["n_workers"],
        docker_tag=request["docker_tag"],
        memory_bytes=request["worker_memory_bytes"],
        disk_bytes=request["worker_disk_bytes"],
        priority=request["priority"],
        max_worker_runtime=request["max_worker_runtime"],
        # Workers may start as long as there may be a server.
        startup_url=await startup.url_to_get(own_id, seconds=settings().scanner_deadline),
        command=partial(worker_command, era),
        has_pilot=has_pilot(era),
        environment=worker_environment(request, settings(), scanner_id=own_id, broker=await message_broker()),
        collect_logs="client-logs" in request["debug_mode"],
        # Workers are started in RUNNING only.
        not_before=scan["phase_since"],
    )
    return await backend(cluster["orchestrator"]).start(spec)


async def _not_this_time(scan_id: str, cluster: Cluster, error: TemporaryError) -> None:
    is_full, tries, due = isinstance(error, Full), cluster["tries"], cluster["due"]
    # Where there is merely no room, workers wait for as long as that takes. And the broker delivers again
    # within seconds: good for a short outage, but no reason to give up sooner.
    if due <= time.time():
        tries += not is_full
        due = time.time() + retry_delay(tries)
    if tries >= settings().max_cluster_tries:
        reason = f"given up after {tries} tries: {error}"
        await _failed(scan_id, cluster, Why(ReasonCode.WORKERS_START_GIVEN_UP, reason))
        return
    code = ReasonCode.WORKERS_START_NO_ROOM if is_full else ReasonCode.WORKERS_START_REFUSED
    why = Why(code, str(error))
    noted = await scan_clusters.update_cluster(
        scan_id,
        cluster["uuid"],
        {"tries": tries, **reason_fields(why), "leased_until": 0.0, "due": due},
        states=(ClusterState.REQUESTED,),
    )
    # As often as it counts: users do not see a cluster that has no id.
    if noted and (tries > cluster["tries"] or cluster["reason"] is None):
        await _note(scan_id, cluster, why)


async def _failed(scan_id: str, cluster: Cluster, why: Why) -> None:
    """Give a cluster up, and note that, too."""
    given_up = await scan_clusters.update_cluster(
        scan_id,
        cluster["uuid"],
        {"state": ClusterState.FAILED, **reason_fields(why), "leased_until": 0.0, "dead_since": 0.0},
        states=(ClusterState.REQUESTED,),
    )
    if given_up:
        await _note(scan_id, cluster, why)


async def _note(scan_id: str, cluster: Cluster, why: Why) -> None:
    await scan_document.note_failed_try(scan_id, why, cluster=cluster["uuid"], name=cluster["name"])

"""The workers of a cluster are started."""

import time
from typing import Any

from skydriver.brokertoken import broker_environment
from skydriver.errors import Busy, Full, PermanentError, TemporaryError
from skydriver.eventing.publish import publish_rest
from skydriver.model.history import NOT_STARTED_YET
from skydriver.model.scan import cut, scanner_id
from skydriver.model.states import ClusterState, Phase
from skydriver.s3 import startup
from skydriver.scanner.server import shared_environment
from skydriver.settings import known_clusters, settings
from skydriver.store import scan_clusters, scans
from skydriver.workers.backend import backend
from skydriver.workers.protocol import Started, WorkersSpec

FUNCTION = "start_workers"
LONGEST_DELAY = 300.0


async def start_workers(scan_id: str, uuid: str, *, cause: str) -> None:
    """Start the workers of one cluster, if they are wanted and not started.

    A cluster that cannot be started for good, or was tried too often, is marked as failed with the reason;
    what this means for the scan is decided by the sweep, which sees all of its clusters.

    Raises:
        Busy: another is at it.
        TemporaryError: the cluster did not take them this time.
        PermanentError: there is no such scan or cluster.
    """
    scan = await scans.get(scan_id, ["phase", "phase_since", "attempt", "request", "ewms_task.clusters"])
    cluster = find_cluster(scan, scan_id, uuid)
    assert scan is not None  # noqa: S101 - find_cluster has raised otherwise
    if scan["phase"] != Phase.RUNNING or cluster["state"] != ClusterState.REQUESTED:
        await publish_rest(scan_id)
        return
    wanted = {"phase": Phase.RUNNING, "attempt": cluster["attempt"]}
    requested = (ClusterState.REQUESTED,)
    if not await scan_clusters.lease_cluster(
        scan_id, uuid, states=requested, seconds=settings().step_lease, guard=wanted
    ):
        raise Busy("another instance is starting these workers")
    try:
        started = await _start(scan, cluster)
    except TemporaryError as error:
        await _not_this_time(scan_id, cluster, error, cause=cause)
        raise
    except (PermanentError, NotImplementedError) as error:
        await _failed(scan_id, cluster, str(error), cause=cause)
        return
    recorded = await scan_clusters.update_cluster(
        scan_id,
        uuid,
        {
            "state": ClusterState.STARTED,
            "cluster_id": started.cluster_id,
            "starter_info": started.starter_info,
            "reason": None,
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
            scan_id, uuid, {"leased_until": 0.0}, states=(ClusterState.UNWANTED,)
        )


def find_cluster(scan: dict[str, Any] | None, scan_id: str, uuid: str) -> dict[str, Any]:
    """Find a scan's cluster entry.

    Raises:
        PermanentError: there is no such scan, or it has no such cluster.
    """
    if scan is None:
        raise PermanentError(f"there is no scan '{scan_id}'")
    for cluster in scan["ewms_task"]["clusters"]:
        if cluster["uuid"] == uuid:
            found: dict[str, Any] = cluster
            return found
    raise PermanentError(f"scan '{scan_id}' has no cluster '{uuid}'")


async def _start(scan: dict[str, Any], cluster: dict[str, Any]) -> Started:
    request = scan["request"]
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
        startup_url=await startup.url_to_get(
            scanner_id(scan["_id"], cluster["attempt"]), seconds=settings().scanner_deadline
        ),
        environment={**shared_environment(request, settings()), **await broker_environment()},
        collect_logs="client-logs" in request["debug_mode"],
        # Workers are started in RUNNING only.
        not_before=scan["phase_since"],
    )
    return await backend(cluster["orchestrator"]).start(spec)


async def _not_this_time(scan_id: str, cluster: dict[str, Any], error: TemporaryError, *, cause: str) -> None:
    reason, tries, due = str(error), cluster["tries"], cluster["due"]
    # Where there is merely no room, workers wait for as long as that takes. And the broker delivers again
    # within seconds: good for a short outage, but no reason to give up sooner.
    if due <= time.time():
        tries += not isinstance(error, Full)
        due = time.time() + min(settings().retry_delay * 2 ** max(tries - 1, 0), LONGEST_DELAY)
    if tries >= settings().max_cluster_tries:
        await _failed(scan_id, cluster, f"given up after {tries} tries: {reason}", cause=cause)
        return
    noted = await scan_clusters.update_cluster(
        scan_id,
        cluster["uuid"],
        {"tries": tries, "reason": cut(reason), "leased_until": 0.0, "due": due},
        states=(ClusterState.REQUESTED,),
    )
    # The history says so, as often as it counts: users do not see a cluster that has no id.
    if noted and (tries > cluster["tries"] or cluster["reason"] is None):
        workers = f"the {cluster['n_workers']} workers on {cluster['name']}"
        await scans.note(
            scan_id,
            function=FUNCTION,
            cause=NOT_STARTED_YET,
            reason=f"{workers} could not be started yet: {reason}",
        )


async def _failed(scan_id: str, cluster: dict[str, Any], reason: str, *, cause: str) -> None:
    """Give a cluster up; the history says so, since users do not see a cluster that has no id."""
    given_up = await scan_clusters.update_cluster(
        scan_id,
        cluster["uuid"],
        {"state": ClusterState.FAILED, "reason": cut(reason), "leased_until": 0.0, "dead_since": 0.0},
        states=(ClusterState.REQUESTED,),
    )
    if given_up:
        await scans.note(
            scan_id,
            function=FUNCTION,
            cause=cause,
            reason=f"the {cluster['n_workers']} workers on {cluster['name']} could not be started: {reason}",
        )

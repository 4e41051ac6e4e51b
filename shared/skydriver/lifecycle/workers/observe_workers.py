"""The worker clusters of one location are looked at, all at once."""

import logging
import time
from collections.abc import Iterable
from typing import Any

from skydriver.errors import PermanentError, SkyDriverError
from skydriver.eventing.events import outbox_entry
from skydriver.eventing.outbox import send_all
from skydriver.lifecycle.workers.backend_call import backend_call
from skydriver.model.documents import ClusterToObserve
from skydriver.model.phases import ClusterState
from skydriver.model.reasons import ReasonCode, Why, cut, reason_fields
from skydriver.model.transitions import Fact
from skydriver.model.worker_figures import bounded_errors, bounded_statuses
from skydriver.settings import known_clusters, settings
from skydriver.store import observation_leases
from skydriver.store.scans import clusters as scan_clusters
from skydriver.workers.backend import backend
from skydriver.workers.protocol import Observation

logger = logging.getLogger(__name__)

MAX_SITES = 20


async def observe_workers(location: str) -> None:
    """Look at every cluster at a location with one query, and note on its scan what has changed.

    Of workers that are there, but count as gone, it is said again that they are unwanted. Where another
    instance is at it, nothing is done: two at once could end in the wrong order.

    Args:
        location: as `model.worker_pools.location_key` names it.

    Raises:
        PermanentError: no known cluster is at this location.
        TemporaryError: the location does not answer, and there are clusters at it.
    """
    known = next((known for known in known_clusters().values() if known.at == location), None)
    if known is None:
        raise PermanentError(f"no known cluster is at '{location}'")
    if not await observation_leases.acquire(location, seconds=settings().step_lease):
        return
    try:
        await _observe(location, known.orchestrator, known.location.model_dump())
    finally:
        await observation_leases.release(location)


async def _observe(location: str, orchestrator: str, where: dict[str, str]) -> None:
    found = await scan_clusters.clusters_at(location)
    started = [
        (scan["_id"], cluster)
        for scan in found
        for cluster in scan["ewms_task"]["clusters"]
        if cluster["at"] == location and cluster["state"] == ClusterState.STARTED
    ]
    asked_at = time.time()
    clusters = {cluster["uuid"]: cluster for _, cluster in started}
    try:
        async with backend_call():
            look = await backend(orchestrator).observe(where, clusters)
    except SkyDriverError as error:
        # The last figures stay, and users see since when, and why, nothing newer is known.
        reason = cut(str(error))
        await observation_leases.note_silence(location, since=asked_at, reason=reason)
        if not started:
            logger.warning("%s, where nothing is at work: %s", location, error)
            return
        await scan_clusters.mark_stale({"$eq": location}, asked_at=asked_at, reason=reason)
        raise
    await observation_leases.note_answer(location)
    # A cluster that cannot be found has no worker left.
    seen = (
        (scan_id, cluster["uuid"], _changes(cluster, look.seen.get(cluster["uuid"]), asked_at))
        for scan_id, cluster in started
    )
    await scan_clusters.note_observed((one for one in seen if one[2]), asked_at=asked_at)
    if look.others:
        await _stop_again(look.others, asked_at)


async def _stop_again(uuids: Iterable[str], asked_at: float) -> None:
    """Have workers stopped that are there though they were gone: a start had its effect long after all.

    A hint that no outbox keeps: as long as they are there, the next look says so again.
    """
    for scan_id, cluster in await scan_clusters.gone_clusters(uuids):
        logger.warning("scan %s: workers %s are there, but were gone", scan_id, cluster["uuid"])
        event = outbox_entry(
            Fact.WORKERS_UNWANTED,
            subject=scan_id,
            cause=f"{cluster['uuid']}-{asked_at:.3f}",
            data={"uuid": cluster["uuid"], "again": True},
        )
        await send_all(event.values())


def _changes(cluster: ClusterToObserve, seen: Observation | None, asked_at: float) -> dict[str, Any]:
    """Make the fields that a cluster's entry gets; none if it says the same already."""
    if seen is None:
        seen = Observation({}, reason="have disappeared")
        code = ReasonCode.WORKERS_DISAPPEARED
    else:
        code = ReasonCode.WORKERS_ENDED
    why = None if seen.reason is None else Why(code, seen.reason)
    fields: dict[str, Any] = {
        "statuses": bounded_statuses(seen.statuses),
        "top_task_errors": bounded_errors(seen.top_task_errors),
        "errors_by_site": dict(list(seen.errors_by_site.items())[:MAX_SITES]),
        **reason_fields(why),
        "dead_since": None if seen.alive else cluster["dead_since"] or asked_at,
        "stale_since": None,
        "stale_reason": None,
        "memory": seen.memory,
    }
    return {} if all(cluster.get(name) == value for name, value in fields.items()) else fields

"""The worker clusters of scans: entries of `ewms_task.clusters`, each changed in place."""

import logging
import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import WTimeoutError

from skydriver.errors import PermanentError
from skydriver.model.documents import (
    Cluster,
    ClustersOfScan,
    FreeForm,
    OutboxEvent,
    Scan,
    ScanAtLocation,
    ScanToStopWorkers,
    ScanWithRequest,
    projection,
)
from skydriver.model.phases import PLACED, ClusterState, Phase
from skydriver.model.reasons import Why, reason_fields
from skydriver.store import escaped_names
from skydriver.store.mongo import collection
from skydriver.store.scans.document import INTERNALS, NAME, Query, get, put_into_outbox

logger = logging.getLogger(__name__)


def find_cluster(scan: ScanWithRequest | ScanToStopWorkers, uuid: str) -> Cluster:
    """Find a scan's cluster entry.

    Raises:
        PermanentError: it has no such cluster.
    """
    for cluster in scan["ewms_task"]["clusters"]:
        if cluster["uuid"] == uuid:
            return cluster
    raise PermanentError(f"scan '{scan['_id']}' has no cluster '{uuid}'")


async def add_clusters(
    scan_id: str,
    *,
    attempt: int,
    entries: list[Cluster],
    outbox: Mapping[str, OutboxEvent],
    asked: int | None = None,
) -> bool:
    """Add cluster entries to a RUNNING scan, once: False if one of them is there, or it is not wanted.

    Args:
        scan_id: the scan.
        attempt: only if the scan is at this attempt.
        entries: what to add.
        outbox: events to publish.
        asked: only if this many clusters stand in the scan's request.
    """
    now = time.time()
    update: Query = {
        "$push": {"ewms_task.clusters": {"$each": entries}},
        "$set": {"last_updated": now},
    }
    put_into_outbox(update, outbox, now)
    condition: Query = {
        "_id": scan_id,
        "phase": Phase.RUNNING,
        "attempt": attempt,
        "ewms_task.clusters.uuid": {"$nin": [entry["uuid"] for entry in entries]},
    }
    if asked is not None:
        condition["request.request_clusters"] = {"$size": asked}
    result = await collection(NAME).update_one(condition, update)
    return bool(result.matched_count)


async def ask_for_clusters(
    scan_id: str,
    clusters: list[list[Any]],
    *,
    phase: Phase,
    attempt: int,
    asked: int,
    has_workers: bool,
    tms_args: list[str],
    tms_starters: list[list[FreeForm]],
    entries: list[Cluster],
    outbox: Mapping[str, OutboxEvent],
) -> Scan | None:
    """Add clusters to a scan's request and, with `entries`, to those whose workers were asked for.

    They count as added where the primary has them and the other members are slow: a client that is told to
    try again would add them twice.

    Args:
        scan_id: the scan.
        clusters: `[name, n_workers]` each.
        phase: only if the scan is in this phase.
        attempt: only if the scan is at this attempt.
        asked: only if this many clusters stand in its request.
        has_workers: only if workers were, or were not, asked for on this attempt.
        tms_args: what the manifest shows of their starters' arguments.
        tms_starters: the same of their environment.
        entries: cluster entries.
        outbox: events to publish.

    Returns:
        The scan after it, or None if it has changed meanwhile.
    """
    now = time.time()
    of_attempt = {"$elemMatch": {"attempt": attempt}}
    condition: Query = {
        "_id": scan_id,
        "phase": phase,
        "attempt": attempt,
        "request.request_clusters": {"$size": asked},
        "ewms_task.clusters": of_attempt if has_workers else {"$not": of_attempt},
    }
    update: Query = {
        "$push": {
            "request.request_clusters": {"$each": clusters},
            "ewms_task.tms_args": {"$each": tms_args},
            "ewms_task.env_vars.tms_starters": {"$each": tms_starters},
            "ewms_task.clusters": {"$each": entries},
        },
        "$set": {"last_updated": now},
    }
    put_into_outbox(update, outbox, now)
    try:
        scan: Scan | None = await collection(NAME).find_one_and_update(
            condition,
            update,
            projection=INTERNALS,
            return_document=ReturnDocument.AFTER,
        )
    except WTimeoutError:
        logger.warning("scan %s: a majority of the database's members is slow to store clusters", scan_id)
        scan = await get(scan_id)
        added = scan and scan["request"]["request_clusters"][asked : asked + len(clusters)]
        return scan if added == clusters else None
    return scan and escaped_names.shown(scan)


async def update_cluster(
    scan_id: str,
    uuid: str,
    fields: Mapping[str, Any],
    *,
    states: Iterable[ClusterState],
    guard: Mapping[str, Any] | None = None,
    cluster_guard: Mapping[str, Any] | None = None,
    touch: bool = True,
) -> bool:
    """Set fields of one cluster entry in place; False if it is not in one of the states or a guard fails.

    Two updates of two clusters at once never lose one another.
    """
    entry = {"uuid": uuid, "state": {"$in": list(states)}, **(cluster_guard or {})}
    result = await collection(NAME).update_one(
        {"_id": scan_id, "ewms_task.clusters": {"$elemMatch": entry}, **(guard or {})},
        {"$set": _set_in_entry(fields, touch=touch)},
    )
    return bool(result.matched_count)


def _set_in_entry(fields: Mapping[str, Any], *, touch: bool = True) -> Query:
    update = {f"ewms_task.clusters.$.{field}": value for field, value in fields.items()}
    if touch:
        update["last_updated"] = time.time()
    return update


async def note_observed(seen: Iterable[tuple[str, str, Mapping[str, Any]]], *, asked_at: float) -> None:
    """Set fields of many cluster entries alive, with one command, but never of an older look over a newer.

    Args:
        seen: the scan's id, the cluster's uuid, and what to set.
        asked_at: when the look began (seconds since the epoch), which is noted, too.
    """
    not_newer: Query = {"$or": [{"observed_at": None}, {"observed_at": {"$lt": asked_at}}]}
    updates = [
        UpdateOne(
            {
                "_id": scan_id,
                "ewms_task.clusters": {
                    "$elemMatch": {"uuid": uuid, "state": ClusterState.STARTED, **not_newer}
                },
            },
            {"$set": _set_in_entry({**fields, "observed_at": asked_at})},
        )
        for scan_id, uuid, fields in seen
    ]
    if updates:
        await collection(NAME).bulk_write(updates, ordered=False)


async def report_cluster(
    scan_id: str,
    uuid: str,
    fields: Mapping[str, Any],
    *,
    entry: Cluster,
    limit: int,
    why_dead: Why | None,
) -> bool:
    """Set fields of a cluster entry, or add the entry where there is none.

    Args:
        scan_id: the scan.
        uuid: the cluster's.
        fields: what to set.
        entry: what to add where there is none.
        limit: how many entries a scan may have at most.
        why_dead: why all of its workers are dead; None if they are not. Since when they are, is kept from
            the first report that says so.

    Returns:
        False if there is none, and the scan does not take it: its scanner server does not run, or it has as
        many as it may.
    """

    async def update() -> bool:
        if not await update_cluster(scan_id, uuid, fields, states=list(ClusterState)):
            return False
        since = None if why_dead is None else time.time()
        # The second one where they were dead before.
        _ = await update_cluster(
            scan_id,
            uuid,
            {**reason_fields(why_dead), "dead_since": since},
            states=reported,
            cluster_guard={} if since is None else {"dead_since": None},
        ) or await update_cluster(scan_id, uuid, reason_fields(why_dead), states=reported)
        return True

    reported = (ClusterState.REPORTED,)
    if await update():
        return True
    await collection(NAME).update_one(
        {
            "_id": scan_id,
            "phase": {"$in": [Phase.STARTING, Phase.RUNNING]},
            "ewms_task.clusters.uuid": {"$ne": uuid},
            f"ewms_task.clusters.{limit - 1}": {"$exists": False},
        },
        {"$push": {"ewms_task.clusters": entry}, "$set": {"last_updated": time.time()}},
    )
    # Now the report itself. Another one on the same cluster may have been quicker to add it.
    return await update()


async def lease_cluster(
    scan_id: str, uuid: str, *, states: Iterable[ClusterState], seconds: float, guard: Mapping[str, Any]
) -> bool:
    """Take the lease on a cluster; False if it is taken, not in one of the states, or a guard fails."""
    now = time.time()
    return await update_cluster(
        scan_id,
        uuid,
        {"leased_until": now + seconds, "due": now + seconds},
        states=states,
        guard=guard,
        cluster_guard={"leased_until": {"$lte": now}},
        touch=False,
    )


async def clusters_at(location: str) -> list[ScanAtLocation]:
    """Find the scans with clusters alive at a location."""
    cursor = collection(NAME).find(
        {
            "phase": {"$in": [*PLACED, Phase.STOPPING]},
            "ewms_task.clusters": {"$elemMatch": {"at": location, "state": ClusterState.STARTED}},
        },
        projection(ScanAtLocation),
    )
    found: list[ScanAtLocation] = await cursor.to_list(None)
    return found


async def gone_clusters(uuids: Iterable[str]) -> list[tuple[str, Cluster]]:
    """Find the cluster entries of these uuids, with their scans' ids, whose workers count as gone."""
    wanted = set(uuids)
    cursor = collection(NAME).find(
        {
            "ewms_task.clusters": {
                "$elemMatch": {"uuid": {"$in": sorted(wanted)}, "state": ClusterState.STOPPED}
            }
        },
        projection(ClustersOfScan),
    )
    return [
        (scan["_id"], cluster)
        async for scan in cursor
        for cluster in scan["ewms_task"]["clusters"]
        if cluster["uuid"] in wanted and cluster["state"] == ClusterState.STOPPED
    ]


async def mark_stale(at: Mapping[str, Any], *, asked_at: float, reason: str) -> None:
    """Note on clusters alive that nothing newer is known of them, since when and why.

    Args:
        at: a MongoDB condition on where they are, such as `{"$eq": location}`.
        asked_at: since when (seconds since the epoch); what was seen later stays.
        reason: why.
    """
    entry = {"at": dict(at), "state": ClusterState.STARTED, "stale_since": None}
    await collection(NAME).update_many(
        {
            "phase": {"$in": [*PLACED, Phase.STOPPING]},
            "ewms_task.clusters": {"$elemMatch": {**entry, "observed_at": {"$not": {"$gt": asked_at}}}},
        },
        {
            "$set": {
                "ewms_task.clusters.$[c].stale_since": asked_at,
                "ewms_task.clusters.$[c].stale_reason": reason,
                "last_updated": time.time(),
            }
        },
        array_filters=[
            {f"c.{name}": value for name, value in entry.items()}
            | {"c.observed_at": {"$not": {"$gt": asked_at}}}
        ],
    )


async def clusters_with_old_logs(*, now: float, limit: int) -> list[tuple[str, Cluster]]:
    """Find cluster entries, with their scans' ids, whose workers' logs need not be kept any longer."""
    cursor = collection(NAME).find(
        {"ewms_task.clusters.logs.until": {"$lte": now}}, projection(ClustersOfScan)
    )
    return [
        (scan["_id"], cluster)
        async for scan in cursor.limit(limit)
        for cluster in scan["ewms_task"]["clusters"]
        if (cluster.get("logs") or {}).get("until", math.inf) <= now
    ]

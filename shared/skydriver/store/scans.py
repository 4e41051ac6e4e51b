"""The `scans` collection: one document a scan, changed by atomic guarded updates only.

Every change that causes events puts them into the document's `outbox` in the same update; `eventing`
publishes them afterwards and tells `published`. The outbox is an object by slot, so at most one event of
a kind waits there: a newer progress event takes the place of an older one that was not yet published.
"""

import logging
import math
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError, ExecutionTimeout, OperationFailure

from skydriver.errors import InvalidArguments
from skydriver.model.scan import MAX_HISTORY, cut, history_entry
from skydriver.model.states import COMPLETE, PLACED, ClusterState, Phase
from skydriver.model.transitions import TABLE, Fact
from skydriver.store.mongo import collection

logger = logging.getLogger(__name__)

Document = dict[str, Any]

NAME = "scans"
BATCH = 128
"""Scans that are fetched at once in a search, so that a long answer never is in memory."""
INTERNALS: dict[str, int] = {"outbox": 0, "history": 0}
"""What is projected out unless asked for: it grows with a scan's age."""

BAD_FILTER = frozenset({2, 9, 15998, 16410, 40353, 51091, 51108})
"""Codes by which MongoDB refuses a filter: BadValue, FailedToParse, wrong field paths and expressions."""


@dataclass(frozen=True)
class Change:
    """What `advance` did: whether the fact had its effect now, and the scan as it is after it."""

    applied: bool
    scan: Document


async def ensure_indexes() -> None:
    """Make the indexes that the queries of this module use; repeating it changes nothing."""
    scans = collection(NAME)
    newest = ("timestamp", DESCENDING), ("_id", DESCENDING)
    for keys in (
        [("event_metadata.run_id", DESCENDING), ("event_metadata.event_id", DESCENDING)],
        [("event_metadata.event_id", DESCENDING)],
        [("classifiers.$**", ASCENDING)],
        [*newest],
        [("is_deleted", ASCENDING), *newest],
        [("submitted_by", ASCENDING), *newest],
        [("phase", ASCENDING), ("priority", DESCENDING), ("timestamp", ASCENDING)],
        [("i3_event_id", ASCENDING)],
    ):
        await scans.create_index(keys)
    for name in ("outbox_since", "redriven"):
        await scans.create_index(name, sparse=True)
    await scans.create_index("history.time")
    await scans.create_index("ewms_task.clusters.logs.until", sparse=True)
    await scans.create_index("ewms_task.clusters.uuid", sparse=True)
    await scans.create_index([("ewms_task.clusters.at", ASCENDING), ("phase", ASCENDING)])
    await scans.create_index(
        "phase_since",
        partialFilterExpression={"phase": Phase.ENDED, "result.version": {"$exists": True}},
    )


async def insert(scan: Document) -> bool:
    """Store a new scan; False if one of this id is there already."""
    try:
        await collection(NAME).insert_one(scan)
    except DuplicateKeyError:
        return False
    return True


async def get(scan_id: str, fields: Iterable[str] | None = None) -> Document | None:
    """Read a scan: the given fields (dotted paths), or all but its outbox and history."""
    projection = INTERNALS if fields is None else dict.fromkeys(fields, 1)
    scan: Document | None = await collection(NAME).find_one({"_id": scan_id}, projection)
    return scan


async def advance(
    scan_id: str,
    fact: Fact,
    *,
    function: str,
    cause: str,
    attempt: int | None = None,
    reason: str | None = None,
    fields: Mapping[str, Any] | None = None,
    outbox: Mapping[str, Document] | None = None,
    guard: Mapping[str, Any] | None = None,
    unwanted_clusters: bool = False,
) -> Change | None:
    """Let a fact have its effect on a scan, by the transition table, in one atomic update.

    Args:
        scan_id: the scan.
        fact: what happened; its row of the table says which phases accept it and what follows.
        function: who says so, for the history.
        cause: why, for the history.
        attempt: only if the scan is at this attempt.
        reason: a sentence for the scan's `reason` and the history.
        fields: further fields to set.
        outbox: events to publish, by slot.
        guard: further conditions.
        unwanted_clusters: whether no worker cluster of the scan is wanted any longer.

    Returns:
        The change, or None if there is no such scan.
    """
    transition = TABLE[fact]
    now = time.time()
    condition: Document = {"_id": scan_id, "phase": {"$in": list(transition.accepts)}, **(guard or {})}
    if attempt is not None:
        condition["attempt"] = attempt
    sets: Document = {"last_updated": now, **(fields or {})}
    update: Document = {"$set": sets}
    if reason is not None:
        sets["reason"] = cut(reason)
    if transition.to is not None:
        sets["phase"] = transition.to
        sets["phase_since"] = now
        if transition.outcome is not None:
            sets["outcome"] = transition.outcome
        if transition.to in COMPLETE:
            sets["ewms_task.complete"] = True
        if transition.relaunch and attempt is not None:
            sets["attempt"] = attempt + 1
        if fact is Fact.ADMITTED:
            update["$max"] = {"attempt": 1}
        line = history_entry(
            transition.to,
            now=now,
            cause=cause,
            function=function,
            attempt=sets.get("attempt", attempt),
            reason=reason,
        )
        update["$push"] = {"history": {"$each": [line], "$slice": -MAX_HISTORY}}
    _put_into_outbox(update, outbox, now)
    array_filters = None
    if unwanted_clusters:
        sets["ewms_task.clusters.$[c].state"] = ClusterState.UNWANTED
        sets["ewms_task.clusters.$[c].due"] = now
        sets["ewms_task.clusters.$[c].unwanted_since"] = now
        array_filters = [{"c.state": {"$nin": [ClusterState.GONE, ClusterState.UNWANTED]}}]
    scan = await collection(NAME).find_one_and_update(
        condition,
        update,
        projection=INTERNALS,
        return_document=ReturnDocument.AFTER,
        array_filters=array_filters,
    )
    if scan is not None:
        if transition.to is not None:
            logger.info("scan %s is %s: %s", scan_id, transition.to, cause)
        return Change(applied=True, scan=scan)
    scan = await get(scan_id)
    return None if scan is None else Change(applied=False, scan=scan)


def _put_into_outbox(update: Document, outbox: Mapping[str, Document] | None, now: float) -> None:
    if outbox:
        for slot, event in outbox.items():
            update["$set"][f"outbox.{slot}"] = event
        update["$min"] = {"outbox_since": now}


async def note(scan_id: str, *, function: str, cause: str, reason: str) -> bool:
    """Add a line to a scan's history that changes no phase; False if there is no such scan."""
    now = time.time()
    line: list[Document] = [
        {
            "$set": {
                "history": {
                    "$slice": [
                        {
                            "$concatArrays": [
                                "$history",
                                [
                                    {
                                        "phase": "$phase",
                                        "time": now,
                                        "cause": {"$literal": cut(cause)},
                                        "function": {"$literal": function},
                                        "attempt": "$attempt",
                                        "reason": {"$literal": cut(reason)},
                                    }
                                ],
                            ]
                        },
                        -MAX_HISTORY,
                    ]
                }
            }
        }
    ]
    result = await collection(NAME).update_one({"_id": scan_id}, line)
    return bool(result.matched_count)


async def set_fields(
    scan_id: str, fields: Mapping[str, Any], *, guard: Mapping[str, Any] | None = None
) -> bool:
    """Set fields of a scan if the guard holds; False if it does not."""
    result = await collection(NAME).update_one({"_id": scan_id, **(guard or {})}, {"$set": dict(fields)})
    return bool(result.matched_count)


async def put_events(
    scan_id: str, outbox: Mapping[str, Document], *, guard: Mapping[str, Any] | None = None
) -> bool:
    """Put events into the outbox of a scan that nothing else changes; False if the guard does not hold."""
    update: Document = {"$set": {}}
    _put_into_outbox(update, outbox, time.time())
    result = await collection(NAME).update_one({"_id": scan_id, **(guard or {})}, update)
    return bool(result.matched_count)


# --- reports -------------------------------------------------------------------------------------------


async def report_progress(
    scan_id: str,
    *,
    attempt: int,
    order: str,
    finished: bool,
    fields: Mapping[str, Any],
    metadata: Mapping[str, Any],
    outbox: Mapping[str, Document],
) -> Document | None:
    """Take a scanner's progress report, unless it is stale, of another attempt, or contradicts metadata.

    Reports are ordered by (attempt, finished, `last_updated`), and a finished one is never unset.

    Args:
        scan_id: the scan.
        attempt: the attempt that reports; only the scan's current one is heard.
        order: the report's `last_updated`.
        finished: whether it is the last one.
        fields: what to set.
        metadata: write-once fields: taken only if the stored value is null or equal.
        outbox: events to publish.

    Returns:
        The scan after the update, or None if it was not taken.
    """
    now = time.time()
    not_older: Document = {"$or": [{"report": None}, {"report.attempt": {"$lt": attempt}}]}
    if finished:
        not_older["$or"].append({"report.attempt": attempt})
    else:
        not_older["$or"].append(
            {"report.attempt": attempt, "report.finished": False, "report.order": {"$lte": order}}
        )
    condition: Document = {
        "_id": scan_id,
        "attempt": attempt,
        "phase": {"$in": list(TABLE[Fact.PROGRESS_REPORTED].accepts)},
        "$and": [not_older, *_write_once(metadata)],
    }
    report = {"attempt": attempt, "finished": finished, "order": order, "at": now}
    update: Document = {"$set": {"last_updated": now, "report": report, **fields, **metadata}}
    _put_into_outbox(update, outbox, now)
    scan: Document | None = await collection(NAME).find_one_and_update(
        condition, update, projection=INTERNALS, return_document=ReturnDocument.AFTER
    )
    return scan


async def report_metadata(scan_id: str, *, attempt: int, metadata: Mapping[str, Any]) -> Document | None:
    """Take write-once metadata that came without progress; None if it was not taken."""
    condition: Document = {
        "_id": scan_id,
        "attempt": attempt,
        "phase": {"$in": list(TABLE[Fact.PROGRESS_REPORTED].accepts)},
        "$and": _write_once(metadata),
    }
    scan: Document | None = await collection(NAME).find_one_and_update(
        condition,
        {"$set": {"last_updated": time.time(), **metadata}},
        projection=INTERNALS,
        return_document=ReturnDocument.AFTER,
    )
    return scan


def _write_once(metadata: Mapping[str, Any]) -> list[Document]:
    # `$eq` on purpose: an object in a filter without it could be read as operators.
    return [{"$or": [{name: None}, {name: {"$eq": value}}]} for name, value in metadata.items()]


async def point_to_result(
    scan_id: str, *, attempt: int, pointer: Mapping[str, Any], outbox: Mapping[str, Document]
) -> tuple[bool, Document | None]:
    """Let a scan's result be the one that `pointer` names, never after a final one.

    Returns:
        Whether it was taken, and the scan as it was *before* (only `result`, `attempt`, `phase`, `report`).
    """
    now = time.time()
    update: Document = {"$set": {"last_updated": now, "result": dict(pointer)}}
    _put_into_outbox(update, outbox, now)
    fields = {"result": 1, "attempt": 1, "phase": 1, "report": 1}
    before = await collection(NAME).find_one_and_update(
        {
            "_id": scan_id,
            "attempt": attempt,
            "phase": {"$in": list(TABLE[Fact.RESULT_REPORTED].accepts)},
            "result.is_final": {"$ne": True},
        },
        update,
        projection=fields,
        return_document=ReturnDocument.BEFORE,
    )
    if before is not None:
        return True, before
    return False, await get(scan_id, fields)


# --- the outbox ----------------------------------------------------------------------------------------


async def outbox_of(scan_id: str) -> dict[str, Document]:
    """Read what a scan has not published yet, by slot."""
    scan = await collection(NAME).find_one({"_id": scan_id}, {"outbox": 1})
    return dict(scan["outbox"]) if scan else {}


async def waiting_outboxes(*, before: float, limit: int) -> list[Document]:
    """Find scans (`_id`, `outbox`) whose outbox has waited since before a time, the oldest first."""
    cursor = collection(NAME).find({"outbox_since": {"$lt": before}}, {"outbox": 1})
    found: list[Document] = await cursor.sort("outbox_since", ASCENDING).limit(limit).to_list(limit)
    return found


async def published(scan_id: str, slot: str, event_id: str) -> None:
    """Take a published event out of a scan's outbox, unless a newer one has taken its slot.

    Where that is lost with the database's primary, the sweep publishes the event again, which is allowed.
    """
    await collection(NAME, durable=False).update_one(
        {"_id": scan_id, f"outbox.{slot}.id": event_id},
        [
            {"$unset": f"outbox.{slot}"},
            {
                "$set": {
                    "outbox_since": {"$cond": [{"$eq": ["$outbox", {}]}, "$$REMOVE", "$outbox_since"]},
                }
            },
        ],
    )


# --- the scanner's lease -------------------------------------------------------------------------------


async def lease_scanner(scan_id: str, *, phase: Phase, attempt: int, seconds: float) -> bool:
    """Take the lease on a scan's scanner server, for a launch or for its removal; False if it is taken."""
    now = time.time()
    return await set_fields(
        scan_id,
        {"scanner.leased_until": now + seconds, "scanner.gone": False},
        guard={"phase": phase, "attempt": attempt, "scanner.leased_until": {"$lte": now}},
    )


async def release_scanner(scan_id: str, *, attempt: int, gone: bool) -> None:
    """Give the lease back, and say whether the scanner server is verified gone."""
    await set_fields(scan_id, {"scanner.leased_until": 0.0, "scanner.gone": gone}, guard={"attempt": attempt})


# --- worker clusters -----------------------------------------------------------------------------------


async def add_clusters(
    scan_id: str,
    *,
    attempt: int,
    entries: list[Document],
    outbox: Mapping[str, Document],
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
    update: Document = {
        "$push": {"ewms_task.clusters": {"$each": entries}},
        "$set": {"last_updated": now},
    }
    _put_into_outbox(update, outbox, now)
    condition: Document = {
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
    tms_starters: list[Any],
    entries: list[Document],
    outbox: Mapping[str, Document],
) -> Document | None:
    """Add clusters to a scan's request and, with `entries`, to those whose workers were asked for.

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
    condition: Document = {
        "_id": scan_id,
        "phase": phase,
        "attempt": attempt,
        "request.request_clusters": {"$size": asked},
        "ewms_task.clusters": of_attempt if has_workers else {"$not": of_attempt},
    }
    update: Document = {
        "$push": {
            "request.request_clusters": {"$each": clusters},
            "ewms_task.tms_args": {"$each": tms_args},
            "ewms_task.env_vars.tms_starters": {"$each": tms_starters},
            "ewms_task.clusters": {"$each": entries},
        },
        "$set": {"last_updated": now},
    }
    _put_into_outbox(update, outbox, now)
    scan: Document | None = await collection(NAME).find_one_and_update(
        condition,
        update,
        projection=INTERNALS,
        return_document=ReturnDocument.AFTER,
    )
    return scan


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
    update = {f"ewms_task.clusters.$.{field}": value for field, value in fields.items()}
    if touch:
        update["last_updated"] = time.time()
    result = await collection(NAME).update_one(
        {"_id": scan_id, "ewms_task.clusters": {"$elemMatch": entry}, **(guard or {})}, {"$set": update}
    )
    return bool(result.matched_count)


async def report_cluster(scan_id: str, uuid: str, fields: Mapping[str, Any], *, entry: Document) -> bool:
    """Set fields of a cluster entry, or add the entry where there is none; False if there is no such scan.

    Only a scan whose scanner server runs takes a new one.
    """
    states = list(ClusterState)
    if await update_cluster(scan_id, uuid, fields, states=states):
        return True
    await collection(NAME).update_one(
        {
            "_id": scan_id,
            "phase": {"$in": [Phase.STARTING, Phase.RUNNING]},
            "ewms_task.clusters.uuid": {"$ne": uuid},
        },
        {"$push": {"ewms_task.clusters": entry}, "$set": {"last_updated": time.time()}},
    )
    # Another report on the same cluster may have been quicker to add it.
    return (
        await update_cluster(scan_id, uuid, fields, states=states) or await get(scan_id, ["_id"]) is not None
    )


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


async def clusters_at(location: str) -> list[Document]:
    """Find the scans (`_id`, `phase`, `attempt`, `ewms_task.clusters`) with clusters alive at a location."""
    cursor = collection(NAME).find(
        {
            "phase": {"$in": [*PLACED, Phase.STOPPING]},
            "ewms_task.clusters": {"$elemMatch": {"at": location, "state": ClusterState.STARTED}},
        },
        {"phase": 1, "attempt": 1, "ewms_task.clusters": 1, "result.is_final": 1},
    )
    found: list[Document] = await cursor.to_list(None)
    return found


async def gone_clusters(uuids: Iterable[str]) -> list[tuple[str, Document]]:
    """Find the cluster entries of these uuids, with their scans' ids, whose workers count as gone."""
    wanted = set(uuids)
    cursor = collection(NAME).find(
        {"ewms_task.clusters": {"$elemMatch": {"uuid": {"$in": sorted(wanted)}, "state": ClusterState.GONE}}},
        {"ewms_task.clusters": 1},
    )
    return [
        (scan["_id"], cluster)
        async for scan in cursor
        for cluster in scan["ewms_task"]["clusters"]
        if cluster["uuid"] in wanted and cluster["state"] == ClusterState.GONE
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


async def clusters_with_old_logs(*, now: float, limit: int) -> list[tuple[str, Document]]:
    """Find cluster entries, with their scans' ids, whose workers' logs need not be kept any longer."""
    cursor = collection(NAME).find(
        {"ewms_task.clusters.logs.until": {"$lte": now}}, {"ewms_task.clusters": 1}
    )
    return [
        (scan["_id"], cluster)
        async for scan in cursor.limit(limit)
        for cluster in scan["ewms_task"]["clusters"]
        if (cluster.get("logs") or {}).get("until", math.inf) <= now
    ]


# --- the backlog and the sweep -------------------------------------------------------------------------


def _ready(now: float) -> Document:
    return {"phase": Phase.QUEUED, "not_before": {"$lte": now}}


async def backlog_head(*, now: float, skip: Iterable[str] = ()) -> Document | None:
    """Find the next scan to admit: by priority, then age, of those that may start now.

    It has `_id` and `priority`, and `trace` where it keeps one.
    """
    condition = _ready(now)
    if passed := list(skip):
        condition["_id"] = {"$nin": passed}
    head: Document | None = await collection(NAME).find_one(
        condition, {"priority": 1, "trace": 1}, sort=[("priority", DESCENDING), ("timestamp", ASCENDING)]
    )
    return head


async def are_queued(n: int) -> bool:
    """Say whether at least so many scans stand in the backlog; no more than these are counted."""
    return bool(await collection(NAME).count_documents({"phase": Phase.QUEUED}, limit=n) == n)


async def backlog() -> list[Document]:
    """List the queued scans, the next to start first."""
    cursor = collection(NAME).find(
        {"phase": Phase.QUEUED},
        {"timestamp": 1, "priority": 1, "not_before": 1, "refusals": 1, "reason": 1, "phase_since": 1},
    )
    found: list[Document] = await cursor.sort([("priority", DESCENDING), ("timestamp", ASCENDING)]).to_list(
        None
    )
    return found


async def alive() -> AsyncIterator[Document]:
    """Go through the scans that are placed or stopping: what the sweep looks at."""
    cursor = collection(NAME).find(
        {"phase": {"$in": [*PLACED, Phase.STOPPING]}},
        {
            "phase": 1,
            "phase_since": 1,
            "attempt": 1,
            "priority": 1,
            "outcome": 1,
            "scanner": 1,
            "report": 1,
            "result": 1,
            "refusals": 1,
            "redriven": 1,
            "trace": 1,
            "ewms_task.clusters": 1,
        },
    )
    async for scan in cursor:
        yield scan


async def figures() -> tuple[dict[str, int], float | None, int, float | None]:
    """Count what is under way.

    Returns:
        How many scans are in each phase but the last; since when the scan waits that has been in the backlog
        for longest; how many outboxes hold events; since when the oldest of them does. Times are seconds
        since the epoch, None where nothing waits.
    """
    under_way = [phase for phase in Phase if phase is not Phase.ENDED]
    phases = {
        found["_id"]: found
        async for found in collection(NAME).aggregate(
            [
                {"$match": {"phase": {"$in": under_way}}},
                {"$group": {"_id": "$phase", "n": {"$sum": 1}, "since": {"$min": "$phase_since"}}},
            ]
        )
    }
    condition = {"outbox_since": {"$gt": 0.0}}
    outboxes = await collection(NAME).count_documents(condition)
    oldest = await collection(NAME).find_one(
        condition, {"outbox_since": 1}, sort=[("outbox_since", ASCENDING)]
    )
    return (
        {phase: found["n"] for phase, found in phases.items()},
        phases[Phase.QUEUED]["since"] if Phase.QUEUED in phases else None,
        outboxes,
        oldest["outbox_since"] if oldest else None,
    )


async def histories(since: float, until: float) -> AsyncIterator[list[Document]]:
    """Go through the histories of the scans with a line from after a time, and not from after another."""
    line = {"$elemMatch": {"time": {"$gt": since, "$lte": until}}}
    async for scan in collection(NAME).find({"history": line}, {"history": 1}):
        yield scan["history"]


async def count_redriven(since: float, until: float) -> int:
    """Count the scans that the sweep last drove on after a time, and not after another."""
    return int(await collection(NAME).count_documents({"redriven": {"$gt": since, "$lte": until}}))


async def with_old_results(*, ended_before: float, limit: int) -> list[str]:
    """Find scans that ended before a time, and whose results are still there."""
    condition = {
        "phase": Phase.ENDED,
        "phase_since": {"$lt": ended_before},
        "result.version": {"$exists": True},
    }
    return [scan["_id"] async for scan in collection(NAME).find(condition, {"_id": 1}).limit(limit)]


async def forget_result(scan_id: str) -> None:
    """Note that the result of an ended scan is kept no longer."""
    await collection(NAME).update_one(
        {"_id": scan_id, "phase": Phase.ENDED},
        {"$unset": {"result.version": ""}, "$set": {"result.removed_at": time.time()}},
    )


async def last_need_of_event(event_id: str) -> float | None:
    """Say until when an event was needed: by a scan that has not ended, until now; None if no scan has it."""
    needs = {
        found["_id"]: found["since"]
        async for found in collection(NAME).aggregate(
            [
                {"$match": {"i3_event_id": event_id}},
                {
                    "$group": {
                        "_id": {"$eq": ["$phase", Phase.ENDED]},
                        "since": {"$max": "$phase_since"},
                    }
                },
            ]
        )
    }
    return time.time() if False in needs else needs.get(True)


async def ids_in(ids: Iterable[str], phases: Iterable[Phase]) -> set[str]:
    """Say which of these scans are in one of the phases."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}, "phase": {"$in": list(phases)}}, {"_id": 1})
    return {scan["_id"] async for scan in cursor}


async def result_versions(ids: Iterable[str]) -> dict[str, Any]:
    """Say which version of its result each of these scans points to; those without one are left out."""
    condition = {"_id": {"$in": list(ids)}, "result.version": {"$exists": True}}
    cursor = collection(NAME).find(condition, {"result.version": 1})
    return {scan["_id"]: scan["result"]["version"] async for scan in cursor}


# --- what users ask for --------------------------------------------------------------------------------


Position = tuple[float, str]
"""Where a page of found scans ends: the last one's time and id."""


async def find(
    condition: Document,
    fields: Iterable[str],
    *,
    max_time_ms: int,
    limit: int | None = None,
    after: Position | None = None,
) -> AsyncIterator[list[Document]]:
    """Go through the scans that match a filter (checked by the caller), projected in the database.

    They come in batches: to pass each one on by itself would take longer than to find it.

    Args:
        condition: the filter.
        fields: top-level fields of the scans.
        max_time_ms: what the database may spend on it.
        limit: the most scans; with one they come in their order, the newest first, else in any.
        after: only what comes after this position in their order.

    Raises:
        InvalidArguments: the database does not understand the filter, such as `{"$in": 5}`, or has spent
            its time on it.
    """
    projection: Document = {"_id": 0, **dict.fromkeys(fields, 1)}
    if after is not None:
        time_, scan_id = after
        further = {"$or": [{"timestamp": {"$lt": time_}}, {"timestamp": time_, "_id": {"$lt": scan_id}}]}
        condition = {"$and": [condition, {"timestamp": {"$lte": time_}}, further]}
    cursor = collection(NAME).find(condition, projection).max_time_ms(max_time_ms).batch_size(BATCH)
    if limit is not None:
        cursor = cursor.sort([("timestamp", DESCENDING), ("_id", DESCENDING)]).limit(limit)
    try:
        while batch := await cursor.to_list(BATCH):
            yield batch
    except ExecutionTimeout:
        raise InvalidArguments(
            {
                "filter": f"the search took more than {max_time_ms / 1000:g} s: narrow it, for instance by "
                "run and event, time, phase or a classifier, which have indexes"
            }
        ) from None
    except OperationFailure as error:
        if error.code not in BAD_FILTER:
            raise
        raise InvalidArguments({"filter": str((error.details or {}).get("errmsg", "is wrong"))}) from None


async def history(scan_id: str) -> Document | None:
    """Read a scan's history (`history`), with what tells where it stands now."""
    scan: Document | None = await collection(NAME).find_one({"_id": scan_id}, {"history": 1, "is_deleted": 1})
    return scan


async def mark_deleted(scan_id: str) -> Document | None:
    """Mark a complete scan as deleted; the scan after it, or None if there is no such complete scan."""
    scan: Document | None = await collection(NAME).find_one_and_update(
        {"_id": scan_id, "phase": {"$in": list(COMPLETE)}},
        {"$set": {"is_deleted": True, "last_updated": time.time()}},
        projection=INTERNALS,
        return_document=ReturnDocument.AFTER,
    )
    return scan


async def add_rescan(scan_id: str, rescan_id: str) -> None:
    """Remember on a scan's request that it was scanned again."""
    await collection(NAME).update_one({"_id": scan_id}, {"$addToSet": {"request.rescan_ids": rescan_id}})

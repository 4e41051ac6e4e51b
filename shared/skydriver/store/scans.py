"""The `scans` collection: one document a scan, changed by atomic guarded updates only.

Every change that causes events puts them into the document's `outbox` in the same update; `eventing`
publishes them afterwards and tells `scan_outbox`. The outbox is an object by slot, so at most one event of
a kind waits there: a newer progress event takes the place of an older one that was not yet published.

Beside this module, which changes a scan as a whole: `scan_reports` (what scanners say), `scan_clusters` (its
workers), `scan_outbox`, `scan_search` (what users look for), `scan_overview` (many scans at once).
"""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from skydriver.model.scan import MAX_HISTORY, cut, history_entry
from skydriver.model.states import COMPLETE, ClusterState, Phase
from skydriver.model.transitions import TABLE, Fact
from skydriver.store import names
from skydriver.store.mongo import collection

logger = logging.getLogger(__name__)

Document = dict[str, Any]

NAME = "scans"
INTERNALS: dict[str, int] = {"outbox": 0, "history": 0}
"""What is projected out unless asked for: it grows with a scan's age."""


@dataclass(frozen=True)
class Change:
    """What `advance` did: whether the fact had its effect now, and the scan as it is after it."""

    applied: bool
    scan: Document


async def ensure_indexes() -> None:
    """Make the indexes that the queries of scans use; repeating it changes nothing."""
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
        await collection(NAME).insert_one(names.kept(scan))
    except DuplicateKeyError:
        return False
    return True


async def get(scan_id: str, fields: Iterable[str] | None = None) -> Document | None:
    """Read a scan: the given fields (dotted paths), or all but its outbox and history."""
    projection = INTERNALS if fields is None else dict.fromkeys(fields, 1)
    scan: Document | None = await collection(NAME).find_one({"_id": scan_id}, projection)
    return scan and names.shown(scan)


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
    put_into_outbox(update, outbox, now)
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
        return Change(applied=True, scan=names.shown(scan))
    scan = await get(scan_id)
    return None if scan is None else Change(applied=False, scan=scan)


def put_into_outbox(update: Document, outbox: Mapping[str, Document] | None, now: float) -> None:
    """Let an update put events into the outbox, too; it must have a `$set`."""
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
    put_into_outbox(update, outbox, time.time())
    result = await collection(NAME).update_one({"_id": scan_id, **(guard or {})}, update)
    return bool(result.matched_count)


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
    return scan and names.shown(scan)


async def add_rescan(scan_id: str, rescan_id: str) -> None:
    """Remember on a scan's request that it was scanned again."""
    await collection(NAME).update_one({"_id": scan_id}, {"$addToSet": {"request.rescan_ids": rescan_id}})

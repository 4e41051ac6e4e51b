"""The `scans` collection: one document a scan, changed by atomic guarded updates only.

Every change that causes events puts them into the document's `outbox` in the same update; `eventing`
publishes them afterwards and tells `outbox`. The outbox is an object by slot, so at most one event of
a kind waits there: a newer progress event takes the place of an older one that was not yet published.

Beside this module, which changes a scan as a whole: `reports` (what scanners say), `clusters` (its workers),
`outbox`, `search` (what users look for), `overview` (many scans at once), `joined` (a scan with its event or
result).
"""

import logging
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError, WTimeoutError

from skydriver.model.documents import FailedTry, OutboxEvent, Scan, WholeScan, projection
from skydriver.model.phases import COMPLETE, ClusterState, Phase
from skydriver.model.reasons import Why, cut, reason_fields
from skydriver.model.scan import MAX_FAILED_TRIES, MAX_HISTORY, MAX_RECENT, history_entry
from skydriver.model.subscriptions import NOTIFIED
from skydriver.model.transitions import TABLE, Attempt, Fact, slot_of
from skydriver.store import escaped_names
from skydriver.store.mongo import collection, ensure_index
from skydriver.telemetry.logging import work

logger = logging.getLogger(__name__)

Query = dict[str, Any]
"""A filter or an update. Tests hold its dotted paths against the types of documents."""
Part = TypeVar("Part")

NAME = "scans"
NOTIFIED_SLOTS = {slot_of(fact) for fact in NOTIFIED}
INTERNALS = dict.fromkeys(sorted(WholeScan.__annotations__.keys() - Scan.__annotations__.keys()), 0)
"""What is projected out unless asked for: it grows with a scan's age."""


@dataclass(frozen=True)
class Change:
    """What `advance` did: whether the fact had its effect now, and the scan as it is after it."""

    applied: bool
    scan: Scan


async def ensure_indexes() -> None:
    """Make the indexes that the queries of scans use; repeating it changes nothing."""
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
        # What ended lately, and how.
        [
            ("phase", ASCENDING),
            ("is_deleted", ASCENDING),
            ("phase_since", DESCENDING),
            ("outcome", ASCENDING),
        ],
    ):
        await ensure_index(NAME, keys)
    for name in ("outbox_since", "unnotified_since", "redriven"):
        await ensure_index(NAME, name, sparse=True)
    await ensure_index(NAME, "history.time")
    await ensure_index(NAME, "failed_tries.last", sparse=True)
    await ensure_index(NAME, "ewms_task.clusters.logs.until", sparse=True)
    await ensure_index(NAME, "ewms_task.clusters.uuid", sparse=True)
    await ensure_index(NAME, [("ewms_task.clusters.at", ASCENDING), ("phase", ASCENDING)])
    await ensure_index(
        NAME,
        "phase_since",
        partialFilterExpression={"phase": Phase.ENDED, "result.version": {"$exists": True}},
    )


async def insert(scan: WholeScan) -> bool:
    """Store a new scan; False if one of this id is there already.

    It counts as stored where the primary has it and the other members are slow: the sweep will start it, and
    a client that is told to try again would make a second one.
    """
    try:
        await collection(NAME).insert_one(escaped_names.kept(scan))
    except DuplicateKeyError:
        return False
    except WTimeoutError:
        logger.warning("scan %s: a majority of the database's members is slow to store it", scan["_id"])
    return True


async def get(scan_id: str) -> Scan | None:
    """Read a scan, without what grows with its age."""
    scan: Scan | None = await collection(NAME).find_one({"_id": scan_id}, INTERNALS)
    return scan and escaped_names.shown(scan)


async def get_part(scan_id: str, part: type[Part]) -> Part | None:
    """Read a part of a scan: one of the types of `model.documents`."""
    scan: Part | None = await collection(NAME).find_one({"_id": scan_id}, projection(cast(Hashable, part)))
    return scan and escaped_names.shown(scan)


async def get_fields(scan_id: str, fields: Iterable[str]) -> dict[str, Any] | None:
    """Read the fields (dotted paths) of a scan that a user asks for."""
    scan: dict[str, Any] | None = await collection(NAME).find_one({"_id": scan_id}, dict.fromkeys(fields, 1))
    return scan and escaped_names.shown(scan)


async def get_fields_of(scan_ids: Iterable[str], fields: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read the fields (dotted paths) of some scans in one round trip, by their ids; those that there are."""
    cursor = collection(NAME).find({"_id": {"$in": list(scan_ids)}}, dict.fromkeys(fields, 1))
    return {scan["_id"]: escaped_names.shown(scan) async for scan in cursor}


async def advance(
    scan_id: str,
    fact: Fact,
    *,
    attempt: int | None = None,
    why: Why | None = None,
    fields: Mapping[str, Any] | None = None,
    outbox: Mapping[str, OutboxEvent] | None = None,
    guard: Mapping[str, Any] | None = None,
) -> Change | None:
    """Let a fact have its effect on a scan, by the transition table, in one atomic update.

    Args:
        scan_id: the scan.
        fact: what happened; its row of the table says which phases accept it and what follows.
        attempt: only if the scan is at this attempt; what leads to the next one needs it.
        why: for the scan's `reason` and the history.
        fields: further fields to set.
        outbox: events to publish, by slot.
        guard: further conditions.

    Returns:
        The change, or None if there is no such scan.
    """
    transition = TABLE[fact]
    now = time.time()
    condition: Query = {"_id": scan_id, "phase": {"$in": list(transition.accepts)}, **(guard or {})}
    if attempt is not None:
        condition["attempt"] = attempt
    sets: Query = {"last_updated": now, **(fields or {})}
    update: Query = {"$set": sets}
    if why is not None:
        sets |= reason_fields(why)
    match transition.attempt:
        case Attempt.FIRST:
            update["$max"] = {"attempt": 1}
        case Attempt.NEXT:
            if attempt is None:
                raise ValueError(f"{fact} ends an attempt: which one?")
            sets["attempt"] = attempt + 1
    if transition.to is not None:
        sets["phase"] = transition.to
        sets["phase_since"] = now
        if transition.outcome is not None:
            sets["outcome"] = transition.outcome
        if transition.to in COMPLETE:
            sets["ewms_task.complete"] = True
        line = history_entry(
            transition.to,
            now=now,
            cause=work().cause,
            function=work().function,
            attempt=sets.get("attempt", attempt),
            why=why,
        )
        update["$push"] = {"history": {"$each": [line], "$slice": -MAX_HISTORY}}
    put_into_outbox(update, outbox, now)
    array_filters = None
    if transition.stops_workers:
        sets["ewms_task.clusters.$[c].state"] = ClusterState.STOPPING
        sets["ewms_task.clusters.$[c].due"] = now
        sets["ewms_task.clusters.$[c].stopping_since"] = now
        array_filters = [{"c.state": {"$nin": [ClusterState.STOPPED, ClusterState.STOPPING]}}]
    scan = await collection(NAME).find_one_and_update(
        condition,
        update,
        projection=INTERNALS,
        return_document=ReturnDocument.AFTER,
        array_filters=array_filters,
    )
    if scan is not None:
        if transition.to is not None:
            logger.info("scan %s is %s: %s", scan_id, transition.to, why.reason if why else work().cause)
        return Change(applied=True, scan=escaped_names.shown(scan))
    scan = await get(scan_id)
    return None if scan is None else Change(applied=False, scan=scan)


def put_into_outbox(update: Query, outbox: Mapping[str, OutboxEvent] | None, now: float) -> None:
    """Let an update put events into the outbox, too; it must have a `$set`.

    Events that users can subscribe to are also kept in `unnotified` until `notify_subscribers` has heard
    them: the broker could lose them, and no other step would notice.
    """
    if outbox:
        for slot, event in outbox.items():
            update["$set"][f"outbox.{slot}"] = event
        update["$min"] = {"outbox_since": now}
        for slot in outbox.keys() & NOTIFIED_SLOTS:
            update["$set"][f"unnotified.{slot}"] = outbox[slot]
            update["$min"]["unnotified_since"] = now


async def note_failed_try(
    scan_id: str,
    why: Why,
    *,
    cluster: str | None = None,
    name: str | None = None,
    event_type: str | None = None,
) -> bool:
    """Note on a scan that what this function tried for it has failed; False if there is no such scan.

    A repeat (the same function, cluster, event type and reason code) raises `times` and `last` of its line.

    Args:
        scan_id: the scan.
        why: why it failed.
        cluster: the uuid of the cluster that it was tried for, if it was one.
        name: what users call that cluster.
        event_type: of a dead letter, the type of the event that was not delivered.
    """
    now = time.time()
    same = {
        "function": work().function,
        "cluster": cluster,
        "name": name,
        "event_type": event_type,
        "reason_code": why.code,
    }
    reason = cut(why.reason)
    repeat: Query = {
        "$set": {"failed_tries.$.last": now, "failed_tries.$.reason": reason},
        "$inc": {"failed_tries.$.times": 1},
        "$push": {"failed_tries.$.recent": {"$each": [now], "$slice": -MAX_RECENT}},
    }
    line: FailedTry = {
        "function": work().function,
        "cluster": cluster,
        "name": name,
        "event_type": event_type,
        "reason": reason,
        "reason_code": why.code,
        "first": now,
        "last": now,
        "times": 1,
        "recent": [now],
    }
    first: Query = {"$push": {"failed_tries": {"$each": [line], "$slice": -MAX_FAILED_TRIES}}}
    for condition, update in (
        ({"$elemMatch": same}, repeat),
        ({"$not": {"$elemMatch": same}}, first),
        # Another one was quicker to note its first time.
        ({"$elemMatch": same}, repeat),
    ):
        noted = await collection(NAME).update_one({"_id": scan_id, "failed_tries": condition}, update)
        if noted.matched_count:
            return True
    return False


async def set_fields(
    scan_id: str, fields: Mapping[str, Any], *, guard: Mapping[str, Any] | None = None
) -> bool:
    """Set fields of a scan if the guard holds; False if it does not."""
    result = await collection(NAME).update_one({"_id": scan_id, **(guard or {})}, {"$set": dict(fields)})
    return bool(result.matched_count)


async def put_events(
    scan_id: str, outbox: Mapping[str, OutboxEvent], *, guard: Mapping[str, Any] | None = None
) -> bool:
    """Put events into the outbox of a scan that nothing else changes; False if the guard does not hold."""
    update: Query = {"$set": {}}
    put_into_outbox(update, outbox, time.time())
    result = await collection(NAME).update_one({"_id": scan_id, **(guard or {})}, update)
    return bool(result.matched_count)


async def lease_scanner(
    scan_id: str, *, phase: Phase, attempt: int, seconds: float, makes_queues: bool = False
) -> bool:
    """Take the lease on a scan's scanner server, for a launch or for its removal; False if it is taken.

    With `makes_queues` the server will leave queues at the message broker, which are to be removed.
    """
    now = time.time()
    queues = {"queues": {"leased_until": 0.0, "gone": False}} if makes_queues else {}
    return await set_fields(
        scan_id,
        {"scanner.leased_until": now + seconds, "scanner.gone": False, **queues},
        guard={"phase": phase, "attempt": attempt, "scanner.leased_until": {"$lte": now}},
    )


async def release_scanner(scan_id: str, *, attempt: int, gone: bool) -> None:
    """Give the lease back, and say whether the scanner server is verified gone."""
    await set_fields(scan_id, {"scanner.leased_until": 0.0, "scanner.gone": gone}, guard={"attempt": attempt})


async def lease_queues(scan_id: str, *, seconds: float) -> bool:
    """Take the lease on the queues of a scan that stops, of which nothing else is left; False if it is taken.

    Only then does no worker wait at them.
    """
    now = time.time()
    guard: Query = {
        "phase": Phase.STOPPING,
        "queues.gone": False,
        "queues.leased_until": {"$lte": now},
        "scanner.gone": True,
        **all_clusters_gone(),
    }
    return await set_fields(scan_id, {"queues.leased_until": now + seconds}, guard=guard)


async def release_queues(scan_id: str, *, gone: bool) -> None:
    """Give the lease back, and say whether the queues count as gone."""
    await set_fields(scan_id, {"queues": {"leased_until": 0.0, "gone": gone}})


def all_clusters_gone() -> Query:
    """Make the condition that no cluster of a scan has workers left."""
    return {"ewms_task.clusters": {"$not": {"$elemMatch": {"state": {"$ne": ClusterState.STOPPED}}}}}


async def mark_deleted(scan_id: str) -> Scan | None:
    """Mark a complete scan as deleted; the scan after it, or None if there is no such complete scan."""
    scan: Scan | None = await collection(NAME).find_one_and_update(
        {"_id": scan_id, "phase": {"$in": list(COMPLETE)}},
        {"$set": {"is_deleted": True, "last_updated": time.time()}},
        projection=INTERNALS,
        return_document=ReturnDocument.AFTER,
    )
    return scan and escaped_names.shown(scan)


async def add_rescan(scan_id: str, rescan_id: str, *, replaced: str | None = None) -> None:
    """Remember on a scan's request that it was scanned again.

    Args:
        scan_id: the scan that was asked for by hand.
        rescan_id: the new scan.
        replaced: the scan whose place the new one takes, if any: mostly the same, which takes one update.
    """
    place: Query = {"$set": {"replaced_by_scan_id": rescan_id, "last_updated": time.time()}}
    update: Query = {"$addToSet": {"request.rescan_ids": rescan_id}}
    await collection(NAME).update_one({"_id": scan_id}, update | place if replaced == scan_id else update)
    if replaced not in (None, scan_id):
        await collection(NAME).update_one({"_id": replaced}, place)

"""What scanners report of a scan: its progress, its metadata, and which result it points to."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument

from skydriver.model.documents import (
    Growth,
    OutboxEvent,
    PixelsOfScan,
    Report,
    ResultPointer,
    Scan,
    ScanReported,
    VersionOfScan,
    projection,
)
from skydriver.model.phases import Phase
from skydriver.model.tallies import pixels_done
from skydriver.model.transitions import TABLE, Fact
from skydriver.store import escaped_names
from skydriver.store.mongo import collection
from skydriver.store.scans.document import INTERNALS, NAME, Query, get_part, put_into_outbox

MAX_POINTS = 500
"""Reports whose pixels are kept: about the last eight hours, at one a minute."""


async def report_progress(
    scan_id: str,
    *,
    attempt: int,
    order: str,
    finished: bool,
    fields: Mapping[str, Any],
    metadata: Mapping[str, Any],
    outbox: Mapping[str, OutboxEvent],
) -> Scan | None:
    """Take a scanner's progress report, unless it is stale, of another attempt, or contradicts metadata.

    Reports are ordered by (attempt, finished, `last_updated`), and a finished one is never unset.

    Args:
        scan_id: the scan.
        attempt: the attempt that reports; only the scan's current one is heard.
        order: the report's `last_updated`.
        finished: whether it is the last one.
        fields: what to set, with `progress`.
        metadata: write-once fields: taken only if the stored value is null or equal.
        outbox: events to publish.

    Returns:
        The scan after the update, or None if it was not taken.
    """
    now = time.time()
    not_older: Query = {"$or": [{"report": None}, {"report.attempt": {"$lt": attempt}}]}
    if finished:
        not_older["$or"].append({"report.attempt": attempt})
    else:
        not_older["$or"].append(
            {"report.attempt": attempt, "report.finished": False, "report.order": {"$lte": order}}
        )
    condition: Query = {
        "_id": scan_id,
        "attempt": attempt,
        "phase": {"$in": list(TABLE[Fact.PROGRESS_REPORTED].accepts)},
        "$and": [not_older, *_write_once(metadata)],
    }
    report: Report = {"attempt": attempt, "finished": finished, "order": order, "at": now}
    update: Query = {"$set": {"last_updated": now, "report": report, **fields, **metadata}}
    put_into_outbox(update, outbox, now)
    done = pixels_done(fields.get("progress"))
    update["$push"] = {"pixels": {"$each": [[now, done, attempt]], "$slice": -MAX_POINTS}}
    growth: Growth = {"attempt": attempt, "done": done, "minus_at": -now}
    update["$max"] = {"grown": growth}
    scan: Scan | None = await collection(NAME).find_one_and_update(
        condition, update, projection=INTERNALS, return_document=ReturnDocument.AFTER
    )
    return scan and escaped_names.shown(scan)


async def report_metadata(scan_id: str, *, attempt: int, metadata: Mapping[str, Any]) -> Scan | None:
    """Take write-once metadata that came without progress; None if it was not taken."""
    condition: Query = {
        "_id": scan_id,
        "attempt": attempt,
        "phase": {"$in": list(TABLE[Fact.PROGRESS_REPORTED].accepts)},
        "$and": _write_once(metadata),
    }
    scan: Scan | None = await collection(NAME).find_one_and_update(
        condition,
        {"$set": {"last_updated": time.time(), **metadata}},
        projection=INTERNALS,
        return_document=ReturnDocument.AFTER,
    )
    return scan and escaped_names.shown(scan)


def _write_once(metadata: Mapping[str, Any]) -> list[Query]:
    # `$eq` on purpose: an object in a filter without it could be read as operators.
    return [{"$or": [{name: None}, {name: {"$eq": value}}]} for name, value in metadata.items()]


async def point_to_result(
    scan_id: str,
    *,
    attempt: int,
    pointer: ResultPointer,
    outbox: Mapping[str, OutboxEvent],
    first: Mapping[str, OutboxEvent] | None = None,
) -> tuple[bool, ScanReported | None]:
    """Let a scan's result be the one that `pointer` names, never after a final one, or after a later one.

    Args:
        scan_id: the scan.
        attempt: the attempt that reports; only the scan's current one is heard.
        pointer: to the stored result.
        outbox: events to publish.
        first: events to publish as well if this is the scan's first result; None if it is known not to be.

    Returns:
        Whether it was taken, and the scan as it was *before*.
    """
    now = time.time()
    condition: Query = {
        "_id": scan_id,
        "attempt": attempt,
        "phase": {"$in": list(TABLE[Fact.RESULT_REPORTED].accepts)},
        "result.is_final": {"$ne": True},
        **({} if pointer["is_final"] else {"result.came_at": {"$not": {"$gt": pointer["came_at"]}}}),
    }
    update: Query = {"$set": {"last_updated": now, "result": pointer}}
    put_into_outbox(update, outbox, now)
    ways: list[tuple[Query, Query]] = [({}, update)]
    if first is not None:
        marked: Query = {"$set": {**update["$set"], "first_result_at": now}}
        put_into_outbox(marked, {**outbox, **first}, now)
        # The second update is for a result that another one has preceded meanwhile.
        ways = [
            ({"first_result_at": {"$exists": False}}, marked),
            ({"first_result_at": {"$exists": True}}, update),
        ]
    for is_first, way in ways:
        before: ScanReported | None = await collection(NAME).find_one_and_update(
            {**condition, **is_first},
            way,
            projection=projection(ScanReported),
            return_document=ReturnDocument.BEFORE,
        )
        if before is not None:
            return True, before
    return False, await get_part(scan_id, ScanReported)


async def pixel_history(scan_id: str) -> list[list[float]]:
    """Read the progress of a scan: `[time, pixels done, attempt]` of each of its latest reports."""
    scan = await get_part(scan_id, PixelsOfScan)
    return scan.get("pixels", []) if scan else []


async def with_old_results(*, ended_before: float, limit: int) -> list[str]:
    """Find scans that ended, and were imported if they were, before a time, and whose results are there."""
    condition = {
        "phase": Phase.ENDED,
        "phase_since": {"$lt": ended_before},
        "imported.at": {"$not": {"$gte": ended_before}},
        "result.version": {"$exists": True},
    }
    return [scan["_id"] async for scan in collection(NAME).find(condition, {"_id": 1}).limit(limit)]


async def forget_result(scan_id: str) -> None:
    """Note that the result of an ended scan is kept no longer."""
    await collection(NAME).update_one(
        {"_id": scan_id, "phase": Phase.ENDED},
        {"$unset": {"result.version": ""}, "$set": {"result.removed_at": time.time()}},
    )


async def result_versions(ids: Iterable[str]) -> dict[str, ObjectId]:
    """Say which version of its result each of these scans points to; those without one are left out."""
    condition = {"_id": {"$in": list(ids)}, "result.version": {"$exists": True}}
    cursor = collection(NAME).find(condition, projection(VersionOfScan))
    return {scan["_id"]: scan["result"]["version"] async for scan in cursor}

"""Scans of another installation's database, as they are written here; and all scans, for the way back.

A scan's digest says what was written. It is compared on both sides: with what the other database gives now,
and with what stands here now. So a repeat neither writes anew what has not changed, nor over a change that
was made here.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import orjson
from bson.errors import BSONError
from pymongo import ASCENDING
from pymongo.errors import BulkWriteError, DocumentTooLarge

from skydriver.model.documents import Imported, WholeScan
from skydriver.model.reasons import ReasonCode
from skydriver.store import escaped_names
from skydriver.store.mongo import DUPLICATE_KEY, collection
from skydriver.store.scans.document import NAME, Query

NOT_COUNTED = frozenset({"imported", "outbox", "outbox_since", "failed_tries", "redriven", "trace"})
"""What the service keeps for itself, and which is no change of a scan."""


def digest_of(scan: Mapping[str, Any], *, without_rescans: Iterable[str] = ()) -> str:
    """Digest a scan.

    Args:
        scan: its document.
        without_rescans: ids in `request.rescan_ids` that do not count.
    """
    passed = set(without_rescans)
    rescans = [one for one in scan["request"]["rescan_ids"] if one not in passed]
    counted = {name: value for name, value in scan.items() if name not in NOT_COUNTED}
    counted["request"] = {**scan["request"], "rescan_ids": rescans}
    return sha256(orjson.dumps(counted, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def marks(ids: Iterable[str]) -> dict[str, Imported | None]:
    """Say which of these scans are here, and of each that was imported when, and its digest."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}}, {"imported": 1})
    return {scan["_id"]: scan.get("imported") async for scan in cursor}


async def whole(scan_id: str) -> WholeScan | None:
    """Read all of a scan."""
    scan: WholeScan | None = await collection(NAME).find_one({"_id": scan_id})
    return scan and escaped_names.shown(scan)


async def insert(scans: Sequence[WholeScan]) -> tuple[set[str], dict[str, str]]:
    """Store new scans.

    Returns:
        The ids of those that were there already; and of those that the database refuses, why.
    """
    if not scans:
        return set(), {}
    kept = [escaped_names.kept(scan) for scan in scans]
    try:
        await collection(NAME).insert_many(kept, ordered=False)
    except BulkWriteError as error:
        errors = (error.details or {}).get("writeErrors", [])
        if not errors:
            raise
        return (
            {scans[one["index"]]["_id"] for one in errors if one["code"] == DUPLICATE_KEY},
            {
                scans[one["index"]]["_id"]: f"the database refuses it (code {one['code']})"
                for one in errors
                if one["code"] != DUPLICATE_KEY
            },
        )
    except (DocumentTooLarge, BSONError, OverflowError) as error:
        if len(scans) == 1:
            return set(), {scans[0]["_id"]: f"it cannot be stored ({type(error).__name__})"}
        present: set[str] = set()
        refused: dict[str, str] = {}
        for scan in scans:
            here, why = await insert([scan])
            present |= here
            refused |= why
        return present, refused
    return set(), {}


async def replace(scan: WholeScan, *, before: WholeScan) -> bool:
    """Write an imported scan anew, if nothing has changed it since it was read; False if something has."""
    guard: Query = {
        "_id": scan["_id"],
        "imported": before.get("imported"),
        "last_updated": before["last_updated"],
        "is_deleted": before["is_deleted"],
        "phase": before["phase"],
        "result": before["result"],
        "request.rescan_ids": before["request"]["rescan_ids"],
    }
    done = await collection(NAME).replace_one(guard, escaped_names.kept(scan))
    return bool(done.matched_count)


async def made_here(ids: Iterable[str]) -> set[str]:
    """Say which of these scans were asked for here, and not imported."""
    cursor = collection(NAME).find({"_id": {"$in": list(ids)}, "imported": {"$exists": False}}, {"_id": 1})
    return {scan["_id"] async for scan in cursor}


async def everything(ids: Sequence[str] = (), *, batch: int = 100) -> AsyncIterator[WholeScan]:
    """Go through scans as they are stored, by id: these, or all of them."""
    condition: Query = {"_id": {"$in": list(ids)}} if ids else {}
    cursor = collection(NAME).find(condition).sort("_id", ASCENDING).batch_size(batch)
    async for scan in cursor:
        yield escaped_names.shown(scan)


async def from_backlog(ids: Sequence[str] = ()) -> AsyncIterator[str]:
    """Go through the imported scans that waited in the other installation's backlog, the oldest first.

    Args:
        ids: only these; else all of them.
    """
    condition: Query = {
        **({"_id": {"$in": list(ids)}} if ids else {}),
        "imported": {"$exists": True},
        "reason_code": ReasonCode.IMPORTED_FROM_BACKLOG,
        "is_deleted": False,
    }
    cursor = collection(NAME).find(condition, {"_id": 1}).sort("timestamp", ASCENDING)
    async for scan in cursor:
        yield scan["_id"]

"""The `rate_limit` collection: one document counts starts and placed scans, so that permits are atomic."""

import contextlib
from collections.abc import Iterable

from pymongo.errors import DuplicateKeyError

from skydriver.model.documents import SCHEMA, Limits
from skydriver.store.mongo import collection

NAME = "rate_limit"
ID = "launches"
MINUTE = 60.0


async def acquire(
    scan_id: str, *, now: float, starts_per_minute: int, scans_running: int, unlimited: bool
) -> bool:
    """Take the permit to place a scan; taking it again changes nothing.

    Args:
        scan_id: the scan.
        now: seconds since the epoch.
        starts_per_minute: permits that may be taken within any minute.
        scans_running: permits that may be out at once.
        unlimited: an alert: the permit is given and counted whatever the limits say.

    Returns:
        Whether the scan has its permit.
    """
    limits = collection(NAME)
    # The n-th newest start tells whether n starts lie within the last minute.
    free: dict[str, object] = {
        f"running.{scans_running - 1}": {"$exists": False},
        f"starts.{starts_per_minute - 1}": {"$not": {"$gt": now - MINUTE}},
    }
    update = {
        "$push": {
            "running": scan_id,
            "starts": {"$each": [now], "$position": 0, "$slice": max(starts_per_minute, 100)},
        }
    }
    if await limits.find_one({"_id": ID}, {"_id": 1}) is None:
        with contextlib.suppress(DuplicateKeyError):
            new: Limits = {"_id": ID, "schema": SCHEMA, "running": [], "starts": []}
            await limits.insert_one(new)
    condition = {"_id": ID, "running": {"$ne": scan_id}, **({} if unlimited else free)}
    if (await limits.update_one(condition, update)).matched_count:
        return True
    return await limits.find_one({"_id": ID, "running": scan_id}, {"_id": 1}) is not None


async def release(scan_ids: Iterable[str]) -> None:
    """Give back the permits of scans that are placed no longer."""
    await collection(NAME).update_one({"_id": ID}, {"$pull": {"running": {"$in": list(scan_ids)}}})


async def holders() -> list[str]:
    """List the scans that hold a permit."""
    limits: Limits | None = await collection(NAME).find_one({"_id": ID}, {"running": 1})
    return limits["running"] if limits else []


async def usage(*, now: float) -> tuple[int, int]:
    """Count the permits taken within the last minute, and those that are out."""
    limits: Limits | None = await collection(NAME).find_one({"_id": ID})
    if limits is None:
        return 0, 0
    return started_lately(limits["starts"], now=now), len(limits["running"])


def started_lately(starts: Iterable[float], *, now: float) -> int:
    """Count the permits that were taken within the last minute, by their times."""
    return sum(start > now - MINUTE for start in starts)

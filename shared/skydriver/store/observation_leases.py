"""The `observation_leases` collection: who is looking at the workers of a location now, so that only one is.

Two looks at once could end in the wrong order, and the older one's figures win. Beside the lease stands since
when the location does not answer, also where nothing is at work.
"""

import time
from collections.abc import Iterable

from pymongo.errors import DuplicateKeyError

from skydriver.model.documents import SCHEMA
from skydriver.store.mongo import collection

NAME = "observation_leases"


async def acquire(location: str, *, seconds: float) -> bool:
    """Begin to look at a location, for so many seconds at most; False if another one is at it."""
    now = time.time()
    try:
        await collection(NAME, durable=False).update_one(
            {"_id": location, "leased_until": {"$lte": now}},
            {"$set": {"leased_until": now + seconds, "schema": SCHEMA}},
            upsert=True,
        )
    except DuplicateKeyError:
        return False
    return True


async def release(location: str) -> None:
    """End a look."""
    await collection(NAME, durable=False).update_one({"_id": location}, {"$set": {"leased_until": 0.0}})


async def note_silence(location: str, *, since: float, reason: str) -> None:
    """Note that a location does not answer: the first time stays until it does."""
    await collection(NAME, durable=False).update_one(
        {"_id": location}, {"$min": {"silent_since": since}, "$set": {"reason": reason}}
    )


async def note_answer(location: str) -> None:
    """Note that a location answers."""
    await collection(NAME, durable=False).update_one(
        {"_id": location, "silent_since": {"$exists": True}}, {"$unset": {"silent_since": "", "reason": ""}}
    )


async def keep_only(locations: Iterable[str]) -> None:
    """Forget all other locations: they are looked at no longer."""
    await collection(NAME, durable=False).delete_many({"_id": {"$nin": sorted(locations)}})


async def silence() -> dict[str, float | None]:
    """Say of each location that is looked at since when it does not answer; None while it does."""
    found = collection(NAME).find({}, {"silent_since": 1})
    return {location["_id"]: location.get("silent_since") async for location in found.sort("_id")}

"""The `handled_events` collection: dead letters that were noted, for a day.

Repeats are known by it, and dead letters are counted from it.
"""

import datetime as dt

from skydriver.model.documents import SCHEMA
from skydriver.store.mongo import collection, ensure_index

NAME = "handled_events"
RETENTION_SECONDS = 24 * 3600


async def ensure_indexes() -> None:
    """Make the index that forgets old entries; repeating it changes nothing."""
    await ensure_index(NAME, "at", expireAfterSeconds=RETENTION_SECONDS)


async def is_handled(source: str, event_id: str) -> bool:
    """Say whether an event of this source and id was handled."""
    return await collection(NAME).find_one({"_id": f"{source} {event_id}"}, {"_id": 1}) is not None


async def remember(source: str, event_id: str, kind: str) -> None:
    """Remember an event, and its type, after its effect."""
    await collection(NAME).update_one(
        {"_id": f"{source} {event_id}"},
        {"$set": {"at": dt.datetime.now(dt.UTC), "type": kind, "schema": SCHEMA}},
        upsert=True,
    )


async def types(since: float, until: float) -> list[str]:
    """List the types of the events that were handled after a time, and not after another."""
    at = {"$gt": dt.datetime.fromtimestamp(since, dt.UTC), "$lte": dt.datetime.fromtimestamp(until, dt.UTC)}
    return [event.get("type", "") async for event in collection(NAME).find({"at": at}, {"type": 1})]

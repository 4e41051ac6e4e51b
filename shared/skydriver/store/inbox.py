"""The `inbox` collection: events that were handled already. It only saves work."""

import datetime as dt

from skydriver.store.mongo import collection

NAME = "inbox"
KEPT = 24 * 3600


async def ensure_indexes() -> None:
    """Make the index that forgets old entries; repeating it changes nothing."""
    await collection(NAME).create_index("at", expireAfterSeconds=KEPT)


async def seen(source: str, event_id: str) -> bool:
    """Say whether an event of this source and id was handled."""
    return await collection(NAME).find_one({"_id": f"{source} {event_id}"}, {"_id": 1}) is not None


async def remember(source: str, event_id: str) -> None:
    """Remember an event after its effect."""
    await collection(NAME).update_one(
        {"_id": f"{source} {event_id}"}, {"$set": {"at": dt.datetime.now(dt.UTC)}}, upsert=True
    )

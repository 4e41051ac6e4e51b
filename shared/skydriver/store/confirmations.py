"""The `confirmations` collection: how often a user has asked others for their consent by e-mail, each day."""

import datetime as dt
from hashlib import sha256

from pymongo.errors import DuplicateKeyError

from skydriver.model.documents import SCHEMA
from skydriver.store.mongo import collection, ensure_index

NAME = "confirmations"
RETENTION_SECONDS = 2 * 24 * 3600


async def ensure_indexes() -> None:
    """Make the index that removes past days; repeating it changes nothing."""
    await ensure_index(NAME, "at", expireAfterSeconds=RETENTION_SECONDS)


async def acquire(user: str, *, limit: int) -> bool:
    """Count one more question of a user today (UTC); False if the limit is reached."""
    now = dt.datetime.now(dt.UTC)
    name = sha256(f"{now.date().isoformat()} {user}".encode()).hexdigest()
    try:
        # At the limit nothing matches, and the upsert fails since the day's document exists.
        await collection(NAME).update_one(
            {"_id": name, "count": {"$lt": limit}},
            {"$inc": {"count": 1}, "$setOnInsert": {"at": now, "schema": SCHEMA}},
            upsert=True,
        )
    except DuplicateKeyError:
        return False
    return True

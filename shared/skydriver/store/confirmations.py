"""The `confirmations` collection: how many others a user has asked for their consent by e-mail, in a day."""

import datetime as dt
from hashlib import sha256

from pymongo.errors import DuplicateKeyError

from skydriver.model.documents import SCHEMA
from skydriver.store.mongo import collection

NAME = "confirmations"
RETENTION_SECONDS = 2 * 24 * 3600


async def ensure_indexes() -> None:
    """Make the index that forgets days that are over; repeating it changes nothing."""
    await collection(NAME).create_index("at", expireAfterSeconds=RETENTION_SECONDS)


async def acquire(user: str, *, limit: int) -> bool:
    """Take the permit to ask once more today (UTC); False if a user has had as many as the limit."""
    now = dt.datetime.now(dt.UTC)
    name = sha256(f"{now.date().isoformat()} {user}".encode()).hexdigest()
    try:
        # Where the limit is reached nothing matches, and the day's document cannot be made twice.
        await collection(NAME).update_one(
            {"_id": name, "count": {"$lt": limit}},
            {"$inc": {"count": 1}, "$setOnInsert": {"at": now, "schema": SCHEMA}},
            upsert=True,
        )
    except DuplicateKeyError:
        return False
    return True

"""The `ended_sessions` collection: sessions whose users have logged out, until their cookies are over."""

import datetime as dt

from skydriver.model.documents import SCHEMA
from skydriver.store.mongo import collection, ensure_index

NAME = "ended_sessions"


async def ensure_indexes() -> None:
    """Make the index that forgets sessions that are over anyway; repeating it changes nothing."""
    await ensure_index(NAME, "until", expireAfterSeconds=0)


async def add(digest: str, *, until: float) -> None:
    """Note that a session was ended.

    Args:
        digest: of its id, which itself is not stored.
        until: when its cookie is good no longer, in seconds since the epoch.
    """
    entry = {"schema": SCHEMA, "until": dt.datetime.fromtimestamp(until, dt.UTC)}
    await collection(NAME).update_one({"_id": digest}, {"$set": entry}, upsert=True)


async def contains(digest: str) -> bool:
    """Say whether a session was ended, by the digest of its id."""
    return await collection(NAME).find_one({"_id": digest}, {"_id": 1}) is not None

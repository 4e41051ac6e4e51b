"""The `idempotency_keys` collection: which scan a user's idempotency key stands for, for a day."""

import datetime as dt
from hashlib import sha256

from pymongo.errors import DuplicateKeyError

from skydriver.errors import AlreadyUsed
from skydriver.model.documents import SCHEMA, Submission
from skydriver.store.mongo import collection, ensure_index

NAME = "idempotency_keys"
RETENTION = dt.timedelta(hours=24)


async def ensure_indexes() -> None:
    """Make the index that forgets old keys; repeating it changes nothing."""
    await ensure_index(NAME, "at", expireAfterSeconds=int(RETENTION.total_seconds()))


async def known(user: str, key: str, *, content: str) -> str | None:
    """Say which scan a user's key stands for; None if it stands for none.

    Raises:
        AlreadyUsed: the key was used with other content.
    """
    entry = await collection(NAME).find_one({"_id": _name(user, key), "at": {"$gte": _now() - RETENTION}})
    return None if entry is None else _scan_of(entry, content)


async def take(user: str, key: str, *, content: str, scan_id: str) -> str:
    """Let a user's key stand for a scan, unless it stands for one already.

    Args:
        user: whose key it is.
        key: what the client calls this submission.
        content: a digest of what is submitted.
        scan_id: the id that a new scan would have.

    Returns:
        The id that this submission's scan has, whether or not it is stored yet.

    Raises:
        AlreadyUsed: the key was used with other content.
    """
    name, now = _name(user, key), _now()
    await collection(NAME).delete_one({"_id": name, "at": {"$lt": now - RETENTION}})
    entry: Submission = {
        "_id": name,
        "schema": SCHEMA,
        "content": content,
        "scan_id": scan_id,
        "at": now,
    }
    try:
        await collection(NAME).insert_one(entry)
    except DuplicateKeyError:
        entry = await collection(NAME).find_one({"_id": name}) or entry
    return _scan_of(entry, content)


async def release(user: str, key: str) -> None:
    """Let a user's key stand for nothing again, since what it was taken for was not done."""
    await collection(NAME).delete_one({"_id": _name(user, key)})


def _name(user: str, key: str) -> str:
    # A digest: neither name nor key is bounded, and a plain join could be read in two ways.
    return sha256(f"{len(user)} {user} {key}".encode()).hexdigest()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _scan_of(entry: Submission, content: str) -> str:
    if entry["content"] != content:
        raise AlreadyUsed("this Idempotency-Key was used for another request within the last 24 hours")
    return entry["scan_id"]

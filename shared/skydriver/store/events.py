"""The `events` collection: each i3live event once, as JSON bytes under the hash of its content."""

import contextlib
from hashlib import sha256
from typing import Any

import orjson
from pymongo.errors import DuplicateKeyError

from skydriver.store.mongo import collection

NAME = "events"


async def put(event: dict[str, Any]) -> str:
    """Store an event, shared with every scan of an equal one.

    Returns:
        Its id: the SHA-256 of its JSON with sorted keys, in hexadecimal.
    """
    content = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    event_id = sha256(content).hexdigest()
    with contextlib.suppress(DuplicateKeyError):
        await collection(NAME).insert_one({"_id": event_id, "json": content})
    return event_id


async def get(event_id: str) -> bytes | None:
    """Read an event as JSON."""
    event = await collection(NAME).find_one({"_id": event_id})
    return None if event is None else bytes(event["json"])

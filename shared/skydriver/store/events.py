"""The `events` collection: each i3live event once, as JSON bytes under the hash of its content."""

import contextlib
from hashlib import sha256
from typing import Any

import orjson
from pymongo.errors import DuplicateKeyError

from skydriver.errors import TooLarge
from skydriver.settings import settings
from skydriver.store.mongo import collection

NAME = "events"


async def put(event: dict[str, Any]) -> str:
    """Store an event, shared with every scan of an equal one.

    Returns:
        Its id: the SHA-256 of its JSON with sorted keys, in hexadecimal.

    Raises:
        TooLarge: it has more bytes than an event may have.
    """
    content = orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    if len(content) > settings().max_event_bytes:
        raise TooLarge(f"the event must have {settings().max_event_bytes} bytes at the most")
    event_id = sha256(content).hexdigest()
    with contextlib.suppress(DuplicateKeyError):
        await collection(NAME).insert_one({"_id": event_id, "json": content})
    return event_id


async def get(event_id: str) -> bytes | None:
    """Read an event as JSON."""
    event = await collection(NAME).find_one({"_id": event_id})
    return None if event is None else bytes(event["json"])


async def exists(event_id: str) -> bool:
    """Say whether there is an event of this id."""
    return await collection(NAME).find_one({"_id": event_id}, {"_id": 1}) is not None

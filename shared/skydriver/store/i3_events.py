"""The `i3_events` collection: each i3live event once, as JSON bytes under the hash of its content.

`used_at` says when it was last asked for by a scan, or found to be needed by one: so the removal of what is
old never removes what a scan has just begun to use.
"""

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from pymongo import ASCENDING, UpdateOne
from pymongo.errors import DuplicateKeyError

from skydriver.errors import TooLarge
from skydriver.model.documents import SCHEMA, I3Event
from skydriver.settings import settings
from skydriver.store.mongo import collection, ensure_index

NAME = "i3_events"
CONTENT_ID = 64
"""Characters of an id; former ones are shorter."""


class ImportedEvent(NamedTuple):
    """An event of another database: its id here, its JSON with sorted keys, and the id that it had there."""

    event_id: str
    json: bytes
    former_id: str | None


def id_of(content: bytes) -> str:
    """Name an event: the SHA-256 of its JSON with sorted keys, in hexadecimal."""
    return sha256(content).hexdigest()


async def ensure_indexes() -> None:
    """Make the index that the queries of this module use; repeating it changes nothing."""
    await ensure_index(NAME, "used_at")
    await ensure_index(NAME, "former_ids", sparse=True)


async def put(content: bytes) -> str:
    """Store an event, shared with every scan of an equal one.

    Args:
        content: its JSON with sorted keys.

    Returns:
        Its id.

    Raises:
        TooLarge: it has more bytes than an event may have.
    """
    if len(content) > settings().max_event_bytes:
        raise TooLarge(f"the event must have {settings().max_event_bytes} bytes at most")
    event_id = id_of(content)
    event: I3Event = {"_id": event_id, "schema": SCHEMA, "json": content, "used_at": time.time()}
    # A second time round only where it was removed in between.
    while True:
        try:
            await collection(NAME).insert_one(event)
        except DuplicateKeyError:
            if await touch(event_id) is None:
                continue
        return event_id


async def touch(event_id: str) -> str | None:
    """Note that a scan is about to use an event.

    Args:
        event_id: its id, or one that it had in a database that was imported.

    Returns:
        Its id; None if there is no such event.
    """
    condition = {"_id": event_id} if len(event_id) == CONTENT_ID else {"former_ids": event_id}
    used: I3Event | None = await collection(NAME).find_one_and_update(
        condition, {"$set": {"used_at": time.time()}}, projection={"_id": 1}
    )
    return used and used["_id"]


async def known_as(former_ids: Iterable[str]) -> dict[str, str]:
    """Resolve ids that events had in a database that was imported; those that are unknown are left out."""
    asked = set(former_ids)
    if not asked:
        return {}
    cursor = collection(NAME).find({"former_ids": {"$in": list(asked)}}, {"former_ids": 1})
    return {
        former: event["_id"] async for event in cursor for former in event["former_ids"] if former in asked
    }


async def put_imported(events: Sequence[ImportedEvent]) -> None:
    """Store events of another database, shared with whatever scans have equal ones."""
    if not events:
        return
    now = time.time()
    writes = []
    for event in events:
        update: dict[str, Mapping[str, object]] = {
            "$setOnInsert": {"schema": SCHEMA, "json": event.json},
            "$max": {"used_at": now},
        }
        if event.former_id is not None:
            update["$addToSet"] = {"former_ids": event.former_id}
        writes.append(UpdateOne({"_id": event.event_id}, update, upsert=True))
    await collection(NAME).bulk_write(writes, ordered=False)


async def everything(ids: Iterable[str] | None = None) -> AsyncIterator[I3Event]:
    """Go through events: those of these ids, or all."""
    condition = {} if ids is None else {"_id": {"$in": list(ids)}}
    async for event in collection(NAME).find(condition).sort("_id", ASCENDING).batch_size(10):
        yield event


async def get(event_id: str) -> bytes | None:
    """Read an event as JSON."""
    event: I3Event | None = await collection(NAME).find_one({"_id": event_id})
    return None if event is None else bytes(event["json"])


async def unused_since(before: float, *, limit: int) -> list[tuple[str, float]]:
    """List events, with the times (seconds since the epoch) they were last used at, the oldest first."""
    cursor = collection(NAME).find({"used_at": {"$lt": before}}, {"used_at": 1})
    found = await cursor.sort("used_at", ASCENDING).limit(limit).to_list(limit)
    return [(event["_id"], event["used_at"]) for event in found]


async def keep(event_id: str, *, used_at: float, needed_at: float) -> None:
    """Note that an event was needed later than when it was last used, unless it was used meanwhile."""
    await collection(NAME).update_one({"_id": event_id, "used_at": used_at}, {"$set": {"used_at": needed_at}})


async def remove(event_id: str, *, used_at: float) -> None:
    """Remove an event, unless it was used meanwhile."""
    await collection(NAME).delete_one({"_id": event_id, "used_at": used_at})

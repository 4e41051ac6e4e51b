"""The `import_asides` collection: documents of an imported database that could not be taken, and why."""

import time
from collections.abc import Sequence

from pymongo import ASCENDING, ReplaceOne

from skydriver.model.documents import SCHEMA, ImportAside
from skydriver.store.mongo import collection

NAME = "import_asides"


def aside(
    place: str, own_id: str, reason: str, *, scan_id: str | None = None, json: bytes | None = None
) -> ImportAside:
    """Make the entry of a document.

    Args:
        place: its collection there.
        own_id: its `_id` there.
        reason: why it could not be taken, in a sentence without its content.
        scan_id: of which scan it is, where that is known.
        json: what could be read of it, secrets masked.
    """
    return {
        "_id": f"{place}/{own_id}",
        "schema": SCHEMA,
        "collection": place,
        "scan_id": scan_id,
        "reason": reason,
        "json": json,
        "at": time.time(),
    }


async def keep(asides: Sequence[ImportAside]) -> None:
    """Note documents; those that were noted before are noted anew."""
    if asides:
        await collection(NAME).bulk_write(
            [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in asides], ordered=False
        )


async def forget(before: float) -> None:
    """Remove what no later import has noted again."""
    await collection(NAME).delete_many({"at": {"$lt": before}})


async def listed() -> list[ImportAside]:
    """List them."""
    found: list[ImportAside] = await collection(NAME).find({}).sort("_id", ASCENDING).to_list(None)
    return found

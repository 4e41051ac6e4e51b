"""The outboxes of scans: events that a change has caused, until the broker has taken them."""

from pymongo import ASCENDING

from skydriver.store.mongo import collection
from skydriver.store.scans import NAME, Document


async def outbox_of(scan_id: str) -> dict[str, Document]:
    """Read what a scan has not published yet, by slot."""
    scan = await collection(NAME).find_one({"_id": scan_id}, {"outbox": 1})
    return dict(scan["outbox"]) if scan else {}


async def waiting_outboxes(*, before: float, limit: int) -> list[Document]:
    """Find scans (`_id`, `outbox`) whose outbox has waited since before a time, the oldest first."""
    cursor = collection(NAME).find({"outbox_since": {"$lt": before}}, {"outbox": 1})
    found: list[Document] = await cursor.sort("outbox_since", ASCENDING).limit(limit).to_list(limit)
    return found


async def published(scan_id: str, slot: str, event_id: str) -> None:
    """Take a published event out of a scan's outbox, unless a newer one has taken its slot.

    Where that is lost with the database's primary, the sweep publishes the event again, which is allowed.
    """
    await collection(NAME, durable=False).update_one(
        {"_id": scan_id, f"outbox.{slot}.id": event_id},
        [
            {"$unset": f"outbox.{slot}"},
            {
                "$set": {
                    "outbox_since": {"$cond": [{"$eq": ["$outbox", {}]}, "$$REMOVE", "$outbox_since"]},
                }
            },
        ],
    )

"""The outboxes of scans: events that a change has caused, until the broker has taken them."""

from pymongo import ASCENDING

from skydriver.model.documents import Outbox, OutboxOfScan, UnnotifiedOfScan, projection
from skydriver.model.transitions import Fact, slot_of
from skydriver.store.mongo import collection
from skydriver.store.scans.document import NAME, get_part


async def read_outbox(scan_id: str) -> Outbox:
    """Read what a scan has not published yet, by slot."""
    scan = await get_part(scan_id, OutboxOfScan)
    return scan["outbox"] if scan else {}


async def waiting_outboxes(*, before: float, limit: int) -> list[OutboxOfScan]:
    """Find scans whose outbox has waited since before a time, the oldest first."""
    cursor = collection(NAME).find({"outbox_since": {"$lt": before}}, projection(OutboxOfScan))
    found: list[OutboxOfScan] = await cursor.sort("outbox_since", ASCENDING).limit(limit).to_list(limit)
    return found


async def mark_published(scan_id: str, slot: str, event_id: str) -> None:
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


async def unnotified(*, before: float, limit: int) -> list[UnnotifiedOfScan]:
    """Find scans with events that `notify_subscribers` has not heard for a long time, the oldest first."""
    cursor = collection(NAME).find({"unnotified_since": {"$lt": before}}, projection(UnnotifiedOfScan))
    found: list[UnnotifiedOfScan] = (
        await cursor.sort("unnotified_since", ASCENDING).limit(limit).to_list(limit)
    )
    return found


async def note_said_again(scan_id: str, *, seen: float, now: float) -> bool:
    """Store that events unheard since `seen` are announced again; False if another sweep has done so."""
    result = await collection(NAME, durable=False).update_one(
        {"_id": scan_id, "unnotified_since": seen}, {"$set": {"unnotified_since": now}}
    )
    return bool(result.matched_count)


async def mark_notified(scan_id: str, fact: Fact, event_id: str) -> None:
    """Store that the deliveries of an event are stored, unless a newer event has taken its slot.

    If this update is lost with the database's primary, they are stored again, which changes nothing.
    """
    slot = slot_of(fact)
    await collection(NAME, durable=False).update_one(
        {"_id": scan_id, f"unnotified.{slot}.id": event_id},
        [
            {"$unset": f"unnotified.{slot}"},
            {
                "$set": {
                    "unnotified_since": {
                        "$cond": [{"$eq": ["$unnotified", {}]}, "$$REMOVE", "$unnotified_since"]
                    },
                }
            },
        ],
    )

"""The `deliveries` collection: each delivery and its state, for a month.

One row is written for each event and subscription, so a repeat of an event finds its row. A delivery that is
stored as done is never sent again.
"""

import datetime as dt
import time
from collections.abc import Iterable
from typing import Any, TypedDict

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import BulkWriteError

from skydriver.model.documents import SCHEMA
from skydriver.model.reasons import Why, reason_fields
from skydriver.model.subscriptions import Delivery, DeliveryState, NotifiedEvent
from skydriver.store.mongo import DUPLICATE_KEY, collection, ensure_index

NAME = "deliveries"
KEPT = dt.timedelta(days=30)
"""How long rows are kept, and with them repeats of events recognized."""

Query = dict[str, Any]


class Overdue(TypedDict):
    """A delivery that is overdue, and its scan."""

    id: str
    scan_id: str


async def ensure_indexes() -> None:
    """Make the indexes for due deliveries, shown ones, and the expiry; repeating it changes nothing."""
    await ensure_index(
        NAME,
        [("subscription_id", ASCENDING), ("not_before", ASCENDING), ("created_at", ASCENDING)],
        partialFilterExpression={"state": DeliveryState.DUE},
    )
    await ensure_index(
        NAME,
        [("not_before", ASCENDING), ("subscription_id", ASCENDING)],
        partialFilterExpression={"state": DeliveryState.DUE},
    )
    await ensure_index(NAME, [("subscription_id", ASCENDING), ("created_at", DESCENDING)])
    await ensure_index(NAME, "forget_at", expireAfterSeconds=0)


def new_delivery(subscription_id: str, event: NotifiedEvent, *, now: float) -> Delivery:
    """Make the row of an event for a subscription."""
    return {
        "_id": f"{subscription_id}/{event['id']}",
        "schema": SCHEMA,
        "subscription_id": subscription_id,
        "scan_id": event["subject"],
        "event": event,
        "state": DeliveryState.DUE,
        "tries": 0,
        "not_before": now,
        "status": None,
        "reason": None,
        "reason_code": None,
        "created_at": now,
        "forget_at": dt.datetime.fromtimestamp(now, dt.UTC) + KEPT,
    }


async def insert(rows: Iterable[Delivery]) -> list[Delivery]:
    """Store rows, in one round trip; existing rows stay as they are.

    Returns:
        The rows that are new.
    """
    given = list(rows)
    if not given:
        return []
    try:
        await collection(NAME).insert_many(given, ordered=False)
    except BulkWriteError as error:
        errors = (error.details or {}).get("writeErrors", [])
        if not errors or any(one["code"] != DUPLICATE_KEY for one in errors):
            raise
        repeated = {one["index"] for one in errors}
        return [row for n, row in enumerate(given) if n not in repeated]
    return given


async def get(delivery_id: str) -> Delivery | None:
    """Read a row."""
    row: Delivery | None = await collection(NAME).find_one({"_id": delivery_id})
    return row


async def next_due(subscription_id: str) -> Delivery | None:
    """Find the delivery that is sent to a subscription next."""
    row: Delivery | None = await collection(NAME).find_one(
        {"subscription_id": subscription_id, "state": DeliveryState.DUE, "not_before": {"$lte": time.time()}},
        sort=[("not_before", ASCENDING), ("created_at", ASCENDING)],
    )
    return row


async def overdue(*, before: float, limit: int) -> list[Overdue]:
    """Find deliveries that were due before a time: one row for each subscription, the oldest first."""
    pipeline: list[Query] = [
        {"$match": {"state": DeliveryState.DUE, "not_before": {"$lt": before}}},
        {"$sort": {"not_before": ASCENDING}},
        {
            "$group": {
                "_id": "$subscription_id",
                "since": {"$first": "$not_before"},
                "id": {"$first": "$_id"},
                "scan_id": {"$first": "$scan_id"},
            }
        },
        {"$sort": {"since": ASCENDING}},
        {"$limit": limit},
    ]
    return [
        {"id": one["id"], "scan_id": one["scan_id"]} async for one in collection(NAME).aggregate(pipeline)
    ]


async def note_delivered(delivery_id: str, *, status: int | None) -> None:
    """Store that a delivery is done, with its receiver's status."""
    await collection(NAME).update_one(
        {"_id": delivery_id, "state": DeliveryState.DUE},
        {
            "$set": {
                "state": DeliveryState.DELIVERED,
                "status": status,
                "delivered_at": time.time(),
                **reason_fields(None),
            },
            "$inc": {"tries": 1},
        },
    )


async def note_failure(delivery_id: str, why: Why, *, status: int | None, not_before: float) -> None:
    """Store that a try has failed, and when the next one may be.

    Args:
        delivery_id: the delivery.
        why: the reason of the failure.
        status: of the receiver's answer; None if there was none.
        not_before: when the next try may be, in seconds since the epoch.
    """
    await collection(NAME).update_one(
        {"_id": delivery_id, "state": DeliveryState.DUE},
        {"$set": {"status": status, "not_before": not_before, **reason_fields(why)}, "$inc": {"tries": 1}},
    )


async def postpone(subscription_id: str, *, until: float) -> None:
    """Postpone all deliveries that are due to a subscription until a time."""
    await collection(NAME).update_many(
        {"subscription_id": subscription_id, "state": DeliveryState.DUE, "not_before": {"$lt": until}},
        {"$set": {"not_before": until}},
    )


async def give_up(subscription_id: str, why: Why, *, created_before: float | None = None) -> None:
    """Give up the deliveries that are due to a subscription: all, or those created before a time."""
    condition: Query = {"subscription_id": subscription_id, "state": DeliveryState.DUE}
    if created_before is not None:
        condition["created_at"] = {"$lt": created_before}
    await collection(NAME).update_many(
        condition, {"$set": {"state": DeliveryState.GIVEN_UP, **reason_fields(why)}}
    )


async def give_up_one(delivery_id: str, why: Why) -> None:
    """Give up a delivery."""
    await collection(NAME).update_one(
        {"_id": delivery_id, "state": DeliveryState.DUE},
        {"$set": {"state": DeliveryState.GIVEN_UP, **reason_fields(why)}},
    )

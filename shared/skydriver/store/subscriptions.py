"""The `subscriptions` collection: users' subscriptions, until each expires.

No query finds an expired subscription, though MongoDB removes it up to a minute later. The number of a user's
subscriptions is bounded by their places: a unique index lets each place of a user be taken once, so there are
never more subscriptions than places, even if several are made at the same time. A separate count would become
wrong when MongoDB removes a subscription.
"""

import datetime as dt
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from skydriver.errors import Busy
from skydriver.model.documents import ScanToNotify
from skydriver.model.reasons import Why, reason_fields
from skydriver.model.subscriptions import (
    Asking,
    Consent,
    Delivery,
    Filters,
    Protocol,
    Subscription,
    SubscriptionState,
)
from skydriver.model.transitions import Fact
from skydriver.store.deliveries import NAME as DELIVERIES
from skydriver.store.escaped_names import CLASSIFIERS, escape, unescape
from skydriver.store.mongo import collection, ensure_index

NAME = "subscriptions"
MAX_SHOWN_DELIVERIES = 20

Query = dict[str, Any]


@dataclass(frozen=True)
class Whose:
    """Selects subscriptions: those of one user, or of all.

    Attributes:
        owner: the user's name; None where there is no login.
        of_all: whether those of all users are meant; `owner` is then ignored.
    """

    owner: str | None = None
    of_all: bool = False

    @property
    def condition(self) -> Query:
        """The filter that finds them."""
        return {} if self.of_all else {"owner": self.owner}


@dataclass(frozen=True)
class Needs:
    """The keys that a subscription needs.

    Attributes:
        name: its id, with its owner.
        keys: the ids of the keys.
    """

    name: str
    keys: frozenset[str]


class Change(TypedDict, total=False):
    """Fields of a subscription that are changed."""

    sink: str
    types: list[str]
    filters: Filters
    expires_at: dt.datetime
    state: str
    reason: str | None
    reason_code: str | None
    generation: int
    key_id: str
    consent: Consent | None
    asking: Asking | None
    confirmed_at: float | None
    failing_since: float | None
    not_before: float
    failures: int


async def ensure_indexes() -> None:
    """Make the indexes for owners, facts, consents and the expiry; repeating it changes nothing."""
    await ensure_index(NAME, [("owner", 1), ("place", 1)], unique=True)
    await ensure_index(NAME, [("state", 1), ("types", 1)])
    await ensure_index(NAME, "expires_at", expireAfterSeconds=0)
    await ensure_index(
        NAME, "asking.at", partialFilterExpression={"asking.at": {"$exists": True}}, name="asking"
    )


async def insert(subscription: Subscription, *, limit: int) -> Subscription | None:
    """Store a subscription at a free place of its owner.

    Args:
        subscription: without its `place`, which is set here.
        limit: how many places an owner has.

    Returns:
        The stored subscription; if its id exists already, the existing one; None if no place is free.

    Raises:
        Busy: others take the places at the same time, again and again.
    """
    subscriptions, owner = collection(NAME), {"owner": subscription["owner"]}
    await subscriptions.delete_many({**owner, "expires_at": {"$lte": _now()}})
    for _ in range(limit + 1):
        stored = await subscriptions.find(owner, {"place": 1}).to_list(None)
        if any(one["_id"] == subscription["_id"] for one in stored):
            return await get(subscription["_id"], Whose(subscription["owner"]))
        free = set(range(limit)) - {one["place"] for one in stored}
        if not free:
            return None
        subscription["place"] = min(free)
        try:
            await subscriptions.insert_one(_kept(subscription))
        except DuplicateKeyError:
            continue  # The place was taken meanwhile, or the id exists: the next query shows which.
        return subscription
    raise Busy("many subscriptions of this user are made at the same time; try again")


async def get(subscription_id: str, whose: Whose) -> Subscription | None:
    """Read a subscription; None if there is none, or if it belongs to another user."""
    return _shown(await collection(NAME).find_one(_living(subscription_id, whose)))


async def get_with_deliveries(
    subscription_id: str, whose: Whose
) -> tuple[Subscription, list[Delivery]] | None:
    """Read a subscription and its latest deliveries, the newest first; None in the cases of `get`."""
    found = await _with_deliveries(_living(subscription_id, whose))
    return found[0] if found else None


async def find(whose: Whose) -> list[Subscription]:
    """List subscriptions, by owners and then by their age."""
    condition = {**whose.condition, "expires_at": {"$gt": _now()}}
    found = collection(NAME).find(condition).sort([("owner", 1), ("created_at", 1)])
    return [_restored(one) for one in await found.to_list(None)]


async def find_with_deliveries(whose: Whose) -> list[tuple[Subscription, list[Delivery]]]:
    """List subscriptions as `find` does, each with its latest deliveries, the newest first."""
    return await _with_deliveries({**whose.condition, "expires_at": {"$gt": _now()}})


async def _with_deliveries(condition: Query) -> list[tuple[Subscription, list[Delivery]]]:
    pipeline: list[Query] = [
        {"$match": condition},
        {"$sort": {"owner": 1, "created_at": 1}},
        {
            "$lookup": {
                "from": DELIVERIES,
                "localField": "_id",
                "foreignField": "subscription_id",
                "as": "deliveries",
                "pipeline": [{"$sort": {"created_at": -1}}, {"$limit": MAX_SHOWN_DELIVERIES}],
            }
        },
    ]
    found = await collection(NAME).aggregate(pipeline).to_list(None)
    return [(_restored(one), one.pop("deliveries")) for one in found]


async def not_of_key(key_id: str) -> list[Needs]:
    """List the subscriptions whose sink, or whose webhook's secret, was made with another key.

    Args:
        key_id: the key's id.
    """
    condition: Query = {
        "expires_at": {"$gt": _now()},
        "$or": [
            {"protocol": Protocol.HTTP, "key_id": {"$ne": key_id}},
            {"sink": {"$not": {"$regex": rf"^{re.escape(key_id)}\."}}},
        ],
    }
    wanted = {"owner": 1, "protocol": 1, "key_id": 1, "sink": 1}
    found = collection(NAME).find(condition, wanted).sort([("owner", 1), ("created_at", 1)])
    return [
        Needs(
            one["_id"] if one["owner"] is None else f"{one['_id']} of {one['owner']}",
            # A sealed text begins with its key's id. Only webhooks' deliveries are signed.
            frozenset(
                {one["sink"].partition(".")[0]}
                | ({one["key_id"]} if one["protocol"] == Protocol.HTTP else set())
            ),
        )
        async for one in found
    ]


async def change(
    subscription_id: str, fields: Change, *, whose: Whose, seen: Subscription | None = None
) -> Subscription | None:
    """Change a subscription.

    Args:
        subscription_id: its id.
        fields: the new values.
        whose: selects the subscriptions that it must be among.
        seen: the subscription as it was read before. If its state, reason or secret differs by now, nothing
            is changed.

    Returns:
        The subscription afterwards; None if there is none (any more), or if it differs from `seen`.
    """
    condition = _living(subscription_id, whose)
    if seen is not None:
        condition |= {name: seen[name] for name in ("state", "reason_code", "generation")}
    changed = dict(fields)
    if "filters" in fields:
        changed["filters"] = _escaped(fields["filters"])
    found = await collection(NAME).find_one_and_update(
        condition, {"$set": changed}, return_document=ReturnDocument.AFTER
    )
    return _shown(found)


async def remove(subscription_id: str, whose: Whose) -> bool:
    """Remove a subscription with its deliveries; False if there is none, or if it belongs to another user."""
    removed = await collection(NAME).delete_one(_living(subscription_id, whose))
    if removed.deleted_count:
        await collection(DELIVERIES).delete_many({"subscription_id": subscription_id})
    return bool(removed.deleted_count)


async def take_to_ask(*, now: float, until: float) -> Subscription | None:
    """Take the webhook whose consent has been due longest; None where none is.

    Args:
        now: seconds since the epoch.
        until: when it may be taken again, if no answer is stored before.
    """
    found = await collection(NAME).find_one_and_update(
        {
            "asking.at": {"$lte": now},
            "state": {"$ne": SubscriptionState.SUSPENDED},
            "expires_at": {"$gt": dt.datetime.fromtimestamp(now, dt.UTC)},
        },
        {"$set": {"asking.at": until}},
        sort=[("asking.at", 1)],
        return_document=ReturnDocument.AFTER,
    )
    return _shown(found)


def _living(subscription_id: str, whose: Whose) -> Query:
    return {"_id": subscription_id, **whose.condition, "expires_at": {"$gt": _now()}}


def _now() -> dt.datetime:
    return dt.datetime.fromtimestamp(time.time(), dt.UTC)


def _kept(subscription: Subscription) -> Query:
    return {**subscription, "filters": _escaped(subscription["filters"])}


def _escaped(filters: Filters) -> Mapping[str, Any]:
    """Convert filters to their stored form: names of classifiers are escaped as those of scans are."""
    if CLASSIFIERS not in filters:
        return filters
    return {**filters, CLASSIFIERS: {escape(name): one for name, one in filters["classifiers"].items()}}


def _restored(subscription: Any) -> Subscription:
    filters = subscription["filters"]
    if CLASSIFIERS in filters:
        filters[CLASSIFIERS] = {unescape(name): one for name, one in filters[CLASSIFIERS].items()}
    restored: Subscription = subscription
    return restored


def _shown(subscription: Any) -> Subscription | None:
    return None if subscription is None else _restored(subscription)


# --- deliveries -----------------------------------------------------------------------------------------


async def matching(scan: ScanToNotify, fact: Fact, *, run_id: int | None, event_id: int | None) -> list[str]:
    """Find the active subscriptions that ask for a fact of a scan, in one round trip; their ids.

    Args:
        scan: the scan.
        fact: what has happened to it.
        run_id: of its event; None if it is not known.
        event_id: of its event; None if it is not known.
    """
    # A filter that is not given is `null` to MongoDB.
    condition: Query = {
        "state": SubscriptionState.ACTIVE,
        "types": fact,
        "expires_at": {"$gt": _now()},
        "filters.scan_id": {"$in": [None, scan["_id"]]},
        "filters.run_id": {"$in": [None, run_id]},
        "filters.event_id": {"$in": [None, event_id]},
        "filters.submitted_by": {"$in": [None, scan["submitted_by"]]},
        "filters.min_priority": {"$not": {"$gt": scan["priority"]}},
    }
    found = collection(NAME).find(condition, {"filters.classifiers": 1})
    return [one["_id"] async for one in found if _agrees(_restored(one)["filters"], scan)]


def _agrees(filters: Filters, scan: ScanToNotify) -> bool:
    """Say whether a scan has all classifiers of a filter; `false` and 0 are different values."""
    own = scan["classifiers"]
    return all(
        name in own and own[name] == value and isinstance(own[name], bool) == isinstance(value, bool)
        for name, value in filters.get("classifiers", {}).items()
    )


async def lease(subscription_id: str, *, seconds: float) -> Subscription | None:
    """Take the lease on deliveries to a subscription.

    Returns:
        The subscription; None if there is none, it is not active or waits, or another function has the lease.
    """
    now = time.time()
    condition = {
        **_living(subscription_id, Whose(of_all=True)),
        "state": SubscriptionState.ACTIVE,
        "not_before": {"$lte": now},
        "leased_until": {"$not": {"$gt": now}},
    }
    return _shown(
        await collection(NAME).find_one_and_update(
            condition, {"$set": {"leased_until": now + seconds}}, return_document=ReturnDocument.AFTER
        )
    )


async def release(subscription_id: str) -> None:
    """Release the lease."""
    await collection(NAME).update_one({"_id": subscription_id}, {"$set": {"leased_until": 0.0}})


async def reserve(subscription_id: str, *, minute: int, limit: int) -> Subscription | None:
    """Count one more delivery in a minute.

    Args:
        subscription_id: the subscription.
        minute: since the epoch.
        limit: how many deliveries it gets in a minute.

    Returns:
        The subscription as it is now; None if the limit is reached, there is none, or it is not active.
    """
    counted = {"$cond": [{"$eq": ["$sent.minute", minute]}, {"$add": ["$sent.count", 1]}, 1]}
    found = await collection(NAME).find_one_and_update(
        {
            **_living(subscription_id, Whose(of_all=True)),
            "state": SubscriptionState.ACTIVE,
            "$or": [{"sent": None}, {"sent.minute": {"$ne": minute}}, {"sent.count": {"$lt": limit}}],
        },
        [{"$set": {"sent": {"minute": minute, "count": counted}}}],
        return_document=ReturnDocument.AFTER,
    )
    return _shown(found)


async def note_success(subscription_id: str) -> None:
    """Store that a delivery has succeeded after failures."""
    await collection(NAME).update_one(
        {"_id": subscription_id}, {"$set": {"failing_since": None, "failures": 0, "not_before": 0.0}}
    )


async def note_failure(subscription_id: str, *, failing_since: float, not_before: float) -> None:
    """Store that a delivery has failed.

    Args:
        subscription_id: the subscription.
        failing_since: when the first of the failures in a row was.
        not_before: when the next delivery may be tried.
    """
    await collection(NAME).update_one(
        {"_id": subscription_id},
        {"$set": {"failing_since": failing_since, "not_before": not_before}, "$inc": {"failures": 1}},
    )


async def suspend(subscription_id: str, why: Why) -> None:
    """Suspend an active subscription; its owner is shown why."""
    await collection(NAME).update_one(
        {"_id": subscription_id, "state": SubscriptionState.ACTIVE},
        {"$set": {"state": SubscriptionState.SUSPENDED, "asking": None, **reason_fields(why)}},
    )

"""Subscriptions and their receivers, as tests of deliveries need them."""

import asyncio
import datetime as dt
import itertools
import json
import time
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skydriver.model.documents import SCHEMA
from skydriver.model.subscriptions import Protocol, Subscription, SubscriptionState
from skydriver.model.transitions import Fact
from skydriver.notify.signatures import current_key_id
from skydriver.notify.sinks import masked, seal_sink
from skydriver.store import subscriptions
from skydriver.store.mongo import collection

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Heard:
    """A received call: the attributes of the event, and its data; headers and body as they came."""

    event: dict[str, str]
    data: Any
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A user's webhook.

    Attributes:
        heard: all received calls, with any answer.
        answers: its next answers; after them, `status`.
        gate: holds answers back while it is closed.
        at_once: the most calls that were open at the same time.
    """

    def __init__(self, path: str = "/hook") -> None:
        self.heard: list[Heard] = []
        self.answers: list[Response] = []
        self.status = 204
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = self._open = 0
        self.app = Starlette(routes=[Route(path, self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        event = {name[3:]: value for name, value in request.headers.items() if name.startswith("ce-")}
        body = await request.body()
        self.heard.append(Heard(event, json.loads(body), dict(request.headers), body))
        self._open += 1
        self.at_once = max(self.at_once, self._open)
        await self.gate.wait()
        self._open -= 1
        return self.answers.pop(0) if self.answers else Response(status_code=self.status)

    def ids(self) -> list[str]:
        """List the ids of the received events."""
        return [one.event["id"] for one in self.heard]


def active_subscription(subscription_id: str, sink: str, *, place: int, **fields: Any) -> Subscription:
    """Make the document of an active subscription of a webhook, with some fields as they are given."""
    subscription: Subscription = {
        "_id": subscription_id,
        "schema": SCHEMA,
        "owner": "jane",
        "place": place,
        "protocol": Protocol.HTTP,
        "sink": seal_sink(subscription_id, sink),
        "shown_sink": masked(Protocol.HTTP, sink),
        "types": [Fact.FINISHED],
        "filters": {},
        "state": SubscriptionState.ACTIVE,
        "reason": None,
        "reason_code": None,
        "created_at": time.time(),
        "expires_at": dt.datetime.now(dt.UTC) + dt.timedelta(days=1),
        "generation": 1,
        "key_id": current_key_id(),
        "consent": {"asked_at": 0.0, "given_at": 0.0, "rate": None},
        "asking": None,
        "confirmed_at": None,
        "failing_since": None,
        "not_before": 0.0,
        "failures": 0,
        "sent": None,
    }
    given: Any = {**subscription, **fields}
    made: Subscription = given
    return made


async def subscribed(sink: str, **fields: Any) -> str:
    """Store an active subscription of a webhook, and return its id."""
    n = next(_numbers)
    given = active_subscription(f"sub{n:04}", sink, place=n, **fields)
    assert await subscriptions.insert(given, limit=1000) is not None
    return given["_id"]


async def subscription(subscription_id: str) -> Any:
    """Read a subscription's document."""
    return await collection(subscriptions.NAME).find_one({"_id": subscription_id})


async def rows(subscription_id: str) -> list[Any]:
    """Read the deliveries of a subscription, the oldest first."""
    found = collection("deliveries").find({"subscription_id": subscription_id})
    return list(await found.sort([("created_at", 1), ("_id", 1)]).to_list(None))


async def let_pass(subscription_id: str) -> None:
    """Make the time pass that a subscription and its deliveries wait."""
    await collection(subscriptions.NAME).update_one(
        {"_id": subscription_id}, {"$set": {"not_before": 0.0, "sent": None}}
    )
    await collection("deliveries").update_many(
        {"subscription_id": subscription_id, "state": "DUE"}, {"$set": {"not_before": 1.0}}
    )

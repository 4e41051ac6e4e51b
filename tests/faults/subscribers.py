"""Subscribers: real subscriptions, and one receiver that records all deliveries.

Each subscription has its own path. The receiver stands behind a door, which also loses or delays its answers,
or makes errors of them; a received delivery counts in any case.
"""

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skydriver.local.environment import process_environment
from skydriver.model.documents import SCHEMA
from skydriver.model.subscriptions import NOTIFIED, Protocol, SubscriptionState
from skydriver.notify.signatures import current_key_id
from skydriver.notify.sinks import masked, seal_sink
from skydriver.settings import settings

SUBSCRIPTIONS: Mapping[str, Mapping[str, Any]] = {
    "all": {},
    "all-again": {},
    "alerts": {"min_priority": 100},
    "even": {"classifiers": {"even": True}},
}
"""Filters, by the ids of subscriptions."""


@dataclass(frozen=True)
class Heard:
    """A received notification: its subscription, its event, and its time."""

    subscription: str
    event_id: str
    fact: str
    scan_id: str
    at: float


class Receiver:
    """The webhooks of all subscriptions.

    Attributes:
        heard: all received notifications, even if the sender got no answer.
    """

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record a notification."""
        request = Request(scope, receive)
        await request.body()
        self.heard.append(
            Heard(
                request.url.path.strip("/"),
                request.headers["ce-id"],
                request.headers["ce-type"].removeprefix("org.icecube.skydriver.").removesuffix(".v1"),
                request.headers["ce-subject"],
                time.time(),
            )
        )
        await Response(status_code=204)(scope, receive, send)


def wants(filters: Mapping[str, Any], scan: Mapping[str, Any]) -> bool:
    """Say whether a subscription of these filters is about a scan."""
    own = scan["classifiers"]
    return scan["priority"] >= filters.get("min_priority", scan["priority"]) and all(
        own.get(name) == value for name, value in filters.get("classifiers", {}).items()
    )


def subscriptions(address: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """Make the subscriptions as they are stored.

    Args:
        address: of the receiver.
        environment: of the functions, which decrypt the sinks.
    """
    with process_environment({name.upper(): value for name, value in environment.items()}):
        settings.cache_clear()
        made = [
            {
                "_id": name,
                "schema": SCHEMA,
                "owner": None,
                "place": place,
                "protocol": Protocol.HTTP,
                "sink": seal_sink(name, f"{address}/{name}"),
                "shown_sink": masked(Protocol.HTTP, f"{address}/{name}"),
                "types": list(NOTIFIED),
                "filters": filters,
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
            for place, (name, filters) in enumerate(SUBSCRIPTIONS.items())
        ]
    settings.cache_clear()
    return made

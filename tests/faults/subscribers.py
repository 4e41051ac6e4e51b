"""Subscribers: real subscriptions, and one receiver that records all deliveries.

Each subscription has its own path. The receiver stands behind a door, which also loses or delays its answers,
or makes errors of them; a received delivery counts in any case.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from skydriver.local.environment import process_environment
from skydriver.model.subscriptions import NOTIFIED
from skydriver.settings import settings
from tests.support.subscribers import active_subscription

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
        made: list[Any] = [
            active_subscription(
                name, f"{address}/{name}", place=place, owner=None, types=list(NOTIFIED), filters=filters
            )
            for place, (name, filters) in enumerate(SUBSCRIPTIONS.items())
        ]
    settings.cache_clear()
    return made

"""A user tests a subscription: `POST /subscriptions/SUBSCRIPTION_ID/test`."""

import datetime as dt
import time
from dataclasses import dataclass
from uuid import uuid4

from skydriver.errors import Conflict, TooMany
from skydriver.eventing.events import SOURCE
from skydriver.lifecycle.notifications.deliver_notification import most_a_minute
from skydriver.lifecycle.subscriptions.owned import find
from skydriver.model.subscriptions import (
    TEST_FACT,
    Notification,
    NotifiedEvent,
    Subscription,
    SubscriptionState,
)
from skydriver.notify.errors import SinkError
from skydriver.notify.send import send
from skydriver.settings import settings
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose
from skydriver.telemetry.logging import work

TEST_SCAN = "test"
"""Takes the place of the scan's id: a test has no scan."""


@dataclass(frozen=True)
class Tried:
    """The outcome of a test.

    Attributes:
        event_id: of the event that was sent.
        status: the receiver's answer, as a status of HTTP or SMTP; None if there is none.
        failure: why the test was not delivered; None if it was.
    """

    event_id: str
    status: int | None
    failure: SinkError | None


async def test_subscription(subscription_id: str, *, owner: str | None) -> Tried:
    """Send a notification that is marked as a test at once, and return its receiver's answer.

    Raises:
        NotFound: there is no such subscription, or it is another's.
        Conflict: the subscription is pending or suspended, so nothing is sent to it.
        TooMany: it has had as many deliveries in this minute as are allowed.
        NotConfigured: this function lacks keys, or a mail server.
    """
    most = most_a_minute(await _active(subscription_id, owner))
    found = await subscriptions.reserve(subscription_id, minute=int(time.time() // 60), limit=most)
    if found is None:
        await _active(subscription_id, owner)
        raise TooMany(f"the subscription gets {most} deliveries a minute or fewer; try again in a minute")
    event: NotifiedEvent = {
        "id": f"{TEST_SCAN}/{TEST_FACT}/{uuid4().hex}",
        "source": SOURCE + work().function,
        "type": f"org.icecube.skydriver.{TEST_FACT}.v1",
        "subject": TEST_SCAN,
        "time": dt.datetime.now(dt.UTC).isoformat(),
    }
    try:
        status = await send(found, event, _notification(owner))
    except SinkError as error:
        return Tried(event["id"], error.status, error)
    return Tried(event["id"], status, None)


async def _active(subscription_id: str, owner: str | None) -> Subscription:
    found = await find(subscription_id, Whose(owner))
    if found["state"] != SubscriptionState.ACTIVE:
        raise Conflict(f"nothing is sent while the subscription is {found['state']}: {found['reason']}")
    return found


def _notification(owner: str | None) -> Notification:
    return {
        "fact": TEST_FACT,
        "scan_id": TEST_SCAN,
        "run_id": None,
        "event_id": None,
        "priority": 0,
        "submitted_by": owner,
        "phase": "",
        "outcome": None,
        "reason": None,
        "reason_code": None,
        "is_final": False,
        "best_fit": None,
        "area": None,
        "links": {"page": f"{settings().skydriver_url.rstrip('/')}/ui/subscriptions"},
    }

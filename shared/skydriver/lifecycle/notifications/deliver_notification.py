"""A delivery is due: it is sent, and what has become of it is written down.

One function at a time delivers to a subscription, and sees to all that is due to it: however slow a receiver
is, and however much waits for it, it takes no more than that from others. A repeat has the same event id.
"""

import logging
import time
from typing import TYPE_CHECKING

from skydriver.errors import ScanNotFound
from skydriver.eventing.events import fact_of_type
from skydriver.lifecycle.notifications.due import announce_due
from skydriver.lifecycle.notifications.notification import notification_of
from skydriver.model.reasons import ReasonCode, Why
from skydriver.model.subscriptions import Delivery, DeliveryState, Subscription, SubscriptionState
from skydriver.notify.send import send
from skydriver.settings import settings
from skydriver.store import deliveries, subscriptions
from skydriver.store.mongo import OUTAGES
from skydriver.store.subscriptions import Whose

if TYPE_CHECKING:
    from skydriver.notify.errors import SinkError

logger = logging.getLogger(__name__)

BEGIN_SHARE = 0.2
"""The part of a function's time in which it begins with further deliveries."""
MAX_DELAY = 3600.0
"""Seconds between two tries at a receiver that is away."""
PENDING_DELAY = 300.0
"""Seconds until it is looked again whether a receiver has agreed."""
GONE = Why(ReasonCode.SUBSCRIPTION_GONE, "its subscription has expired, or was removed")


async def deliver_notification(delivery_id: str) -> None:
    """Send a delivery, and whatever else is due to its subscription.

    What was delivered, or given up, is not sent. What cannot be sent now waits, and is announced again by the
    sweep.

    Raises:
        NotConfigured: this function lacks what it sends with.
    """
    row = await deliveries.get(delivery_id)
    if row is None or row["state"] != DeliveryState.DUE:
        return
    subscription_id = row["subscription_id"]
    until = time.monotonic() + BEGIN_SHARE * settings().step_deadline
    # Looked for again after the lease was given back: another that was refused it has gone.
    while await deliveries.next_due(subscription_id) is not None:
        subscription = await subscriptions.lease(subscription_id, seconds=settings().step_lease)
        if subscription is None:
            await _wait(subscription_id)
            return
        try:
            is_done = await _deliver_all(subscription, until)
        finally:
            await subscriptions.release(subscription_id)
        if not is_done:
            return


async def _wait(subscription_id: str) -> None:
    """See to what is due to a subscription that nothing may be sent to now."""
    now = time.time()
    subscription = await subscriptions.get(subscription_id, Whose(of_all=True))
    if subscription is None:
        await deliveries.give_up(subscription_id, GONE)
    elif subscription["state"] == SubscriptionState.SUSPENDED:
        code = ReasonCode(subscription["reason_code"] or ReasonCode.SUBSCRIPTION_GONE)
        why = Why(code, f"its subscription is suspended: {subscription['reason']}")
        await deliveries.give_up(subscription_id, why)
    elif subscription["state"] == SubscriptionState.PENDING:
        why = Why(ReasonCode.CONSENT_AWAITED, "its receiver has not agreed in time")
        await deliveries.give_up(subscription_id, why, created_before=now - settings().delivery_give_up)
        await deliveries.postpone(subscription_id, until=now + PENDING_DELAY)
    elif subscription["not_before"] > now:
        await deliveries.postpone(subscription_id, until=subscription["not_before"])
    # Else another has the lease, and sees to it.


async def _deliver_all(subscription: Subscription, until: float) -> bool:
    """Deliver what is due, one after the other; False where something is left that has to wait."""
    subscription_id = subscription["_id"]
    while (row := await deliveries.next_due(subscription_id)) is not None:
        if time.monotonic() > until:
            await announce_due([{"id": row["_id"], "scan_id": row["scan_id"]}])
            return False
        minute = int(time.time() // 60)
        if not await subscriptions.reserve(subscription_id, minute=minute, limit=most_a_minute(subscription)):
            await deliveries.postpone(subscription_id, until=(minute + 1) * 60.0)
            return False
        if not await _deliver(subscription, row):
            return False
    return True


def most_a_minute(subscription: Subscription) -> int:
    """Say how many deliveries a subscription gets in a minute."""
    consent = subscription["consent"]
    allowed = consent["rate"] if consent else None
    most = settings().deliveries_per_minute
    return most if allowed is None else min(most, allowed)


async def _deliver(subscription: Subscription, row: Delivery) -> bool:
    """Try one delivery; False if the subscription has to wait, or gets no more."""
    # Whatever sends imports it, too.
    from skydriver.notify.errors import SinkError, SinkGone, SinkRefused

    try:
        notification = await notification_of(row["scan_id"], fact_of_type(row["event"]["type"]))
        status = await send(subscription, row["event"], notification)
    except ScanNotFound as error:
        await deliveries.give_up_one(row["_id"], Why(ReasonCode.DELIVERY_FAILED, str(error)))
        return True
    except (SinkGone, SinkRefused) as error:
        await _suspend(subscription, row, error, str(error))
        return False
    except SinkError as error:
        await _fail(subscription, row, error)
        return False
    except OUTAGES:
        raise
    except Exception:
        # Our fault, not the receiver's: it does not count against the subscription, and holds up no other.
        why = Why(ReasonCode.DELIVERY_FAILED, "the service could not send it; its log says why")
        delay = _delay(row["tries"] + 1)
        await deliveries.note_failure(row["_id"], why, status=None, not_before=time.time() + delay)
        raise
    await deliveries.note_delivered(row["_id"], status=status)
    if subscription["failures"]:
        await subscriptions.note_success(subscription["_id"])
        subscription["failures"] = 0
    return True


async def _fail(subscription: Subscription, row: Delivery, error: "SinkError") -> None:
    """Let a subscription wait whose receiver is away, or busy; after a day of that it is suspended."""
    now, subscription_id = time.time(), subscription["_id"]
    since = subscription["failing_since"] or now
    if now - since >= settings().delivery_give_up:
        hours = f"{(now - since) / 3600:.3g} hours"
        sentence = (
            f"no delivery has succeeded for {hours}, the last since {error}: set the subscription's state to "
            "ACTIVE once its receiver works"
        )
        await _suspend(subscription, row, error, sentence)
        return
    not_before = now + max(_delay(subscription["failures"] + 1), error.retry_after or 0.0)
    logger.info("subscription %s waits: %s", subscription_id, error)
    why = Why(error.code, str(error))
    await deliveries.note_failure(row["_id"], why, status=error.status, not_before=not_before)
    await subscriptions.note_failure(subscription_id, failing_since=since, not_before=not_before)
    await deliveries.postpone(subscription_id, until=not_before)


async def _suspend(subscription: Subscription, row: Delivery, error: "SinkError", sentence: str) -> None:
    """Suspend a subscription, and give up all that is due to it."""
    logger.warning("subscription %s is suspended: %s", subscription["_id"], sentence)
    why = Why(error.code, sentence)
    await subscriptions.suspend(subscription["_id"], why)
    await deliveries.note_failure(row["_id"], why, status=error.status, not_before=time.time())
    await deliveries.give_up(subscription["_id"], why)


def _delay(failures: int) -> float:
    """Say how many seconds to wait after so many failures in a row."""
    return min(settings().delivery_retry_delay * 2.0 ** min(failures - 1, 30), MAX_DELAY)

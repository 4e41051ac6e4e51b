"""A delivery is due: sends it, and stores its outcome.

One function at a time delivers to a subscription, and sends all that is due to it. So a slow receiver, or one
with many deliveries, occupies one call and delays no other receiver. A repeat has the same event id.
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
"""The part of a function's time in which it starts further deliveries."""
MAX_DELAY = 3600.0
"""Seconds between two tries at a receiver that is away."""
PENDING_DELAY = 300.0
"""Seconds until a delivery to a receiver that has not consented yet is looked at again."""
GONE = Why(ReasonCode.SUBSCRIPTION_GONE, "its subscription has expired, or was removed")


async def deliver_notification(delivery_id: str) -> None:
    """Send a delivery, and all else that is due to its subscription.

    A delivery that is done or given up is not sent. One that cannot be sent now waits; the sweep announces it
    again.

    Raises:
        NotConfigured: this function lacks keys, or a mail server.
    """
    row = await deliveries.get(delivery_id)
    if row is None or row["state"] != DeliveryState.DUE:
        return
    subscription_id = row["subscription_id"]
    until = time.monotonic() + BEGIN_SHARE * settings().step_deadline
    # Look again after the lease was released: a function that was refused the lease has ended meanwhile.
    while await deliveries.next_due(subscription_id) is not None:
        subscription = await subscriptions.lease(subscription_id, seconds=settings().step_lease)
        if subscription is None:
            # If something may be sent, another function has the lease, and delivers.
            await _wait(subscription_id)
            return
        try:
            is_done = await _deliver_all(subscription, until)
        finally:
            await subscriptions.release(subscription_id)
        if not is_done:
            return


async def _wait(subscription_id: str) -> bool:
    """Postpone or give up deliveries to a subscription that gets none now; False if it may get them."""
    now = time.time()
    subscription = await subscriptions.get(subscription_id, Whose(of_all=True))
    if subscription is None:
        await deliveries.give_up(subscription_id, GONE)
    elif subscription["state"] == SubscriptionState.SUSPENDED:
        code = ReasonCode(subscription["reason_code"] or ReasonCode.SUBSCRIPTION_GONE)
        why = Why(code, f"its subscription is suspended: {subscription['reason']}")
        await deliveries.give_up(subscription_id, why)
    elif subscription["state"] == SubscriptionState.PENDING:
        why = Why(ReasonCode.CONSENT_AWAITED, "its receiver has not consented in time")
        await deliveries.give_up(subscription_id, why, created_before=now - settings().delivery_give_up)
        await deliveries.postpone(subscription_id, until=now + PENDING_DELAY)
    elif subscription["not_before"] > now:
        await deliveries.postpone(subscription_id, until=subscription["not_before"])
    else:
        return False
    return True


async def _deliver_all(subscription: Subscription, until: float) -> bool:
    """Send what is due, one delivery after the other; False if some deliveries have to wait."""
    subscription_id = subscription["_id"]
    while (row := await deliveries.next_due(subscription_id)) is not None:
        if time.monotonic() > until:
            await announce_due([{"id": row["_id"], "scan_id": row["scan_id"]}])
            return False
        minute = int(time.time() // 60)
        # Its owner or an operator may have ended or changed it since the last delivery.
        current = await subscriptions.reserve(
            subscription_id, minute=minute, limit=most_a_minute(subscription)
        )
        if current is None:
            if not await _wait(subscription_id):
                await deliveries.postpone(subscription_id, until=(minute + 1) * 60.0)
            return False
        subscription = current
        if not await _deliver(subscription, row):
            return False
    return True


def most_a_minute(subscription: Subscription) -> int:
    """Compute how many deliveries a subscription gets in a minute."""
    consent = subscription["consent"]
    allowed = consent["rate"] if consent else None
    most = settings().deliveries_per_minute
    return most if allowed is None else min(most, allowed)


async def _deliver(subscription: Subscription, row: Delivery) -> bool:
    """Try one delivery; False if the subscription has to wait, or is suspended."""
    # `send` imports this module, too.
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
        # Our fault, not the receiver's: it does not count against the subscription, and delays no others.
        why = Why(ReasonCode.DELIVERY_FAILED, "the service could not send it; its log says why")
        delay = _delay(row["tries"] + 1)
        await deliveries.note_failure(row["_id"], why, status=None, not_before=time.time() + delay)
        raise
    await deliveries.note_delivered(row["_id"], status=status)
    if subscription["failures"]:
        await subscriptions.note_success(subscription["_id"])
    return True


async def _fail(subscription: Subscription, row: Delivery, error: "SinkError") -> None:
    """Let a subscription wait because its receiver is away or busy; suspend it after a day of failures."""
    now, subscription_id = time.time(), subscription["_id"]
    since = subscription["failing_since"] or now
    if now - since >= settings().delivery_give_up:
        hours = f"{(now - since) / 3600:.3g} hours"
        sentence = (
            f"no delivery has succeeded for {hours}; the last one failed because {error}: set the "
            "subscription's state to ACTIVE once its receiver works"
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
    """Suspend a subscription, and give up all its deliveries."""
    logger.warning("subscription %s is suspended: %s", subscription["_id"], sentence)
    why = Why(error.code, sentence)
    await subscriptions.suspend(subscription["_id"], why)
    await deliveries.note_failure(row["_id"], why, status=error.status, not_before=time.time())
    await deliveries.give_up(subscription["_id"], why)


def _delay(failures: int) -> float:
    """Compute how many seconds to wait after so many failures in a row."""
    return min(settings().delivery_retry_delay * 2.0 ** min(failures - 1, 30), MAX_DELAY)

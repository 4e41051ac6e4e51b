"""The reader of an e-mail address consents: `POST /subscriptions/SUBSCRIPTION_ID/confirm`."""

import time

from skydriver.errors import Conflict, Forbidden
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscriptions import Subscription, SubscriptionState
from skydriver.notify.links import confirms, may_confirm
from skydriver.notify.sinks import open_sink
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Change, Whose

ANY = Whose(of_all=True)


async def check_confirmation(subscription_id: str, token: str) -> Subscription:
    """Find the subscription that a link confirms; nothing changes.

    Raises:
        Forbidden: the link was not made by this service for it, or is too old.
    """
    is_ours = may_confirm(token, subscription_id)
    found = await subscriptions.get(subscription_id, ANY) if is_ours else None
    if found is None or not confirms(token, subscription_id, open_sink(subscription_id, found["sink"])):
        # One message for all cases: it must not reveal which subscriptions exist.
        raise Forbidden(
            "authorization failed: this link is not valid, or no longer: it is valid for three days, as long "
            "as the subscription exists"
        )
    return found


async def confirm_subscription(subscription_id: str, token: str) -> Subscription:
    """Store that a reader has consented, and activate the subscription unless it was suspended.

    Raises:
        Forbidden: the link was not made by this service for it, or is too old.
        Conflict: the subscription changes at the same time.
    """
    found = await check_confirmation(subscription_id, token)
    if found["confirmed_at"] is not None:
        return found
    change: Change = {"confirmed_at": time.time()}
    if found["reason_code"] == ReasonCode.ADDRESS_UNCONFIRMED:
        change |= {"state": SubscriptionState.ACTIVE, "reason": None, "reason_code": None}
    changed = await subscriptions.change(subscription_id, change, whose=ANY, seen=found)
    if changed is None:
        raise Conflict("the subscription was changed at the same time; try again")
    return changed

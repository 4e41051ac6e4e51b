"""The reader of an e-mail address unsubscribes: `POST /subscriptions/SUBSCRIPTION_ID/unsubscribe`."""

from skydriver.errors import Forbidden
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscriptions import Subscription, SubscriptionState
from skydriver.notify.links import unsubscribes
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose

ANY = Whose(of_all=True)


async def check_unsubscription(subscription_id: str, token: str) -> Subscription | None:
    """Find the subscription that a link ends; nothing changes. None if it has ended already.

    Raises:
        Forbidden: the link was not made by this service for it.
    """
    if not unsubscribes(token, subscription_id):
        raise Forbidden("authorization failed: this link is not one of this service's for this subscription")
    return await subscriptions.get(subscription_id, ANY)


async def unsubscribe(subscription_id: str, token: str) -> Subscription | None:
    """Suspend a subscription until its reader consents again; None if it has ended already.

    Raises:
        Forbidden: the link was not made by this service for it.
    """
    found = await check_unsubscription(subscription_id, token)
    if found is None:
        return None
    if found["reason_code"] == ReasonCode.SUSPENDED_BY_OPERATOR:
        # An operator's suspension stays; the reader's consent does not.
        return await subscriptions.change(subscription_id, {"confirmed_at": None}, whose=ANY)
    return await subscriptions.change(
        subscription_id,
        {
            "state": SubscriptionState.SUSPENDED,
            "reason": "The reader of the address has unsubscribed by the link in an e-mail.",
            "reason_code": ReasonCode.UNSUBSCRIBED,
            "confirmed_at": None,
        },
        whose=ANY,
    )

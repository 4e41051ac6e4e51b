"""A user removes a subscription: `DELETE /subscriptions/SUBSCRIPTION_ID`."""

from skydriver.lifecycle.subscriptions.owned import not_found
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose


async def delete_subscription(subscription_id: str, whose: Whose) -> None:
    """Remove a subscription with its deliveries; those that are due are not sent.

    Raises:
        NotFound: there is no such subscription, or it is another's.
    """
    if not await subscriptions.remove(subscription_id, whose):
        raise not_found(subscription_id)

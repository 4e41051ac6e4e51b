"""Finds the subscription that a user names."""

from skydriver.errors import NotFound
from skydriver.model.subscriptions import Subscription
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose


def not_found(subscription_id: str) -> NotFound:
    """Make the error of a missing subscription; it is the same for one that the user may not see."""
    return NotFound(f"there is no subscription '{subscription_id}', or it has expired")


async def find(subscription_id: str, whose: Whose) -> Subscription:
    """Read a subscription.

    Raises:
        NotFound: there is none, or it is another's.
    """
    found = await subscriptions.get(subscription_id, whose)
    if found is None:
        raise not_found(subscription_id)
    return found

"""Finding the subscription that a user means."""

from skydriver.errors import NotFound
from skydriver.model.subscriptions import Subscription
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose


def not_found(subscription_id: str) -> NotFound:
    """Say that there is no such subscription, or none that the user may know of: the two sound alike."""
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

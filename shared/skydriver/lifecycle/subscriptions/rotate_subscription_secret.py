"""A user rotates the secret of a webhook: `POST /subscriptions/SUBSCRIPTION_ID/rotate`."""

from skydriver.errors import Busy, Conflict
from skydriver.lifecycle.subscriptions.owned import find
from skydriver.model.subscriptions import Protocol, Subscription
from skydriver.notify.signatures import current_key_id
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Whose


async def rotate_subscription_secret(subscription_id: str, *, owner: str | None) -> Subscription:
    """Sign deliveries with a new secret from now on; the old one is no longer valid.

    Returns:
        The subscription afterwards, of the next generation.

    Raises:
        NotFound: there is no such subscription, or it is another's.
        Conflict: its deliveries are not signed.
        Busy: others rotate it at the same time.
        NotConfigured: this function lacks keys.
    """
    whose = Whose(owner)
    found = await find(subscription_id, whose)
    if found["protocol"] != Protocol.HTTP:
        raise Conflict("only deliveries to webhooks (HTTP) are signed: this subscription has no secret")
    changed = await subscriptions.change(
        subscription_id,
        {"generation": found["generation"] + 1, "key_id": current_key_id()},
        whose=whose,
        seen=found,
    )
    if changed is None:
        raise Busy("the subscription was changed by others at the same time; try again")
    return changed

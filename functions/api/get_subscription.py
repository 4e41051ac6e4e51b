"""`GET /subscriptions/SUBSCRIPTION_ID`: a subscription and its latest deliveries."""

from typing import Any

from skydriver.lifecycle.subscriptions.owned import not_found
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.subscriptions import visible, with_deliveries
from skydriver.store import subscriptions


@endpoint(
    "GET /subscriptions/{subscription_id}",
    roles=(Role.USER, Role.SYSTEM),
    answer="SubscriptionWithDeliveries",
)
async def get_subscription(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Answer the subscription, its state and the reason, and its 20 latest deliveries, the newest first."""
    subscription_id = request.names["subscription_id"]
    found = await subscriptions.get_with_deliveries(subscription_id, visible(request.caller))
    if found is None:
        raise not_found(subscription_id)
    return with_deliveries(*found)

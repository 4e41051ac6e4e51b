"""`GET /subscriptions`: the subscriptions of a user, or of all."""

from typing import Any

from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.subscriptions import FindSubscriptionsArguments, asked_for, subscription_of
from skydriver.store import subscriptions


@endpoint(
    "GET /subscriptions",
    roles=(Role.USER, Role.SYSTEM),
    arguments=FindSubscriptionsArguments,
    answer="Subscriptions",
)
async def find_subscriptions(request: RequestContext[FindSubscriptionsArguments]) -> dict[str, Any]:
    """Answer the caller's own subscriptions, the oldest first; operators may ask for those of others."""
    found = await subscriptions.find(asked_for(request.caller, request.arguments))
    return {"subscriptions": [subscription_of(one) for one in found]}

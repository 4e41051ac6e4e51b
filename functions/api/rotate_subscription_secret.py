"""`POST /subscriptions/SUBSCRIPTION_ID/rotate`: gives a webhook a new secret."""

from typing import Any

from skydriver.lifecycle.subscriptions import rotate_subscription_secret as lifecycle
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.subscriptions import with_secret


@endpoint("POST /subscriptions/{subscription_id}/rotate", roles=(Role.USER,), answer="SubscriptionWithSecret")
async def rotate_subscription_secret(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Sign deliveries with a new secret from now on, and answer it; the old one is no longer valid."""
    return with_secret(
        await lifecycle.rotate_subscription_secret(
            request.names["subscription_id"], owner=request.caller.name
        )
    )

"""`DELETE /subscriptions/SUBSCRIPTION_ID`: removes a subscription."""

from typing import Any

from skydriver.lifecycle.subscriptions import delete_subscription as lifecycle
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.subscriptions import visible


@endpoint("DELETE /subscriptions/{subscription_id}", roles=(Role.USER, Role.SYSTEM), answer="Nothing")
async def delete_subscription(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Remove the subscription: nothing more is sent, and nothing of it is kept."""
    await lifecycle.delete_subscription(request.names["subscription_id"], visible(request.caller))
    return {}

"""`PATCH /subscriptions/SUBSCRIPTION_ID`: changes, renews or activates a subscription, or suspends it."""

from typing import Any

from skydriver.lifecycle.subscriptions import change_subscription as lifecycle
from skydriver.model.subscription_arguments import ChangeSubscriptionArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.subscriptions import is_operator, subscription_of


@endpoint(
    "PATCH /subscriptions/{subscription_id}",
    roles=(Role.USER, Role.SYSTEM),
    arguments=ChangeSubscriptionArguments,
    answer="Subscription",
)
async def change_subscription(request: RequestContext[ChangeSubscriptionArguments]) -> dict[str, Any]:
    """Change the given fields, and answer the subscription; operators may change any subscription's state."""
    return subscription_of(
        await lifecycle.change_subscription(
            request.names["subscription_id"],
            request.arguments,
            user=request.caller.name,
            email=request.caller.email,
            is_operator=is_operator(request.caller),
        )
    )

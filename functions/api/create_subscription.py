"""`POST /subscriptions`: subscribes to facts of scans."""

from typing import Any

from skydriver.lifecycle.subscriptions import create_subscription as lifecycle
from skydriver.model.subscription_arguments import SubscribeArguments
from skydriver.rest.arguments import idempotency_key
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint
from skydriver.rest.subscriptions import with_secret


@endpoint(
    "POST /subscriptions", roles=(Role.USER,), arguments=SubscribeArguments, answer="SubscriptionWithSecret"
)
async def create_subscription(request: RequestContext[SubscribeArguments]) -> dict[str, Any]:
    """Ask the receiver for its consent, and answer the subscription; only now with a webhook's secret."""
    caller = request.caller
    return with_secret(
        await lifecycle.create_subscription(
            request.arguments,
            owner=caller.name,
            email=caller.email,
            key=idempotency_key(request.headers),
        )
    )

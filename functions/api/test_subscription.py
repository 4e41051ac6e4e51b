"""`POST /subscriptions/SUBSCRIPTION_ID/test`: tries a subscription."""

from typing import Any

from skydriver.lifecycle.subscriptions import test_subscription as lifecycle
from skydriver.rest.arguments import NoArguments
from skydriver.rest.auth import Role
from skydriver.rest.endpoint import RequestContext, endpoint


@endpoint("POST /subscriptions/{subscription_id}/test", roles=(Role.USER,), answer="Tried")
async def test_subscription(request: RequestContext[NoArguments]) -> dict[str, Any]:
    """Send a notification that is marked as a test at once, and answer the receiver's response."""
    tried = await lifecycle.test_subscription(request.names["subscription_id"], owner=request.caller.name)
    return {
        "event_id": tried.event_id,
        "is_delivered": tried.failure is None,
        "status": tried.status,
        "reason": None if tried.failure is None else str(tried.failure),
        "reason_code": None if tried.failure is None else tried.failure.code,
    }

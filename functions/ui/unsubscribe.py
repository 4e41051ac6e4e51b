"""`GET|POST /subscriptions/SUBSCRIPTION_ID/unsubscribe`: the reader of an address unsubscribes."""

from skydriver.lifecycle.subscriptions import unsubscribe as lifecycle
from skydriver.ui.links import LinkArguments, asked_to_unsubscribe, unsubscribed
from skydriver.ui.pages import Page, PageRequest, page


@page(
    "GET|POST /subscriptions/{subscription_id}/unsubscribe",
    roles=(),
    arguments=LinkArguments,
    by_signed_link=True,
)
async def unsubscribe(request: PageRequest[LinkArguments]) -> Page:
    """Show a button; when it is pressed, or when a mail program posts (RFC 8058), stop sending."""
    subscription_id, token = request.names["subscription_id"], request.arguments.token
    if request.form is None:
        return asked_to_unsubscribe(await lifecycle.check_unsubscription(subscription_id, token))
    await lifecycle.unsubscribe(subscription_id, token)
    return unsubscribed()

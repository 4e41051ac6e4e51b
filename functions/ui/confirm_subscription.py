"""`GET|POST /subscriptions/SUBSCRIPTION_ID/confirm`: the reader of an address allows notifications."""

from skydriver.lifecycle.subscriptions import confirm_subscription as lifecycle
from skydriver.ui.links import LinkArguments, asked_to_confirm, confirmed
from skydriver.ui.pages import Page, PageRequest, page


@page(
    "GET|POST /subscriptions/{subscription_id}/confirm",
    roles=(),
    arguments=LinkArguments,
    by_signed_link=True,
)
async def confirm_subscription(request: PageRequest[LinkArguments]) -> Page:
    """Show a button; when it is pressed, begin to send."""
    subscription_id, token = request.names["subscription_id"], request.arguments.token
    if request.form is None:
        return asked_to_confirm(await lifecycle.check_confirmation(subscription_id, token))
    return confirmed(await lifecycle.confirm_subscription(subscription_id, token))

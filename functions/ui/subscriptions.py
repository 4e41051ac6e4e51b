"""`GET /ui/subscriptions`: shows a user's subscriptions."""

from pydantic import BaseModel, ConfigDict

from skydriver.rest.subscriptions import own, with_deliveries
from skydriver.store import subscriptions as stored
from skydriver.ui.pages import Page, PageRequest, page
from skydriver.ui.subscriptions_view import notice_of, view


class SubscriptionsPageArguments(BaseModel):
    """The argument of `GET /ui/subscriptions`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    done: str = ""
    """What an action has just done (`ui.subscriptions_view`)."""


@page("GET /ui/subscriptions", arguments=SubscriptionsPageArguments)
async def subscriptions(request: PageRequest[SubscriptionsPageArguments]) -> Page:
    """Show how each is, what was sent, what can be done, and a form for another."""
    found = await stored.find_with_deliveries(own(request.caller))
    shown = [with_deliveries(*one) for one in found]
    data = view(shown, email=request.caller.email, notice=notice_of(request.arguments.done))
    return Page("subscriptions.html", data)

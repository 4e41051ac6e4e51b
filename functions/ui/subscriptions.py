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
    """The action that was just done (`ui.subscriptions_view`)."""


@page("GET /ui/subscriptions", arguments=SubscriptionsPageArguments)
async def subscriptions(request: PageRequest[SubscriptionsPageArguments]) -> Page:
    """Show each subscription's state, deliveries and actions, and a form for a new one."""
    found = await stored.find_with_deliveries(own(request.caller))
    shown = [with_deliveries(*one) for one in found]
    data = view(shown, email=request.caller.email, notice=notice_of(request.arguments.done))
    return Page("subscriptions.html", data)

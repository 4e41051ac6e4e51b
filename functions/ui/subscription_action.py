"""`POST /ui/subscriptions/ACTION`: adds a subscription, or acts on one of the user's own."""

from typing import Any

from starlette.responses import Response

from skydriver.errors import SkyDriverError
from skydriver.lifecycle.subscriptions.change_subscription import change_subscription
from skydriver.lifecycle.subscriptions.create_subscription import create_subscription
from skydriver.lifecycle.subscriptions.delete_subscription import delete_subscription
from skydriver.lifecycle.subscriptions.rotate_subscription_secret import rotate_subscription_secret
from skydriver.lifecycle.subscriptions.test_subscription import test_subscription as try_subscription
from skydriver.model.subscription_arguments import MAX_DAYS, ChangeSubscriptionArguments, SubscribeArguments
from skydriver.model.subscriptions import SubscriptionState
from skydriver.rest.arguments import NoArguments, validate
from skydriver.rest.auth import Caller
from skydriver.rest.subscriptions import own, with_deliveries, with_secret
from skydriver.store import subscriptions as stored
from skydriver.ui.forms import Form, find_action
from skydriver.ui.pages import Page, PageRequest, page, see_other
from skydriver.ui.subscriptions_view import ACTIONS, ADD, arguments_of, refused_form, view


@page("POST /ui/subscriptions/{action}")
async def subscription_action(request: PageRequest[NoArguments]) -> Page | Response:
    """Act, and show the subscriptions; a new secret is shown here and only now."""
    action = find_action(ACTIONS, request.names["action"])
    form, caller = request.form or Form(), request.caller
    try:
        said = await _done(action.name, form, caller)
    except SkyDriverError as error:
        if action.name == ADD:
            said = {"form": refused_form(form, error, email=caller.email)}
        else:
            said = {"problem": str(error)}
        return await _shown(caller, said, error.http_status)
    if not said:
        return see_other(f"/ui/subscriptions?done={action.name}")
    return await _shown(caller, {"notice": action.done, **said})


async def _done(action: str, form: Form, caller: Caller) -> dict[str, Any]:
    """Act, and return what the page says beside the action's own notice."""
    subscription_id, owner = form.fields.get("subscription_id", ""), caller.name
    match action:
        case "add":
            arguments = validate(SubscribeArguments, arguments_of(form.fields))
            made = await create_subscription(arguments, owner=owner, email=caller.email, key=form.key)
            return _secret(with_secret(made))
        case "rotate":
            return _secret(with_secret(await rotate_subscription_secret(subscription_id, owner=owner)))
        case "test":
            tried = await try_subscription(subscription_id, owner=owner)
            if tried.failure is not None:
                return {"notice": "", "problem": f"The test was not delivered: {tried.failure}."}
            status = "" if tried.status is None else f" ({tried.status})"
            return {"notice": f"The receiver accepted the test{status}."}
        case "remove":
            await delete_subscription(subscription_id, own(caller))
        case "renew" | "activate":
            changes = (
                ChangeSubscriptionArguments(expires_in_days=MAX_DAYS)
                if action == "renew"
                else ChangeSubscriptionArguments(state=SubscriptionState.ACTIVE)
            )
            await change_subscription(
                subscription_id, changes, user=owner, email=caller.email, is_operator=False
            )
    return {}


def _secret(shown: dict[str, Any]) -> dict[str, Any]:
    return {"secret": shown["secret"]} if shown["secret"] else {}


async def _shown(caller: Caller, said: dict[str, Any], status: int = 200) -> Page:
    found = await stored.find_with_deliveries(own(caller))
    shown = [with_deliveries(*one) for one in found]
    return Page("subscriptions.html", view(shown, email=caller.email, **said), status)

"""A user changes or renews a subscription, or activates it again: `PATCH /subscriptions/SUBSCRIPTION_ID`."""

from skydriver.errors import Conflict, Forbidden
from skydriver.lifecycle.subscriptions.ask_receiver import ask_receiver
from skydriver.lifecycle.subscriptions.create_subscription import expiry
from skydriver.lifecycle.subscriptions.owned import find
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscription_arguments import ChangeSubscriptionArguments
from skydriver.model.subscriptions import Subscription, SubscriptionState
from skydriver.notify.sinks import open_sink, seal_sink
from skydriver.store import subscriptions
from skydriver.store.subscriptions import Change, Whose


async def change_subscription(
    subscription_id: str,
    changes: ChangeSubscriptionArguments,
    *,
    user: str | None,
    email: str | None,
    is_operator: bool,
) -> Subscription:
    """Change a subscription.

    Only the owner changes types, filters and expiry. Operators suspend any subscription, and activate those
    that they have suspended. A receiver that has not consented, or has unsubscribed, is asked again.

    Args:
        subscription_id: the subscription.
        changes: the fields that change.
        user: the caller.
        email: the caller's address, if it is verified.
        is_operator: whether the caller may see and suspend all subscriptions.

    Returns:
        The subscription afterwards.

    Raises:
        NotFound: there is no such subscription, or it is another's.
        Forbidden: the caller may not make this change.
        Conflict: others have changed it meanwhile.
        NotConfigured: this function lacks keys, or a mail server.
        TooMany: the caller has asked too many others by e-mail today.
        SinkError: the key of its sink is no longer in use, or the mail server does not accept the e-mail.
    """
    whose = Whose(user, of_all=is_operator)
    found = await find(subscription_id, whose)
    if found["owner"] != user and changes.model_fields_set - {"state"}:
        raise Forbidden(
            "authorization failed: operators may change only the state of other users' subscriptions"
        )
    change = _terms(found, changes)
    if changes.state is SubscriptionState.SUSPENDED:
        change |= _suspended(is_operator)
    elif changes.state is SubscriptionState.ACTIVE and found["state"] != SubscriptionState.ACTIVE:
        if found["reason_code"] == ReasonCode.SUSPENDED_BY_OPERATOR and not is_operator:
            raise Forbidden(
                "authorization failed: an operator has suspended this subscription, so only an operator can "
                "activate it; ask one"
            )
        # The address is verified for the caller alone, who may be an operator and not the owner.
        change |= await ask_receiver(found, email=email if found["owner"] == user else None)
    changed = await subscriptions.change(subscription_id, change, whose=whose, seen=found)
    if changed is None:
        await find(subscription_id, whose)
        raise Conflict("the subscription was changed by others at the same time; look at it, and try again")
    return changed


def _terms(found: Subscription, changes: ChangeSubscriptionArguments) -> Change:
    change: Change = {}
    if changes.types is not None:
        change["types"] = list(changes.types)
    if changes.filters is not None:
        change["filters"] = changes.filters.filters()
    if changes.expires_in_days is not None:
        change["expires_at"] = expiry(changes.expires_in_days)
        # The sink moves to the newest key. The secret of a webhook keeps its own until its owner rotates it,
        # since the receiver must be given the new one.
        change["sink"] = seal_sink(found["_id"], open_sink(found["_id"], found["sink"]))
    return change


def _suspended(is_operator: bool) -> Change:
    if not is_operator:
        raise Forbidden("authorization failed: only operators can suspend subscriptions; remove it instead")
    return {
        "state": SubscriptionState.SUSPENDED,
        "reason": "An operator of this service has suspended it.",
        "reason_code": ReasonCode.SUSPENDED_BY_OPERATOR,
    }

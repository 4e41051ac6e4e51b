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

    What it is for, and how long, is its owner's to say; operators suspend any, and activate what they have
    suspended. A receiver that had not agreed, or has unsubscribed, is asked again.

    Args:
        subscription_id: the subscription.
        changes: what is to be different.
        user: who asks.
        email: their address, if it is verified.
        is_operator: whether they look after all subscriptions.

    Returns:
        The subscription afterwards.

    Raises:
        NotFound: there is no such subscription, or it is another's.
        Forbidden: the change is not theirs to make.
        Conflict: others have changed it meanwhile.
        NotConfigured: this function lacks keys, or a mail server.
        TooMany: they have asked many others by e-mail today.
        SinkError: the key of its sink is in use no longer, or the mail server does not take the question.
    """
    whose = Whose(user, of_all=is_operator)
    found = await find(subscription_id, whose)
    if found["owner"] != user and changes.model_fields_set - {"state"}:
        raise Forbidden("authorization failed: of others' subscriptions operators change the state only")
    change = _terms(found, changes)
    if changes.state is SubscriptionState.SUSPENDED:
        change |= _suspended(is_operator)
    elif changes.state is SubscriptionState.ACTIVE and found["state"] != SubscriptionState.ACTIVE:
        if found["reason_code"] == ReasonCode.SUSPENDED_BY_OPERATOR and not is_operator:
            raise Forbidden(
                "authorization failed: an operator has suspended this subscription, so only operators "
                "activate it; ask them"
            )
        # An address is known to be its own owner's only.
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
        # Whatever lives on moves to the newest key, so that former ones can be dropped.
        change["sink"] = seal_sink(found["_id"], open_sink(found["_id"], found["sink"]))
    return change


def _suspended(is_operator: bool) -> Change:
    if not is_operator:
        raise Forbidden("authorization failed: only operators suspend subscriptions; remove it instead")
    return {
        "state": SubscriptionState.SUSPENDED,
        "reason": "An operator of this service has suspended it.",
        "reason_code": ReasonCode.SUSPENDED_BY_OPERATOR,
    }

"""A user subscribes: `POST /subscriptions`."""

import datetime as dt
import time
from hashlib import sha256
from uuid import uuid4

import orjson

from skydriver.errors import Conflict, InvalidArguments, SkyDriverError
from skydriver.lifecycle.subscriptions.ask_receiver import FIRST_DELAY, ask_receiver
from skydriver.model.documents import SCHEMA
from skydriver.model.reasons import ReasonCode
from skydriver.model.subscription_arguments import SubscribeArguments
from skydriver.model.subscriptions import Protocol, Subscription, SubscriptionState
from skydriver.notify.signatures import current_key_id
from skydriver.notify.sinks import checked_sink, masked, seal_sink
from skydriver.settings import settings
from skydriver.store import idempotency_keys, subscriptions
from skydriver.store.subscriptions import Whose


async def create_subscription(
    arguments: SubscribeArguments, *, owner: str | None, email: str | None, key: str | None = None
) -> Subscription:
    """Store a subscription, and ask its receiver for its consent.

    Args:
        arguments: validated arguments of `POST /subscriptions`.
        owner: the user who subscribes.
        email: the user's address, if it is verified.
        key: the idempotency key of the call; a repeat within a day makes no second subscription.

    Returns:
        The subscription; it is PENDING until its receiver has consented.

    Raises:
        InvalidArguments: the sink cannot be one of this protocol, or there is no mail server for it.
        Conflict: the owner has as many as a user may have.
        AlreadyUsed: the key was used for another call.
        NotConfigured: this function lacks keys, or a mail server.
        TooMany: the owner has asked too many others by e-mail today.
        SinkError: the mail server does not accept the e-mail; nothing is stored.
    """
    if arguments.protocol is Protocol.EMAIL and settings().smtp_host is None:
        raise InvalidArguments(
            {"protocol": "this service sends no e-mail (SMTP_HOST is not set); use HTTP or SLACK"}
        )
    sink = checked_sink(arguments.protocol, arguments.sink)
    subscription_id = uuid4().hex
    if key is not None:
        subscription_id = await idempotency_keys.take(
            owner or "", f"subscribe {key}", content=_digest(arguments), scan_id=subscription_id
        )
    new = _new(subscription_id, arguments, sink, owner)
    made = await subscriptions.insert(new, limit=settings().max_subscriptions)
    if made is None:
        raise Conflict(
            f"you have {settings().max_subscriptions} subscriptions already, as many as a user may have; "
            "remove one first"
        )
    if made is not new:
        return made  # a repeat
    whose = Whose(owner)
    try:
        change = await ask_receiver(made, email=email)
        if change.get("reason_code") == ReasonCode.SINK_REFUSED:
            raise InvalidArguments({"sink": str(change.get("reason"))})
    except SkyDriverError:
        await subscriptions.remove(subscription_id, whose)
        raise
    return await subscriptions.change(subscription_id, change, whose=whose, seen=made) or made


def _new(subscription_id: str, arguments: SubscribeArguments, sink: str, owner: str | None) -> Subscription:
    now = time.time()
    is_webhook = arguments.protocol is Protocol.HTTP
    return {
        "_id": subscription_id,
        "schema": SCHEMA,
        "owner": owner,
        "place": 0,
        "protocol": arguments.protocol,
        "sink": seal_sink(subscription_id, sink),
        "shown_sink": masked(arguments.protocol, sink),
        "types": list(arguments.types),
        "filters": arguments.filters.filters(),
        "state": SubscriptionState.PENDING,
        "reason": "Its receiver has not been asked for its consent yet.",
        "reason_code": ReasonCode.CONSENT_AWAITED if is_webhook else ReasonCode.ADDRESS_UNCONFIRMED,
        "created_at": now,
        "expires_at": expiry(arguments.expires_in_days),
        "generation": 1,
        "key_id": current_key_id(),
        "consent": None,
        "asking": {"at": now + FIRST_DELAY, "tries": 0} if is_webhook else None,
        "confirmed_at": None,
        "failing_since": None,
        "not_before": 0.0,
        "failures": 0,
        "sent": None,
    }


def expiry(days: int) -> dt.datetime:
    """Compute when a subscription expires that lasts for so many days from now."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=days)


def _digest(arguments: SubscribeArguments) -> str:
    said = arguments.model_dump(mode="json")
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()

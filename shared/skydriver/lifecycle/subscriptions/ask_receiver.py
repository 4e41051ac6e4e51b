"""Asks the receiver of a subscription for its consent.

A webhook consents in the handshake of CloudEvents (`http-webhook.md`, section 4), the reader of an e-mail
address by a link that only they get. An address that the issuer of a user's token has verified belongs to
that user. Slack's webhooks are secrets that are made for one channel: the address itself is the consent.
"""

import time

from skydriver.errors import NotConfigured, TooMany
from skydriver.model.reasons import ReasonCode, Why, reason_fields
from skydriver.model.subscriptions import Protocol, Subscription, SubscriptionState
from skydriver.notify.errors import SinkError, SinkGone, SinkRefused
from skydriver.notify.sinks import open_sink
from skydriver.settings import settings
from skydriver.store import confirmations
from skydriver.store.subscriptions import Change

DAY = 86400.0
CONSENT_SECONDS = 30 * DAY
"""Seconds after which a webhook is asked again."""
FIRST_DELAY = 60.0
MAX_DELAY = 6 * 3600.0
TRIES_WHILE_ACTIVE = 10
"""How often in a row a webhook that had consented may be unreachable when it is asked again: half a day."""
MAX_TRIES = 30
"""How often in a row a webhook is asked in vain before its subscription is suspended: five days."""


async def ask_receiver(subscription: Subscription, *, email: str | None) -> Change:
    """Ask a receiver, and return how its answer changes the subscription.

    Args:
        subscription: as it is.
        email: its owner's address, if that is verified.

    Raises:
        NotConfigured: this function lacks keys, or a mail server.
        TooMany: its owner has asked too many others by e-mail today.
        SinkError: the mail server does not accept the e-mail.
    """
    match subscription["protocol"]:
        case Protocol.HTTP:
            return await ask_webhook(subscription)
        case Protocol.EMAIL:
            return await _ask_reader(subscription, email)
        case _:
            return _active()


async def ask_webhook(subscription: Subscription, *, timeout: float | None = None) -> Change:
    """Ask a webhook for its consent.

    Without consent, the subscription waits and the webhook is asked again, after longer and longer pauses. A
    subscription whose webhook had consented stays active for half a day while it is unreachable. One whose
    webhook never consents is suspended in the end.

    Args:
        subscription: as it is.
        timeout: seconds that the webhook's answer may take; else `call_timeout` of the settings.

    Raises:
        NotConfigured: this function lacks keys.
    """
    # Few functions call receivers.
    from skydriver.notify import webhook

    try:
        sink = open_sink(subscription["_id"], subscription["sink"])
        consent = await webhook.ask_consent(sink, timeout=timeout)
    except NotConfigured:
        raise
    except SinkError as error:
        return _without_consent(subscription, error)
    return {**_active(), "consent": consent, "asking": {"at": time.time() + CONSENT_SECONDS, "tries": 0}}


def _without_consent(subscription: Subscription, error: SinkError) -> Change:
    tries = 1 if subscription["asking"] is None else subscription["asking"]["tries"] + 1
    if isinstance(error, SinkGone) or tries >= MAX_TRIES:
        sentence = (
            f"{_sentence(error)}. It is not asked again: correct the webhook, and activate the subscription."
        )
        return {**_with(SubscriptionState.SUSPENDED, Why(error.code, sentence)), "asking": None}
    delay = min(FIRST_DELAY * 2 ** (tries - 1), MAX_DELAY)
    asking: Change = {"asking": {"at": time.time() + delay, "tries": tries}}
    is_away = not isinstance(error, SinkRefused)
    if subscription["state"] == SubscriptionState.ACTIVE and is_away and tries < TRIES_WHILE_ACTIVE:
        return asking
    sentence = f"{_sentence(error)}. It is asked again in {_words(delay)}."
    return {**_with(SubscriptionState.PENDING, Why(error.code, sentence)), **asking}


async def _ask_reader(subscription: Subscription, email: str | None) -> Change:
    sink = open_sink(subscription["_id"], subscription["sink"])
    if subscription["confirmed_at"] is not None:
        return _active()
    if email is not None and email.casefold() == sink.casefold():
        return {**_active(), "confirmed_at": time.time()}
    limit = settings().confirmations_a_day
    if not await confirmations.acquire(subscription["owner"] or "", limit=limit):
        raise TooMany(
            f"you have asked others for their consent by e-mail {limit} times today, which is the limit; try "
            "again tomorrow"
        )
    # Few functions send mail.
    from skydriver.notify.email import send_confirmation

    await send_confirmation(subscription["_id"], sink, owner=subscription["owner"])
    return _with(
        SubscriptionState.PENDING,
        Why(
            ReasonCode.ADDRESS_UNCONFIRMED,
            "An e-mail was sent to the address. Its reader must open the link in it, and press the button "
            "there, within three days.",
        ),
    )


def _active() -> Change:
    return {
        **_with(SubscriptionState.ACTIVE, None),
        "failing_since": None,
        "failures": 0,
        "not_before": 0.0,
    }


def _with(state: SubscriptionState, why: Why | None) -> Change:
    fields = reason_fields(why)
    return {"state": state, "reason": fields["reason"], "reason_code": fields["reason_code"]}


def _sentence(error: SinkError) -> str:
    return f"The webhook has not given its consent: {error}"


def _words(seconds: float) -> str:
    number, unit = (seconds / 60, "minute") if seconds < 3600 else (seconds / 3600, "hour")
    return f"{number:.0f} {unit}{'' if round(number) == 1 else 's'}"

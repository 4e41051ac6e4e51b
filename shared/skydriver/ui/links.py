"""Pages that links in e-mail lead to. They show a button and change nothing, since mail scanners open links.

Each link has a token that only the service can make; no login is needed.
"""

from pydantic import BaseModel, ConfigDict, Field

from skydriver.model.subscriptions import Subscription
from skydriver.ui.pages import Page


class LinkArguments(BaseModel):
    """The argument of a link."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    token: str = Field(max_length=2048)


def asked_to_confirm(subscription: Subscription) -> Page:
    """Ask a reader for consent, or say that it was given before."""
    if subscription["confirmed_at"] is not None:
        return confirmed(subscription)
    return _page(
        "Allow notifications",
        f"{_who(subscription)} wants to send notifications of scans of IceCube events to "
        f"{subscription['shown_sink']}. To allow this, press the button. Otherwise nothing more is sent to "
        "this address.",
        "Allow notifications",
    )


def confirmed(subscription: Subscription) -> Page:
    """Say that a reader has consented."""
    return _page(
        "Notifications are allowed",
        f"Notifications are sent to {subscription['shown_sink']} from now on. Each of them has a link to "
        "unsubscribe.",
    )


def asked_to_unsubscribe(subscription: Subscription | None) -> Page:
    """Ask a reader whether to unsubscribe, or say that this is done."""
    if subscription is None or subscription["confirmed_at"] is None:
        return unsubscribed()
    return _page(
        "Unsubscribe",
        f"{_who(subscription)} sends notifications of scans of IceCube events to "
        f"{subscription['shown_sink']}. To end this, press the button.",
        "Unsubscribe",
    )


def unsubscribed() -> Page:
    """Say that a reader is unsubscribed."""
    return _page(
        "Unsubscribed",
        "This subscription sends no more notifications. They start again only if you allow it.",
    )


def _who(subscription: Subscription) -> str:
    owner = subscription["owner"]
    return "A user of this service" if owner is None else f"The user {owner} of this service"


def _page(title: str, sentence: str, button: str = "") -> Page:
    return Page("link.html", {"title": title, "sentence": sentence, "button": button})

"""Pages that links in e-mail lead to: they show a button and change nothing, since mail scanners open links.

Each link has a token that only the service can have made; nothing else is asked.
"""

from pydantic import BaseModel, ConfigDict, Field

from skydriver.model.subscriptions import Subscription
from skydriver.ui.pages import Page


class LinkArguments(BaseModel):
    """The argument of a link."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    token: str = Field(max_length=2048)


def asked_to_confirm(subscription: Subscription) -> Page:
    """Ask a reader whether they want to be told, or say that they have said so before."""
    if subscription["confirmed_at"] is not None:
        return confirmed(subscription)
    return _page(
        "Allow notifications",
        f"{_who(subscription)} wants notifications of scans of IceCube events to be sent to "
        f"{subscription['shown_sink']}. If you want that, too, press the button. Without that, nothing more "
        "is sent to this address.",
        "Allow notifications",
    )


def confirmed(subscription: Subscription) -> Page:
    """Say that a reader has agreed."""
    return _page(
        "Notifications are allowed",
        f"Notifications are sent to {subscription['shown_sink']} from now on. Each of them has a link that "
        "ends this.",
    )


def asked_to_unsubscribe(subscription: Subscription | None) -> Page:
    """Ask a reader whether they want no more, or say that there will be none."""
    if subscription is None or subscription["confirmed_at"] is None:
        return unsubscribed()
    return _page(
        "Get no more notifications",
        f"{_who(subscription)} has notifications of scans of IceCube events sent to "
        f"{subscription['shown_sink']}. Press the button to get no more of them.",
        "Unsubscribe",
    )


def unsubscribed() -> Page:
    """Say that a reader gets no more."""
    return _page(
        "Unsubscribed",
        "No more notifications of this subscription are sent. It begins again only if you allow it.",
    )


def _who(subscription: Subscription) -> str:
    owner = subscription["owner"]
    return "A user of this service" if owner is None else f"The user {owner} of this service"


def _page(title: str, sentence: str, button: str = "") -> Page:
    return Page("link.html", {"title": title, "sentence": sentence, "button": button})

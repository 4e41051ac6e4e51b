"""Hears the facts that users can subscribe to: stores a delivery for each matching subscription."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle.notifications import notify_subscribers as lifecycle
from skydriver.model.subscriptions import NOTIFIED


@step(*NOTIFIED)
async def notify_subscribers(event: Event) -> None:
    """Notify the subscriptions that match the event."""
    await lifecycle.notify_subscribers(event)

"""Hears what subscriptions may ask for: writes down a delivery for each that does."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle.notifications import notify_subscribers as lifecycle
from skydriver.model.subscriptions import NOTIFIED


@step(*NOTIFIED)
async def notify_subscribers(event: Event) -> None:
    """Notify those who have subscribed to what the event says."""
    await lifecycle.notify_subscribers(event)

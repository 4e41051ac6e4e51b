"""Hears `notification.due`: sends what is due to one subscription."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import delivery_of, step
from skydriver.lifecycle.notifications import deliver_notification as lifecycle
from skydriver.model.transitions import Fact


@step(Fact.NOTIFICATION_DUE)
async def deliver_notification(event: Event) -> None:
    """Send the delivery that the event is about."""
    await lifecycle.deliver_notification(delivery_of(event))

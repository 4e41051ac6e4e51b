"""Hears the broker's dead letters, of any type: notes them among the failed tries of their scans."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle import record_failure as lifecycle


@step()
async def record_failure(event: Event) -> None:
    """Note the event that could not be delivered."""
    await lifecycle.record_failure(event)

"""Hears `scanner.ready`: asks for the scan's workers, cluster by cluster."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle.workers import request_workers as lifecycle
from skydriver.model.transitions import Fact


@step(Fact.READY)
async def request_workers(event: Event) -> None:
    """Ask for the workers of the scan that the event is about."""
    await lifecycle.request_workers(event.subject)

"""Hears `scan.requested`: launches the scan's scanner server, if it is its turn."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle.scanner import launch_scanner as lifecycle
from skydriver.model.transitions import Fact


@step(Fact.REQUESTED)
async def launch_scanner(event: Event) -> None:
    """Launch the scan that the event is about."""
    await lifecycle.launch_scanner(event.subject)

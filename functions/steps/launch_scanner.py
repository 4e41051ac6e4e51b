"""Hears `scan.requested`: launches the scan's scanner server, if it is its turn."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle.scanner.launch_scanner import launch
from skydriver.model.transitions import Fact


@step(Fact.REQUESTED)
async def launch_scanner(event: Event) -> None:
    """Launch the scan that the event is about."""
    await launch(event.subject)

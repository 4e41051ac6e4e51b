"""Hears `scan.finished`, `scan.aborted` and `scan.failed`: tears the scan down."""

from skydriver.eventing.events import Event
from skydriver.eventing.handler import step
from skydriver.lifecycle import tear_down as lifecycle
from skydriver.model.transitions import Fact


@step(Fact.FINISHED, Fact.ABORTED, Fact.FAILED)
async def tear_down(event: Event) -> None:
    """Tear down the scan that the event is about."""
    await lifecycle.tear_down(event.subject)

"""Hears `scan.finished`, `scan.aborted` and `scan.failed`: tears the scan down."""

from skydriver.eventing.events import Event
from skydriver.eventing.step import step
from skydriver.lifecycle import teardown
from skydriver.model.transitions import Fact


@step(Fact.FINISHED, Fact.ABORTED, Fact.FAILED)
async def tear_down(event: Event) -> None:
    """Tear down the scan that the event is about."""
    await teardown.tear_down(event.subject)
